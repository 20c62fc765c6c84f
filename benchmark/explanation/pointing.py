"""Where the maps point, held against masks: the document localization.json.

Every image on which an observation is truly present counts, so that a missed finding is a miss;
"correct" counts those that the network called, as CheXlocalize's default does. The share of a
map's maximum that turns it into a mask is chosen on validation images, per observation where
enough of them show it; so it is for the baselines, which never see the image.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.config import EvaluationConfig
from cxr.detection import BOX_LIMITS, BoxScore, box_score, mask_boxes, pixel_precision
from cxr.estimates import Estimate
from cxr.heatmaps import centre_map, is_blank, mean_lesion_map
from cxr.localization import (
    MAX_SIDE,
    RULES,
    Mask,
    Overlap,
    Rule,
    binarize,
    choose_rule,
    mean_estimate,
    overlap,
)
from cxr.observations import OBSERVATIONS
from cxr.statistics import PatientResample, resample_patients

Masks = Mapping[str, Mapping[str, Mask]]
"""image_id -> observation -> (h, w) bool, True on the lesion."""

Maps = Callable[[NDArray[np.int64]], np.ndarray]
"""Positions in the cases -> (positions, 14, h, w) maps."""

Resize = Callable[[np.ndarray, tuple[int, int]], np.ndarray]
"""Maps and a size -> maps of that size over the same field."""

BASELINES: dict[str, str] = {
    "random": "a random point",
    "centre": "the middle of the picture",
    "mean_lesion": "the place where the lesion usually is",
}
_SEEN = ("map", "centre", "mean_lesion")  # methods that have a map; a random point needs none
_DEFAULT_RULE: Rule = 0.5


@dataclass(frozen=True)
class Pairs:
    """Images and observations that are there and have a mask, and how maps scored on them.

    Attributes:
        row: (n,) int, positions in the cases.
        observation: (n,) int, indices into `OBSERVATIONS`.
        blank: (n,) bool; the map is blank.
        scores: overlap of the "map", the "centre" and the "mean_lesion", by each of `RULES`.
        found: (n, rules, limits) share of the true boxes that the map's boxes match.
        wrong: (n, rules, limits) number of the map's boxes that match none.
        pixel_precision: (n,) average precision of the map's pixels.
        parts: (n,) int, isolated parts of the mask.
    """

    row: NDArray[np.int64]
    observation: NDArray[np.int64]
    blank: NDArray[np.bool_]
    scores: dict[str, Overlap]
    found: NDArray[np.float64]
    wrong: NDArray[np.float64]
    pixel_precision: NDArray[np.float64]
    parts: NDArray[np.int64]


def find_pairs(cases: pd.DataFrame, masks: Masks) -> list[tuple[int, str]]:
    """Return position and observation wherever one is truly present and has a mask.

    Args:
        cases: columns image_id and, where known, "truth:<observation>".
        masks: the true lesions; an empty mask counts as none.
    """
    known = [name for name in OBSERVATIONS if f"truth:{name}" in cases]
    truth = {name: cases[f"truth:{name}"].to_numpy(bool) for name in known}
    return [
        (row, name)
        for row, image_id in enumerate(cases["image_id"])
        for name, mask in masks.get(image_id, {}).items()
        if name in OBSERVATIONS and mask.any() and (name not in truth or truth[name][row])
    ]


def measure_pairs(
    cases: pd.DataFrame,
    masks: Masks,
    train_masks: Masks,
    maps_of: Maps,
    resize: Resize,
    *,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Pairs:
    """Hold each pair's map, and the baselines, against the pair's mask.

    Args:
        cases: the images.
        masks: lesions on `cases`, on the field that the network saw.
        train_masks: lesions on training images, for the place where they usually are.
        maps_of: gives the maps of some of the cases.
        resize: gives them another size.
        batch_size: images at a time.
        progress: called with the number of images just done.
    """
    found = find_pairs(cases, masks)
    guess = _guesses(train_masks)
    parts: dict[str, list[Overlap]] = {name: [] for name in _SEEN}
    blank: list[bool] = []
    boxes: list[list[BoxScore]] = []
    precision: list[float] = []
    counts: list[int] = []
    rows = list(dict.fromkeys(row for row, _ in found))
    names: dict[int, list[str]] = {row: [] for row in rows}
    for row, name in found:
        names[row].append(name)
    for start in range(0, len(rows), batch_size):
        some = rows[start : start + batch_size]
        for row, cells in zip(some, maps_of(np.array(some)), strict=True):
            for name in names[row]:
                mask = masks[cases["image_id"].iloc[row]][name]
                own = resize(cells[OBSERVATIONS.index(name)], mask.shape)
                blank.append(bool(is_blank(own)))
                true = mask_boxes(mask)
                boxes.append([box_score(mask_boxes(binarize(own, rule)), true) for rule in RULES])
                precision.append(pixel_precision(own, mask))
                counts.append(len(true))
                for method in _SEEN:
                    map_ = own if method == "map" else guess(method, name, mask.shape)
                    parts[method].append(overlap([map_], [mask]))
        if progress:
            progress(len(some))
    return Pairs(
        np.array([row for row, _ in found], dtype=np.int64),
        np.array([OBSERVATIONS.index(name) for _, name in found], dtype=np.int64),
        np.array(blank, dtype=bool),
        {name: _joined(parts[name]) for name in _SEEN},
        *_stacked(boxes),
        np.array(precision, dtype=float),
        np.array(counts, dtype=np.int64),
    )


def _stacked(boxes: list[list[BoxScore]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shape = (len(boxes), len(RULES), len(BOX_LIMITS))
    found = np.array([[score.found for score in row] for row in boxes], dtype=float)
    wrong = np.array([[score.wrong for score in row] for row in boxes], dtype=float)
    return found.reshape(shape), wrong.reshape(shape)


def localization_document(
    cases: pd.DataFrame,
    called: np.ndarray,
    pairs: Pairs,
    settings: EvaluationConfig,
) -> dict[str, Any]:
    """Return the "observations" of localization.json, from the pairs of test images.

    Args:
        cases: image_id, patient_id and split ("test", and "validate" where thresholds are to
            be chosen), in the order that `pairs` counts in.
        called: (cases, 14) bool; the network says that the observation is there.
        pairs: what `measure_pairs` returned for `cases`.
        settings: replicates, their seed, and the smallest support.
    """
    patients = cases["patient_id"].to_numpy(str)[pairs.row]
    tests = (cases["split"] == "test").to_numpy()[pairs.row]
    if not tests.any():
        return {}
    every = np.unique(cases.loc[cases["split"] == "test", "patient_id"].to_numpy(str))
    rng = np.random.default_rng(settings.seed)
    counts = resample_patients(every, replicates=settings.replicates, rng=rng).counts
    document = {}
    for index, name in enumerate(OBSERVATIONS):
        rows = np.flatnonzero(tests & (pairs.observation == index))
        if not len(rows):
            continue
        tuning = np.flatnonzero(~tests & (pairs.observation == index))
        if len(np.unique(patients[tuning])) < settings.min_patients:
            tuning = np.flatnonzero(~tests)  # too few of its own: all observations' together
        draws = PatientResample(np.searchsorted(every, patients[rows]), counts)
        calls = called[pairs.row[rows], index]
        document[name] = _observation(pairs, rows, tuning, draws, calls, settings.min_patients)
    return document


def _observation(
    pairs: Pairs,
    rows: np.ndarray,
    tuning: np.ndarray,
    draws: PatientResample,
    calls: np.ndarray,
    min_patients: int,
) -> dict[str, Any]:
    """Return one observation's entry.

    Args:
        pairs: all pairs.
        rows: its pairs on test images.
        tuning: the validation pairs that its thresholds are chosen on; may be empty.
        draws: resample of the patients, in the order of `rows`.
        calls: (rows,) bool; the network called it.
        min_patients: the smallest support.
    """
    rules = {name: _rule(pairs.scores[name].iou[tuning]) for name in _SEEN}
    columns = {name: RULES.index(rule) for name, rule in rules.items()}
    hits = {name: pairs.scores[name].hit[rows] for name in _SEEN}
    ious = {name: pairs.scores[name].iou[rows, columns[name]] for name in _SEEN}
    area = pairs.scores["map"].area[rows]
    hits["random"], ious["random"] = area, area  # marking everything overlaps by the area
    dice = pairs.scores["map"].dice[rows, columns["map"]]

    def estimate(values: np.ndarray, *, shares: bool = True) -> Estimate:
        return mean_estimate(values, draws, min_patients=min_patients, shares=shares)

    found, wrong = (values[rows, columns["map"]] for values in (pairs.found, pairs.wrong))

    def measured(counted: np.ndarray) -> dict[str, Any]:
        def mean(values: np.ndarray, *, shares: bool = True) -> dict[str, Any]:
            return estimate(np.where(counted, values, np.nan), shares=shares).as_json()

        parts = {"hit_rate": hits["map"], "iou": ious["map"], "dice": dice}
        parts["pixel_precision"] = pairs.pixel_precision[rows]
        return {
            "images": int(counted.sum()),
            "patients": len(np.unique(draws.patient[counted])),
            **{name: mean(values) for name, values in parts.items()},
            "boxes": {f"{limit:g}": mean(found[:, i]) for i, limit in enumerate(BOX_LIMITS)},
            "wrong_boxes": mean(wrong[:, 0], shares=False),
        }

    margins = {name: estimate(hits["map"] - hits[name], shares=False) for name in BASELINES}
    return {
        "present": measured(np.ones(len(rows), dtype=bool)),
        "correct": measured(calls),
        "baselines": _json({name: estimate(hits[name]) for name in BASELINES}),
        "baselines_iou": _json({name: estimate(ious[name]) for name in BASELINES}),
        "margins": _json(margins),
        "area": float(area.mean()),
        "blank": float(pairs.blank[rows].mean()),
        "threshold": rules["map"],
        "tuned_on": len(tuning),
        "words": margin_words(margins),
    }


def gain_document(
    cases: pd.DataFrame, finer: Pairs, plain: Pairs, settings: EvaluationConfig
) -> dict[str, Any]:
    """Return the "gain" of localization.json: the maps against plain Grad-CAM's, paired.

    Args:
        cases: image_id, patient_id and split, in the order that both count in.
        finer: the maps' scores.
        plain: Grad-CAM's at the network's own cells, on a sample of the same pairs.
        settings: replicates, their seed, and the smallest support.
    """
    places = {pair: i for i, pair in enumerate(zip(finer.row, finer.observation, strict=True))}
    same = np.array(
        [places[pair] for pair in zip(plain.row, plain.observation, strict=True)], dtype=int
    )
    tests = (cases["split"] == "test").to_numpy()[plain.row]
    patients = cases["patient_id"].to_numpy(str)[plain.row[tests]]
    if not len(patients):
        return {}
    rng = np.random.default_rng(settings.seed)
    draws = resample_patients(patients, replicates=settings.replicates, rng=rng)
    values = {}
    for name, scores in (("plain", plain.scores["map"]), ("finer", finer.scores["map"])):
        rows = same if name == "finer" else np.arange(len(same))
        column = RULES.index(_rule(scores.iou[rows[~tests]]))
        values[name] = {
            "hit_rate": scores.hit[rows[tests]],
            "iou": scores.iou[rows[tests], column],
        }

    def estimates(parts: dict[str, np.ndarray], *, shares: bool) -> dict[str, Estimate]:
        support = settings.min_patients
        return {
            name: mean_estimate(part, draws, min_patients=support, shares=shares)
            for name, part in parts.items()
        }

    difference = {name: values["finer"][name] - values["plain"][name] for name in values["plain"]}
    gained = estimates(difference, shares=False)
    return {
        "pairs": len(patients),
        "patients": len(np.unique(patients)),
        **{name: _json(estimates(parts, shares=True)) for name, parts in values.items()},
        "difference": _json(gained),
        "words": gain_words(gained["iou"]),
    }


def gain_words(difference: Estimate) -> str:
    """Return in words whether the maps overlap lesions more than plain Grad-CAM's do."""
    if not difference.known:
        return "too few patients to tell whether finer maps are better than plain Grad-CAM's"
    if difference.low > 0:
        return "the finer maps overlap lesions more than plain Grad-CAM's"
    if difference.high < 0:
        return "the finer maps overlap lesions less than plain Grad-CAM's"
    return "the finer maps are not shown to overlap lesions more than plain Grad-CAM's"


