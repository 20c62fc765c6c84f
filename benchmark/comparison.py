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
    Key,
    Measured,
    check_logits,
    draw_patients,
    measure,
    read_key,
)
from cxr.errors import InputError
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS
from cxr.statistics import clustered_aurocs, holm, percentile_interval, two_sided_p

Floats = NDArray[np.float64]

COMPARED: tuple[str, ...] = ("auroc", "average_precision", "f1")
SIGHT = 0.02
"""The difference in AUROC that the words say how many positives would show."""


def compare(
    cases: pd.DataFrame,
    logits: Mapping[str, np.ndarray],
    settings: EvaluationConfig,
) -> dict[str, Any]:
    """Return the comparison document of two networks, second minus first.

    Differences share one resample of patients. The AUROC's p-value is the clustered paired
    DeLong test's (Obuchowski 1997); the others' come from the bootstrap's standard error.

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
    key = read_key(cases, labels="report", uncertain="positive")
    patients = cases["patient_id"].to_numpy(str)
    draws = draw_patients(cases, settings)
    cut = float(np.log(settings.threshold / (1 - settings.threshold)))
    pairs: dict[str, tuple[Measured, Measured]] = {}
    observations: dict[str, Any] = {}
    for place, name in enumerate(OBSERVATIONS):
        reason = _too_few(key, patients, place, settings.min_patients)
        if reason is not None:
            missing = {"difference": Estimate.missing(reason).as_json(), "p": None}
            observations[name] = {metric: dict(missing) for metric in COMPARED}
            continue
        present = key.present[:, place]
        a, b = before[:, place], after[:, place]
        pairs[name] = (measure(present, a, draws, cut), measure(present, b, draws, cut))
        observations[name] = {metric: _difference(metric, *pairs[name]) for metric in COMPARED}
        areas = clustered_aurocs(present, np.stack([a, b], axis=1), patients)
        error = math.sqrt(max(0.0, float(np.array([-1, 1]) @ areas.covariance @ [-1, 1])))
        observations[name]["auroc"]["p"] = two_sided_p(float(areas.auroc @ [-1, 1]), error)
        observations[name]["auroc"]["test"] = "paired DeLong, clustered by patient"
        observations[name]["auroc"]["positives"] = int(present.sum())
        observations[name]["auroc"]["positives_to_see_0.02"] = _needed(int(present.sum()), error)
    _adjust(observations)
    macro = {metric: _macro(metric, list(pairs.values())) for metric in COMPARED}
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


def _too_few(key: Key, patients: NDArray[Any], place: int, least: int) -> str | None:
    present = key.present[:, place]
    for kind, rows in (("positive", present), ("negative", ~present)):
        found = len(np.unique(patients[rows]))
        if found < least:
            return f"{found} {kind} patients; at least {least} are needed"
    return None


def _difference(metric: str, before: Measured, after: Measured) -> dict[str, Any]:
    value = after.values[metric] - before.values[metric]
    return _entry(value, after.replicates[metric] - before.replicates[metric])


def _macro(metric: str, pairs: list[tuple[Measured, Measured]]) -> dict[str, Any]:
    defined = [pair for pair in pairs if not any(math.isnan(one.values[metric]) for one in pair)]
    if not defined:
        missing = Estimate.missing("no observation is estimable").as_json()
        return {"difference": missing, "p": None, "over": 0}
    value = float(np.mean([b.values[metric] - a.values[metric] for a, b in defined]))
    replicates = np.mean([b.replicates[metric] - a.replicates[metric] for a, b in defined], axis=0)
    return _entry(value, replicates) | {"over": len(defined)}


def _entry(value: float, replicates: Floats) -> dict[str, Any]:
    if math.isnan(value):
        return {"difference": Estimate.missing("undefined for one network").as_json(), "p": None}
    ends = percentile_interval(replicates)
    known = replicates[np.isfinite(replicates)]
    error = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    estimate = Estimate(
        value, ends.low, ends.high, method="paired bootstrap over patients, percentile"
    )
    p = two_sided_p(value, error)
    return {
        "difference": estimate.as_json(),
        "p": None if math.isnan(p) else p,
        "test": "paired bootstrap over patients, normal",
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
    needed = entry.get("positives_to_see_0.02")
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
