"""Filling the decoded cache ahead of a run."""

import shutil
from pathlib import Path

from benchmark.cohorts import read_cohort
from benchmark.config import Config
from benchmark.events import Events
from benchmark.locations import cache_folder
from cxr.cache import decode_images, decode_shard, planned_bytes


def build_cache(config: Config, *, shard: tuple[int, int], jobs: int, events: Events) -> str:
    """Decode what a run of `config` will need; return a sentence that says what is there.

    Args:
        config: the run's settings.
        shard: (share, shares); (1, 1) decodes everything.
        jobs: processes.
        events: told the size before anything is decoded.

    Raises:
        InputError: what is wrong with the data or the disk.
    """
    table = read_cohort(config, events).table
    paths = [Path(path) for path in table["image_path"]]
    size, fit, folder = config.image.size, config.image.fit, cache_folder() / "decoded"
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = planned_bytes(len(paths), size=size), shutil.disk_usage(folder).free
    events.say(
        f"{len(paths):,} images of {size} x {size} pixels: {needed / 1e9:.2f} GB in {folder}, "
        f"where {free / 1e9:.1f} GB are free."
    )
    share, shares = shard
    if shares > 1:
        events.stage(f"Decoding share {share} of {shares}")
        whole = decode_shard(
            paths,
            shard=share,
            shards=shares,
            size=size,
            fit=fit,
            folder=folder,
            jobs=jobs,
            progress=events.advance,
        )
        return "The set is whole." if whole else "This share is done; others are still missing."
    events.stage("Decoding images", len(paths), "images")
    decoded = decode_images(
        paths,
        table["image_id"].tolist(),
        size=size,
        fit=fit,
        folder=folder,
        jobs=jobs,
        progress=events.advance,
    )
    return f"{len(decoded.ids):,} images are decoded, {len(decoded.failures):,} can't be read."
