"""AUROCs and their mean without resampling: what each patient moves them by, summed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.measures import AREA_METHOD
from cxr.estimates import Estimate
from cxr.metrics import auroc_score
from cxr.statistics import (
    area_freedom,
    auroc_interval,
    clustered_aurocs,
    logit_interval,
    pooled_freedom,
)

Floats = NDArray[np.float64]
MEAN_METHOD = "sum of the patients' influences on the AUROCs, logit t"


@dataclass(frozen=True)
class Area:
    """One AUROC, or a mean of several.

    Attributes:
        estimate: with its interval.
        variance: over patients.
        influence: (patients,) what each patient of the whole set moves it by, scaled so that the
            squares sum up to the variance.
        freedom: degrees of freedom of the variance.
    """

    estimate: Estimate
    variance: float
    influence: Floats
    freedom: float


def area_of(
    present: NDArray[np.bool_],
    score: Floats,
    patients: NDArray[np.str_],
    everyone: NDArray[np.str_],
) -> Area:
    """Return the AUROC of one observation.

    Args:
        present: (cases,) bool.
        score: (cases,) float.
        patients: (cases,) whose each case is.
        everyone: the patients of the whole set, sorted.
    """
    found = clustered_aurocs(present, score, patients)
    ends = auroc_interval(found)
    value = auroc_score(present, score)  # to the last digit of metrics.json
    variance, moved = float(found.covariance[0, 0]), found.influence[:, 0]
    spread = float((moved**2).sum())
    influence = np.zeros(len(everyone))
    influence[np.searchsorted(everyone, np.unique(patients))] = (
        moved * math.sqrt(variance / spread) if spread > 0 else moved
    )
    return Area(
        Estimate(value, ends.low, ends.high, AREA_METHOD),
        variance,
        influence,
        area_freedom(found, moved),
    )


def mean_area(areas: Sequence[Area]) -> Area | None:
    """Return the mean of AUROCs of the same patients; None of none."""
    if not areas:
        return None
    value = float(np.mean([area.estimate.estimate for area in areas]))
    freedom = pooled_freedom(
        np.array([area.variance for area in areas]), np.array([area.freedom for area in areas])
    )
    influence = np.asarray(np.mean([area.influence for area in areas], axis=0))
    variance = float((influence**2).sum())
    if not 0 < value < 1 or not variance > 0:
        estimate = Estimate(value, reason="no interval: every case is ranked alike")
    else:
        ends = logit_interval(value, math.sqrt(variance), freedom)
        estimate = Estimate(value, ends.low, ends.high, MEAN_METHOD)
    return Area(estimate, variance, influence, freedom)
