"""Metrics documents: what one network's scores are worth on one set of cases.

A document has one shape everywhere (network, label variant, subgroup, external set), so that the
card, the gate and other people's scripts read the same thing. Its numbers depend on the cases,
the scores and the settings alone: equal input gives equal bytes.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from benchmark.config import Config, EvaluationConfig
from cxr import metrics
from cxr.errors import InputError
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS, POSITIVE, UNCERTAIN
from cxr.statistics import (
    PatientResample,
    RankedReplicates,
    percentile_interval,
    ranked_replicates,
    replicate_means,
    resample_patients,
)

Labels = Literal["report", "truth"]
Uncertain = Literal["positive", "excluded"]
Floats = NDArray[np.float64]

PROTOCOL_VERSION = 1
"""Raised when a metric's definition changes, so that old and new numbers are never mixed."""

RATES = {
    "f1": metrics.f1_score,
    "precision": metrics.precision_score,
    "recall": metrics.recall_score,
    "specificity": metrics.specificity_score,
    "npv": metrics.negative_predictive_value_score,
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "mcc": metrics.matthews_score,
}
METRICS: tuple[str, ...] = ("auroc", "average_precision", *RATES, "brier", "log_loss")
AGGREGATES: tuple[str, ...] = ("macro", "micro", "weighted")


@dataclass(frozen=True)
class Key:
    """The right answers.

    Attributes:
        present: (cases, 14) bool.
        counted: (cases, 14) bool; False where the label is left out.
        hedged: (cases, 14) bool; the report is uncertain.
    """

    present: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    hedged: NDArray[np.bool_]


