"""The card's part on thresholds chosen on validation, and on calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.card import words
from benchmark.card.model import Checkpoint, Number
from benchmark.card.numbers import estimate, number
from benchmark.evaluation.operating import FOLDER, THRESHOLDS
from benchmark.evaluation.points import parse_rule
from benchmark.evidence import Evidence, key
from cxr.observations import OBSERVATIONS

RATES = ("f1", "precision", "recall", "specificity")
"""What is shown at each rule, beside the same at the fixed threshold."""
WAYS = {
    "none": "Scores as they are",
    "temperature": "Cooled by a temperature",
    "platt": "Platt's line",
}
ERRORS = ("ece", "ece_corrected", "brier")


@dataclass(frozen=True)
class ChosenRow:
    """One checkpoint on one observation (or on average): its threshold and what it earns."""

    checkpoint: Checkpoint
    threshold: Number
    rates: tuple[Number, ...]


@dataclass(frozen=True)
class ChosenRule:
    """A rule: thresholds of every observation, and the averages."""

    name: str
    meaning: str
    observations: tuple[tuple[str, tuple[ChosenRow, ...]], ...]
    macro: tuple[tuple[ChosenRow, Number], ...]


@dataclass(frozen=True)
class ChosenPoints:
    """Every rule, and beside them the fixed threshold's averages over the same observations."""

    cases: Number
    patients: Number
    fixed: tuple[tuple[ChosenRow, Number], ...]
    rules: tuple[ChosenRule, ...]


@dataclass(frozen=True)
class CalibrationRow:
    """One checkpoint on one observation: errors, slope and intercept of its scores."""

    checkpoint: Checkpoint
    ece: Number
    corrected: Number
    slope: Number
    intercept: Number


@dataclass(frozen=True)
class WayRow:
    """One way of scaling: mean errors of each checkpoint over the same observations."""

    name: str
    rows: tuple[tuple[Checkpoint, tuple[Number, ...], Number], ...]


@dataclass(frozen=True)
class Calibration:
    """How far scores can be read as probabilities."""

    meaning: str
    observations: tuple[tuple[str, tuple[CalibrationRow, ...]], ...]
    ways: tuple[WayRow, ...]


def build_chosen_points(
    evidence: Evidence, checkpoints: Sequence[Checkpoint]
) -> ChosenPoints | None:
    """Return the thresholds that the run chose on validation; None where it has none."""
    told = [c for c in checkpoints if evidence.document(f"{c.folder}/{THRESHOLDS}")]
    if not told:
        return None
    first = f"{told[0].folder}/{THRESHOLDS}#"
    rules: dict[str, Any] = evidence.value(f"{first}rules") or {}
    built = tuple(_rule(evidence, told, name, str(rule["meaning"])) for name, rule in rules.items())
    if not built or not any(
        row.threshold.text for r in built for _, rows in r.observations for row in rows
    ):
        return None
    return ChosenPoints(
        cases=number(evidence, f"{first}cases"),
        patients=number(evidence, f"{first}patients"),
        fixed=_macro(evidence, told, f"{FOLDER}/fixed.json"),
        rules=built,
    )


def _rule(
    evidence: Evidence, checkpoints: Sequence[Checkpoint], name: str, meaning: str
) -> ChosenRule:
    file = f"{FOLDER}/{parse_rule(name).slug}.json"
    return ChosenRule(
        name=name,
        meaning=meaning,
        observations=tuple(
            (
                observation,
                tuple(
                    _row(evidence, c, file, f"observations.{key(observation)}") for c in checkpoints
                ),
            )
            for observation in OBSERVATIONS
        ),
        macro=_macro(evidence, checkpoints, file),
    )


def _row(evidence: Evidence, checkpoint: Checkpoint, file: str, path: str) -> ChosenRow:
    base = f"{checkpoint.folder}/{file}#{path}"
    return ChosenRow(
        checkpoint,
        number(evidence, f"{base}.threshold", lambda value: words.ratio(value, 3)),
        tuple(estimate(evidence, f"{base}.{rate}") for rate in RATES),
    )


def _macro(
    evidence: Evidence, checkpoints: Sequence[Checkpoint], file: str
) -> tuple[tuple[ChosenRow, Number], ...]:
    """The macro means of each checkpoint, and over how many observations."""
    return tuple(
        (
            _row(evidence, c, file, "macro"),
            number(evidence, f"{c.folder}/{file}#macro.f1.over"),
        )
        for c in checkpoints
    )


def build_calibration(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> Calibration | None:
    """Return errors, slopes and scalings; None where the run did not measure them."""
    told = [c for c in checkpoints if evidence.document(f"{c.folder}/calibration.json")]
    if not told:
        return None
    first = f"{told[0].folder}/calibration.json#"
    ways = [way for way in WAYS if evidence.value(f"{first}ways.{way}")]
    return Calibration(
        meaning=str(evidence.value(f"{first}meaning") or ""),
        observations=tuple(
            (name, tuple(_calibration_row(evidence, c, name) for c in told))
            for name in OBSERVATIONS
        ),
        ways=tuple(
            WayRow(WAYS[way], tuple(_way(evidence, c, way) for c in told))
            for way in ways
            if len(ways) > 1
        ),
    )


def _calibration_row(evidence: Evidence, checkpoint: Checkpoint, name: str) -> CalibrationRow:
    base = f"{checkpoint.folder}/calibration.json#ways.none.observations.{key(name)}"
    reason = evidence.value(f"{base}.reason")
    if reason:
        missing = Number("", f"{base}.reason", reason=f"not estimable ({reason})")
        return CalibrationRow(checkpoint, missing, missing, missing, missing)
    return CalibrationRow(
        checkpoint,
        number(evidence, f"{base}.ece", _error),
        number(evidence, f"{base}.ece_corrected", _error),
        estimate(evidence, f"{base}.slope"),
        estimate(evidence, f"{base}.intercept", difference=True),
    )


def _way(
    evidence: Evidence, checkpoint: Checkpoint, way: str
) -> tuple[Checkpoint, tuple[Number, ...], Number]:
    base = f"{checkpoint.folder}/calibration.json#ways.{way}.common"
    return (
        checkpoint,
        tuple(number(evidence, f"{base}.{kind}", _error) for kind in ERRORS),
        number(evidence, f"{base}.over"),
    )


def _error(value: float) -> str:
    return words.ratio(value, 3)
