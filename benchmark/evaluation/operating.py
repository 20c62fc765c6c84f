"""Operating points: thresholds chosen on validation cases, and what they are worth on test.

`choose` takes `ValidationScores` and nothing else, and these are made of the rows whose split is
"validate" alone: no threshold can see a test case. `evaluate_at` then applies the thresholds to
other cases, whatever came out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from benchmark.config import EvaluationConfig
from benchmark.evaluation.documents import (
    Key,
    called_from,
    draw_patients,
    read_key,
    scored_columns,
    support,
    too_few,
)
from benchmark.evaluation.measures import (
    RATES,
    RATIOS,
    Measured,
    mean_estimate,
    patient_tables,
    ratio_estimate,
    resampled,
)
from benchmark.evaluation.points import Rule, parse_rule
from cxr import metrics
from cxr.estimates import Estimate
from cxr.metrics import Confusion
from cxr.observations import OBSERVATIONS
from cxr.statistics import EXTRA_FREEDOM, PatientResample, patient_freedom, replicate_means

Floats = NDArray[np.float64]

THRESHOLDS = "thresholds.json"
FOLDER = "operating-points"
"""In a network's folder, where the metrics at each rule's thresholds lie."""


@dataclass(frozen=True)
class ValidationScores:
    """One network's scores of the validation cases, and their answers.

    Attributes:
        cases: the validation rows.
        logits: (cases, 14) float.
        key: report labels, hedged as positive.
    """

    cases: pd.DataFrame
    logits: Floats
    key: Key

    @classmethod
    def of(cls, cases: pd.DataFrame, scores: pd.DataFrame) -> "ValidationScores":
        """Take the validation rows of a run's cases and of a network's table of scores.

        Args:
            cases: all splits; image_id, patient_id, split, "label:<observation>".
            scores: image_id, split and 14 logits.
        """
        chosen = cases[cases["split"] == "validate"]
        table = scores[scores["split"] == "validate"].set_index("image_id")
        logits = table.loc[chosen["image_id"], list(OBSERVATIONS)].to_numpy(float)
        return cls(chosen, logits, read_key(chosen, labels="report", uncertain="positive"))

    @property
    def known(self) -> bool:
        """Whether there are validation cases at all."""
        return len(self.cases) > 0

    def column(self, place: int, least: int) -> tuple[NDArray[np.bool_], Floats] | str:
        """Return the answers and scores of an observation, or why it has too few.

        Args:
            place: of the observation.
            least: patients needed of either class.
        """
        if not self.known:
            return "there are no validation cases"
        if not scored_columns(self.logits)[place]:
            return "the network has no scores for it"
        reason = too_few(support(self.cases, self.key, place), least)
        if reason is not None:
            return f"on validation {reason}"
        rows = self.key.counted[:, place]
        return self.key.present[rows, place], self.logits[rows, place]


@dataclass(frozen=True)
class Threshold:
    """A threshold of one observation.

    Attributes:
        logit: a case is called where its logit reaches it; NaN where none was chosen.
        reason: why none was chosen; None where one was.
        recall, specificity, f1: on the validation cases it was chosen on.
    """

    logit: float
    reason: str | None = None
    recall: float = math.nan
    specificity: float = math.nan
    f1: float = math.nan


def choose(validation: ValidationScores, rule: Rule, *, least: int) -> tuple[Threshold, ...]:
    """Return a threshold for each of the 14 observations.

    Args:
        validation: what they are chosen on.
        rule: how.
        least: patients needed of either class; with fewer, none is chosen.
    """
    return tuple(
        Threshold(math.nan, column)
        if isinstance(column := validation.column(place, least), str)
        else _choose(*column, rule)
        for place in range(len(OBSERVATIONS))
    )


def _choose(present: NDArray[np.bool_], scores: Floats, rule: Rule) -> Threshold:
    logit = metrics.choose_threshold(present, scores, lambda table: _worth(table, rule))
    if math.isnan(logit):
        return Threshold(math.nan, f"no threshold reaches {rule.name} on validation")
    table = metrics.confusion(present, scores >= logit)
    return Threshold(
        logit,
        None,
        float(metrics.recall_score(table)),
        float(metrics.specificity_score(table)),
        float(metrics.f1_score(table)),
    )


def _worth(table: Confusion, rule: Rule) -> Any:
    """What the rule wants to be highest; NaN where a threshold is not allowed."""
    recall, specificity = metrics.recall_score(table), metrics.specificity_score(table)
    if rule.kind == "youden":
        return metrics.youden_score(table)
    if rule.kind == "max-f1":
        return metrics.f1_score(table)
    reached, other = (recall, specificity) if rule.kind == "sensitivity" else (specificity, recall)
    return np.where(reached >= float(rule.least or 0) - 1e-12, other, np.nan)


def thresholds_document(
    validation: ValidationScores,
    chosen: Mapping[Rule, Sequence[Threshold]],
    *,
    network: str,
    seed: int,
) -> dict[str, Any]:
    """Return thresholds.json: every rule's threshold of every observation, and its origin."""
    return {
        "schema": 1,
        "network": network,
        "seed": seed,
        "chosen_on": "validate",
        "labels": "report",
        "uncertain": "positive",
        "cases": len(validation.cases),
        "patients": int(validation.cases["patient_id"].nunique()),
        "rules": {
            rule.name: {
                "meaning": rule.meaning,
                "observations": {
                    name: _threshold_json(one)
                    for name, one in zip(OBSERVATIONS, thresholds, strict=True)
                },
            }
            for rule, thresholds in chosen.items()
        },
    }


