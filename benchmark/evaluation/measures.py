"""One column of scores against its answers: every metric, its interval and its replicates.

The interval's method goes with the metric: the one that covers best in simulated clustered data
(`cxr.statistics.coverage_table`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from cxr import metrics
from cxr.estimates import Estimate
from cxr.metrics import Confusion
from cxr.statistics import (
    EXTRA_FREEDOM,
    Interval,
    PatientResample,
    auroc_interval,
    clustered_aurocs,
    patient_freedom,
    percentile_interval,
    pooled_freedom,
    ranked_replicates,
    ratio_interval,
    replicate_error,
    replicate_interval,
    replicate_means,
)

Floats = NDArray[np.float64]

RATIOS: dict[str, Callable[[Confusion], tuple[Any, Any]]] = {
    "f1": lambda table: (2 * table.tp, 2 * table.tp + table.fp + table.fn),
    "precision": lambda table: (table.tp, table.tp + table.fp),
    "recall": lambda table: (table.tp, table.tp + table.fn),
    "specificity": lambda table: (table.tn, table.tn + table.fp),
    "npv": lambda table: (table.tn, table.tn + table.fn),
    "accuracy": lambda table: (table.tp + table.tn, table.tp + table.fp + table.fn + table.tn),
}
"""Metrics that are a ratio of sums over patients: what counts, out of what."""

RATES: dict[str, Callable[[Confusion], Any]] = {
    "f1": metrics.f1_score,
    "precision": metrics.precision_score,
    "recall": metrics.recall_score,
    "specificity": metrics.specificity_score,
    "npv": metrics.negative_predictive_value_score,
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "mcc": metrics.matthews_score,
}
LOSSES: tuple[str, ...] = ("brier", "log_loss")
RANKED: tuple[str, ...] = (
    "auroc",
    "partial_auroc",
    "average_precision",
    "average_precision_lift",
)
METRICS: tuple[str, ...] = (*RANKED, *RATES, *LOSSES)
UNBOUNDED: tuple[str, ...] = (*LOSSES, "average_precision_lift")
"""Metrics without an upper end; their intervals are percentiles."""
PARTIAL_FPR = 0.2
"""False positive rate up to which "partial_auroc" goes (standardised: chance is 0.5)."""
_LEAST = {
    "mcc": -1.0,
    "partial_auroc": 0.5 * (1 - PARTIAL_FPR / (2 - PARTIAL_FPR)),
}
"""The lower end of metrics that don't start at 0."""

AREA_METHOD = "DeLong clustered by patient, moderated, logit t"
RATIO_METHOD = "Wilson clustered by patient, t"
LOGIT_METHOD = "bootstrap over patients, logit t"
PERCENTILE_METHOD = "bootstrap over patients, percentile"

_UNDEFINED = {
    "precision": "undefined: no case was called positive",
    "npv": "undefined: no case was called negative",
    "mcc": "undefined: every case was called the same",
}


@dataclass(frozen=True)
class Measured:
    """Every metric of one column of scores.

    Attributes:
        table: the confusion table at the threshold.
        estimates: metric -> estimate with its interval, or why there is none.
        replicates: metric -> (replicates,) float, NaN where undefined.
        positives: (replicates,) positives in each replicate.
        freedom: degrees of freedom that the patients of the rarer class give.
    """

    table: Confusion
    estimates: dict[str, Estimate]
    replicates: dict[str, Floats]
    positives: Floats
    freedom: float

    @property
    def support(self) -> float:
        """Positive cases."""
        return float(self.table.tp + self.table.fn)


def measure(
    present: NDArray[np.bool_], logit: np.ndarray, draws: PatientResample, cut: float
) -> Measured:
    """Measure one column of scores.

    Args:
        present: (cases,) bool.
        logit: (cases,) float.
        draws: resample over the same cases.
        cut: a case is called where its logit reaches this.
    """
    score = np.asarray(logit, dtype=np.float64)
    by_patient = patient_tables(present, score >= cut, draws.patient)
    table = Confusion(*(float(counts.sum()) for counts in by_patient))
    patients = Confusion(*by_patient)
    freedom = min(
        patient_freedom(patients.tp + patients.fn), patient_freedom(patients.fp + patients.tn)
    )
    chance = expit(score)
    partial = metrics.partial_auroc_score(present, score, max_fpr=PARTIAL_FPR)
    errors = np.stack(
        [
            metrics.squared_errors(present, chance),
            metrics.log_errors(present, chance),
            metrics.partial_auroc_influences(present, score, max_fpr=PARTIAL_FPR),
        ],
        axis=1,
    )
    brier, log_loss, moved = replicate_means(errors, draws)
    ranked = ranked_replicates(present, score, draws, threshold=cut)
    drawn = Confusion(ranked.tp, ranked.fp, ranked.fn, ranked.tn)
    replicates = {
        "auroc": ranked.auroc,
        "partial_auroc": np.clip(partial + moved, _LEAST["partial_auroc"], 1.0),
        "average_precision": ranked.average_precision,
        "average_precision_lift": ranked.average_precision / _prevalence(drawn),
        **{name: rate(drawn) for name, rate in RATES.items()},
        "brier": brier,
        "log_loss": log_loss,
    }
    values = {
        "auroc": metrics.auroc_score(present, score),
        "partial_auroc": partial,
        "average_precision": metrics.average_precision_score(present, score),
        "average_precision_lift": metrics.average_precision_lift_score(present, score),
        **{name: float(rate(table)) for name, rate in RATES.items()},
        **{name: mean(column) for name, column in zip(LOSSES, errors.T, strict=False)},
    }
    estimates = {
        "auroc": _area(present, score, draws, values["auroc"]),
        **{name: ratio_estimate(name, values[name], patients) for name in RATIOS},
        **{
            name: resampled(name, values[name], replicates[name], freedom + EXTRA_FREEDOM)
            for name in METRICS
            if name != "auroc" and name not in RATIOS
        },
    }
    return Measured(table, estimates, replicates, ranked.tp + ranked.fn, freedom)


