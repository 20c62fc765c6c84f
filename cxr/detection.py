"""Maps as boxes and as rankings of pixels, beside the overlap of `cxr.localization`.

The rule of boxes is NIH's (Wang et al. 2017, CVPR, section 4.2): each isolated part of the
thresholded map is a detected box, and it is right where its intersection over union with a true
box exceeds a limit, at limits from 0.1 to 0.7.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.heatmaps import is_blank
from cxr.metrics import average_precision_score

BOX_LIMITS: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""Intersections over union that a detected box has to exceed, as in NIH's table."""


class BoxScore(NamedTuple):
    """Detected boxes of one map against the true boxes of one image, at each limit.

    Attributes:
        found: (limits,) share of the true boxes that a detected one matches.
        wrong: (limits,) number of detected boxes that match none.
    """

    found: NDArray[np.float64]
    wrong: NDArray[np.float64]


def mask_boxes(mask: np.ndarray) -> NDArray[np.int64]:
    """Return the boxes round the isolated parts of a mask.

    Args:
        mask: (h, w) bool; cells that touch at a corner belong together.

    Returns:
        (n, 4) int: left, top, right, bottom, the latter two beyond the part.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    left, top, width, height = stats[1:, :4].T.astype(np.int64)
    return np.stack([left, top, left + width, top + height], axis=1)


def box_overlaps(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the (n, m) intersections over union of n boxes and m boxes."""
    one, other = first[:, None], second[None, :]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = np.clip(sides, 0, None).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (one, other)]
    return shared / (areas[0] + areas[1] - shared)


def box_score(detected: NDArray[np.int64], true: NDArray[np.int64]) -> BoxScore:
    """Hold detected boxes against the true ones of an image, by NIH's rule.

    Args:
        detected: (n, 4) as `mask_boxes` returns them, of a thresholded map; n may be 0.
        true: (m, 4), of the lesion's mask.

    Raises:
        ValueError: there is no true box.

    Source: Wang et al. 2017, CVPR, section 4.2 (one true box an image; here a share of several).
    """
    if not len(true):
        raise ValueError("there is no true box; an empty mask has nothing to find.")
    limits = np.array(BOX_LIMITS)
    if not len(detected):
        return BoxScore(np.zeros(len(limits)), np.zeros(len(limits)))
    overlaps = box_overlaps(true, detected)
    return BoxScore(
        (overlaps.max(1)[:, None] > limits).mean(0),
        (overlaps.max(0)[:, None] <= limits).sum(0).astype(float),
    )


def pixel_precision(map_: np.ndarray, mask: np.ndarray) -> float:
    """Average precision of the map's pixels as a ranking of what lies on the mask.

    Needs no threshold. A map that knows nothing has the mask's share of the picture; so has a
    blank one, whose pixels are all alike.

    Args:
        map_: (h, w) float.
        mask: (h, w) bool, not empty.
    """
    ranking = np.zeros(map_.shape) if is_blank(map_) else map_
    return float(average_precision_score(mask.ravel(), ranking.ravel()))