def _threshold_json(threshold: Threshold) -> dict[str, Any]:
    if threshold.reason is not None:
        return {"threshold": None, "logit": None, "reason": threshold.reason, "validation": None}
    return {
        "threshold": float(expit(threshold.logit)),
        "logit": threshold.logit,
        "reason": None,
        "validation": {name: getattr(threshold, name) for name in ("recall", "specificity", "f1")},
    }


def evaluate_at(
    cases: pd.DataFrame,
    logits: Floats,
    thresholds: Sequence[Threshold],
    *,
    operating_point: str,
    network: str,
    seed: int,
    settings: EvaluationConfig,
) -> dict[str, Any]:
    """Return the metrics document at thresholds: all metrics that depend on them.

    Args:
        cases: test rows, as for `benchmark.evaluation.documents.evaluate`.
        logits: (cases, 14) float.
        thresholds: one of each observation.
        operating_point: the rule that chose them, to write down.
        network, seed: to write down.
        settings: replicates, resampling seed, minimal support.
    """
    order = np.argsort(cases["image_id"].to_numpy(str))
    cases, logits = cases.iloc[order], logits[order]
    key, draws = (
        read_key(cases, labels="report", uncertain="positive"),
        draw_patients(cases, settings),
    )
    observations: dict[str, Any] = {}
    estimable = []
    for place, name in enumerate(OBSERVATIONS):
        found, one = support(cases, key, place), thresholds[place]
        reason = one.reason or too_few(found, settings.min_patients)
        observations[name] = found | {"threshold": _threshold_json(one)["threshold"]}
        if reason is not None:
            observations[name] |= {"confusion": None}
            observations[name] |= {kind: Estimate.missing(reason).as_json() for kind in RATES}
            continue
        rows = key.counted[:, place]
        called = logits[rows, place] >= one.logit
        measured = measure_calls(key.present[rows, place], called, draws.select(rows))
        observations[name] |= {
            "confusion": {
                part: int(getattr(measured.table, part)) for part in ("tp", "fp", "fn", "tn")
            }
        }
        observations[name] |= {kind: measured.estimates[kind].as_json() for kind in RATES}
        estimable.append(measured)
    return {
        "schema": 1,
        "network": network,
        "seed": seed,
        "level": "image",
        "labels": "report",
        "uncertain": "positive",
        "group": "all",
        "operating_point": operating_point,
        "patients": int(cases["patient_id"].nunique()),
        "cases": len(cases),
        "replicates": settings.replicates,
        "min_patients": settings.min_patients,
        "observations": observations,
        **_averages(estimable, cases, logits, key, thresholds, draws),
    }


