"""New images as they were taken and as a network sees them, and what speaks against asking."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxr.dicom import Fit, Header, quantize, read_header, read_radiograph
from cxr.dicom.display import flattened, pixel_aspect
from cxr.dicom.files import map_file, open_dicom
from cxr.dicom.pictures import picture_format
from cxr.errors import RadiographError
from cxr.regions import Frame, orient
from cxr.synth.dicom_file import MANUFACTURER

_CHEST = ("CHEST", "THORAX", "LUNG")


@dataclass(frozen=True)
class Picture:
    """One image that is asked about.

    Attributes:
        path: its file.
        pixels: (rows, columns) uint8, as displayed, at the image's own resolution.
        seen: (size, size) uint8, as the network sees it.
        content: (rows, columns) of `seen` that the image fills, about the middle, in shares.
        frame: where the lungs lie and how the picture is turned.
        header: what its DICOM header says; None for PNG and JPEG.
    """

    path: Path
    pixels: NDArray[np.uint8]
    seen: NDArray[np.uint8]
    content: tuple[float, float]
    frame: Frame
    header: Header | None

    @property
    def synthetic(self) -> bool:
        """Whether its header says that it is one of this project's phantoms."""
        return self.header is not None and self.header.manufacturer == MANUFACTURER

    @property
    def view(self) -> str:
        """PA, AP, LATERAL or empty."""
        return "" if self.header is None else self.header.view


def read_picture(path: Path, *, size: int, fit: Fit) -> Picture:
    """Read one image.

    Args:
        path: DICOM, PNG or JPEG.
        size: pixels a side that the network sees.
        fit: how the image becomes a square for it.

    Raises:
        RadiographError: it can't be read as a radiograph.
    """
    try:
        is_picture = bool(picture_format(map_file(path)[:8]))
    except RadiographError as error:
        raise RadiographError(f"{path}: {error}") from error
    seen = quantize(read_radiograph(path, size=size, fit=fit))
    header = None if is_picture else read_header(path)
    if header is None:
        with Image.open(path) as opened:
            columns, rows = opened.size
        aspect = 1.0
    else:
        rows, columns = header.rows, header.columns
        aspect = pixel_aspect(flattened(open_dicom(path).dataset))
    square = quantize(read_radiograph(path, size=max(rows, columns), fit="squash"))
    height = rows * aspect
    longest = max(height, columns) if fit == "letterbox" else 1.0
    frame = Frame()
    if header is not None:
        frame = orient(frame, header.patient_orientation, header.view)  # type: ignore[arg-type]
    return Picture(
        path=path,
        pixels=cv2.resize(square, (columns, rows), interpolation=cv2.INTER_AREA),  # type: ignore[arg-type]
        seen=seen,
        content=(height / longest, columns / longest) if fit == "letterbox" else (1.0, 1.0),
        frame=frame,
        header=header,
    )


def objections(picture: Picture, *, trained_on_phantoms: bool, views: Sequence[str]) -> list[str]:
    """Return what speaks against a verdict on this image, each in a few words.

    Args:
        picture: the image.
        trained_on_phantoms: whether the networks never saw a patient.
        views: the views that they were trained on.
    """
    found = []
    if trained_on_phantoms and not picture.synthetic:
        found.append("trained on synthetic images alone, which this is not known to be")
    if picture.view and picture.view not in views:
        found.append(f"trained on {' and '.join(views)} views, and this is {picture.view}")
    part = "" if picture.header is None else picture.header.body_part.upper()
    if part and not any(word in part for word in _CHEST):
        found.append(f"trained on chests, and this is called {part}")
    return found


def on_picture(maps: np.ndarray, content: tuple[float, float]) -> np.ndarray:
    """Return the middle of (..., h, w) maps over the network's square that the image fills."""
    rows, columns = (
        max(1, round(side * share)) for side, share in zip(maps.shape[-2:], content, strict=True)
    )
    top, left = (maps.shape[-2] - rows) // 2, (maps.shape[-1] - columns) // 2
    return maps[..., top : top + rows, left : left + columns]
