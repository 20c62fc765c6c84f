"""From an image file to the picture that a reader would see, as a small grey square."""

from pathlib import Path
from typing import Literal

import numpy as np
import pydicom
from PIL import Image

from cxr.dicom.display import rendering
from cxr.dicom.header import Header, read_header
from cxr.dicom.resample import to_square
from cxr.errors import RadiographError

__all__ = ["PREPROCESSING_VERSION", "Header", "quantize", "read_header", "read_radiograph"]

PREPROCESSING_VERSION = 1
"""Raised whenever a change here changes a pixel; part of the decoded cache's key."""

MAX_PIXELS = 2**26
"""More than any detector has; a header that claims more is wrong, and is not believed."""


def read_radiograph(
    path: Path | str, *, size: int = 224, fit: Literal["squash", "letterbox"] = "squash"
) -> np.ndarray:
    """Read a radiograph (DICOM, PNG or JPEG) as a reader would see it.

    VOI LUT, else the first window, else the range without padding; MONOCHROME1 and the
    presentation shape INVERSE are inverted; padding is black. Then reduced by area average.

    Args:
        path: the file; told by its content, not its name.
        size: pixels a side of the result.
        fit: "squash" to the square as in the study, or "letterbox": aspect kept, black beside.

    Returns:
        (size, size) float32 from 0 (black) to 1 (white).

    Raises:
        RadiographError: the file is missing, damaged, no image, in colour, of several frames, or
            contradicts itself; the sentence says which.
    """
    try:
        return load(Path(path), size=size, fit=fit)
    except RadiographError as error:
        raise RadiographError(f"{path}: {error}") from error


def load(path: Path, *, size: int, fit: Literal["squash", "letterbox"]) -> np.ndarray:
    """Do what `read_radiograph` does, with messages that do not name the file."""
    try:
        start = path.open("rb").read(132)
    except OSError as error:
        raise RadiographError(f"it can't be opened ({error.strerror}).") from error
    picture = start[:8] == b"\x89PNG\r\n\x1a\n" or start[:3] == b"\xff\xd8\xff"
    image = _picture(path) if picture else _dicom(path)
    return to_square(image, size, fit)


def quantize(image: np.ndarray) -> np.ndarray:
    """Return an image in 0..1 as uint8, rounded: what the decoded cache keeps."""
    return np.rint(image * 255).astype(np.uint8)


def _dicom(path: Path) -> np.ndarray:
    try:
        dataset = pydicom.dcmread(path, force=True)
        if "PixelData" not in dataset:
            raise RadiographError("it holds no pixels, or is not a DICOM file.")
        if not str(dataset.PhotometricInterpretation).startswith("MONOCHROME"):
            raise RadiographError("it is a colour image, not a radiograph.")
        if int(dataset.get("NumberOfFrames") or 1) > 1:
            raise RadiographError("it has several frames; a radiograph has one.")
        if dataset.Rows * dataset.Columns > MAX_PIXELS:
            raise RadiographError("its header claims an impossible size.")
        bits = int(dataset.BitsStored)
        patterns = dataset.pixel_array.astype(np.int64) & (2**bits - 1)
        shown = rendering(dataset, bits)
    except RadiographError:
        raise
    except Exception as error:
        raise RadiographError("its pixels can't be decoded; the file is damaged.") from error
    return shown.table(np.bincount(patterns.ravel(), minlength=2**bits) > 0)[patterns]


def _picture(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise RadiographError("its header claims an impossible size.")
            if picture.mode.startswith("I"):
                deep = np.asarray(picture).astype(np.float32)
                return (deep - deep.min()) / max(float(np.ptp(deep)), 1.0)
            return np.asarray(picture.convert("L")).astype(np.float32) / 255
    except RadiographError:
        raise
    except Exception as error:
        raise RadiographError("its pixels can't be decoded; the file is damaged.") from error
