"""The AUROC's variance without resampling, with patients as clusters.

Every positive case is placed among the negatives and every negative among the positives
(DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837-845); summed by patient, the placements
give a variance that allows any dependence inside a patient (Obuchowski 1997, Biometrics
53:567-578). With one image a patient it is DeLong's. Placements come from midranks in
O(n log n) (Sun & Xu 2014, IEEE Signal Process Lett 21:1389-1393).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClusteredAurocs:
    """AUROCs of several scores on the same cases, with their covariance.

    Attributes:
        auroc: (scores,) areas; NaN where only one class is there.
        covariance: (scores, scores); NaN with fewer than two patients of either class.
        influence: (patients, scores) what each patient moves the area by, to first order; sums
            to 0. Rows follow the patients in sorted order.
        positives, negatives: (patients,) cases of each class.
    """

    auroc: Floats
    covariance: Floats
    influence: Floats
    positives: Floats
    negatives: Floats

    @property
    def positive_patients(self) -> int:
        """Patients with at least one positive case."""
        return int((self.positives > 0).sum())

    @property
    def negative_patients(self) -> int:
        """Patients with at least one negative case."""
        return int((self.negatives > 0).sum())


def clustered_aurocs(y_true: ArrayLike, scores: ArrayLike, patient: ArrayLike) -> ClusteredAurocs:
    """AUROCs with Obuchowski's clustered covariance.

    Args:
        y_true: (cases,) bool.
        scores: (cases,) or (cases, scores) float, finite.
        patient: (cases,) which patient a case is of; any sortable values.

    Raises:
        ValueError: lengths differ, or a score is not finite.
    """
    truth = np.asarray(y_true, bool)
    values = np.asarray(scores, dtype=np.float64).reshape(len(truth), -1)
    names, index = np.unique(np.asarray(patient), return_inverse=True)
    if len(index) != len(truth):
        raise ValueError(f"{len(truth)} cases, but {len(index)} patients; one of each is needed.")
    if not np.isfinite(values).all():
        raise ValueError("a score is not finite; AUROC needs finite scores.")
    width = len(names)
    positives = np.bincount(index[truth], minlength=width).astype(float)
    negatives = np.bincount(index[~truth], minlength=width).astype(float)
    columns = values.shape[1]
    if not truth.any() or truth.all():
        blank = np.full(columns, np.nan)
        return ClusteredAurocs(
            blank,
            np.full((columns, columns), np.nan),
            np.full((width, columns), np.nan),
            positives,
            negatives,
        )
    above, below = placements(truth, values)
    area = above.mean(axis=0)
    hits = _sums(index[truth], above, width) - positives[:, None] * area
    misses = _sums(index[~truth], below, width) - negatives[:, None] * area
    return ClusteredAurocs(
        auroc=area,
        covariance=_covariance(hits, misses, positives, negatives),
        influence=hits / positives.sum() + misses / negatives.sum(),
        positives=positives,
        negatives=negatives,
    )


def placements(truth: NDArray[np.bool_], values: Floats) -> tuple[Floats, Floats]:
    """Place each case among the other class.

    Returns:
        For each positive, the share of negatives below it, (positives, scores); for each
        negative, the share of positives above it, (negatives, scores). A tie counts one half.
    """
    together = rankdata(values, axis=0)
    positive, negative = values[truth], values[~truth]
    above = (together[truth] - rankdata(positive, axis=0)) / len(negative)
    below = 1 - (together[~truth] - rankdata(negative, axis=0)) / len(positive)
    return above, below


def _sums(index: NDArray[Any], values: Floats, width: int) -> Floats:
    return np.stack(
        [np.bincount(index, weights=column, minlength=width) for column in values.T], axis=1
    )


def _covariance(hits: Floats, misses: Floats, positives: Floats, negatives: Floats) -> Floats:
    """Obuchowski's S10/M + S01/N + (S11 + S11')/(MN), from sums less their expectation."""
    having, lacking = int((positives > 0).sum()), int((negatives > 0).sum())
    patients = int(((positives > 0) | (negatives > 0)).sum())
    if having < 2 or lacking < 2:
        return np.full((hits.shape[1], hits.shape[1]), np.nan)
    m, n = positives.sum(), negatives.sum()
    within = having / (having - 1) * (hits.T @ hits) / m**2
    without = lacking / (lacking - 1) * (misses.T @ misses) / n**2
    across = patients / (patients - 1) * (hits.T @ misses) / (m * n)
    return within + without + across + across.T
