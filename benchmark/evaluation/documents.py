"""Metrics documents: what one network's scores are worth on one set of cases.

A document has one shape everywhere (network, label variant, subgroup, external set), so that the
card, the gate and other people's scripts read the same thing. Its numbers depend on the cases,
the scores and the settings alone: equal input gives equal bytes.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.config import Config, EvaluationConfig
from benchmark.evaluation.measures import METRICS, Measured, mean, mean_estimate, measure, resampled
from benchmark.runs import write_text
from cxr import metrics
from cxr.errors import InputError
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS, POSITIVE, UNCERTAIN
from cxr.statistics import (
    PatientResample,
    patient_freedom,
    replicate_means,
    resample_patients,
)

Labels = Literal["report", "truth"]
Uncertain = Literal["positive", "negative", "excluded"]
Blank = Literal["negative", "excluded"]
Floats = NDArray[np.float64]

PROTOCOL_VERSION = 2
"""Raised when a metric's definition changes, so that old and new numbers are never mixed.

2: an observation that no test case mentions is left out.
"""

LABEL_COLUMNS: list[str] = [f"label:{name}" for name in OBSERVATIONS]
AGGREGATES: tuple[str, ...] = ("macro", "micro", "weighted")
NO_SCORES = "no scores: the model does not tell this observation"


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

    def select(self, rows: NDArray[np.bool_]) -> "Key":
        """Return the answers of some of the cases."""
        return Key(self.present[rows], self.counted[rows], self.hedged[rows])


def protocol_of(cases: pd.DataFrame, config: Config) -> dict[str, Any]:
    """Return what must be equal for two sets of scores to be compared.

    Args:
        cases: the table as used, all splits.
        config: the resolved config.

    Returns:
        "name" (source and digest, a folder name), "version", the digests of the test "cases"
        (their ids and patients) and of their "labels", the "threshold", and "digest" of it all.
    """
    test = cases[cases["split"] == "test"].sort_values("image_id")
    parts: dict[str, Any] = {
        "version": PROTOCOL_VERSION,
        "cases": _digest(test[["image_id", "patient_id"]].to_numpy(str).tobytes()),
        "labels": _digest(np.nan_to_num(_columns(test, "label"), nan=-9.0).tobytes()),
        "threshold": config.evaluation.threshold,
    }
    digest = _digest(json.dumps(parts, sort_keys=True).encode())
    return parts | {"name": f"{config.data.source}-{digest[:8]}", "digest": digest}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def read_key(
    cases: pd.DataFrame, *, labels: Labels, uncertain: Uncertain, blank: Blank = "negative"
) -> Key:
    """Return the answers that `cases` holds.

    Blank is absent, as in the study; but an observation that is blank in every case was not
    annotated, and is left out. Hedged is present in the study.

    Args:
        cases: columns "label:<observation>" (1, 0, -1, NaN) and, for "truth",
            "truth:<observation>" (bool).
        labels: score against report labels or against the truth.
        uncertain: what a hedged report label counts as.
        blank: what an observation that the report doesn't mention counts as.

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
    told = ~np.isnan(stated)
    counted = told if blank == "excluded" else np.broadcast_to(told.any(axis=0), stated.shape)
    if uncertain == "excluded":
        counted = counted & ~hedged
    present = stated == POSITIVE
    return Key(present | hedged if uncertain == "positive" else present, counted, hedged)


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


def called_from(settings: EvaluationConfig) -> float:
    """Return the logit from which a case is called positive."""
    return float(np.log(settings.threshold / (1 - settings.threshold)))


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
    rows: NDArray[np.bool_] | None = None,
    level: str = "image",
) -> dict[str, Any]:
    """Return the metrics document of one network on the given cases.

    Args:
        cases: one row per image; image_id, patient_id, "label:<observation>" and, where known,
            "truth:<observation>". The caller selects the split.
        logits: (cases, 14) float, in the order of the rows and of the observations; a column of
            NaN where the network does not tell an observation.
        network: the name to write down.
        seed: the training seed to write down.
        settings: threshold, replicates, resampling seed, minimal support.
        labels: which answers to score against.
        uncertain: what a hedged report label counts as.
        group: the name of the subgroup.
        rows: (cases,) bool; who is in it. All where None. Whether an observation was annotated
            is asked of all `cases`: a small group may just not have it.
        level: what a row of `cases` is, to write down.

    Raises:
        InputError: no cases; logits of another shape or not finite; as `read_key` does.
    """
    check_logits(cases, logits, network)
    order = np.argsort(cases["image_id"].to_numpy(str))  # sums round alike in any row order
    cases, logits = cases.iloc[order], logits[order]
    key = read_key(cases, labels=labels, uncertain=uncertain)
    if rows is not None:
        chosen = rows[order]
        cases, logits, key = cases[chosen], logits[chosen], key.select(chosen)
    return {
        "schema": 1,
        "network": network,
        "seed": seed,
        "level": level,
        "labels": labels,
        "uncertain": uncertain,
        "group": group,
        "operating_point": f"{settings.threshold:g}",
        "patients": int(cases["patient_id"].nunique()),
        "cases": len(cases),
        "replicates": settings.replicates,
        "min_patients": settings.min_patients,
        **_results(cases, key, np.asarray(logits, float), settings),
    }