def _averages(
    estimable: Sequence[Measured],
    cases: pd.DataFrame,
    logits: Floats,
    key: Key,
    thresholds: Sequence[Threshold],
    draws: PatientResample,
) -> dict[str, Any]:
    """Macro and weighted means, and all labels of the observations with a threshold as one."""
    cuts = np.array([one.logit for one in thresholds])
    rows, columns = np.nonzero(key.counted & ~np.isnan(cuts))
    over = int((~np.isnan(cuts)).sum())
    micro = {name: Estimate.missing("no observation is estimable").as_json() for name in RATES}
    if over:
        pooled = measure_calls(
            key.present[rows, columns], logits[rows, columns] >= cuts[columns], draws.select(rows)
        )
        micro = {name: pooled.estimates[name].as_json() for name in RATES}
    means = {
        kind: {name: mean_estimate(name, estimable, by_support=by_support) for name in RATES}
        for kind, by_support in (("macro", False), ("weighted", True))
    }
    return {**means, "micro": {name: entry | {"over": over} for name, entry in micro.items()}}


def measure_calls(
    present: NDArray[np.bool_], called: NDArray[np.bool_], draws: PatientResample
) -> Measured:
    """Measure yes-or-no answers: every metric of a confusion table, with its interval.

    Args:
        present: (cases,) bool.
        called: (cases,) bool.
        draws: resample over the same cases.
    """
    by_patient = patient_tables(present, called, draws.patient)
    patients = Confusion(*by_patient)
    table = Confusion(*(float(counts.sum()) for counts in by_patient))
    cells = np.stack(
        [present & called, ~present & called, present & ~called, ~present & ~called], axis=1
    ).astype(float)
    drawn = Confusion(*replicate_means(cells, draws))
    freedom = min(
        patient_freedom(patients.tp + patients.fn), patient_freedom(patients.fp + patients.tn)
    )
    values = {name: float(rate(table)) for name, rate in RATES.items()}
    replicates = {name: np.asarray(rate(drawn), float) for name, rate in RATES.items()}
    estimates = {
        name: ratio_estimate(name, value, patients)
        if name in RATIOS
        else resampled(name, value, replicates[name], freedom + EXTRA_FREEDOM)
        for name, value in values.items()
    }
    return Measured(table, estimates, replicates, drawn.tp + drawn.fn, freedom)


def operating_documents(
    validation: ValidationScores,
    cases: pd.DataFrame,
    logits: Floats,
    *,
    network: str,
    seed: int,
    settings: EvaluationConfig,
) -> dict[str, dict[str, Any]]:
    """Return file name -> document: thresholds.json, and the metrics on test at each rule.

    Args:
        validation: what thresholds are chosen on.
        cases: test rows.
        logits: (cases, 14) float.
        network, seed: to write down.
        settings: the rules, replicates, resampling seed, minimal support.

    Returns:
        Beside the rules' documents "fixed.json": the fixed threshold for those observations that
        have a threshold under every rule.
    """
    told: dict[str, Any] = {"network": network, "seed": seed}
    rules = [parse_rule(text) for text in settings.operating_points]
    chosen = {rule: choose(validation, rule, least=settings.min_patients) for rule in rules}
    named = {rule.slug: (rule.name, thresholds) for rule, thresholds in chosen.items()}
    if chosen:
        named["fixed"] = (f"{settings.threshold:g}", _fixed(list(chosen.values()), settings))
    return {
        THRESHOLDS: thresholds_document(validation, chosen, **told),
        **{
            f"{FOLDER}/{slug}.json": evaluate_at(
                cases, logits, thresholds, operating_point=name, settings=settings, **told
            )
            for slug, (name, thresholds) in named.items()
        },
    }


def _fixed(
    chosen: Sequence[Sequence[Threshold]], settings: EvaluationConfig
) -> tuple[Threshold, ...]:
    """The fixed threshold where every rule has one, so that means are over the same."""
    lacking = [
        next((one.reason for one in thresholds if one.reason is not None), None)
        for thresholds in zip(*chosen, strict=True)
    ]
    cut = called_from(settings)
    return tuple(
        Threshold(cut) if reason is None else Threshold(math.nan, reason) for reason in lacking
    )
