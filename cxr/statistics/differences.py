"""The difference of two AUROCs that share all, some or none of their patients.

Where both scores are of the same cases, their covariance is Obuchowski's, as in the paired
DeLong test. Where the cases differ, the patients that are in both still make the two areas
dependent: the influence of each such patient on either area gives their covariance, and with no
patient in common the variances add up.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxr.statistics.delong import ClusteredAurocs, clustered_aurocs
from cxr.statistics.intervals import (
    EXTRA_FREEDOM,
    Interval,
    area_freedom,
    difference_interval,
    pooled_freedom,
)


@dataclass(frozen=True)
class Answered:
    """One score of one set of cases.

    Attributes:
        y_true: (cases,) bool.
        score: (cases,) float, finite.
        patient: (cases,) which patient a case is of; any sortable values.
    """

    y_true: NDArray[np.bool_]
    score: NDArray[np.float64]
    patient: NDArray[Any]


@dataclass(frozen=True)
class AreaDifference:
    """The second area less the first; NaN where it can't be told.

    Attributes:
        value: in [-1, 1].
        error: its standard error.
        freedom: degrees of freedom of the error.
    """

    value: float
    error: float
    freedom: float

    @property
    def interval(self) -> Interval:
        """The 95 % interval."""
        return difference_interval(self.value, self.error, self.freedom)


def paired_area_difference(
    y_true: ArrayLike, before: ArrayLike, after: ArrayLike, patient: ArrayLike
) -> AreaDifference:
    """AUROC of `after` less that of `before`, on the same cases.

    Args:
        y_true: (cases,) bool.
        before, after: (cases,) float, finite.
        patient: (cases,) which patient a case is of; any sortable values.

    Source: DeLong, DeLong & Clarke-Pearson 1988, with the clustered covariance of Obuchowski
    1997, Biometrics 53:567-578.
    """
    areas = clustered_aurocs(y_true, np.stack([before, after], axis=1), patient)
    signs = np.array([-1.0, 1.0])
    variance = float(signs @ areas.covariance @ signs)
    return AreaDifference(
        float(areas.auroc @ signs),
        math.nan if math.isnan(variance) else math.sqrt(max(0.0, variance)),
        area_freedom(areas, areas.influence @ signs) + EXTRA_FREEDOM,
    )


def unpaired_area_difference(first: Answered, second: Answered) -> AreaDifference:
    """AUROC of `second` less that of `first`, whose cases differ and whose patients may overlap.

    Returns:
        The difference; its error takes the patients of both sets for dependent and all others
        for independent.
    """
    sides = [clustered_aurocs(one.y_true, one.score, one.patient) for one in (first, second)]
    variances = np.array([float(side.covariance[0, 0]) for side in sides])
    variance = float(variances.sum()) - 2 * _shared_covariance(first, second, *sides)
    freedoms = [area_freedom(side, side.influence[:, 0]) for side in sides]
    return AreaDifference(
        float(sides[1].auroc[0] - sides[0].auroc[0]),
        math.nan if math.isnan(variance) else math.sqrt(max(0.0, variance)),
        pooled_freedom(variances, np.array(freedoms)) + EXTRA_FREEDOM,
    )


def _shared_covariance(
    first: Answered, second: Answered, one: ClusteredAurocs, other: ClusteredAurocs
) -> float:
    """Sum over the patients of both sets of what each moves either area by."""
    _, left, right = np.intersect1d(
        np.unique(first.patient), np.unique(second.patient), return_indices=True
    )
    return float(one.influence[left, 0] @ other.influence[right, 0])
