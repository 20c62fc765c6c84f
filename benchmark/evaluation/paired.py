"""One paired difference and all that is said of it, from one standard error, so that it agrees."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr
from scipy.stats import norm

from benchmark.evaluation.comparison_words import SIGHT
from cxr.estimates import Estimate
from cxr.statistics import (
    difference_interval,
    holm,
    pooled_freedom,
    seed_variance,
    two_sided_p,
)

Floats = NDArray[np.float64]

WITH_SEEDS = ", with the spread over seeds"


def paired_entry(
    values: Sequence[Floats], variance: float, freedom: float, method: str, margin: float
) -> dict[str, Any]:
    """Return a difference with its interval and tests, as it stands in comparison.json.

    Args:
        values: the metric of each seed, of the first and of the second network.
        variance: of the difference of means, over patients.
        freedom: degrees of freedom of that variance.
        method: how it was estimated.
        margin: what counts as too small to matter.
    """
    value = float(values[1].mean() - values[0].mean())
    if math.isnan(value) or math.isnan(variance):
        return {"difference": Estimate.missing("undefined for one network").as_json(), "p": None}
    parts = {}
    if min(map(len, values)) > 1:
        spread, seeds = seed_variance(values)
        parts = {"error_patients": math.sqrt(variance), "error_seeds": math.sqrt(spread)}
        freedom = pooled_freedom(np.array([variance, spread]), np.array([freedom, seeds]))
        variance, method = variance + spread, method + WITH_SEEDS
    error = math.sqrt(variance)
    ends = difference_interval(value, error, freedom)
    worse = _one_sided(value + margin, error, freedom)
    better = _one_sided(margin - value, error, freedom)
    return {
        "values": [float(values[0].mean()), float(values[1].mean())],
        "difference": Estimate(value, ends.low, ends.high, method).as_json(),
        "error": error,
        **parts,
        "freedom": freedom,
        "p": two_sided_p(value, error, freedom),
        "p_noninferior": worse,
        "p_equivalent": max(worse, better),
        "superiority": 1 - _one_sided(value, error, freedom),
    }


def _one_sided(excess: float, error: float, freedom: float) -> float:
    """Chance of an excess at least so large where there is none; one half where nothing varies."""
    if error == 0:
        return 0.5 if excess == 0 else float(excess < 0)
    return float(stdtr(freedom, -excess / error))


def add_holm(entries: Sequence[dict[str, Any]], kind: str) -> None:
    """Add Holm's p of a kind ("p", "p_equivalent") to each entry; None where there is no p."""
    raw = [math.nan if entry.get(kind) is None else entry[kind] for entry in entries]
    for entry, adjusted in zip(entries, holm(raw), strict=True):
        entry[f"{kind}_holm"] = None if math.isnan(adjusted) else float(adjusted)


def needed_positives(positives: int, error: float) -> int | None:
    """Return the positives that show a difference of `SIGHT` in 80 of 100 tries at 5 %, two-sided.

    Args:
        positives: how many there are.
        error: the standard error that they give.
    """
    if error == 0:
        return None
    reach = (norm.ppf(0.975) + norm.ppf(0.8)) * error / SIGHT
    return math.ceil(positives * reach**2)
