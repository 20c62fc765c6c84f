"""How many patients: for an AUROC's interval of some width, or to see a difference.

Scores are taken for normal with one spread in both classes (binormal), of which the variance of
an AUROC and the covariance of two on the same cases follow exactly (Hanley & McNeil 1982,
Radiology 143:29-36, and 1983, Radiology 148:839-843; Obuchowski & McClish 1997, Stat Med
16:1529-1542). Images of one patient are alike, so they count less: by the design effect
1 + (size - 1) x correlation, with the size that a typical image sees (Kish 1965, Survey
Sampling; Obuchowski 1997, Biometrics 53:567-578). What positive and negative images of one
patient have in common is left out, which makes the numbers a little too large.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import multivariate_normal

from cxr.statistics.intervals import (
    EXTRA_FREEDOM,
    PRIOR_FREEDOM,
    binormal_variance,
    logit_interval,
)

MOST_PATIENTS = 10_000_000
"""More are not searched; no hospital has them."""


@dataclass(frozen=True)
class Sampling:
    """How cases come.

    Attributes:
        prevalence: share of the images that show the finding.
        images_per_patient: mean, at least 1; one and a Poisson number more.
        correlation: of the scores of two images of one patient, given the truth.
        persistence: share of the other images of a patient with the finding that show it, too.
    """

    prevalence: float
    images_per_patient: float = 1.0
    correlation: float = 0.5
    persistence: float = 0.7

    def __post_init__(self) -> None:
        checks = (
            ("prevalence", 0 < self.prevalence < 1, "above 0 and below 1"),
            ("images_per_patient", 1 <= self.images_per_patient < math.inf, "1 or more"),
            ("correlation", 0 <= self.correlation <= 1, "in 0 to 1"),
            ("persistence", 0 <= self.persistence <= 1, "in 0 to 1"),
        )
        for name, holds, allowed in checks:
            if not holds:
                raise ValueError(f"{name} is {getattr(self, name):g}; it must be {allowed}.")


@dataclass(frozen=True)
class Expected:
    """What a number of patients brings on average.

    Attributes:
        patients, images, positives, positive_patients: counts.
        effective_positives, effective_negatives: independent images that would tell as much.
    """

    patients: float
    images: float
    positives: float
    positive_patients: float
    effective_positives: float
    effective_negatives: float


def expected_cases(patients: float, sampling: Sampling) -> Expected:
    """Return what `patients` patients bring on average.

    Raises:
        ValueError: more positive patients would be needed than there are patients.
    """
    images = patients * sampling.images_per_patient
    positives = images * sampling.prevalence
    each = 1 + (sampling.images_per_patient - 1) * sampling.persistence
    if positives / each > patients:
        raise ValueError(
            f"a prevalence of {sampling.prevalence:g} asks for more positive patients than there "
            "are patients; raise the persistence."
        )
    return Expected(
        patients=patients,
        images=images,
        positives=positives,
        positive_patients=positives / each,
        effective_positives=positives / design_effect(each, sampling.correlation),
        effective_negatives=(images - positives)
        / design_effect(sampling.images_per_patient, sampling.correlation),
    )


def design_effect(images: float, correlation: float) -> float:
    """By how much clustering multiplies a variance, with 1 + Poisson(images - 1) a patient."""
    typical = images + (images - 1) / images  # E[m^2] / E[m]
    return 1 + (typical - 1) * correlation


def area_width(auroc: float, patients: float, sampling: Sampling) -> float:
    """Expected width of the 95 % interval of an AUROC, as `auroc_interval` makes it.

    Args:
        auroc: true area, above 0 and below 1.
        patients: in all.
        sampling: how cases come.

    Example:
        >>> round(area_width(0.8, 400, Sampling(0.1)), 2)
        0.15
    """
    found = expected_cases(patients, sampling)
    error = math.sqrt(
        binormal_variance(auroc, found.effective_positives, found.effective_negatives)
    )
    ends = logit_interval(auroc, error, _freedom(found, sampling) + PRIOR_FREEDOM)
    return ends.high - ends.low


def difference_error(
    auroc: float, difference: float, between: float, patients: float, sampling: Sampling
) -> float:
    """Standard error of the difference of two AUROCs on the same cases.

    Args:
        auroc: true area of one score.
        difference: true area of the other, less that.
        between: correlation of the two scores of one image, given the truth.
        patients: in all.
        sampling: how cases come.
    """
    found = expected_cases(patients, sampling)
    sizes = found.effective_positives, found.effective_negatives
    other = auroc + difference
    variance = (
        binormal_variance(auroc, *sizes)
        + binormal_variance(other, *sizes)
        - 2 * binormal_covariance(auroc, other, between, *sizes)
    )
    return math.sqrt(max(variance, 0.0))


def binormal_covariance(
    first: float, second: float, between: float, positives: float, negatives: float
) -> float:
    """Covariance of two areas on the same independent cases whose scores are binormal.

    Two pairs with the positive (or the negative) image in common compare normals that correlate
    by half of `between`; one and the same pair by all of it.
    """
    product = first * second
    shared = _both(first, second, between / 2) - product
    same = _both(first, second, between) - product
    return (same + (positives + negatives - 2) * shared) / (positives * negatives)


def difference_power(
    auroc: float,
    difference: float,
    patients: float,
    sampling: Sampling,
    *,
    between: float,
    tests: int = 1,
) -> float:
    """Chance that a two-sided paired test at 5 % sees a difference of two AUROCs.

    Args:
        auroc: true area of one score.
        difference: true area of the other, less that.
        patients: in all.
        sampling: how cases come.
        between: correlation of the two scores of one image, given the truth.
        tests: how many are adjusted for (the first step of Holm's, which is Bonferroni's).
    """
    error = difference_error(auroc, difference, between, patients, sampling)
    if error == 0:
        return 1.0
    freedom = _freedom(expected_cases(patients, sampling), sampling) + EXTRA_FREEDOM
    reach = float(stdtrit(freedom, 1 - 0.025 / tests))
    return float(ndtr(abs(difference) / error - reach))


def patients_for_width(width: float, auroc: float, sampling: Sampling) -> int | None:
    """Fewest patients whose expected interval is at most `width` wide; None above ten million."""
    return _fewest(lambda patients: area_width(auroc, patients, sampling) <= width, sampling)


def patients_for_difference(
    auroc: float,
    difference: float,
    sampling: Sampling,
    *,
    power: float,
    between: float,
    tests: int = 1,
) -> int | None:
    """Fewest patients that show a difference with `power`; None above ten million.

    Args:
        auroc, difference, sampling, between, tests: as for `difference_power`.
        power: wanted chance of seeing it, above 0 and below 1.
    """
    return _fewest(
        lambda patients: (
            difference_power(auroc, difference, patients, sampling, between=between, tests=tests)
            >= power
        ),
        sampling,
    )


def _fewest(enough: Callable[[int], bool], sampling: Sampling) -> int | None:
    """Bisect; what is enough stays so with more patients."""
    low = _least(sampling)
    high = max(2 * low, 64)
    while not enough(high):
        if high >= MOST_PATIENTS:
            return None
        low, high = high, min(2 * high, MOST_PATIENTS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _least(sampling: Sampling) -> int:
    """So many patients that two positive ones are expected: below, no interval is made."""
    each = expected_cases(1, sampling).positive_patients
    return math.ceil(2 / each)


def _freedom(found: Expected, sampling: Sampling) -> float:
    """Degrees of freedom that the patients of the rarer class give, as `patient_freedom` counts.

    (sum m^2)^2 / sum m^4 - 1 for sizes m of one and a Poisson number more.
    """
    freedoms = []
    for patients, more in (
        (found.positive_patients, (sampling.images_per_patient - 1) * sampling.persistence),
        (found.patients - found.positive_patients, sampling.images_per_patient - 1),
    ):
        second = 1 + 3 * more + more**2
        fourth = 1 + 15 * more + 25 * more**2 + 10 * more**3 + more**4
        freedoms.append(patients * second**2 / fourth - 1)
    return max(1.0, min(freedoms))


def _both(first: float, second: float, correlation: float) -> float:
    """Chance that two normals with this correlation are both below the areas' quantiles."""
    ends = [float(ndtri(first)), float(ndtri(second))]
    if correlation >= 1:
        return float(min(first, second))
    table = [[1.0, correlation], [correlation, 1.0]]
    return float(multivariate_normal.cdf(ends, mean=[0.0, 0.0], cov=table))
