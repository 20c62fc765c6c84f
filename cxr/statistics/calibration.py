"""Can scores be read as probabilities: errors, calibration lines, and simple mends.

Images of one patient are alike, so errors and intervals are clustered by patient.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, log_expit, ndtr

from cxr.statistics.intervals import UNKNOWN, Interval, patient_freedom, student_interval

Floats = NDArray[np.float64]

GROUPS = 10
STEEPEST = 20.0
"""Scalings outside 1/20 to 20 tell of classes that a threshold separates, not of calibration."""


@dataclass(frozen=True)
class Scaling:
    """How logits are mended: slope x logit + intercept.

    Attributes:
        slope: the inverse of a temperature.
        intercept: 0 for a temperature.
    """

    slope: float
    intercept: float = 0.0

    def apply(self, logits: ArrayLike) -> Floats:
        """Return the mended logits; their order stays where the slope is positive."""
        return self.slope * np.asarray(logits, dtype=np.float64) + self.intercept


@dataclass(frozen=True)
class CalibrationLine:
    """Logistic regression of the answers on the logits.

    Attributes:
        slope: 1 where scores spread as they should; below 1 they are too sure.
        slope_interval: 95 %.
        intercept: log-odds that the answers lie above the scores, on average, with the slope
            held at 1; 0 where scores are right on average.
        intercept_interval: 95 %.
    """

    slope: float
    slope_interval: Interval
    intercept: float
    intercept_interval: Interval


def fit_temperature(y_true: ArrayLike, logits: ArrayLike) -> Scaling:
    """Fit one temperature by least log loss (Guo et al. 2017, ICML, section 4.2).

    Args:
        y_true: (cases,) bool.
        logits: (cases,) float.

    Returns:
        A slope in 1/20 to 20.

    Raises:
        ValueError: lengths differ, or there is no case.
    """
    truth, values = _checked(y_true, logits)

    def loss(log_slope: float) -> float:
        return _loss(truth, math.exp(log_slope) * values)

    reach = math.log(STEEPEST)
    found = minimize_scalar(loss, bounds=(-reach, reach), method="bounded")
    return Scaling(math.exp(float(found.x)))


def fit_platt(y_true: ArrayLike, logits: ArrayLike) -> Scaling:
    """Fit slope and intercept by least log loss against smoothed answers (Platt 1999).

    The answers are (positives + 1) / (positives + 2) and 1 / (negatives + 2), so that classes
    that a threshold separates give a finite line.

    Args:
        y_true: (cases,) bool.
        logits: (cases,) float.

    Raises:
        ValueError: lengths differ, or there is no case.
    """
    truth, values = _checked(y_true, logits)
    positives = float(truth.sum())
    high, low = (positives + 1) / (positives + 2), 1 / (len(truth) - positives + 2)
    found = _regress(np.where(truth, high, low), values)
    return Scaling(float(found[1]), float(found[0]))


def calibration_error(y_true: ArrayLike, probability: ArrayLike, *, groups: int = GROUPS) -> float:
    """Expected calibration error over groups of equally many cases; NaN without a case.

    Args:
        y_true: (cases,) bool.
        probability: (cases,) float in [0, 1].
        groups: how many; equal scores may fall into two of them.

    Source: Naeini et al. 2015, AAAI, with equal-mass groups (Nguyen & O'Connor 2015, EMNLP).
    """
    truth, values = _checked(y_true, probability)
    gaps, weights, _ = _gaps(truth, values, np.arange(len(truth)), groups)
    return float(np.abs(gaps) @ weights)


def corrected_calibration_error(
    y_true: ArrayLike, probability: ArrayLike, patient: ArrayLike, *, groups: int = GROUPS
) -> float:
    """Expected calibration error less what chance adds to it.

    Even right scores show gaps, since a group's share of positives is known from few patients
    only. The gaps are taken to be normal about the true ones, with a variance clustered by
    patient, and the true ones to be a common share of those found: the share at which the
    expected error is the one found (by the mean of a folded normal). 0 where chance alone gives
    as much.

    Args:
        y_true: (cases,) bool.
        probability: (cases,) float in [0, 1].
        patient: (cases,) which patient a case is of.
        groups: of equally many cases.
    """
    truth, values = _checked(y_true, probability)
    gaps, weights, errors = _gaps(truth, values, np.asarray(patient), groups)
    plain = float(np.abs(gaps) @ weights)

    def excess(share: float) -> float:
        return float(_folded_mean(share * gaps, errors) @ weights) - plain

    if excess(0.0) >= 0:
        return 0.0
    return plain * (float(brentq(excess, 0.0, 1.0, xtol=1e-9)) if excess(1.0) > 0 else 1.0)


def calibration_line(y_true: ArrayLike, logits: ArrayLike, patient: ArrayLike) -> CalibrationLine:
    """Calibration slope and intercept with intervals clustered by patient.

    Args:
        y_true: (cases,) bool.
        logits: (cases,) float.
        patient: (cases,) which patient a case is of.

    Returns:
        NaN where a class is missing or a threshold separates the classes.

    Source: Cox 1958, Biometrika 45:562-565; errors by Liang & Zeger 1986, Biometrika 73:13-22;
    Student's t with a patient of the rarer class less than there are.
    """
    truth, values = _checked(y_true, logits)
    index = np.unique(np.asarray(patient), return_inverse=True)[1]
    blank = CalibrationLine(math.nan, UNKNOWN, math.nan, UNKNOWN)
    if truth.all() or not truth.any() or _separated(truth, values):
        return blank
    freedom = min(
        patient_freedom(np.bincount(index[rows]).astype(float)) for rows in (truth, ~truth)
    )
    both = _regress(truth.astype(float), values)
    design = np.stack([np.ones(len(values)), values], axis=1)
    errors = _sandwich(truth, design @ both, design, index)
    shift = _intercept(truth, values)
    lone = design[:, :1]
    error = float(_sandwich(truth, values + shift, lone, index)[0])
    return CalibrationLine(
        slope=float(both[1]),
        slope_interval=student_interval(float(both[1]), float(errors[1]), freedom),
        intercept=shift,
        intercept_interval=student_interval(shift, error, freedom),
    )


def _checked(y_true: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    truth, values = np.asarray(y_true, bool), np.asarray(score, dtype=np.float64)
    if truth.shape != values.shape or truth.ndim != 1 or not len(truth):
        raise ValueError(
            f"y_true and the scores have shapes {truth.shape} and {values.shape}; they must be "
            "one column of the same cases, at least one."
        )
    if not np.isfinite(values).all():
        raise ValueError("a score is not finite; calibration needs finite scores.")
    return truth, values


def _loss(target: NDArray[Any], logits: Floats) -> float:
    return -float(np.mean(target * log_expit(logits) + (1 - target) * log_expit(-logits)))


def _separated(truth: NDArray[np.bool_], values: Floats) -> bool:
    high, low = values[truth], values[~truth]
    return bool(high.min() >= low.max() or high.max() <= low.min())


def _regress(target: Floats, values: Floats) -> Floats:
    """Logistic regression with intercept by Newton's steps, halved until the loss falls."""
    design = np.stack([np.ones(len(values)), values], axis=1)
    found = np.array([0.0, 1.0])
    loss = _loss(target, design @ found)
    for _ in range(100):
        chance = expit(design @ found)
        weight = chance * (1 - chance) + 1e-12
        step = np.linalg.lstsq(
            (design * weight[:, None]).T @ design, design.T @ (target - chance), rcond=None
        )[0]
        while np.abs(step).max() > 1e-12 and _loss(target, design @ (found + step)) > loss:
            step = step / 2
        found = found + step
        loss = _loss(target, design @ found)
        if np.abs(step).max() < 1e-10:
            break
    return np.asarray(found)


def _intercept(truth: NDArray[np.bool_], values: Floats) -> float:
    """The shift of all logits at which their mean chance is the share of positives."""
    reach = float(np.abs(values).max()) + 50.0
    return float(brentq(lambda shift: float((expit(values + shift) - truth).sum()), -reach, reach))


def _sandwich(
    truth: NDArray[np.bool_], logits: Floats, design: Floats, index: NDArray[Any]
) -> Floats:
    """Standard errors that allow any dependence inside a patient."""
    chance = expit(logits)
    bread = np.linalg.pinv((design * (chance * (1 - chance))[:, None]).T @ design)
    pulls = design * (truth - chance)[:, None]
    sums = np.stack([np.bincount(index, weights=column) for column in pulls.T], axis=1)
    patients = len(sums)
    meat = patients / max(patients - 1, 1) * sums.T @ sums
    return np.sqrt(np.maximum((bread @ meat @ bread).diagonal(), 0.0))


def _gaps(
    truth: NDArray[np.bool_], values: Floats, patient: NDArray[Any], groups: int
) -> tuple[Floats, Floats, Floats]:
    """Each group's share of positives less its mean score, its weight, and the gap's error."""
    gaps, weights, errors = [], [], []
    for rows in np.array_split(np.argsort(values, kind="stable"), min(groups, len(values))):
        residual = truth[rows] - values[rows]
        index = np.unique(patient[rows], return_inverse=True)[1]
        centred = residual - residual.mean()
        sums = np.bincount(index, weights=centred)
        factor = len(sums) / max(len(sums) - 1, 1)
        gaps.append(residual.mean())
        weights.append(len(rows) / len(values))
        errors.append(math.sqrt(factor * float((sums**2).sum())) / len(rows))
    return np.array(gaps), np.array(weights), np.array(errors)


def _folded_mean(centre: Floats, spread: Floats) -> Floats:
    """Mean of the absolute value of a normal (Leone, Nelson & Nottingham 1961)."""
    safe = np.where(spread > 0, spread, 1.0)
    ratio = np.abs(centre) / safe
    mean = safe * math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2) + np.abs(centre) * (
        1 - 2 * ndtr(-ratio)
    )
    return np.where(spread > 0, mean, np.abs(centre))
