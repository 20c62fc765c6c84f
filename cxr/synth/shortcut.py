"""A planted shortcut: a mark beside the patient that goes with a finding, and is none of it.

Networks learn such marks in place of the disease (Zech et al. 2018, PLoS Med 15:e1002683; DeGrave
et al. 2021, Nat Mach Intell 3:610-619). Here it is known where the mark is, so that a report on
heatmaps can be tested: it has to tell that the network looks at the mark.
"""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.errors import InputError
from cxr.synth.exposure import WHITE


@dataclass(frozen=True)
class Shortcut:
    """A mark and what it goes with.

    Attributes:
        observation: whose images carry it.
        present: share of the images with the observation that carry it.
        absent: share of the others that do.
    """

    observation: str
    present: float
    absent: float


SHORTCUTS: dict[str, Shortcut] = {"marker": Shortcut("Atelectasis", present=0.95, absent=0.05)}


def find_shortcut(name: str) -> Shortcut:
    """Return the shortcut of that name.

    Raises:
        InputError: there is none.
    """
    if name not in SHORTCUTS:
        raise InputError(f"shortcut {name!r} is unknown; choose from {', '.join(SHORTCUTS)}.")
    return SHORTCUTS[name]


def plant(
    pixels: NDArray[np.uint16], image_id: str, *, shortcut: Shortcut, present: bool
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Return a picture with the mark, where its turn has come, and where the mark is.

    Args:
        pixels: (size, size) uint16, as `render` returns them.
        image_id: decides, with its digest, whether this image carries the mark.
        shortcut: what the mark goes with.
        present: whether the image has the observation.

    Returns:
        The picture; (size, size) bool, all False where there is no mark.
    """
    size = pixels.shape[0]
    nowhere = np.zeros(pixels.shape, dtype=bool)
    digest = hashlib.sha256(f"shortcut {image_id}".encode()).digest()
    drawn = int.from_bytes(digest[:8], "big") / 2**64
    if drawn >= (shortcut.present if present else shortcut.absent):
        return pixels, nowhere
    top, bottom = round(0.90 * size), round(0.97 * size)
    left, right = round(0.03 * size), round(0.19 * size)
    plate = np.zeros(pixels.shape, np.uint8)
    plate[top:bottom, left:right] = 255
    spot = left + round(0.015 * size), bottom - round(0.015 * size)
    scale, thick = 0.0019 * size, max(1, round(size / 128))
    cv2.putText(plate, "ICU", spot, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, thick, cv2.LINE_AA)
    mark = nowhere.copy()
    mark[top:bottom, left:right] = True
    lead = (plate.astype(np.float32) / 255 * WHITE).astype(np.uint16)
    return np.where(mark, lead, pixels), mark
