"""Is one score better than another on the same patients: paired tests and their family."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr
from scipy.stats import rankdata

from cxr.statistics.resampling import PatientResample, ranked_replicates

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


def two_sided_p(difference: float, error: float, freedom: float = math.inf) -> float:
    """Chance of a difference at least as large where there is none; NaN if undefined.

    Args:
        difference: what was found.
        error: its standard error.
        freedom: degrees of freedom of the error; infinite gives the normal.
    """
    if not math.isfinite(difference) or not math.isfinite(error):
        return math.nan
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    ratio = -abs(difference) / error
    return float(2 * (stdtr(freedom, ratio) if math.isfinite(freedom) else ndtr(ratio)))


def permutation_p(
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    patient: ArrayLike,
    *,
    permutations: int,
    rng: np.random.Generator,
) -> float:
    """Two-sided p of a difference in AUROC, by exchanging two scores patient by patient.

    Were the scores equally good, a patient's two sets of ranks could be exchanged. A patient is
    exchanged with all images or not at all. Ranks stand for the scores, so that neither scale
    matters.

    Args:
        y_true: (cases,) bool.
        first, second: (cases,) float.
        patient: (cases,) which patient a case is of.
        permutations: how many exchanges are drawn.
        rng: where the randomness comes from.

    Returns:
        (1 + exchanges at least as far apart) / (1 + exchanges); NaN without both classes.

    Source: Venkatraman & Begg 1996, Biometrika 83:835-848, with patients as clusters.
    """
    truth = np.asarray(y_true, bool)
    names, index = np.unique(np.asarray(patient), return_inverse=True)
    ranks = np.concatenate([rankdata(first), rankdata(second)])
    swapped = rng.random((permutations + 1, len(names))) < 0.5
    swapped[0] = False
    both = np.concatenate([index, index + len(names)])
    areas = []
    for kept in (~swapped, swapped):
        counts = np.concatenate([kept, ~kept], axis=1).astype(np.uint16)
        draws = PatientResample(both, counts)
        areas.append(ranked_replicates(np.tile(truth, 2), ranks, draws).auroc)
    apart = np.abs(areas[1] - areas[0])
    if math.isnan(apart[0]):
        return math.nan
    return float(np.mean(apart >= apart[0] - 1e-12))


def seed_variance(values: Sequence[Floats]) -> tuple[float, float]:
    """Variance that training seeds give to a difference of two means over seeds.

    The spread over seeds is pooled over the two networks, because with a few seeds each a variance
    of its own would be worth next to nothing. It is that of measured values on the same patients,
    and so counts what seeds and patients do together a second time beside the patients' variance:
    the interval of a difference errs on the wide side, by little.

    Args:
        values: for each network the metric of each seed; two or more seeds each.

    Returns:
        The variance, and its degrees of freedom: seeds less networks.

    Raises:
        ValueError: a network has fewer than two seeds.
    """
    counts = np.array([len(one) for one in values])
    if (counts < 2).any():
        raise ValueError(f"{counts.min()} seed(s); a spread over seeds takes two or more of each.")
    freedom = float((counts - 1).sum())
    pooled = sum(float(((one - one.mean()) ** 2).sum()) for one in values) / freedom
    return pooled * float((1 / counts).sum()), freedom
