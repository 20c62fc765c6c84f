"""From an image of any shape to a small square by area average: lesions are kept, not skipped.

Lookup and average are one pass over the stored words, compiled, so that the full-size image never
exists as float and uncompressed pixels are read where the file is mapped.
"""

from collections.abc import Callable
from typing import Any, Literal

import cv2
import numba
import numpy as np

Fit = Literal["squash", "letterbox"]


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel; kept on disk between processes where there is a place for it."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # a read-only installation and no home folder
        return numba.njit(nogil=True)(function)


def shrink(
    words: np.ndarray,
    table: np.ndarray,
    *,
    size: int,
    fit: Fit = "squash",
    aspect: float = 1.0,
    reduced: int = 0,
    full_shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Look words up and average them over the boxes of the result.

    Args:
        words: (rows, columns) uint8 or uint16.
        table: display value, float32, of each word.
        size: pixels on the longer side of the result.
        fit: "squash" to a square, or "letterbox": aspect kept.
        aspect: height of a pixel over its width; only a letterbox asks.
        reduced: how many times JPEG 2000 halved the resolution of `words`.
        full_shape: rows and columns before that.

    Returns:
        float32, (size, size) squashed, with one shorter side in a letterbox; NaN where a word
        without a display value took part.
    """
    full = full_shape or (words.shape[0], words.shape[1])
    shape = (size, size)
    if fit == "letterbox":
        shape = letterbox_shape((full[0] * aspect, full[1]), size)
    # Averaging only ever shrinks; what is too small is first averaged to itself, then grown.
    small: np.ndarray = np.empty((min(shape[0], full[0]), min(shape[1], full[1])), np.float32)
    # A low-pass sample k stands at pixel k * 2**reduced, not in the middle of its block.
    scale = 1 / 2**reduced
    row_step, column_step = (scale * full[0] / small.shape[0], scale * full[1] / small.shape[1])
    _average(words, table, small, row_step, column_step, (1 - scale) / 2)
    if small.shape != shape:
        small = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return small


def centred(image: np.ndarray, size: int) -> np.ndarray:
    """Return an image of at most (size, size) in the middle of a black square."""
    rows, columns = image.shape
    if (rows, columns) == (size, size):
        return image
    square = np.zeros((size, size), dtype=np.float32)
    top, left = (size - rows) // 2, (size - columns) // 2
    square[top : top + rows, left : left + columns] = image
    return square


def letterbox_shape(shape: tuple[float, float], size: int) -> tuple[int, int]:
    """Return rows and columns that keep the aspect and fill the square's longer side."""
    longest = max(shape)
    rows, columns = (min(size, max(1, round(size * side / longest))) for side in shape)
    return rows, columns


def present_words(words: np.ndarray) -> np.ndarray:
    """Return (65536,) bool: which words occur."""
    present = np.zeros(2**16, dtype=np.bool_)
    _mark(words, present)
    return present


@_compiled
def _mark(words: np.ndarray, present: np.ndarray) -> None:
    for y in range(words.shape[0]):
        for x in range(words.shape[1]):
            present[words[y, x]] = True


@_compiled
def _average(
    words: np.ndarray,
    table: np.ndarray,
    result: np.ndarray,
    row_step: float,
    column_step: float,
    shift: float,
) -> None:
    """Fill `result`: pixel (i, j) is the mean over a box of row_step x column_step words.

    A box that covers a word in part takes it by that part. No reordering of sums is allowed, so
    that every machine gets the same bits.
    """
    height, width = words.shape
    rows, columns = result.shape
    first = np.empty(columns, np.int64)  # first word wholly inside the box
    last = np.empty(columns, np.int64)  # one past the last word wholly inside
    before = np.empty(columns, np.float32)  # part of word first - 1
    after = np.empty(columns, np.float32)  # part of word last
    extent = np.empty(columns, np.float32)
    for j in range(columns):
        start = min(j * column_step + shift, float(width))
        stop = min((j + 1) * column_step + shift, float(width))
        first[j] = int(np.ceil(start))
        last[j] = int(np.floor(stop))
        before[j] = first[j] - start
        after[j] = stop - last[j]
        extent[j] = stop - start
    for i in range(rows):
        top = min(i * row_step + shift, float(height))
        bottom = min((i + 1) * row_step + shift, float(height))
        sums = np.zeros(columns, np.float32)
        for y in range(int(np.floor(top)), min(int(np.ceil(bottom)), height)):
            part = np.float32(min(y + 1.0, bottom) - max(float(y), top))
            for j in range(columns):
                total = np.float32(0)
                for x in range(first[j], last[j]):
                    total += table[words[y, x]]
                if before[j] > 0:
                    total += before[j] * table[words[y, first[j] - 1]]
                if after[j] > 0 and last[j] < width:
                    total += after[j] * table[words[y, last[j]]]
                sums[j] += part * total
        for j in range(columns):
            result[i, j] = sums[j] / (extent[j] * np.float32(bottom - top))