def _json(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: estimate.as_json() for name, estimate in estimates.items()}


def margin_words(margins: Mapping[str, Estimate]) -> str:
    """Return in words whether the maps hit more often than each baseline does."""
    if not all(margin.known for margin in margins.values()):
        return "too few patients to tell"
    failed = [BASELINES[name] for name, margin in margins.items() if not margin.low > 0]
    if not failed:
        return "hits more often than all three baselines"
    worse = [BASELINES[name] for name, margin in margins.items() if margin.high < 0]
    if worse:
        return f"hits less often than {_listed(worse)}"
    return f"not shown to hit more often than {_listed(failed)}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _rule(iou: np.ndarray) -> Rule:
    return choose_rule(iou) if len(iou) else _DEFAULT_RULE


def _guesses(train_masks: Masks) -> Callable[[str, str, tuple[int, int]], np.ndarray]:
    """Return a function of baseline, observation and size that gives the baseline's map."""

    @cache
    def mean(name: str) -> np.ndarray:
        found = [masks[name] for masks in train_masks.values() if name in masks]
        return mean_lesion_map(found, (MAX_SIDE, MAX_SIDE))

    @lru_cache(maxsize=64)
    def guess(baseline: str, name: str, size: tuple[int, int]) -> np.ndarray:
        if baseline == "centre":
            return centre_map(size)
        return cv2.resize(mean(name), size[::-1], interpolation=cv2.INTER_AREA)

    return guess


def _joined(parts: Sequence[Overlap]) -> Overlap:
    empty = overlap([], [])
    fields = ("hit", "iou", "dice", "area")
    return Overlap(
        *(np.concatenate([getattr(part, f) for part in (empty, *parts)]) for f in fields)
    )
