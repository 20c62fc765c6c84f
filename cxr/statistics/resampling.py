"""The patient bootstrap: one resample of patients, shared by everything that is compared.

Images of one patient resemble each other, so patients are drawn, with all their images. Nothing
is stratified: a fixed prevalence would make precision, average precision and F1 look too sure.
A replicate is a row of counts (how often each patient was drawn), and a metric of a replicate is
the weighted metric, computed exactly in integers over cases that were sorted once.

Source: Field & Welsh 2007, J R Stat Soc B 69:369-390 (the cluster bootstrap).
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BLOCK = 128
"""Replicates walked at once: enough for vector instructions, few enough for the cache."""


@dataclass(frozen=True)
class PatientResample:
    """Bootstrap draws of patients.

    Attributes:
        patient: (cases,) int; the patient of each case, an index into the columns of `counts`.
        counts: (replicates, patients) uint16; how often a replicate drew each patient. Fastest
            in column order, where the replicates of a patient lie side by side.
    """

    patient: NDArray[np.int64]
    counts: NDArray[np.uint16]

    @property
    def replicates(self) -> int:
        """How many replicates there are."""
        return len(self.counts)

    def select(self, rows: NDArray[Any]) -> "PatientResample":
        """Return the same draws for some of the cases; `rows` is a mask or indices."""
        return PatientResample(self.patient[rows], self.counts)


@dataclass(frozen=True)
class RankedReplicates:
    """What one pass over the sorted cases gives for every replicate; each (replicates,).

    Attributes:
        auroc: NaN in a replicate without both classes.
        average_precision: NaN in a replicate without a positive.
        tp, fp, fn, tn: counts at the threshold.
    """

    auroc: Floats
    average_precision: Floats
    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats


def resample_patients(
    patient_ids: ArrayLike, *, replicates: int, rng: np.random.Generator
) -> PatientResample:
    """Draw as many patients as there are, with replacement, `replicates` times.

    Args:
        patient_ids: (cases,) the patient of each case; any sortable values. The draws depend on
            the set of patients and on `rng`, not on the order of the cases.
        replicates: how many draws.
        rng: where the randomness comes from.

    Raises:
        ValueError: no cases, or fewer than one replicate.
    """
    names, patient = np.unique(np.asarray(patient_ids), return_inverse=True)
    if not len(names) or replicates < 1:
        raise ValueError(f"{len(names)} patients and {replicates} replicates; both must be > 0.")
    size = len(names)
    counts = np.empty((size, replicates), dtype=np.uint16)
    for start in range(0, replicates, BLOCK):
        width = min(BLOCK, replicates - start)
        places = rng.integers(size, size=(width, size)) * width + np.arange(width)[:, None]
        drawn = np.bincount(places.ravel(), minlength=size * width)
        counts[:, start : start + width] = drawn.reshape(size, width)
    return PatientResample(patient.astype(np.int64), counts.T)


def ranked_replicates(
    y_true: ArrayLike,
    score: ArrayLike,
    resample: PatientResample,
    *,
    threshold: float = 0.0,
) -> RankedReplicates:
    """AUROC, average precision and confusion counts in every replicate.

    Args:
        y_true: (cases,) bool.
        score: (cases,) float, finite.
        resample: draws for the same cases, in the same order.
        threshold: a case is called where its score reaches it.

    Returns:
        Equal to scikit-learn's weighted metrics to 1e-12.

    Raises:
        ValueError: lengths differ.
    """
    truth, values = np.asarray(y_true, bool), np.asarray(score, dtype=np.float64)
    if not len(truth) == len(values) == len(resample.patient):
        raise ValueError(
            f"y_true, score and resample have {len(truth)}, {len(values)} and "
            f"{len(resample.patient)} cases; they must agree."
        )
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    ends = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    called = int(np.count_nonzero(values >= threshold))
    return _replicate(resample.counts, resample.patient[order], truth[order], ends, called)


def replicate_means(values: Floats, resample: PatientResample) -> Floats:
    """Means over the cases of every replicate; NaN in a replicate without a case.

    Args:
        values: (cases, kinds) float; each kind has a mean of its own.
        resample: draws for the same cases.

    Returns:
        (kinds, replicates) float.
    """
    width = resample.counts.shape[1]
    ones = np.ones((len(values), 1))
    sums = np.stack(
        [
            np.bincount(resample.patient, weights=column, minlength=width)
            for column in np.concatenate([values, ones], axis=1).T
        ],
        axis=1,
    )
    totals = np.zeros((sums.shape[1], resample.replicates))
    for start in range(0, resample.replicates, BLOCK):
        part = slice(start, start + BLOCK)
        totals[:, part] = _sum(np.ascontiguousarray(resample.counts[part].T), sums)
    with np.errstate(invalid="ignore"):
        return totals[:-1] / totals[-1]


def _replicate(
    counts: NDArray[np.uint16],
    patient: NDArray[np.int64],
    positive: NDArray[np.bool_],
    ends: NDArray[np.bool_],
    called: int,
) -> RankedReplicates:
    """Walk down the ranking for all replicates, `BLOCK` at a time, so that caches hold them."""
    size = len(counts)
    areas, precisions = np.full(size, np.nan), np.full(size, np.nan)
    table = np.zeros((4, size))
    for start in range(0, size, BLOCK):
        part = slice(start, start + BLOCK)
        draws = np.ascontiguousarray(counts[part].T)
        block = table[:, part].copy()
        _walk(draws, patient, positive, ends, called, areas[part], precisions[part], block)
        table[:, part] = block
    return RankedReplicates(areas, precisions, *table)


@numba.njit(cache=True, nogil=True)
def _sum(draws, sums):  # type: ignore[no-untyped-def]
    """Sum what each patient brings, as often as it was drawn: (kinds, replicates)."""
    patients, kinds = sums.shape
    width = draws.shape[1]
    totals = np.zeros((kinds, width))
    for patient in range(patients):
        row = draws[patient]
        for kind in range(kinds):
            share, total = sums[patient, kind], totals[kind]
            for k in range(width):
                total[k] += row[k] * share
    return totals


@numba.njit(cache=True, nogil=True)
def _walk(draws, patient, positive, ends, called, areas, precisions, table):  # type: ignore[no-untyped-def]
    """Walk down the ranking once for a block of replicates; ties are settled together.

    The inner loops run over replicates, side by side in memory, so that they become vector
    instructions; all sums are of whole numbers far below 2^53 and so exact.
    """
    width = draws.shape[1]
    tp, fp = np.zeros(width), np.zeros(width)
    pairs, steps = np.zeros(width), np.zeros(width)
    tied_positive, tied_negative = np.zeros(width), np.zeros(width)
    alone = True  # no case before this one waits for the end of its tie
    for place in range(len(patient)):
        row = draws[patient[place]]
        if alone and ends[place]:
            if positive[place]:
                for k in range(width):
                    tp[k] += row[k]
                    steps[k] += row[k] * (tp[k] / max(tp[k] + fp[k], 1.0))
            else:
                for k in range(width):
                    pairs[k] += row[k] * tp[k]
                    fp[k] += row[k]
        else:
            tied = tied_positive if positive[place] else tied_negative
            for k in range(width):
                tied[k] += row[k]
            if ends[place]:
                for k in range(width):
                    pairs[k] += tied_negative[k] * (tp[k] + tied_positive[k] / 2)
                    tp[k] += tied_positive[k]
                    fp[k] += tied_negative[k]
                    steps[k] += tied_positive[k] * (tp[k] / max(tp[k] + fp[k], 1.0))
                    tied_positive[k] = tied_negative[k] = 0.0
        alone = ends[place]
        if place + 1 == called:
            table[0], table[1] = tp, fp
    table[2], table[3] = tp - table[0], fp - table[1]
    for k in range(width):
        if tp[k] > 0:
            precisions[k] = steps[k] / tp[k]
            if fp[k] > 0:
                areas[k] = pairs[k] / (tp[k] * fp[k])
