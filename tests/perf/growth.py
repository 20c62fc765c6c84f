"""How the time per image grows with the data: index, inspection, split, cache, loader.

    python -m tests.perf.growth 1000 10000 100000 [--folder DIR]

Builds trees in MIMIC-CXR's layout out of hard links to a few small DICOMs (so that what is
measured is our own work and not the disk), times each step on one core, prints the times per
image, and says what follows for all of MIMIC-CXR's 377,110 images. One step is of real size:
decoding a 2500 x 3056 image. Times are of the processor, so that a busy machine does not change
them; reading 4.6 TB from a disk comes on top and is stated apart.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmark.inspection.building import facts_of
from benchmark.inspection.indexing import read_all
from cxr.cache import decode_images
from cxr.dicom import read_radiograph
from cxr.sources.mimic import read_mimic
from cxr.splits import split_patients
from cxr.tensors import RadiographDataset, keep_batch
from tests.dicom_writer import phantom, write_dicom

MIMIC_IMAGES = 377_110
MIMIC_BYTES = 4.6e12
ORIGINALS = 16
PER_STUDY, PER_PATIENT = 2, 6
SIZE = 32
STEPS = ("index", "inspect", "split", "decode", "find again", "load")


def make_tree(root: Path, images: int) -> None:
    """Write `images` images of made-up patients, as hard links to a few files."""
    store = root / "originals"
    store.mkdir(parents=True)
    files = [
        write_dicom(
            store / f"{n}.dcm", phantom(64, 64, seed=n), ViewPosition="PA", PatientAge="050Y"
        )
        for n in range(ORIGINALS)
    ]
    reports = [store / f"{n}.txt" for n in range(ORIGINALS)]
    for number, report in enumerate(reports):
        report.write_text(f"FINDINGS: No effusion. {number} cm nodule.\n")
    for number in range(images):
        patient, study = 10_000_000 + number // PER_PATIENT * 41, 50_000_000 + number // PER_STUDY
        # Ids spread over p10 to p19 as MIMIC's do.
        group = f"p{10 + patient % 10}"
        name = f"{group}{str(patient)[3:]}"
        folder = root / "files" / group / name / f"s{study}"
        if number % PER_STUDY == 0:
            folder.mkdir(parents=True)
            os.link(reports[number % ORIGINALS], folder.with_suffix(".txt"))
        os.link(files[number % ORIGINALS], folder / f"{number:08x}.dcm")


def measure(root: Path, images: int) -> dict[str, float]:
    """Return seconds of the processor for each step over a tree of `images` images."""
    spent: dict[str, float] = {}

    def timed(name: str, step: Callable[[], object]) -> object:
        start = time.process_time()
        result = step()
        spent[name] = time.process_time() - start
        return result

    cohort = timed("index", lambda: read_mimic(root))
    table = cohort.table  # type: ignore[attr-defined]
    assert len(table) == images
    timed(
        "inspect",
        lambda: read_all(
            facts_of, table["image_path"].tolist(), root / "headers.jsonl", version=1, jobs=1
        ),
    )
    timed("split", lambda: split_patients(table["patient_id"]))
    paths = [Path(path) for path in table["image_path"]]
    ids = table["image_id"].tolist()

    def decode() -> object:
        return decode_images(paths, ids, size=SIZE, folder=root / "cache")

    decoded = timed("decode", decode)
    timed("find again", decode)
    dataset = RadiographDataset(
        decoded.pixels,  # type: ignore[attr-defined]
        np.random.default_rng(0).permutation(images),
        np.zeros((images, 14), np.float32),
        np.ones((images, 14), bool),
    )
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=64, shuffle=True, collate_fn=keep_batch
    )
    timed("load", lambda: [None for _ in loader])
    return spent


def measured(images: int, folder: Path | None = None) -> dict[str, float]:
    """Return milliseconds per image for each step, at this size."""
    root = Path(tempfile.mkdtemp(dir=folder))
    try:
        make_tree(root, images)
        return {name: 1e3 * spent / images for name, spent in measure(root, images).items()}
    finally:
        shutil.rmtree(root)


def full_size_ms(folder: Path | None = None) -> float:
    """Return milliseconds to read one uncompressed 2500 x 3056 image at 224 pixels."""
    root = Path(tempfile.mkdtemp(dir=folder))
    try:
        path = write_dicom(
            root / "a.dcm", phantom(3056, 2500, scale=64), WindowCenter=2048, WindowWidth=3500
        )
        read_radiograph(path)
        start = time.process_time()
        for _ in range(9):
            read_radiograph(path)
        return 1e3 * (time.process_time() - start) / 9
    finally:
        shutil.rmtree(root)


def extrapolated(per_image: dict[str, float], full_size: float) -> str:
    """Return what all of MIMIC-CXR would take on 2 and on 64 cores, in words."""
    index = per_image["index"] * MIMIC_IMAGES / 1e3
    facts = per_image["inspect"] * MIMIC_IMAGES / 1e3
    found = per_image["find again"] * MIMIC_IMAGES / 1e3
    decode = (per_image["decode"] + full_size) * MIMIC_IMAGES / 1e3
    lines = [f"All of MIMIC-CXR, {MIMIC_IMAGES:,} images, processor time spread over the cores:"]
    for cores in (2, 64):
        lines.append(
            f"  {cores:>2} cores: index {_span(index / cores)}, headers for an inspection "
            f"{_span(facts / cores)}, decode {_span(decode / cores)}, "
            f"find decoded images again {_span(found / cores)}"
        )
    hours = MIMIC_BYTES / 5e8 / 3600
    lines.append(f"  reading 4.6 TB once at 500 MB/s: {hours:.1f} h, whatever the cores do")
    return "\n".join(lines)


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.1f} min"


def main() -> None:
    """Measure the sizes that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--folder", type=Path, help="where the trees are made")
    given = parser.parse_args()
    torch.set_num_threads(1)
    measured(200, given.folder)  # the kernels are compiled
    print(f"{'images':>9}" + "".join(f"{name:>12}" for name in STEPS) + "   ms per image, one core")
    for size in given.sizes:
        per_image = measured(size, given.folder)
        print(f"{size:>9,}" + "".join(f"{per_image[name]:>12.4f}" for name in STEPS), flush=True)
    print(extrapolated(per_image, full_size_ms(given.folder)))


if __name__ == "__main__":
    main()
