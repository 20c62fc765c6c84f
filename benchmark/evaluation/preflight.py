"""What is looked at before any number is believed: silent nonsense is named in a sentence.

A network whose checkpoint was not loaded, whose outputs stand in another order than the labels,
or that answers the same for every image still gives AUROCs. These checks read scores and labels
of the validation set alone, and the test set stays unseen; score tables without a validation set
are looked at where they are. Nothing is chosen by what is seen, there are only warnings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import t as student

from benchmark.config import EvaluationConfig
from benchmark.evaluation.documents import (
    check_logits,
    read_key,
    scored_columns,
    support,
    too_few,
)
from cxr.observations import OBSERVATIONS
from cxr.statistics import clustered_aurocs, holm

Floats = NDArray[np.float64]


SUSPICION = 0.01
"""Holm-adjusted p below which order or sign of an output are suspected."""


@dataclass(frozen=True)
class Notice:
    """One thing that the preflight saw.

    Attributes:
        words: a whole sentence.
        stops: whether numbers would be worthless; else it is a warning.
    """

    words: str
    stops: bool = False


def foresee(cases: pd.DataFrame, settings: EvaluationConfig) -> str:
    """Say, before anything is trained, what the test cases are enough for.

    Args:
        cases: the table as used, all splits.
        settings: the minimal support.
    """
    test = cases[cases["split"] == "test"]
    key = read_key(test, labels="report", uncertain="positive")
    enough = sum(
        too_few(support(test, key, place), settings.min_patients) is None
        for place in range(len(OBSERVATIONS))
    )
    return (
        f"{len(test)} test images of {test['patient_id'].nunique()} patients: enough for {enough} "
        f"of {len(OBSERVATIONS)} observations, which need {settings.min_patients} patients with "
        "the finding and as many without."
    )


def preflight(
    cases: pd.DataFrame,
    logits: Mapping[str, np.ndarray],
    settings: EvaluationConfig,
    *,
    look: str = "validate",
) -> list[Notice]:
    """Look at a run before it is evaluated.

    Args:
        cases: the table as used, all splits: split, patient_id, "label:<observation>".
        logits: network -> (cases looked at, 14) float, in the order of their rows; a column of
            NaN is an observation that the network does not tell.
        settings: the minimal support for a look at the order of observations.
        look: the split to look at.

    Returns:
        What was seen, errors first; empty where all is well.

    Raises:
        InputError: scores that don't fit the cases or are not finite.
    """
    shown = cases[cases["split"] == look]
    notices = [*check_patients(cases)]
    for network, scores in logits.items():
        check_logits(shown, scores, network)
        varying = check_variation(scores, network)
        notices += varying or check_order(shown, scores, network, settings.min_patients)
    return sorted(notices, key=lambda notice: not notice.stops)


def check_patients(cases: pd.DataFrame) -> list[Notice]:
    """Look for patients with images in more than one split."""
    splits = cases.groupby("patient_id")["split"].nunique()
    shared = splits[splits > 1]
    if shared.empty:
        return []
    return [
        Notice(
            f"{len(shared)} patient(s) have images in more than one split, the first of them "
            f"'{shared.index[0]}'; split by patient, or test results say nothing.",
            stops=True,
        )
    ]


def check_variation(logits: np.ndarray, network: str) -> list[Notice]:
    """Look for scores that don't depend on the image.

    Args:
        logits: (cases, 14) float.
        network: the name to say.
    """
    constant = np.ptp(logits, axis=0) <= 1e-6 * np.maximum(1.0, np.abs(logits).max(axis=0))
    if constant[scored_columns(logits)].all():
        return [
            Notice(
                f"{network} gives the same scores for every image; were its weights loaded and "
                "the images read?",
                stops=True,
            )
        ]
    if constant.any():
        names = ", ".join(OBSERVATIONS[place] for place in np.flatnonzero(constant))
        return [Notice(f"{network} gives one and the same score to every image for {names}.")]
    return []


def check_order(
    cases: pd.DataFrame, logits: np.ndarray, network: str, min_patients: int
) -> list[Notice]:
    """Look for columns that stand in another observation's place, or upside down.

    Every label is scored by every column, and the assignment of columns to labels with the
    largest total AUROC is found. A warning needs a cycle of that assignment in which at least
    two labels are ranked better by their new column than by their own (paired test clustered by
    patient, Holm-adjusted over all pairs, 1 %). Related findings may beat the diagonal honestly,
    but not in both directions.

    Args:
        cases: validation rows.
        logits: (cases, 14) float.
        network: the name to say.
        min_patients: labels with fewer positive or negative patients are left out.
    """
    areas, p_other, p_below = order_matrix(cases, logits, min_patients)
    known = np.flatnonzero(~np.isnan(areas.diagonal()))
    if not len(known):
        return []
    best = linear_sum_assignment(-areas[np.ix_(known, known)])[1]
    assigned = {int(label): int(known[place]) for label, place in zip(known, best, strict=True)}
    suspected = []
    for cycle in _cycles(assigned):
        moved = [label for label in cycle if p_other[label, assigned[label]] < SUSPICION]
        if len(moved) > 1:
            suspected += [(label, assigned[label]) for label in moved]
    notices = [Notice(_order_words(suspected, areas, network))] if suspected else []
    for label in known[p_below[known] < SUSPICION]:
        notices.append(
            Notice(
                f"{network} ranks {OBSERVATIONS[label]} below chance on {_split(cases)} (AUROC "
                f"{areas[label, label]:.2f}); is its sign turned, or are labels mixed up?"
            )
        )
    return notices


def order_matrix(
    cases: pd.DataFrame, logits: np.ndarray, min_patients: int
) -> tuple[Floats, Floats, Floats]:
    """Score every label by every column.

    Returns:
        (14, 14) AUROC of column j for label i, NaN in rows of labels with too few patients and
            for what the network does not tell;
        (14, 14) Holm-adjusted one-sided p that column j is better than column i for label i;
        (14,) Holm-adjusted one-sided p that column i is below chance for label i.
    """
    key = read_key(cases, labels="report", uncertain="positive")
    patients = cases["patient_id"].to_numpy(str)
    size = len(OBSERVATIONS)
    scored = np.flatnonzero(scored_columns(logits))
    areas, better, below = (
        np.full((size, size), np.nan),
        np.full((size, size), np.nan),
        np.full(size, np.nan),
    )
    for own, label in enumerate(scored):
        found = clustered_aurocs(key.present[:, label], logits[:, scored], patients)
        if min(found.positive_patients, found.negative_patients) < max(2, min_patients):
            continue
        areas[label, scored] = found.auroc
        variance = found.covariance.diagonal()
        spread = variance + variance[own] - 2 * found.covariance[own]
        freedom = min(found.positive_patients, found.negative_patients) - 1
        better[label, scored] = _one_sided(found.auroc - found.auroc[own], spread, freedom)
        better[label, label] = np.nan
        below[label] = _one_sided(0.5 - found.auroc[own], variance[own], freedom)
    return areas, holm(better.ravel()).reshape(better.shape), holm(below)


def _split(cases: pd.DataFrame) -> str:
    return {"validate": "validation"}.get(str(cases["split"].iloc[0]), "the test cases")


def _cycles(assigned: Mapping[int, int]) -> list[list[int]]:
    """The cycles of a permutation that move something."""
    cycles, seen = [], set()
    for start in assigned:
        cycle = []
        place = start
        while place not in seen:
            seen.add(place)
            cycle.append(place)
            place = assigned[place]
        if len(cycle) > 1:
            cycles.append(cycle)
    return cycles


def _one_sided(excess: Floats, variance: Floats, freedom: int) -> Floats:
    """p of an excess at least so large under none (Student's t); 1 where it has no spread."""
    error = np.sqrt(np.maximum(variance, 0.0))
    ratio = np.divide(excess, error, out=np.full(np.shape(excess), -np.inf), where=error > 0)
    return student.sf(ratio, freedom)


def _order_words(suspected: Sequence[tuple[int, int]], areas: Floats, network: str) -> str:
    pairs = "; ".join(
        f"{OBSERVATIONS[label]} is ranked better by the column of {OBSERVATIONS[column]} (AUROC "
        f"{areas[label, column]:.2f}) than by its own ({areas[label, label]:.2f})"
        for label, column in suspected
    )
    return f"The outputs of {network} may stand in another order than the labels: {pairs}."
