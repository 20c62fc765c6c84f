"""Agreement between readers: percent, Cohen's and Fleiss' kappa, Gwet's AC1, with intervals.

Ratings are whole numbers from 0, one column a reader; `MISSING` where a reader gave none. All
four coefficients are (agreed - by chance) / (1 - by chance) and differ in what chance is. Their
variance is the linearised one of Gwet (Handbook of Inter-Rater Reliability, 4th ed. 2014, ch. 5),
here summed over patients, and with a weight for each case where cases were not drawn alike. Each
case counts by its weight, so that an enriched sample speaks for the cases it was drawn from.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr.estimates import Estimate
from cxr.statistics.intervals import difference_interval, patient_freedom, ratio_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int_]

MISSING = -1
METHOD = "linearised variance, patients"

_Chance = Callable[[Floats], Floats]
_TOO_FEW = Estimate.missing("no case was read by two readers")


@dataclass(frozen=True)
class Ratings:
    """Who said what of which case.

    Attributes:
        values: (cases, readers) int from 0 to `categories` - 1; `MISSING` where nothing was said.
        categories: how many answers the question offers, given or not.
        patients: (cases,) int, whose case it is.
        weights: (cases,) float above 0; how many cases each stands for.
    """

    values: Ints
    categories: int
    patients: Ints
    weights: Floats

    def __post_init__(self) -> None:
        """Check shapes and values.

        Raises:
            ValueError: other shapes, an answer beyond the categories, a weight that is not
                above 0.
        """
        cases = len(self.values)
        if self.values.ndim != 2 or self.patients.shape != (cases,):
            raise ValueError(f"ratings {self.values.shape} of patients {self.patients.shape}")
        if self.weights.shape != (cases,) or not (self.weights > 0).all():
            raise ValueError("weights must be above 0, one for each case")
        if cases and (self.values.min() < MISSING or self.values.max() >= self.categories):
            raise ValueError(f"ratings must be {MISSING} to {self.categories - 1}")

    def where(self, chosen: NDArray[np.bool_]) -> "Ratings":
        """Return the cases for which `chosen`, (cases,) bool, is True."""
        return Ratings(
            self.values[chosen], self.categories, self.patients[chosen], self.weights[chosen]
        )

    def shares(self) -> Floats:
        """Return the share of each case's ratings that fell on each category, (cases, K)."""
        counts = (self.values[:, :, None] == np.arange(self.categories)).sum(axis=1)
        return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def agreed(self) -> Floats:
        """Return the share of pairs of readers who agreed, (cases,); needs two ratings each."""
        given = (self.values != MISSING).sum(axis=1)
        counts = self.shares() * given[:, None]
        return (counts * (counts - 1)).sum(axis=1) / (given * (given - 1))

    @property
    def share(self) -> Floats:
        """Each case's part of all weights, (cases,)."""
        return self.weights / self.weights.sum()


def percent_agreement(ratings: Ratings) -> Estimate:
    """Share of pairs of readers who gave the same answer, with Wilson's interval over patients."""
    rated = ratings.where(_twice(ratings))
    if not len(rated.values):
        return _TOO_FEW
    agreed = rated.agreed()
    scaled = rated.share * len(agreed)  # on average 1, so that cases stay as many as they are
    ends = ratio_interval(_by_patient(rated, scaled * agreed), _by_patient(rated, scaled))
    reason = "one patient" if math.isnan(ends.low) else None
    return Estimate(
        float((rated.share * agreed).sum()), ends.low, ends.high, "Wilson, patients", reason
    )


def fleiss_kappa(ratings: Ratings) -> Estimate:
    """Kappa of any number of readers; chance is two draws from all answers (Fleiss 1971)."""
    return _many(ratings, lambda usual: usual)


def gwet_ac1(ratings: Ratings) -> Estimate:
    """Gwet's AC1: chance is small where nearly all cases are alike (Gwet 2008, BJMSP 61:29).

    Unlike the kappas it does not fall to nothing when readers agree on a rare finding.
    """
    return _many(ratings, lambda usual: (1 - usual) / (ratings.categories - 1))


def cohen_kappa(ratings: Ratings) -> Estimate:
    """Kappa of two readers; chance is a draw from each one's own answers (Cohen 1960).

    Args:
        ratings: of exactly two readers; cases that only one rated do not count.

    Raises:
        ValueError: not two readers.
    """
    if ratings.values.shape[1] != 2:
        raise ValueError(f"Cohen's kappa is of two readers, not {ratings.values.shape[1]}")
    rated = ratings.where(_twice(ratings))
    if not len(rated.values):
        return _TOO_FEW
    said = (rated.values[:, :, None] == np.arange(rated.categories)).astype(float)
    first, second = (rated.share @ said[:, reader] for reader in (0, 1))
    by_chance = (said[:, 0] @ second + said[:, 1] @ first) / 2
    return _coefficient(rated, rated.agreed(), by_chance)


def _twice(ratings: Ratings) -> NDArray[np.bool_]:
    return (ratings.values != MISSING).sum(axis=1) >= 2


def _many(ratings: Ratings, chance: _Chance) -> Estimate:
    """Return a coefficient whose chance comes from all readers' answers together.

    A case with one rating tells how usual an answer is and nothing about agreement.
    """
    rated = ratings.where((ratings.values != MISSING).any(axis=1))
    twice = _twice(rated)
    if not twice.any():
        return _TOO_FEW
    shares = rated.shares()
    by_chance = shares @ chance(rated.share @ shares)
    agreed = np.full(len(twice), np.nan)
    agreed[twice] = rated.where(twice).agreed()
    return _coefficient(rated, agreed, by_chance)


def _coefficient(rated: Ratings, agreed: Floats, by_chance: Floats) -> Estimate:
    """Return (agreed - chance) / (1 - chance) and its interval.

    Args:
        rated: every case has a rating.
        agreed: (cases,) share of pairs that agreed; NaN with one rating.
        by_chance: (cases,) what each adds to the agreement by chance; their mean is it.
    """
    twice = ~np.isnan(agreed)
    chance = float(rated.share @ by_chance)
    if chance > 1 - 1e-12:
        return Estimate.missing("every answer is the same")
    paired = float(rated.share[twice].sum())
    value = (float(rated.share[twice] @ agreed[twice]) / paired - chance) / (1 - chance)
    observed = np.where(twice, (np.nan_to_num(agreed) - chance) / (1 - chance) / paired, 0.0)
    moved = observed - 2 * (1 - value) * (by_chance - chance) / (1 - chance) - value
    return _with_interval(value, rated, moved)


def _with_interval(value: float, rated: Ratings, moved: Floats) -> Estimate:
    """Return Student's interval from what each case moves the value by."""
    moved_by = _by_patient(rated, rated.share * moved)
    if len(moved_by) < 2:
        return Estimate(value, reason="one patient")
    error = math.sqrt(len(moved_by) / (len(moved_by) - 1) * float((moved_by**2).sum()))
    if error < 1e-12:
        same = "the readers never differed" if value > 0.5 else "one of them never changed"
        return Estimate(value, reason=same)
    freedom = patient_freedom(_by_patient(rated, rated.weights))
    ends = difference_interval(value, error, freedom)
    return Estimate(value, ends.low, ends.high, METHOD)


def _by_patient(rated: Ratings, values: Floats) -> Floats:
    patients = np.unique(rated.patients, return_inverse=True)[1]
    return np.bincount(patients, values).astype(np.float64)
