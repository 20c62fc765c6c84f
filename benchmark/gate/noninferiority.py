"""By how much one network's AUROCs differ from another's, on the same or on other patients.

Each observation's difference has the error of the paired DeLong test clustered by patient, or of
its unpaired form where the cases differ. The macro mean's comes from one resample of all patients
of both runs, which keeps every dependence: between observations, between networks, and between
runs that share patients.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from benchmark.config import EvaluationConfig
from benchmark.evaluation.comparison import LEAST_PATIENTS
from benchmark.evaluation.documents import read_key, scored_columns, support, too_few
from benchmark.evaluation.measures import mean_freedom
from benchmark.gate.pairing import Matched
from benchmark.gate.scored import Network
from cxr.observations import OBSERVATIONS
from cxr.statistics import (
    Answered,
    AreaDifference,
    PatientResample,
    paired_area_difference,
    patient_freedom,
    ranked_replicates,
    replicate_error,
    resample_patients,
    unpaired_area_difference,
)

MACRO = "macro"
LOST = "the run has no scores for it, but the baseline has"


class Sides:
    """Both runs' answers and one resample of their patients, for every network of them."""

    def __init__(self, matched: Matched, settings: EvaluationConfig) -> None:
        self.paired = matched.paired
        self.runs = (matched.baseline, matched.candidate)
        self.cases = [run.cases() for run in self.runs]
        self.keys = [read_key(c, labels="report", uncertain="positive") for c in self.cases]
        draws = resample_patients(
            np.concatenate([run.patient for run in self.runs]),
            replicates=settings.replicates,
            rng=np.random.default_rng(settings.seed),
        )
        first = np.arange(len(draws.patient)) < len(matched.baseline.image)
        self.draws = [draws.select(first), draws.select(~first)]
        self.reasons = self._reasons(max(settings.min_patients, LEAST_PATIENTS))

    def _reasons(self, least: int) -> list[str | None]:
        """Why an observation is not estimable, or None where it is."""
        found = []
        for place in range(len(OBSERVATIONS)):
            sides = (
                too_few(support(cases, key, place), least)
                for cases, key in zip(self.cases, self.keys, strict=True)
            )
            found.append(next((reason for reason in sides if reason), None))
        return found

    def differences(self, baseline: Network, candidate: Network) -> dict[str, AreaDifference | str]:
        """Return "macro" and each observation -> candidate less baseline, or why there is none."""
        logits = (self.runs[0].logits[baseline], self.runs[1].logits[candidate])
        scored = [scored_columns(values) for values in logits]
        found: dict[str, AreaDifference | str] = {MACRO: "no observation is estimable"}
        apart, freedoms = [], []
        for place, name in enumerate(OBSERVATIONS):
            reason = _unscored(*(columns[place] for columns in scored)) or self.reasons[place]
            if reason is not None:
                found[name] = reason
                continue
            sides, draws = self._answers(place, logits)
            found[name] = self._area(*sides)
            before, after = (
                ranked_replicates(side.y_true, side.score, drawn).auroc
                for side, drawn in zip(sides, draws, strict=True)
            )
            apart.append(after - before)
            freedoms.append(min(_freedom(*pair) for pair in zip(sides, draws, strict=True)))
        if apart:
            found[MACRO] = _macro(found, np.stack(apart), freedoms)
        return found

    def _answers(
        self, place: int, logits: Sequence[NDArray[Any]]
    ) -> tuple[list[Answered], list[PatientResample]]:
        """Baseline's and candidate's answers on the cases whose label counts."""
        sides, draws = [], []
        for run, key, scores, drawn in zip(self.runs, self.keys, logits, self.draws, strict=True):
            rows = key.counted[:, place]
            score = scores[rows, place].astype(float)
            sides.append(Answered(key.present[rows, place], score, run.patient[rows]))
            draws.append(drawn.select(rows))
        return sides, draws

    def _area(self, before: Answered, after: Answered) -> AreaDifference:
        if not self.paired:
            return unpaired_area_difference(before, after)
        return paired_area_difference(before.y_true, before.score, after.score, before.patient)


def _unscored(before: bool, after: bool) -> str | None:
    if before and not after:
        return LOST
    return None if before else "the baseline has no scores for it"


def _macro(
    found: dict[str, AreaDifference | str], apart: np.ndarray, freedoms: list[float]
) -> AreaDifference:
    values = [one.value for one in found.values() if isinstance(one, AreaDifference)]
    error = replicate_error(apart.mean(axis=0))
    return AreaDifference(float(np.mean(values)), error, mean_freedom(apart, freedoms))


def _freedom(side: Answered, draws: PatientResample) -> float:
    """Degrees of freedom that the patients of the rarer class give."""
    return min(
        patient_freedom(np.bincount(draws.patient[rows]).astype(float))
        for rows in (side.y_true, ~side.y_true)
    )


def smallest_drop(found: AreaDifference, margin: float, level: float) -> float:
    """The true drop that would fail in 80 of 100 tries, to first order.

    Args:
        found: a difference with an error.
        margin: what is no drop yet.
        level: one-sided chance of failing at the margin.
    """
    return margin + float(stdtrit(found.freedom, 1 - level) + ndtri(0.8)) * found.error
