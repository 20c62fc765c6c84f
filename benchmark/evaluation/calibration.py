"""calibration.json: how far a network's scores can be read as probabilities, and simple mends.

Scalings are fitted on validation cases alone (`ValidationScores` holds no other) and measured on
test cases, beside the scores as they are.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from benchmark.config import EvaluationConfig
from benchmark.evaluation.documents import read_key, scored_columns, support, too_few
from benchmark.evaluation.operating import ValidationScores
from cxr import metrics
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS
from cxr.statistics import (
    Scaling,
    calibration_error,
    calibration_line,
    corrected_calibration_error,
    fit_platt,
    fit_temperature,
)
from cxr.statistics.calibration import GROUPS

Floats = NDArray[np.float64]
Fit = Callable[[ArrayLike, ArrayLike], Scaling]

AS_THEY_ARE = "none"
FITS: Mapping[str, Fit] = {"temperature": fit_temperature, "platt": fit_platt}
LINE_METHOD = "logistic regression clustered by patient, t"
SEPARATED = "undefined: a threshold separates the classes"
MEANING = (
    "The chance that the report states or hedges the finding, at this cohort's prevalence; not "
    "that the patient has it."
)
_ERRORS = ("ece", "ece_corrected", "brier")


def calibration_document(
    validation: ValidationScores,
    cases: pd.DataFrame,
    logits: Floats,
    *,
    network: str,
    seed: int,
    settings: EvaluationConfig,
) -> dict[str, Any]:
    """Return calibration.json of one network.

    Args:
        validation: what scalings are fitted on.
        cases: test rows, as for `benchmark.evaluation.documents.evaluate`.
        logits: (cases, 14) float.
        network, seed: to write down.
        settings: which scalings, minimal support.
    """
    key = read_key(cases, labels="report", uncertain="positive")
    scored = scored_columns(logits)
    patients = cases["patient_id"].to_numpy(str)
    ways: dict[str, dict[str, Any]] = {way: {} for way in (AS_THEY_ARE, *settings.scaling)}
    for place, name in enumerate(OBSERVATIONS):
        rows = key.counted[:, place]
        reason = too_few(support(cases, key, place), settings.min_patients)
        if not scored[place]:
            reason = "the network has no scores for it"
        for way, table in ways.items():
            scaling = _fit(validation, place, way, settings.min_patients)
            if reason is not None or isinstance(scaling, str):
                table[name] = _missing(reason or str(scaling))
                continue
            mended = scaling.apply(logits[rows, place])
            table[name] = _measure(key.present[rows, place], mended, patients[rows], scaling)
    known = {
        way: {name for name, entry in table.items() if entry["reason"] is None}
        for way, table in ways.items()
    }
    return {
        "schema": 1,
        "network": network,
        "seed": seed,
        "labels": "report",
        "uncertain": "positive",
        "meaning": MEANING,
        "fitted_on": "validate",
        "groups": GROUPS,
        "cases": len(cases),
        "patients": int(cases["patient_id"].nunique()),
        "ways": {
            way: {
                "observations": table,
                "macro": _means(table, known[way]),
                "common": _means(table, set.intersection(*known.values())),
            }
            for way, table in ways.items()
        },
    }


def _fit(validation: ValidationScores, place: int, way: str, least: int) -> Scaling | str:
    """The scaling of an observation, or why none was fitted."""
    if way == AS_THEY_ARE:
        return Scaling(1.0)
    column = validation.column(place, least)
    if isinstance(column, str):
        return column
    return FITS[way](*column)


def _measure(
    present: NDArray[np.bool_], logits: Floats, patient: NDArray[Any], scaling: Scaling
) -> dict[str, Any]:
    chance = expit(logits)
    line = calibration_line(present, logits, patient)
    slope, intercept = (
        Estimate.missing(SEPARATED)
        if np.isnan(value)
        else Estimate(value, ends.low, ends.high, LINE_METHOD)
        for value, ends in (
            (line.slope, line.slope_interval),
            (line.intercept, line.intercept_interval),
        )
    )
    return {
        "scaling": {"slope": scaling.slope, "intercept": scaling.intercept},
        "ece": calibration_error(present, chance),
        "ece_corrected": corrected_calibration_error(present, chance, patient),
        "brier": metrics.brier_loss(present, chance),
        "slope": slope.as_json(),
        "intercept": intercept.as_json(),
        "reason": None,
    }


def _missing(reason: str) -> dict[str, Any]:
    return {
        "scaling": None,
        **dict.fromkeys(_ERRORS),
        "slope": Estimate.missing(reason).as_json(),
        "intercept": Estimate.missing(reason).as_json(),
        "reason": reason,
    }


def _means(table: Mapping[str, Mapping[str, Any]], names: Collection[str]) -> dict[str, Any]:
    """Means over some observations: "macro" over all of a way, "common" over those of every way."""
    if not names:
        return {**dict.fromkeys(_ERRORS), "over": 0}
    means = {
        kind: float(np.mean([table[name][kind] for name in table if name in names]))
        for kind in _ERRORS
    }
    return means | {"over": len(names)}
