"""Does a map point at the lesion? Hits, overlap, and what knowing nothing would score.

A map is (h, w) float, 0 or more, larger where there is more evidence; a mask is (h, w) bool,
True on the lesion. A blank map (see `cxr.heatmaps.is_blank`) points nowhere: it misses.

Sources: the pointing game, Zhang et al. 2018, IJCV 126:1084-1102, section 4.1, without its
tolerance; mIoU and hit rate on chest radiographs, Saporta et al. 2022, Nat Mach Intell
4:867-878; Otsu 1979, IEEE Trans SMC 9:62-66.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxr.estimates import Estimate
from cxr.heatmaps import is_blank
from cxr.statistics import PatientResample, percentile_interval, replicate_means

Mask = NDArray[np.bool_]
Rule = float | Literal["otsu"]
"""How a map becomes a mask: above a share of its maximum, or above Otsu's threshold."""

RULES: tuple[Rule, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, "otsu")
"""What `choose_rule` chooses from."""

MAX_SIDE = 128
"""Larger masks are shrunk to so many pixels before maps are held against them."""


@dataclass(frozen=True)
class Overlap:
    """What n maps scored against n masks; float in [0, 1].

    Attributes:
        hit: (n,) whether the map's peak lies on the mask; a peak of several equal pixels counts
            by the share of them that does.
        iou: (n, rules) intersection over union of the thresholded map and the mask.
        dice: (n, rules) twice the intersection over the sum of both areas.
        area: (n,) the mask's share of the image, which is what a random point hits.
    """

    hit: NDArray[np.float64]
    iou: NDArray[np.float64]
    dice: NDArray[np.float64]
    area: NDArray[np.float64]


def hit_score(map_: np.ndarray, mask: Mask) -> float:
    """Share of the map's highest pixels that lie on the mask; 0 for a blank map.

    Its expectation over random maps is the mask's share of the image.

    Raises:
        ValueError: shapes differ, or the mask is empty.
    """
    _check(map_, mask)
    if is_blank(map_):
        return 0.0
    return float(mask[map_ == map_.max()].mean())


def binarize(map_: np.ndarray, rule: Rule) -> Mask:
    """Return where the map is above the rule's threshold; nowhere for a blank map.

    Args:
        map_: (h, w) float.
        rule: a share of the map's maximum, above 0 and up to 1 (reached counts), or "otsu".

    Raises:
        ValueError: another rule.
    """
    if rule != "otsu" and not (isinstance(rule, float) and 0 < rule <= 1):
        raise ValueError(f'rule is {rule!r}; expected "otsu" or a share above 0 and up to 1.')
    if is_blank(map_):
        return np.zeros(map_.shape, dtype=bool)
    scaled = map_ / map_.max()
    if rule == "otsu":
        grey = np.round(scaled * 255).astype(np.uint8)
        threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        above: Mask = grey > threshold
        return above
    reached: Mask = scaled >= rule
    return reached


def iou_score(predicted: Mask, mask: Mask) -> float:
    """Intersection over union of two masks; 0 where only one of them is empty, NaN where both."""
    union = np.count_nonzero(predicted | mask)
    return np.count_nonzero(predicted & mask) / union if union else float("nan")


def dice_score(predicted: Mask, mask: Mask) -> float:
    """Twice the intersection over the sum of both areas; NaN where both are empty."""
    total = np.count_nonzero(predicted) + np.count_nonzero(mask)
    return 2 * np.count_nonzero(predicted & mask) / total if total else float("nan")


def overlap(
    maps: Sequence[np.ndarray], masks: Sequence[Mask], rules: Sequence[Rule] = RULES
) -> Overlap:
    """Hold each of n maps against its mask, by every rule.

    Args:
        maps: n maps, each as large as its mask.
        masks: n masks, none of them empty.
        rules: how maps become masks.

    Raises:
        ValueError: lengths or shapes differ, a mask is empty, or a rule is unknown.
    """
    hits = np.array([hit_score(map_, mask) for map_, mask in zip(maps, masks, strict=True)])
    marked = [
        [(binarize(map_, rule), mask) for rule in rules]
        for map_, mask in zip(maps, masks, strict=True)
    ]
    shape = (len(hits), len(rules))
    ious = np.array([iou_score(*pair) for row in marked for pair in row]).reshape(shape)
    dices = np.array([dice_score(*pair) for row in marked for pair in row]).reshape(shape)
    return Overlap(hits, ious, dices, np.array([mask.mean() for mask in masks]))


