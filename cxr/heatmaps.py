"""Heatmaps as arrays: which are blank, and those of a method that knows nothing.

A map is (h, w) float, 0 or more, larger where there is more evidence.
"""

from collections.abc import Sequence

import cv2
import numpy as np


def is_blank(maps: np.ndarray) -> np.ndarray:
    """Return (...) bool for (..., h, w) maps: no evidence, or not a number somewhere."""
    flat = maps.reshape(*maps.shape[:-2], -1)
    return ~np.isfinite(flat).all(-1) | (flat.max(-1) <= 0)


def centre_map(size: int | tuple[int, int], *, spread: float = 0.25) -> np.ndarray:
    """Return a (rows, columns) Gaussian about the middle; `spread` is sigma per side length.

    The baseline of a method that knows nothing but that pictures have a middle.
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    down = (np.arange(rows) + 0.5) / rows - 0.5
    across = (np.arange(columns) + 0.5) / columns - 0.5
    squared = down[:, None] ** 2 + across[None, :] ** 2
    return np.exp(-squared / (2 * spread**2)).astype(np.float32)


def mean_lesion_map(masks: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Return a (rows, columns) map: how often each place lay on a lesion in training.

    The baseline of a method that knows where lesions usually are, and never sees the image.
    Blank where there is no mask.
    """
    total = np.zeros(size, dtype=np.float64)
    rows, columns = size
    for mask in masks:
        shrunk = cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        total += shrunk
    return (total / max(1, len(masks))).astype(np.float32)
