"""Two checkpoints on the same patients: paired differences, their intervals, and plain words.

With one training seed each, what differs is two checkpoints and not two architectures; the words
say so. Within the family of observations, p-values are Holm's.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from benchmark.config import EvaluationConfig
from benchmark.evaluation import (
    NO_SCORES,
    called_from,
    check_logits,
    draw_patients,
    read_key,
    support,
    too_few,
)
from benchmark.measures import Measured, mean_freedom, measure
from cxr.errors import InputError
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS
from cxr.statistics import (
    EXTRA_FREEDOM,
    area_freedom,
    clustered_aurocs,
    difference_interval,
    holm,
    permutation_p,
    replicate_error,
    two_sided_p,
)

Floats = NDArray[np.float64]

AREA_TEST = "paired DeLong, clustered by patient, t"
SIGNS = np.array([-1.0, 1.0])
COMPARED: tuple[str, ...] = ("auroc", "average_precision", "f1")
LEAST_PATIENTS = 10
"""Below this the interval of a difference covers less than 93 % (`coverage_table`)."""
SIGHT = 0.02
"""The difference in AUROC that the words say how many positives would show."""


def compare(
    cases: pd.DataFrame,
    logits: Mapping[str, np.ndarray],
    settings: EvaluationConfig,
) -> dict[str, Any]:
    """Return the comparison document of two networks, second minus first.

    The AUROC's interval and p-value are those of the paired DeLong test clustered by patient
    (Obuchowski 1997); "p_permutation" beside it exchanges the networks patient by patient. The
    other metrics' come from one resample of patients that both networks share.

    Args:
        cases: as for `benchmark.evaluation.evaluate`; report labels, hedged as positive.
        logits: two names, each with (cases, 14) float.
        settings: threshold, replicates, resampling seed, minimal support.

    Raises:
        InputError: not two networks; scores that don't fit the cases.
    """
    if len(logits) != 2:
        raise InputError(f"a comparison needs two networks, not {len(logits)}.")
    (first, before), (second, after) = logits.items()
    for name, scores in logits.items():
        check_logits(cases, scores, name)
    order = np.argsort(cases["image_id"].to_numpy(str))
    cases, before, after = cases.iloc[order], before[order], after[order]
    observations, pairs = _compare_observations(cases, before, after, settings)
    _adjust(observations)
    macro = {metric: _macro(metric, pairs) for metric in COMPARED}
    for entry in [*observations.values(), macro]:
        for metric in COMPARED:
            entry[metric]["verdict"] = _verdict(entry[metric], first, second)
    return {
        "schema": 1,
        "networks": [first, second],
        "direction": f"{second} minus {first}; above 0 {second} is better",
        "level": "image",
        "labels": "report",
        "uncertain": "positive",
        "operating_point": f"{settings.threshold:g}",
        "patients": int(cases["patient_id"].nunique()),
        "cases": len(cases),
        "replicates": settings.replicates,
        "adjustment": "Holm",
        "observations": observations,
        "macro": macro,
        "words": _words(macro["auroc"], observations, first, second),
    }


def _compare_observations(
    cases: pd.DataFrame, before: np.ndarray, after: np.ndarray, settings: EvaluationConfig
) -> tuple[dict[str, Any], list[tuple[Measured, Measured]]]:
    """Each observation's differences, and what was measured where it is estimable."""
    key = read_key(cases, labels="report", uncertain="positive")
    patients = cases["patient_id"].to_numpy(str)
    draws, cut = draw_patients(cases, settings), called_from(settings)
    least = max(settings.min_patients, LEAST_PATIENTS)
    observations: dict[str, Any] = {}
    pairs = []
    for place, name in enumerate(OBSERVATIONS):
        reason = too_few(support(cases, key, place), least)
        if np.isnan([before[:, place], after[:, place]]).any():
            reason = NO_SCORES
        if reason is not None:
            missing = {"difference": Estimate.missing(reason).as_json(), "p": None}
            observations[name] = {metric: dict(missing) for metric in COMPARED}
            continue
        present, a, b = key.present[:, place], before[:, place], after[:, place]
        pair = (measure(present, a, draws, cut), measure(present, b, draws, cut))
        observations[name] = {metric: _difference(metric, *pair) for metric in COMPARED}
        observations[name]["auroc"] = _areas(present, a, b, patients, settings)
        pairs.append(pair)
    return observations, pairs