def resampled(name: str, value: float, replicates: Floats, freedom: float) -> Estimate:
    """Return an estimate whose interval comes from bootstrap replicates.

    Args:
        name: the metric; what has no upper end gets a percentile interval, else it is made on
            the logit scale.
        value: the point estimate; NaN where undefined.
        replicates: (replicates,) float.
        freedom: degrees of freedom of the bootstrap's standard error.
    """
    if math.isnan(value):
        return Estimate.missing(_UNDEFINED.get(name, "undefined: a class is missing"))
    if name in UNBOUNDED:
        return _with(value, percentile_interval(replicates), PERCENTILE_METHOD)
    low = _LEAST.get(name, 0.0)
    return _with(value, replicate_interval(value, replicates, freedom, low=low), LOGIT_METHOD)


def mean_estimate(name: str, measured: Sequence[Measured], *, by_support: bool) -> dict[str, Any]:
    """Return a metric's mean over the columns where it is defined, and over how many, as JSON.

    Args:
        name: the metric.
        measured: the estimable columns.
        by_support: weight by positive cases, in each replicate by its own.
    """
    defined = [one for one in measured if one.estimates[name].known]
    if not defined:
        return Estimate.missing("no observation is estimable").as_json() | {"over": 0}
    values = np.array([one.estimates[name].estimate for one in defined])
    replicates = np.stack([one.replicates[name] for one in defined])
    shares, drawn = np.ones(len(defined)), np.ones(replicates.shape)
    if by_support:
        shares = np.array([one.support for one in defined])
        drawn = np.stack([one.positives for one in defined])
    with np.errstate(invalid="ignore"):
        means = (replicates * drawn).sum(axis=0) / drawn.sum(axis=0)
    value = float((values * shares).sum() / shares.sum())
    freedom = mean_freedom(replicates * shares[:, None], [one.freedom for one in defined])
    return resampled(name, value, means, freedom).as_json() | {"over": len(defined)}


def mean_freedom(replicates: Floats, freedoms: Sequence[float]) -> float:
    """Degrees of freedom of a mean whose parts have variances of different reliability.

    Args:
        replicates: (parts, replicates) float, each part as it enters the mean.
        freedoms: of each part.
    """
    variances = np.array([replicate_error(row) ** 2 for row in replicates])
    return pooled_freedom(np.nan_to_num(variances), np.array(freedoms))


def mean(values: Floats) -> float:
    """Return the mean, NaN of nothing."""
    return float(values.mean()) if len(values) else math.nan


def _prevalence(table: Confusion) -> Any:
    whole = table.tp + table.fn + table.fp + table.tn
    return np.divide(
        table.tp + table.fn,
        whole,
        out=np.full(np.shape(whole), np.nan),
        where=np.asarray(whole) > 0,
    )


def patient_tables(
    present: NDArray[np.bool_], call: NDArray[np.bool_], patient: NDArray[Any]
) -> list[Floats]:
    """Return true and false positives, false and true negatives of each patient."""
    width = int(patient.max()) + 1 if len(patient) else 0
    return [
        np.bincount(patient[rows], minlength=width).astype(float)
        for rows in (present & call, ~present & call, present & ~call, ~present & ~call)
    ]


def _area(
    present: NDArray[np.bool_], score: Floats, draws: PatientResample, value: float
) -> Estimate:
    if math.isnan(value):
        return Estimate.missing("undefined: a class is missing")
    areas = clustered_aurocs(present, score, draws.patient)
    return _with(value, auroc_interval(areas), AREA_METHOD)


def ratio_estimate(name: str, value: float, patients: Confusion) -> Estimate:
    """Return a metric in `RATIOS` with Wilson's interval clustered by patient."""
    if math.isnan(value):
        return Estimate.missing(_UNDEFINED.get(name, "undefined: a class is missing"))
    return _with(value, ratio_interval(*RATIOS[name](patients)), RATIO_METHOD)


def _with(value: float, ends: Interval, method: str) -> Estimate:
    if math.isnan(ends.low):
        return Estimate(value, reason="no interval: fewer than two patients tell its spread")
    return Estimate(value, ends.low, ends.high, method)
