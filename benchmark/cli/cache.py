"""`cxr-bench cache`: the decoded images that runs share."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.config import PRESETS, Config, load_config
from benchmark.console import open_console
from benchmark.locations import cache_folder
from cxr.errors import InputError

if TYPE_CHECKING:
    from cxr.cached_sets import CachedSet

_NOT_VERIFIED = {
    "unfinished": "the next run or build goes on with it",
    "outdated": "another version made it; `cxr-bench cache rm --outdated` removes it",
}


@click.group()
def command() -> None:
    """Decoded images, kept between runs: build them ahead, look at them, remove them.

    They lie in $CXR_BENCH_CACHE, else in the user's cache folder. They hold pixels at a run's
    size, and no name, path or id.

    \b
    Examples:
      cxr-bench cache build --data /data/mimic-cxr --preset mimic-cxr
      cxr-bench cache ls
      cxr-bench cache verify
      cxr-bench cache rm --outdated
    """


@command.command()
@click.option("--preset", type=click.Choice(PRESETS), help="The settings to start from.")
@click.option(
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file over the preset.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Short for data.path.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Override one setting, as for `run`; may be repeated.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Decode share I of N; machines that share the cache folder take one each.",
)
@click.option("--jobs", type=click.IntRange(min=1), show_default="every core", help="Processes.")
def build(
    preset: str | None,
    file: Path | None,
    data: Path | None,
    overrides: tuple[str, ...],
    shard: str | None,
    jobs: int | None,
) -> None:
    """Decode the images that `run` with the same settings will need.

    A build that was stopped goes on when the same command is given again. With --shard the set
    is whole when every share is done; the machine that ends last puts it together.

    \b
    Examples:
      cxr-bench cache build --preset mimic-cxr --data /data/mimic-cxr
      cxr-bench cache build --set data.source=nih --data /data/nih --set image.size=320
      cxr-bench cache build --preset mimic-cxr --data /nfs/mimic-cxr --shard 2/8
    """
    from benchmark.cache_job import build_cache  # decoders load with it

    chosen = [f"data.path={data}", *overrides] if data is not None else list(overrides)
    config: Config = load_config(preset=preset, file=file, overrides=chosen)
    with open_console() as events:
        said = build_cache(config, shard=_shard(shard), jobs=jobs or -1, events=events)
    click.echo(said)


@command.command("ls")
def list_command() -> None:
    """List the sets: key, state, images, size, failures, bytes, age.

    \b
    Example:
      cxr-bench cache ls
    """
    from cxr.cached_sets import list_sets

    sets = list_sets(cache_folder() / "decoded")
    if not sets:
        click.echo(f"{cache_folder() / 'decoded'} holds no images.")
        return
    click.echo(
        f"{'key':<14}{'state':<12}{'images':>9}{'pixels':>8}{'failed':>8}{'MB':>10}  written"
    )
    for found in sets:
        click.echo(_line(found))
    click.echo(f"{sum(found.bytes for found in sets) / 1e6:,.1f} MB in {cache_folder()}")


@command.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
def verify(keys: tuple[str, ...]) -> None:
    """Read every image of whole sets and compare it with its checksum.

    Without KEY (the beginning is enough) all of them. Exit code 2 where one is damaged.

    \b
    Example:
      cxr-bench cache verify 3f2a
    """
    from cxr.cached_sets import damaged_rows, find_sets

    broken = []
    for found in find_sets(cache_folder() / "decoded", keys):
        name = found.folder.name[:12]
        if found.state in _NOT_VERIFIED:
            click.echo(f"{name}  {found.state}: {_NOT_VERIFIED[found.state]}")
            continue
        rows = damaged_rows(found) if found.state == "whole" else []
        if rows or found.state == "damaged":
            broken.append(name)
        words = "index and pixels don't fit" if found.state == "damaged" else f"{len(rows)} damaged"
        click.echo(f"{name}  {words if name in broken else f'{found.images:,} images, all right'}")
    if broken:
        raise InputError(
            f"damaged: {', '.join(broken)}. Remove with `cxr-bench cache rm {' '.join(broken)}`; "
            "the next run decodes them anew. If it happens again, look at the disk."
        )


@command.command("rm")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--outdated", is_flag=True, help="Remove what other versions made.")
@click.option("--all", "everything", is_flag=True, help="Remove every set.")
def remove(keys: tuple[str, ...], outdated: bool, everything: bool) -> None:
    """Remove sets; a later run decodes them again.

    KEY is the beginning of a set's key, as `cache ls` shows it.

    \b
    Examples:
      cxr-bench cache rm 3f2a 90cc
      cxr-bench cache rm --outdated
      cxr-bench cache rm --all
    """
    from cxr.cached_sets import find_sets, remove_set

    if [bool(keys), outdated, everything].count(True) != 1:
        raise click.UsageError(
            "name the sets to remove (see `cxr-bench cache ls`), or --outdated, or --all."
        )
    freed = 0
    for found in find_sets(cache_folder() / "decoded", keys):
        if outdated and found.state != "outdated":
            continue
        remove_set(found)
        freed += found.bytes
        click.echo(f"{found.folder.name[:12]}  removed")
    click.echo(f"{freed / 1e6:,.1f} MB freed")


def _line(found: "CachedSet") -> str:
    age = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.used))
    return (
        f"{found.folder.name[:12]:<14}{found.state:<12}{found.images:>9,}{found.size:>8}"
        f"{found.failures:>8,}{found.bytes / 1e6:>10,.1f}  {age}"
    )


def _shard(given: str | None) -> tuple[int, int]:
    if given is None:
        return 1, 1
    share, _, shares = given.partition("/")
    if share.isdigit() and shares.isdigit() and 1 <= int(share) <= int(shares):
        return int(share), int(shares)
    raise click.BadParameter(f"{given!r}; expected I/N, such as 2/8", param_hint="--shard")