def protocol_of(cases: pd.DataFrame, config: Config) -> dict[str, Any]:
    """Return what must be equal for two sets of scores to be compared.

    Args:
        cases: the table as used, all splits.
        config: the resolved config.

    Returns:
        "name" (source and version, a folder name), "version", the digests of the test "cases"
        (their ids and patients) and of their "labels", the "threshold", and "digest" of it all.
    """
    test = cases[cases["split"] == "test"].sort_values("image_id")
    parts: dict[str, Any] = {
        "name": f"{config.data.source}-{PROTOCOL_VERSION}",
        "version": PROTOCOL_VERSION,
        "cases": _digest(test[["image_id", "patient_id"]].to_numpy(str).tobytes()),
        "labels": _digest(np.nan_to_num(_columns(test, "label"), nan=-9.0).tobytes()),
        "threshold": config.evaluation.threshold,
    }
    return parts | {"digest": _digest(json.dumps(parts, sort_keys=True).encode())}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def read_key(cases: pd.DataFrame, *, labels: Labels, uncertain: Uncertain) -> Key:
    """Return the answers that `cases` holds.

    Blank is absent, as in the study. Hedged is present, or left out where `uncertain` is
    "excluded".

    Args:
        cases: columns "label:<observation>" (1, 0, -1, NaN) and, for "truth",
            "truth:<observation>" (bool).
        labels: score against report labels or against the truth.
        uncertain: what a hedged report label counts as.

    Raises:
        InputError: a column is missing, or a label has another value.
    """
    stated = _columns(cases, "label")
    wrong = ~(np.isnan(stated) | np.isin(stated, (1.0, 0.0, -1.0)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"cases, row {row + 1}: the label of '{OBSERVATIONS[column]}' is "
            f"{stated[row, column]:g}; a label is 1, 0, -1 or blank."
        )
    hedged = stated == UNCERTAIN
    if labels == "truth":
        return Key(_columns(cases, "truth") == 1, np.ones(stated.shape, bool), hedged)
    counted = ~hedged if uncertain == "excluded" else np.ones(stated.shape, bool)
    return Key((stated == POSITIVE) | hedged, counted, hedged)


def has_truth(cases: pd.DataFrame) -> bool:
    """Whether `cases` brings the truth beside the report labels."""
    return all(f"truth:{name}" in cases for name in OBSERVATIONS)


def draw_patients(cases: pd.DataFrame, settings: EvaluationConfig) -> PatientResample:
    """Return the one resample that all networks, observations and variants share."""
    return resample_patients(
        cases["patient_id"].to_numpy(str),
        replicates=settings.replicates,
        rng=np.random.default_rng(settings.seed),
    )


def evaluate(
    cases: pd.DataFrame,
    logits: np.ndarray,
    *,
    network: str,
    seed: int,
    settings: EvaluationConfig,
    labels: Labels = "report",
    uncertain: Uncertain = "positive",
    group: str = "all",
) -> dict[str, Any]:
    """Return the metrics document of one network on the given cases.

    Args:
        cases: one row per image; image_id, patient_id, "label:<observation>" and, where known,
            "truth:<observation>". The caller selects the split and the group.
        logits: (cases, 14) float, in the order of the rows and of the observations.
        network: the name to write down.
        seed: the training seed to write down.
        settings: threshold, replicates, resampling seed, minimal support.
        labels: which answers to score against.
        uncertain: what a hedged report label counts as.
        group: the name of the subgroup that `cases` is.

    Raises:
        InputError: no cases; logits of another shape or not finite; as `read_key` does.
    """
    check_logits(cases, logits, network)
    order = np.argsort(cases["image_id"].to_numpy(str))  # sums round alike in any row order
    cases, logits = cases.iloc[order], logits[order]
    key = read_key(cases, labels=labels, uncertain=uncertain)
    draws = draw_patients(cases, settings)
    cut = float(np.log(settings.threshold / (1 - settings.threshold)))
    measured = [
        measure(key.present[rows, place], logits[rows, place], draws.select(rows), cut)
        for place, rows in enumerate(key.counted.T)
    ]
    supports = [_support(cases, key, place) for place in range(len(OBSERVATIONS))]
    reasons = [_too_few(support, settings.min_patients) for support in supports]
    estimable = [place for place, reason in enumerate(reasons) if reason is None]
    return {
        "schema": 1,
        "network": network,
        "seed": seed,
        "level": "image",
        "labels": labels,
        "uncertain": uncertain,
        "group": group,
        "operating_point": f"{settings.threshold:g}",
        "patients": int(cases["patient_id"].nunique()),
        "cases": len(cases),
        "replicates": settings.replicates,
        "min_patients": settings.min_patients,
        "observations": {
            name: supports[place]
            | _reference(measured[place])
            | _estimates(measured[place], reasons[place])
            for place, name in enumerate(OBSERVATIONS)
        },
        "macro": _average([measured[place] for place in estimable], by_support=False),
        "weighted": _average([measured[place] for place in estimable], by_support=True),
        "micro": _micro(key, np.asarray(logits, float), draws, cut),
    }


def evaluate_variants(
    cases: pd.DataFrame,
    logits: np.ndarray,
    *,
    network: str,
    seed: int,
    settings: EvaluationConfig,
) -> dict[str, dict[str, Any]]:
    """Return file name -> document: uncertain as positive, uncertain excluded and, if known, truth.

    Arguments as for `evaluate`.
    """
    variants: dict[str, tuple[Labels, Uncertain]] = {
        "metrics.json": ("report", "positive"),
        "metrics.uncertain-excluded.json": ("report", "excluded"),
    }
    if has_truth(cases):
        variants["metrics.truth.json"] = ("truth", "positive")
    return {
        name: evaluate(
            cases,
            logits,
            network=network,
            seed=seed,
            settings=settings,
            labels=labels,
            uncertain=uncertain,
        )
        for name, (labels, uncertain) in variants.items()
    }


def dump_document(document: Mapping[str, Any]) -> str:
    """Return a document as JSON text: the same document is always the same bytes."""
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_document(document: Mapping[str, Any], path: Path) -> None:
    """Write a document to `path`, UTF-8 with one line feed at the end."""
    path.write_text(dump_document(document), encoding="utf-8", newline="\n")


def check_logits(cases: pd.DataFrame, logits: np.ndarray, network: str) -> None:
    """Raise InputError where scores do not fit the cases or are not finite."""
    if not len(cases):
        raise InputError("there are no test cases to evaluate; check the split.")
    if logits.shape != (len(cases), len(OBSERVATIONS)):
        raise InputError(
            f"the scores of {network} have shape {logits.shape}; expected "
            f"({len(cases)}, {len(OBSERVATIONS)}), a row per case and a column per observation."
        )
    wrong = np.argwhere(~np.isfinite(logits))
    if len(wrong):
        row, column = wrong[0]
        raise InputError(
            f"the score of {network} for '{OBSERVATIONS[column]}' in row {row + 1} is "
            f"{logits[row, column]}; scores must be finite. Was the training stable?"
        )


@dataclass(frozen=True)
class Measured:
    """Every metric of one column of scores: the value and its bootstrap replicates.

    Attributes:
        table: the confusion table at the threshold.
        values: metric -> float.
        replicates: metric -> (replicates,) float, NaN where undefined.
        positives: (replicates,) positives in each replicate.
    """

    table: metrics.Confusion
    values: dict[str, float]
    replicates: dict[str, Floats]
    positives: Floats


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
    table = metrics.confusion(present, score >= cut)
    chance = expit(score)
    squared, logs = metrics.squared_errors(present, chance), metrics.log_errors(present, chance)
    ranked = ranked_replicates(present, score, draws, threshold=cut)
    return Measured(
        table=table,
        values={
            "auroc": metrics.auroc_score(present, score),
            "average_precision": metrics.average_precision_score(present, score),
            **{name: rate(table) for name, rate in RATES.items()},
            "brier": float(squared.mean()) if len(squared) else math.nan,
            "log_loss": float(logs.mean()) if len(logs) else math.nan,
        },
        replicates={
            "auroc": ranked.auroc,
            "average_precision": ranked.average_precision,
            **{name: rate(_replicated_table(ranked)) for name, rate in RATES.items()},
            "brier": replicate_means(squared, draws),
            "log_loss": replicate_means(logs, draws),
        },
        positives=(ranked.tp + ranked.fn).astype(float),
    )


def _replicated_table(ranked: RankedReplicates) -> metrics.Confusion:
    return metrics.Confusion(ranked.tp, ranked.fp, ranked.fn, ranked.tn)


def _columns(cases: pd.DataFrame, kind: str) -> Floats:
    names = [f"{kind}:{name}" for name in OBSERVATIONS]
    missing = [name for name in names if name not in cases]
    if missing:
        raise InputError(f"cases: the column '{missing[0]}' is missing; was the run finished?")
    return cases[names].to_numpy(dtype=np.float64, na_value=np.nan)


def _support(cases: pd.DataFrame, key: Key, place: int) -> dict[str, Any]:
    rows, present = key.counted[:, place], key.present[:, place]
    patients = cases["patient_id"]
    positive = rows & present
    return {
        "positives": int(positive.sum()),
        "negatives": int((rows & ~present).sum()),
        "positive_patients": int(patients[positive].nunique()),
        "negative_patients": int(patients[rows & ~present].nunique()),
        "stated": int((positive & ~key.hedged[:, place]).sum()),
        "hedged": int((positive & key.hedged[:, place]).sum()),
    }


def _too_few(support: Mapping[str, Any], least: int) -> str | None:
    for kind in ("positive", "negative"):
        found = support[f"{kind}_patients"]
        if found < least:
            return f"{found} {kind} patients; at least {least} are needed"
    return None


def _reference(measured: Measured) -> dict[str, Any]:
    """The confusion table, and what one gets for always giving the same answer."""
    table = measured.table
    present, absent = table.tp + table.fn, table.fp + table.tn
    silent = metrics.Confusion(0, 0, present, absent)
    alarmed = metrics.Confusion(present, absent, 0, 0)
    return {
        "confusion": {name: int(getattr(table, name)) for name in ("tp", "fp", "fn", "tn")},
        "always_negative": _pair(silent),
        "always_positive": _pair(alarmed),
    }


def _pair(table: metrics.Confusion) -> dict[str, float | None]:
    return {
        "accuracy": _plain(metrics.accuracy_score(table)),
        "f1": _plain(metrics.f1_score(table)),
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _estimates(measured: Measured, reason: str | None) -> dict[str, Any]:
    if reason is not None:
        return {name: Estimate.missing(reason).as_json() for name in METRICS}
    return {
        name: bootstrap_estimate(name, measured.values[name], measured.replicates[name]).as_json()
        for name in METRICS
    }


def bootstrap_estimate(metric: str, value: float, replicates: Floats) -> Estimate:
    """Return a metric with its interval, or the reason why there is none."""
    if math.isnan(value):
        return Estimate.missing(_UNDEFINED.get(metric, "undefined: a class is missing"))
    ends = percentile_interval(replicates)
    return Estimate(value, ends.low, ends.high, method="bootstrap over patients, percentile")


_UNDEFINED = {
    "precision": "undefined: no case was called positive",
    "npv": "undefined: no case was called negative",
    "mcc": "undefined: every case was called the same",
}


def _average(measured: list[Measured], *, by_support: bool) -> dict[str, Any]:
    """Each metric's mean over the observations where it is defined."""
    return {name: _mean_estimate(name, measured, by_support) for name in METRICS}


def _mean_estimate(name: str, measured: list[Measured], by_support: bool) -> dict[str, Any]:
    defined = [one for one in measured if not math.isnan(one.values[name])]
    if not defined:
        return Estimate.missing("no observation is estimable").as_json() | {"over": 0}
    values = np.array([one.values[name] for one in defined])
    replicates = np.stack([one.replicates[name] for one in defined])
    shares = np.ones(len(defined))
    drawn = np.ones(replicates.shape)
    if by_support:
        shares = np.array([one.table.tp + one.table.fn for one in defined])
        drawn = np.stack([one.positives for one in defined])
    mean = float((values * shares).sum() / shares.sum())
    with np.errstate(invalid="ignore"):
        means = (replicates * drawn).sum(axis=0) / drawn.sum(axis=0)
    return bootstrap_estimate(name, mean, means).as_json() | {"over": len(defined)}


def _micro(key: Key, logits: Floats, draws: PatientResample, cut: float) -> dict[str, Any]:
    """All labels of all observations as one column; and how many cases have every label right."""
    rows, columns = np.nonzero(key.counted)
    pooled = measure(key.present[rows, columns], logits[rows, columns], draws.select(rows), cut)
    right = (~key.counted | (key.present == (logits >= cut))).all(axis=1).astype(float)
    over = {"over": int(key.counted.any(axis=0).sum())}
    subset = bootstrap_estimate("subset_accuracy", right.mean(), replicate_means(right, draws))
    return {name: document | over for name, document in _estimates(pooled, None).items()} | {
        "subset_accuracy": subset.as_json() | over
    }