def _results(
    cases: pd.DataFrame, key: Key, logits: Floats, settings: EvaluationConfig
) -> dict[str, Any]:
    """The observations and their averages."""
    draws, cut = draw_patients(cases, settings), called_from(settings)
    scored = scored_columns(logits)
    observations: dict[str, Any] = {}
    estimable = []
    for place, name in enumerate(OBSERVATIONS):
        found = support(cases, key, place)
        if not scored[place]:
            observations[name] = found | _unscored(found)
            continue
        rows = key.counted[:, place]
        one = measure(key.present[rows, place], logits[rows, place], draws.select(rows), cut)
        reason = too_few(found, settings.min_patients)
        observations[name] = found | _reference(one) | _estimates(one, reason)
        if reason is None:
            estimable.append(one)
    return {
        "observations": observations,
        "macro": _average(estimable, by_support=False),
        "weighted": _average(estimable, by_support=True),
        "micro": _micro(key, logits, draws, cut),
    }


def dump_document(document: Mapping[str, Any]) -> str:
    """Return a document as JSON text: the same document is always the same bytes."""
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_document(document: Mapping[str, Any], path: Path) -> None:
    """Write a document to `path`, whole or not at all."""
    write_text(path, dump_document(document))


def check_logits(cases: pd.DataFrame, logits: np.ndarray, network: str) -> None:
    """Raise InputError where scores do not fit the cases or are not finite."""
    if not len(cases):
        raise InputError("there are no test cases to evaluate; check the split.")
    if logits.shape != (len(cases), len(OBSERVATIONS)):
        raise InputError(
            f"the scores of {network} have shape {logits.shape}; expected "
            f"({len(cases)}, {len(OBSERVATIONS)}), a row per case and a column per observation."
        )
    scored = scored_columns(logits)
    wrong = np.argwhere(~np.isfinite(logits) & (scored | ~scored.any()))
    if len(wrong):
        row, column = wrong[0]
        raise InputError(
            f"the score of {network} for '{OBSERVATIONS[column]}' in row {row + 1} is "
            f"{logits[row, column]}; scores must be finite. Was the training stable?"
        )


def scored_columns(logits: np.ndarray) -> NDArray[np.bool_]:
    """Return (14,) bool: which observations a network tells; the others' columns are all NaN."""
    return np.asarray(~np.isnan(logits).all(axis=0))


def _columns(cases: pd.DataFrame, kind: str) -> Floats:
    names = [f"{kind}:{name}" for name in OBSERVATIONS]
    missing = [name for name in names if name not in cases]
    if missing:
        raise InputError(f"cases: the column '{missing[0]}' is missing; was the run finished?")
    return cases[names].to_numpy(dtype=np.float64, na_value=np.nan)


def support(cases: pd.DataFrame, key: Key, place: int) -> dict[str, Any]:
    """Return how many images and patients have observation `place`, and how many lack it."""
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


def too_few(found: Mapping[str, Any], least: int) -> str | None:
    """Return why an observation of this support is not estimable, or None where it is."""
    if not found["positives"] + found["negatives"]:
        return "no case has a label that counts"
    for kind in ("positive", "negative"):
        patients = found[f"{kind}_patients"]
        if patients < least:
            return f"{patients} {kind} patients; at least {least} are needed"
    return None


def _unscored(found: Mapping[str, Any]) -> dict[str, Any]:
    """What stands of an observation that the network does not tell."""
    return (
        _constant_answers(found["positives"], found["negatives"])
        | {"confusion": None, "replicates_left_out": None}
        | {name: Estimate.missing(NO_SCORES).as_json() for name in METRICS}
    )


def _reference(measured: Measured) -> dict[str, Any]:
    """The confusion table, what a constant answer gets, and replicates without both classes."""
    table = measured.table
    return _constant_answers(table.tp + table.fn, table.fp + table.tn) | {
        "confusion": {name: int(getattr(table, name)) for name in ("tp", "fp", "fn", "tn")},
        "replicates_left_out": int(np.isnan(measured.replicates["auroc"]).sum()),
    }


def _constant_answers(present: float, absent: float) -> dict[str, Any]:
    return {
        "always_negative": _pair(metrics.Confusion(0, 0, present, absent)),
        "always_positive": _pair(metrics.Confusion(present, absent, 0, 0)),
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
    return {name: measured.estimates[name].as_json() for name in METRICS}


def _average(measured: Sequence[Measured], *, by_support: bool) -> dict[str, Any]:
    return {name: mean_estimate(name, measured, by_support=by_support) for name in METRICS}


def _micro(key: Key, logits: Floats, draws: PatientResample, cut: float) -> dict[str, Any]:
    """All labels of all observations as one column; and how many cases have every label right."""
    counted = key.counted & scored_columns(logits)
    rows, columns = np.nonzero(counted)
    pooled = measure(key.present[rows, columns], logits[rows, columns], draws.select(rows), cut)
    right = (~counted | (key.present == (logits >= cut))).all(axis=1).astype(float)
    sizes = np.bincount(draws.patient).astype(float)
    subset = resampled(
        "subset_accuracy",
        mean(right),
        replicate_means(right[:, None], draws)[0],
        patient_freedom(sizes),
    )
    over = {"over": int(counted.any(axis=0).sum())}
    return {
        name: entry | over
        for name, entry in (
            _estimates(pooled, None) | {"subset_accuracy": subset.as_json()}
        ).items()
    }
