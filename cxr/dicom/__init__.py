"""From an image file to the picture that a reader would see, as a small grey square.

`files` opens a DICOM file, `frames` decodes its pixels, `display` works out what each stored value
looks like, `resample` applies that and averages; `pictures` reads PNG and JPEG.
"""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from cxr.dicom.display import (
    Rendering,
    flattened,
    has_embedded_overlay,
    pixel_aspect,
    rendering,
    word_patterns,
)
from cxr.dicom.files import DicomFile, map_file, open_dicom, quiet
from cxr.dicom.frames import Frame, read_frame, read_layout
from cxr.dicom.header import Header, read_header, text
from cxr.dicom.pictures import picture_format, read_picture
from cxr.dicom.resample import Fit, centred, present_words, shrink
from cxr.errors import RadiographError

__all__ = ["PREPROCESSING_VERSION", "Fit", "Header", "quantize", "read_header", "read_radiograph"]

PREPROCESSING_VERSION = 4
"""Raised whenever a change here changes a pixel; part of the decoded cache's key."""

OTHER_MODALITIES = frozenset({"CT", "MR", "NM", "PT", "US", "IVUS", "ES", "XC", "GM", "SM", "OP"})
"""Modalities whose grey images are not projection radiographs."""

_OVERSAMPLING = 2
"""JPEG 2000 is decoded at no less than this times the result's resolution."""


def read_radiograph(path: Path | str, *, size: int = 224, fit: Fit = "squash") -> np.ndarray:
    """Read a radiograph (DICOM, PNG or JPEG) as a reader would see it.

    VOI LUT, else the first window, else the range of the values without padding (a window that
    is not valid counts as none); MONOCHROME1 and the presentation shape INVERSE are inverted,
    once; padding is black. Then reduced by area average.

    Args:
        path: the file; told by its content, not its name.
        size: pixels a side of the result.
        fit: "squash" to the square as in the study, or "letterbox": aspect kept (by the pixel
            spacing, where pixels are not square), black beside.

    Returns:
        (size, size) float32 from 0 (black) to 1 (white).

    Raises:
        RadiographError: the file is missing, damaged, no image, in colour, of several frames, or
            contradicts itself; the sentence says which.
    """
    try:
        return load(Path(path), size=size, fit=fit)
    except RadiographError as error:
        raise type(error)(f"{path}: {error}") from error


def load(path: Path, *, size: int, fit: Fit) -> np.ndarray:
    """Do what `read_radiograph` does, with messages that do not name the file."""
    if picture_format(map_file(path)[:8]):
        words, table = read_picture(path)
        image = np.clip(shrink(words, table, size=size, fit=fit), 0, 1)  # means round beyond 1
    else:
        image = _dicom(path, size, fit)
    if np.ptp(image) < 1 / 255:
        raise RadiographError("it shows a single grey; there is no picture, or a wrong window.")
    return centred(image, size)


def quantize(image: np.ndarray) -> np.ndarray:
    """Return an image in 0..1 as uint8, rounded: what the decoded cache keeps."""
    return np.rint(image * 255).astype(np.uint8)


def _dicom(path: Path, size: int, fit: Fit) -> np.ndarray:
    file = open_dicom(path)
    with quiet():
        modality = text(file.dataset, "Modality").upper()
        if modality in OTHER_MODALITIES:
            raise RadiographError(f"it is not a radiograph: its modality is {modality}.")
        return render(file, size=size, fit=fit)


def render(file: DicomFile, *, size: int, fit: Fit) -> np.ndarray:
    """Return an opened file's picture, whatever its modality, before it is put in a square."""
    layout = read_layout(file)
    try:
        header = flattened(file.dataset)
        shown = rendering(header, layout.stored, little_endian=file.little_endian)
        aspect = pixel_aspect(header)
    except RadiographError:
        raise
    except Exception as error:  # pydicom parses an element when it is looked at
        raise RadiographError("its header is damaged.") from error
    smallest = _OVERSAMPLING * size if shown.reducible else 0
    frame = read_frame(file, layout, smallest=smallest)
    image = shrink(
        frame.words,
        _table(frame, header, shown),
        size=size,
        fit=fit,
        aspect=aspect,
        reduced=frame.reduced,
        full_shape=(layout.rows, layout.columns),
    )
    if np.isnan(image).any():
        raise RadiographError("it has values beyond Bits Stored: header and pixels contradict.")
    return np.clip(image, 0, 1)


def _table(frame: Frame, header: Dataset, shown: Rendering) -> np.ndarray:
    """Return the display value, float32, of each word; NaN for one that may not occur."""
    overlays = has_embedded_overlay(header)
    patterns, legal = word_patterns(frame.layout, overlays=overlays, lossy=frame.lossy)
    present = np.zeros(2**frame.layout.stored, dtype=bool)
    if shown.shown is None:
        present[patterns[np.flatnonzero(present_words(frame.words))]] = True
    return np.where(legal, shown.table(present)[patterns], np.nan).astype(np.float32)
