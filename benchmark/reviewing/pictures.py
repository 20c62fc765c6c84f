"""Radiographs as readers see them: whole, undistorted, as large as the file or the form allows."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.cohorts import image_files
from benchmark.config import stored_config
from benchmark.events import Events
from benchmark.runs import Run
from cxr.dicom import quantize, read_header, read_radiograph
from cxr.dicom.resample import letterbox_shape
from cxr.errors import InputError, RadiographError
from cxr.parallel import run_parallel
from cxr.synth.cohort import COHORT_VERSION

QUALITY = 92


@dataclass(frozen=True)
class Picture:
    """A radiograph in the middle of a black square.

    Attributes:
        pixels: (side, side) uint8.
        shape: rows and columns of the radiograph itself; one of them is the side.
    """

    pixels: np.ndarray
    shape: tuple[int, int]

    @property
    def digest(self) -> str:
        """SHA-256 of the pixels, whatever file they are written to."""
        return hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()

    def jpeg(self) -> bytes:
        """Return the square as JPEG, without any metadata."""
        stream = io.BytesIO()
        Image.fromarray(self.pixels).save(stream, "JPEG", quality=QUALITY)
        return stream.getvalue()


def source_files(
    run: Run, *, overrides: Sequence[str], include_restricted: bool, events: Events
) -> dict[str, Path]:
    """Return the file of each image of a run by its id in cases.parquet.

    Args:
        run: finished.
        overrides: "section.key=value" items, where the data lies elsewhere now.
        include_restricted: the images of a restricted source may be shown.
        events: told of the progress.

    Raises:
        InputError: the source is restricted and was not asked for, is not where it was, or is a
            synthetic cohort that is drawn otherwise now.
    """
    values = run.read()
    if values["cohort"]["restricted"] and not include_restricted:
        raise InputError(
            f"{run.run_id} is of a restricted source, whose images must not be passed on; for "
            "readers who may see them, give --include-restricted."
        )
    made = values["cohort"].get("notes", {}).get("cohort_version", str(COHORT_VERSION))
    if values["cohort"]["synthetic"] and made != str(COHORT_VERSION):
        raise InputError(
            f"the phantoms of {run.run_id} are version {made}, and this version of cxr-bench draws "
            f"version {COHORT_VERSION}: other images of the same names. Use the one that made it."
        )
    config = stored_config(
        values["config"], where=f"{run.path}/run.json: config", overrides=overrides
    )
    if config.data.path.startswith("("):
        raise InputError(
            "the run does not keep where its data lies, for it is restricted; say where, as "
            "--data FOLDER (and --set data.reports=, data.tables=, data.patients= as in the run)."
        )
    return image_files(config, events)


def read_pictures(
    files: Mapping[str, Path], image_ids: Sequence[str], *, size: int
) -> dict[str, Picture]:
    """Read images by their ids, at most `size` pixels a side.

    Raises:
        InputError: an image is not in the source any more, or can't be read.
    """
    lost = [name for name in image_ids if name not in files]
    if lost:
        raise InputError(
            f"{len(lost)} of {len(image_ids)} images are not in the source any more; is it the "
            "data that the run was made from, and CXR_BENCH_KEY its key?"
        )
    items = [(files[name], size) for name in image_ids]
    read = run_parallel(_read_one, items, jobs=1)
    return dict(zip(image_ids, read, strict=True))


def _read_one(item: tuple[Path, int]) -> Picture:
    path, size = item
    try:
        rows, columns = _shape(path)
        side = min(size, max(rows, columns))
        image = read_radiograph(path, size=side, fit="letterbox")
    except RadiographError as error:
        raise InputError(f"an image can't be read any more: {error}") from error
    return Picture(quantize(image), letterbox_shape((rows, columns), side))


def _shape(path: Path) -> tuple[int, int]:
    try:
        header = read_header(path)
    except RadiographError:
        with Image.open(path) as image:
            return image.height, image.width
    return header.rows, header.columns
