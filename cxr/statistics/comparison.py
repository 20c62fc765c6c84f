"""Is one score better than another on the same patients: paired tests and their family."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Floats:
    """Holm's adjusted p-values; a NaN is no test and stays NaN.

    Args:
        p_values: (tests,) float.

    Source: Holm 1979, Scand J Stat 6:65-70.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(raw.shape, np.nan)
    known = np.flatnonzero(~np.isnan(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    steps = raw[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else []
    return adjusted


def two_sided_p(difference: float, error: float) -> float:
    """Chance of a difference at least as large where there is none (normal); NaN if undefined."""
    if not np.isfinite(difference) or not np.isfinite(error):
        return float("nan")
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * norm.sf(abs(difference) / error))
