"""From an image of any shape to a square by area average: small lesions are kept, not skipped."""

from typing import Literal

import cv2
import numpy as np


def to_square(image: np.ndarray, size: int, fit: Literal["squash", "letterbox"]) -> np.ndarray:
    """Return a float32 (rows, columns) image as (size, size)."""
    rows, columns = (size, size) if fit == "squash" else letterbox_shape(image.shape, size)
    reduced = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    square = np.zeros((size, size), dtype=np.float32)
    top, left = (size - rows) // 2, (size - columns) // 2
    square[top : top + rows, left : left + columns] = reduced
    return square


def letterbox_shape(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """Return rows and columns that keep the aspect and fill the square's longer side."""
    longest = max(shape)
    rows, columns = (max(1, round(size * side / longest)) for side in shape)
    return rows, columns
