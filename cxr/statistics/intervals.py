"""95 % intervals, from bootstrap replicates or from a standard error, never outside the range.

`low` and `high` are NaN where the interval can't be made.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Two ends; NaN where there is no interval."""

    low: float
    high: float


UNKNOWN = Interval(math.nan, math.nan)


def percentile_interval(replicates: Floats, *, confidence: float = 0.95) -> Interval:
    """The middle `confidence` of the replicates (Efron 1979); NaN ones are left out."""
    known = replicates[np.isfinite(replicates)]
    if len(known) < 2:
        return UNKNOWN
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, (tail, 1 - tail))
    return Interval(float(low), float(high))


def logit_interval(estimate: float, error: float, *, confidence: float = 0.95) -> Interval:
    """Normal on the logit scale, so that it stays in (0, 1).

    Args:
        estimate: in (0, 1).
        error: standard error of the estimate, by the delta method carried to the logit.
    """
    if not (0 < estimate < 1 and math.isfinite(error)):
        return UNKNOWN
    reach = norm.ppf((1 + confidence) / 2) * error / (estimate * (1 - estimate))
    centre = logit(estimate)
    return Interval(float(expit(centre - reach)), float(expit(centre + reach)))
