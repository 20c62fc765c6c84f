"""Does a map look where no finding can be? The document elsewhere.json.

How much of a map's evidence lies outside the lungs and the heart between them, and how much on
marks whose place is known. Evidence that is spread evenly would lie there by the area's share; a
network that looks at a mark has more on it. Where a network's cells see the whole picture its
maps can't tell, so the marks are also taken away: filled in from around them, as ROAD does
(`cxr.faithfulness.impute`), beside the same place on the other side. The lungs' edges are those
of a usual frontal film (`cxr.regions.Frame`), not of each image.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.config import EvaluationConfig
from benchmark.explanation.pointing import Maps, Masks, Resize
from cxr.estimates import Estimate
from cxr.heatmaps import is_blank
from cxr.localization import mean_estimate
from cxr.observations import NO_FINDING, OBSERVATIONS
from cxr.regions import Frame
from cxr.statistics import resample_patients

SAMPLE = 160
"""Test images that are looked at, at most; marked ones among them as they come."""

Falls = Callable[[NDArray[np.int64], NDArray[np.bool_]], NDArray[np.float64]]
"""Positions in the cases and what is taken away, (n, H, W) -> (n, 14) falls of the logits."""

_SIDE = 64  # pixels a side on which evidence is summed


def elsewhere_document(
    cases: pd.DataFrame,
    called: np.ndarray,
    marks: Masks,
    maps_of: Maps,
    resize: Resize,
    settings: EvaluationConfig,
    *,
    spacing: float,
    falls_of: Falls,
    field: tuple[int, int],
) -> dict[str, Any]:
    """Return the "observations" of elsewhere.json.

    Args:
        cases: columns image_id, patient_id and split.
        called: (cases, 14) bool; the maps of what is called are looked at.
        marks: image_id -> "mark" -> (h, w) bool, where a mark is known to lie.
        maps_of: gives the maps of some of the cases.
        resize: gives them another size.
        settings: replicates, their seed, and the smallest support.
        spacing: pixels between a map's cells per pixel of a side: a mark counts with as much
            around it, since a map can't be finer.
        falls_of: how far the logits fall when something is taken away.
        field: rows and columns of the images that it takes.
    """
    rng = np.random.default_rng(settings.seed)
    tests = np.flatnonzero((cases["split"] == "test").to_numpy() & called[:, 1:].any(1))
    rows = np.sort(rng.permutation(tests)[:SAMPLE])
    if not len(rows):
        return {}
    patients = cases["patient_id"].to_numpy(str)[rows]
    draws = resample_patients(patients, replicates=settings.replicates, rng=rng)
    outside = _outside()
    regions = [
        _around(marks.get(image_id, {}).get("mark"), spacing)
        for image_id in cases["image_id"].iloc[rows]
    ]
    excess = _falls(cases["image_id"].iloc[rows], rows, marks, falls_of, field)
    cells = np.concatenate([maps_of(part) for part in np.array_split(rows, -(-len(rows) // 32))])

    def estimate(values: NDArray[np.float64], *, shares: bool = True) -> Estimate:
        return mean_estimate(values, draws, min_patients=settings.min_patients, shares=shares)

    document = {}
    for index, name in enumerate(OBSERVATIONS):
        if name == NO_FINDING or not called[rows, index].any():
            continue
        maps = resize(cells[:, index], (_SIDE, _SIDE))
        seen = called[rows, index] & ~is_blank(maps)
        beyond = np.where(seen, _mass(maps, np.broadcast_to(outside, maps.shape)), np.nan)
        document[name] = {
            "images": int(seen.sum()),
            "outside": estimate(beyond).as_json(),
            "outside_area": float(outside.mean()),
            **_on_marks(maps, seen, regions, excess[:, index], estimate),
        }
    return document


def _on_marks(
    maps: np.ndarray,
    seen: np.ndarray,
    regions: list[NDArray[np.bool_] | None],
    falls: NDArray[np.float64],
    estimate: Callable[..., Estimate],
) -> dict[str, Any]:
    """Return what marks are to the network; nothing where no mark is known."""
    if not any(region is not None for region in regions):
        return {}
    marked = seen & np.array([region is not None for region in regions])
    empty = np.zeros((_SIDE, _SIDE), dtype=bool)
    masks = np.stack([empty if region is None else region for region in regions])
    mass = np.where(marked, _mass(maps, masks), np.nan)
    area = np.where(marked, masks.mean((1, 2)), np.nan)
    excess = estimate(mass - area, shares=False)
    fall = estimate(np.where(marked, falls, np.nan), shares=False)
    return {
        "marked": int(marked.sum()),
        "on_marks": estimate(mass).as_json(),
        "marks_area": float(np.nanmean(area)) if marked.any() else None,
        "on_marks_excess": excess.as_json(),
        "fall_without_marks": fall.as_json(),
        "words": mark_words(excess, fall),
    }


def mark_words(excess: Estimate, fall: Estimate) -> str:
    """Return in words what marks are to a network.

    Args:
        excess: evidence on marks beyond what the area's share would be.
        fall: how much more the score falls without the mark than without the place opposite.
    """
    if not (excess.known and fall.known):
        return "too few marked images to tell"
    told = []
    if excess.low > 0:
        told.append("the maps look at the mark")
    if fall.low > 0:
        told.append("the score falls without the mark")
    return f"{' and '.join(told)}: a shortcut" if told else "no shortcut shown"


def _falls(
    image_ids: pd.Series,
    rows: NDArray[np.int64],
    marks: Masks,
    falls_of: Falls,
    field: tuple[int, int],
) -> NDArray[np.float64]:
    """Return (rows, 14): how much more logits fall without the mark than without its mirror."""
    falls = np.full((len(rows), len(OBSERVATIONS)), np.nan)
    for place, image_id in enumerate(image_ids):
        mark = marks.get(image_id, {}).get("mark")
        if mark is None or not mark.any():
            continue
        size = field[::-1]
        shown = cv2.resize(mark.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        lost = np.stack([shown, shown[:, ::-1]])
        fall = falls_of(np.array([rows[place]] * 2), lost)
        falls[place] = fall[0] - fall[1]
    return falls


def _outside() -> NDArray[np.bool_]:
    frame = Frame()
    middle = (np.arange(_SIDE) + 0.5) / _SIDE
    rows = (middle >= frame.top) & (middle <= frame.bottom)
    columns = (middle >= frame.left) & (middle <= frame.right)
    return ~(rows[:, None] & columns[None, :])


def _around(mark: np.ndarray | None, spacing: float) -> NDArray[np.bool_] | None:
    """Return a mark with half a cell around it, (`_SIDE`, `_SIDE`) bool; None for no mark."""
    if mark is None or not mark.any():
        return None
    small = cv2.resize(mark.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) > 0
    reach = 2 * round(spacing * _SIDE / 2) + 1
    return cv2.dilate(small.astype(np.uint8), np.ones((reach, reach), np.uint8)).astype(bool)


def _mass(maps: np.ndarray, masks: np.ndarray) -> NDArray[np.float64]:
    """Return the share of each map's evidence that lies on its mask; NaN for a blank map."""
    total = maps.sum((1, 2), dtype=float)
    inside = np.where(masks, maps, 0).sum((1, 2), dtype=float)
    return np.divide(inside, total, out=np.full(len(maps), np.nan), where=total > 0)
