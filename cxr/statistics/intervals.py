"""95 % intervals with the patient as the unit, none of which leaves the metric's range.

Which method serves which metric was chosen by how often it covers the truth in simulated
clustered data (`coverage_table`). Plain percentile and Wald intervals cover too little with few
positive patients, because the spread is estimated from few and unequal patients and because the
estimate and its spread go together. So: transform (logit, or Wilson's score), use Student's t
with the freedom that the patients give, and for AUROC borrow some strength from a model.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri, owens_t, stdtrit

from cxr.statistics.delong import ClusteredAurocs

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
PRIOR_FREEDOM = 5.0
"""What the binormal variance counts for beside the observed one, in degrees of freedom."""
EXTRA_FREEDOM = 2.0
"""Added to the patients' freedom for bootstrap errors and paired differences."""


@dataclass(frozen=True)
class Interval:
    """Two ends; NaN where there is no interval."""

    low: float
    high: float


UNKNOWN = Interval(math.nan, math.nan)


def patient_freedom(sizes: Floats) -> float:
    """Degrees of freedom of a variance that is summed over patients of unequal size.

    Args:
        sizes: (patients,) cases of each patient; those with 0 do not count.

    Returns:
        (sum m^2)^2 / sum m^4 - 1, at least 1: patients - 1 where all have equally many cases,
        fewer where a few patients dominate (Satterthwaite 1946, Biometrics Bull 2:110-114, for
        cases that are alike inside a patient).
    """
    squares = np.asarray(sizes, float) ** 2
    total = float((squares**2).sum())
    return max(1.0, float(squares.sum()) ** 2 / total - 1) if total > 0 else 1.0


def effective_patients(sizes: Floats) -> float:
    """How many patients of equal size tell as much: (sum m)^2 / sum m^2 (Kish 1965)."""
    total = float((np.asarray(sizes, float) ** 2).sum())
    return float(np.sum(sizes)) ** 2 / total if total > 0 else 0.0


def pooled_freedom(variances: Floats, freedoms: Floats) -> float:
    """Freedom of a sum of independent variances (Satterthwaite 1946).

    Args:
        variances: (parts,) float.
        freedoms: (parts,) float, of each part.
    """
    total = float(np.sum(variances))
    if total <= 0:
        return float(np.min(freedoms))
    return total**2 / float((np.asarray(variances) ** 2 / freedoms).sum())


def auroc_interval(areas: ClusteredAurocs, column: int = 0) -> Interval:
    """Interval of an AUROC: clustered variance, moderated, on the logit scale with Student's t.

    The observed variance (Obuchowski 1997) is averaged with the variance that a binormal model
    gives the same area with as many effective patients, by their degrees of freedom, as
    moderated t-tests do (Smyth 2004, Stat Appl Genet Mol Biol 3:3). With few positive patients
    the observed one is small whenever no poorly ranked patient happened to be drawn.

    Returns:
        An interval that holds the area; NaN with fewer than two patients of either class.
    """
    area, variance = float(areas.auroc[column]), float(areas.covariance[column, column])
    if math.isnan(variance):
        return UNKNOWN
    freedom = area_freedom(areas, areas.influence[:, column])
    positives, negatives = map(effective_patients, (areas.positives, areas.negatives))
    edge = 0.5 / min(positives, negatives)  # half a patient short of a perfect area
    centre = min(max(area, edge), 1 - edge)
    model = binormal_variance(centre, positives, negatives)
    moderated = (freedom * variance + PRIOR_FREEDOM * model) / (freedom + PRIOR_FREEDOM)
    ends = logit_interval(centre, math.sqrt(moderated), freedom + PRIOR_FREEDOM)
    return Interval(min(ends.low, area), max(ends.high, area))


def area_freedom(areas: ClusteredAurocs, influence: Floats) -> float:
    """Degrees of freedom of an area's variance, or of a difference of areas.

    Args:
        areas: where the patients' sizes come from.
        influence: (patients,) what each patient moves the area, or the difference, by.
    """
    having = areas.positives > 0
    variances = [float((influence[rows] ** 2).sum()) for rows in (having, ~having)]
    freedoms = [
        patient_freedom(areas.positives[having]),
        patient_freedom(areas.negatives[~having]),
    ]
    return pooled_freedom(np.array(variances), np.array(freedoms))