def _areas(
    present: NDArray[np.bool_],
    before: np.ndarray,
    after: np.ndarray,
    patients: NDArray[Any],
    settings: EvaluationConfig,
) -> dict[str, Any]:
    """The difference of two AUROCs on the same cases."""
    areas = clustered_aurocs(present, np.stack([before, after], axis=1), patients)
    value = float(areas.auroc @ SIGNS)
    error = math.sqrt(max(0.0, float(SIGNS @ areas.covariance @ SIGNS)))
    freedom = area_freedom(areas, areas.influence @ SIGNS) + EXTRA_FREEDOM
    positives = int(present.sum())
    return _entry(value, error, freedom, AREA_TEST) | {
        "p_permutation": permutation_p(
            present,
            before,
            after,
            patients,
            permutations=settings.replicates,
            rng=np.random.default_rng(settings.seed),
        ),
        "positives": positives,
        f"positives_to_see_{SIGHT}": _needed(positives, error),
    }


def _difference(metric: str, before: Measured, after: Measured) -> dict[str, Any]:
    apart = after.replicates[metric] - before.replicates[metric]
    value = after.estimates[metric].estimate - before.estimates[metric].estimate
    freedom = min(before.freedom, after.freedom) + EXTRA_FREEDOM
    return _entry(value, replicate_error(apart), freedom, "paired bootstrap over patients, t")


def _macro(metric: str, pairs: list[tuple[Measured, Measured]]) -> dict[str, Any]:
    defined = [pair for pair in pairs if all(one.estimates[metric].known for one in pair)]
    if not defined:
        missing = Estimate.missing("no observation is estimable").as_json()
        return {"difference": missing, "p": None, "over": 0}
    value = float(
        np.mean([b.estimates[metric].estimate - a.estimates[metric].estimate for a, b in defined])
    )
    apart = np.stack([b.replicates[metric] - a.replicates[metric] for a, b in defined])
    freedom = mean_freedom(apart, [min(a.freedom, b.freedom) for a, b in defined])
    error = replicate_error(apart.mean(axis=0))
    entry = _entry(value, error, freedom, "paired bootstrap over patients, t")
    return entry | {"over": len(defined)}


def _entry(value: float, error: float, freedom: float, method: str) -> dict[str, Any]:
    """A difference, its interval and p-value, from one standard error, so that they agree."""
    if math.isnan(value) or math.isnan(error):
        return {"difference": Estimate.missing("undefined for one network").as_json(), "p": None}
    ends = difference_interval(value, error, freedom)
    return {
        "difference": Estimate(value, ends.low, ends.high, method).as_json(),
        "error": error,
        "freedom": freedom,
        "p": two_sided_p(value, error, freedom),
    }


def _adjust(observations: dict[str, Any]) -> None:
    for metric in COMPARED:
        entries = [entry[metric] for entry in observations.values()]
        raw = [math.nan if entry["p"] is None else entry["p"] for entry in entries]
        for entry, adjusted in zip(entries, holm(raw), strict=True):
            entry["p_holm"] = None if math.isnan(adjusted) else float(adjusted)


def _needed(positives: int, error: float) -> int | None:
    """Positives at which a difference of `SIGHT` is seen in 80 of 100 tries at 5 %, two-sided."""
    if error == 0:
        return None
    reach = (norm.ppf(0.975) + norm.ppf(0.8)) * error / SIGHT
    return math.ceil(positives * reach**2)


def _verdict(entry: Mapping[str, Any], first: str, second: str) -> str:
    difference = entry["difference"]
    if difference["estimate"] is None:
        return f"not estimable: {difference['reason']}"
    p = entry.get("p_holm", entry["p"])
    if p is not None and p < 0.05:
        better = second if difference["estimate"] > 0 else first
        return f"{better} better"
    needed = entry.get(f"positives_to_see_{SIGHT}")
    if needed:
        return f"no difference shown (needs about {needed} positives to see {SIGHT})"
    return "no difference shown"


def _words(
    macro: Mapping[str, Any], observations: Mapping[str, Any], first: str, second: str
) -> str:
    if macro["difference"]["estimate"] is None:
        return "No observation has enough patients to compare these two checkpoints."
    gap = macro["difference"]
    shown = [
        f"{name} ({entry['auroc']['verdict']})"
        for name, entry in observations.items()
        if entry["auroc"]["verdict"].endswith(" better")
    ]
    spread = f"{gap['estimate']:+.3f} (95 % interval {gap['low']:+.3f} to {gap['high']:+.3f})"
    start = (
        f"Between these two checkpoints, macro AUROC differs by {spread}, {second} minus "
        f"{first}, over {macro['over']} observations"
    )
    if macro["verdict"].endswith(" better"):
        start += f": {macro['verdict']}. "
    else:
        start += ": no difference shown. "
    if shown:
        start += "After Holm's adjustment a difference is shown for " + ", ".join(shown) + ". "
    else:
        start += "After Holm's adjustment no single observation shows a difference. "
    return start + "One training seed each: this says nothing about the two architectures."