def choose_rule(iou: NDArray[np.float64], rules: Sequence[Rule] = RULES) -> Rule:
    """Return the rule of the highest mean IoU, the first of equals.

    Args:
        iou: (n, rules), of validation images only.
        rules: as in `overlap`.

    Raises:
        ValueError: there is no case, or another number of columns than rules.
    """
    if iou.ndim != 2 or not len(iou) or iou.shape[1] != len(rules):
        raise ValueError(f"iou is {iou.shape}; expected (cases, {len(rules)}) with a case or more.")
    return rules[int(np.argmax(iou.mean(0)))]


def mean_estimate(
    values: ArrayLike,
    resample: PatientResample,
    *,
    min_patients: int = 10,
    shares: bool = True,
) -> Estimate:
    """Return the mean over cases with its 95 % interval by bootstrap over patients.

    Args:
        values: (cases,) float; NaN where a case has none.
        resample: draws for the same cases; see `cxr.statistics.resample_patients`.
        min_patients: with fewer patients the mean is not estimable.
        shares: whether values are shares from 0 to 1. Where each is 0 (or each 1), all
            replicates agree and the bootstrap is blind; the interval is then the exact binomial
            one (Clopper & Pearson 1934) with patients as trials.
    """
    given = np.asarray(values, dtype=float)
    known = np.isfinite(given)
    scores, draws = given[known], resample.select(known)
    patients = len(np.unique(draws.patient))
    if patients < min_patients:
        return Estimate.missing(f"{patients} patients; at least {min_patients} are needed")
    mean = float(scores.mean())
    if shares and mean in (0.0, 1.0) and np.ptp(scores) == 0:
        reach = 0.025 ** (1 / patients)
        low, high = (reach, 1.0) if mean else (0.0, 1 - reach)
        return Estimate(mean, low, high, "exact binomial, patients")
    interval = percentile_interval(replicate_means(scores[:, None], draws)[0])
    return Estimate(mean, interval.low, interval.high, "bootstrap, patients")


def place_mask(mask: Mask, *, fit: Literal["squash", "letterbox"] = "squash") -> Mask:
    """Return the mask on the field that the network saw, at most `MAX_SIDE` pixels a side.

    Args:
        mask: (h, w) bool, on the image as it was read.
        fit: how the image became a square: "letterbox" padded it about its middle, "squash"
            stretched it, and the field is the image's own.

    Returns:
        bool; where it had to shrink, a pixel is True that lies on the lesion by half or more.
        A lesion too thin for that keeps its most covered pixels, so that none disappears.
    """
    if fit == "letterbox":
        mask = _pad_to_square(mask)
    longest = max(mask.shape)
    if longest <= MAX_SIDE:
        return mask.astype(bool)
    rows, columns = (max(1, round(side * MAX_SIDE / longest)) for side in mask.shape)
    covered = cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    highest = covered.max()
    shrunk: Mask = covered >= min(0.5, highest) if highest > 0 else np.zeros(covered.shape, bool)
    return shrunk


def _pad_to_square(mask: Mask) -> Mask:
    rows, columns = mask.shape
    side = max(rows, columns)
    above, left = (side - rows) // 2, (side - columns) // 2
    padded = np.zeros((side, side), dtype=bool)
    padded[above : above + rows, left : left + columns] = mask
    return padded


def _check(map_: np.ndarray, mask: Mask) -> None:
    if map_.shape != mask.shape:
        raise ValueError(f"the map is {map_.shape} and the mask {mask.shape}; they must agree.")
    if not mask.any():
        raise ValueError("the mask is empty; there is nothing to point at.")