def ratio_interval(part: Floats, whole: Floats) -> Interval:
    """Wilson's interval of a ratio of sums over patients, such as recall or F1.

    The number of trials is what would give the clustered variance of the ratio (Rao & Scott
    1992, Biometrics 48:577-585), at most the cases there are; all or none counts each patient
    once. Student's t stands for the normal, with a patient less than there are.

    Args:
        part: (patients,) float, what counts; 0 <= part <= whole.
        whole: (patients,) float, out of how many.
    """
    counted = whole > 0
    patients = int(counted.sum())
    if patients < 2:
        return UNKNOWN
    ratio = float(part.sum() / whole.sum())
    residual = (part - ratio * whole)[counted]
    variance = patients / (patients - 1) * float((residual**2).sum()) / float(whole.sum()) ** 2
    trials = effective_patients(whole)
    if 0 < ratio < 1 and variance > 0:
        trials = min(ratio * (1 - ratio) / variance, float(whole.sum()))
    return wilson_interval(ratio, trials, patients - 1)


def wilson_interval(share: float, trials: float, freedom: float = math.inf) -> Interval:
    """Wilson's score interval (1927, JASA 22:209-212), with Student's t for the normal."""
    reach = _quantile(freedom)
    scale = 1 + reach**2 / trials
    centre = (share + reach**2 / (2 * trials)) / scale
    half = reach / scale * math.sqrt(share * (1 - share) / trials + reach**2 / (4 * trials**2))
    return Interval(min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def replicate_interval(
    estimate: float, replicates: Floats, freedom: float, *, low: float = 0.0, high: float = 1.0
) -> Interval:
    """Interval from the bootstrap's standard error, on the logit scale with Student's t.

    Args:
        estimate: in [low, high].
        replicates: (replicates,) float; NaN ones are left out.
        freedom: degrees of freedom of the standard error.
        low, high: the metric's range.

    Returns:
        An interval in the range that holds the estimate. Where no replicate differs, Wilson's
        with `freedom` + 1 patients as trials.
    """
    error = replicate_error(replicates)
    width = high - low
    share = (estimate - low) / width
    if math.isnan(error):
        return UNKNOWN
    if 0 < share < 1 and error > 0:
        ends = logit_interval(share, error / width, freedom)
    else:
        ends = wilson_interval(share, freedom + 1, freedom)
    return Interval(low + width * ends.low, low + width * ends.high)


def percentile_interval(replicates: Floats) -> Interval:
    """The middle 95 % of the replicates (Efron 1979); NaN ones are left out."""
    known = replicates[np.isfinite(replicates)]
    if len(known) < 2:
        return UNKNOWN
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(known, (tail, 1 - tail))
    return Interval(float(low), float(high))


def difference_interval(difference: float, error: float, freedom: float) -> Interval:
    """Student's interval of a difference of two shares, kept in [-1, 1]."""
    ends = student_interval(difference, error, freedom)
    return Interval(max(-1.0, ends.low), min(1.0, ends.high))


def student_interval(value: float, error: float, freedom: float) -> Interval:
    """Student's interval of a number that has no bounds."""
    reach = _quantile(freedom) * error
    return Interval(value - reach, value + reach)


def logit_interval(estimate: float, error: float, freedom: float = math.inf) -> Interval:
    """Student's interval on the logit scale, back in (0, 1).

    Args:
        estimate: in (0, 1).
        error: its standard error, carried to the logit by the delta method.
        freedom: degrees of freedom of the error.
    """
    reach = _quantile(freedom) * error / (estimate * (1 - estimate))
    centre = logit(estimate)
    return Interval(float(expit(centre - reach)), float(expit(centre + reach)))


def replicate_error(replicates: Floats) -> float:
    """The bootstrap's standard error; NaN with fewer than two defined replicates."""
    known = replicates[np.isfinite(replicates)]
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan


def _quantile(freedom: float) -> float:
    tail = (1 + CONFIDENCE) / 2
    return float(stdtrit(freedom, tail) if math.isfinite(freedom) else ndtri(tail))


def binormal_variance(area: float, positives: float, negatives: float) -> float:
    """Variance of an area of independent cases whose scores are normal with equal spread.

    Hanley & McNeil 1982 with the exact binormal chance that one positive beats two negatives:
    the bivariate normal integral at correlation one half, by Owen's T.
    """
    both = area - 2 * float(owens_t(ndtri(area), 1 / math.sqrt(3)))
    spread = (positives + negatives - 2) * (both - area**2)
    return (area * (1 - area) + max(spread, 0.0)) / (positives * negatives)
