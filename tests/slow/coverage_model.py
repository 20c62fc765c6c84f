"""How often intervals cover the truth: clustered data whose truth is known.

The model: a patient is sick or not; a sick patient has the finding on 70 % of the images (on one
at least), 2.5 images on average (one and a Poisson number more). Scores are normal with one
variance, half of which is the patient's own, and higher by a constant where the finding is. In
the scenario "missed", 30 % of sick patients score like healthy ones, so that the model behind
the moderated variance is wrong.

AUROC, its difference and recall are simulated with exactly so many positive patients, for that
is what a test set shows; precision, F1, average precision and specificity with so many expected,
because their truth depends on prevalence, which is then random too.

The published table is made design by design (some ten seconds each), in as many calls as suits:

    python -m tests.slow.coverage_model 2000 0 21 > cxr/statistics/coverage.csv
    python -m tests.slow.coverage_model 2000 21 42 >> cxr/statistics/coverage.csv
"""

import csv
import dataclasses
import sys
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from benchmark.evaluation.comparison import AREA_TEST
from benchmark.evaluation.measures import AREA_METHOD, LOGIT_METHOD, RATIO_METHOD, measure
from cxr import statistics
from cxr.statistics import Coverage, Interval, PatientResample

PERSISTENCE = 0.7
IMAGES = 2.5
CLUSTERING = 0.5
MISSED = 0.3
SHARED = 0.7  # correlation of two networks' scores
REPLICATES = 500
CHOSEN = {AREA_METHOD, AREA_TEST, LOGIT_METHOD, RATIO_METHOD}
"""The methods that the product uses; the others stand beside them for comparison."""
SUPPORTS = (3, 5, 10, 20, 40, 100, 400)


DESIGNS: tuple[tuple[int, dict[str, Any]], ...] = tuple(
    (positives, design)
    for design in (
        {"auroc": 0.7, "kind": "area"},
        {"auroc": 0.8, "kind": "area"},
        {"auroc": 0.9, "kind": "area"},
        {"auroc": 0.8, "kind": "area", "scenario": "missed"},
        {"auroc": 0.8, "kind": "difference"},
        {"auroc": 0.8, "kind": "rates"},
    )
    for positives in SUPPORTS
)
"""What the published table holds: positive patients, and the arguments of `cover`."""


@dataclass(frozen=True)
class Sample:
    """One simulated test set."""

    present: np.ndarray
    scores: np.ndarray
    patient: np.ndarray


def draw(
    rng: np.random.Generator,
    *,
    positives: int,
    patients: int,
    aurocs: tuple[float, ...],
    fixed: bool,
    missed: float,
) -> Sample:
    """Draw a test set with one column of scores for each of `aurocs`."""
    sizes = 1 + rng.poisson(IMAGES - 1, patients)
    sick = np.arange(patients) < positives if fixed else rng.random(patients) < positives / patients
    patient = np.repeat(np.arange(patients), sizes)
    present = sick[patient] & (rng.random(len(patient)) < PERSISTENCE)
    spared = sick & (np.bincount(patient, weights=present, minlength=patients) == 0)
    present[(np.cumsum(sizes) - sizes)[spared]] = True
    seen = rng.random(patients)[patient] >= missed
    common = _noise(rng, patient, patients)
    columns = [
        shift(auroc, missed) * (present & seen)
        + np.sqrt(SHARED) * common
        + np.sqrt(1 - SHARED) * _noise(rng, patient, patients)
        for auroc in aurocs
    ]
    return Sample(present, np.stack(columns, axis=1), patient)


def shift(auroc: float, missed: float) -> float:
    """How much higher a visible finding scores, for the AUROC to be `auroc` over all."""
    return float(ndtri((auroc - missed / 2) / (1 - missed)) * np.sqrt(2))


def _noise(rng: np.random.Generator, patient: np.ndarray, patients: int) -> np.ndarray:
    own = rng.normal(size=patients)[patient]
    return np.sqrt(CLUSTERING) * own + np.sqrt(1 - CLUSTERING) * rng.normal(size=len(patient))


def truths(auroc: float, cut: float, positives: int, patients: int) -> dict[str, float]:
    """The population's metrics at a cut, in the scenario "binormal"."""
    height = shift(auroc, 0.0)
    lone = (1 - PERSISTENCE) * np.exp(-(IMAGES - 1) * PERSISTENCE)
    prevalence = positives / patients * (PERSISTENCE * IMAGES + lone) / IMAGES
    share = (np.arange(100_000) + 0.5) / 100_000
    false = ndtr(ndtri(share) - height)
    recall, alarm = ndtr(height - cut), ndtr(-cut)
    called = prevalence * recall + (1 - prevalence) * alarm
    found = prevalence * share
    return {
        "average_precision": float(np.mean(found / (found + (1 - prevalence) * false))),
        "recall": float(recall),
        "specificity": float(1 - alarm),
        "precision": float(prevalence * recall / called),
        "f1": float(2 * prevalence * recall / (called + prevalence)),
    }


def area_intervals(sample: Sample, draws: PatientResample) -> dict[str, Interval]:
    """Intervals of the first column's AUROC, the method that the product uses first."""
    present, score = sample.present, sample.scores[:, 0]
    areas = statistics.clustered_aurocs(present, score, sample.patient)
    lone = statistics.clustered_aurocs(present, score, np.arange(len(score)))
    area, error = float(areas.auroc[0]), float(np.sqrt(areas.covariance[0, 0]))
    replicates = statistics.ranked_replicates(present, score, draws).auroc
    return {
        AREA_METHOD: statistics.auroc_interval(areas),
        "bootstrap over patients, percentile": statistics.percentile_interval(replicates),
        "bootstrap over patients, BCa": _bca(area, replicates, areas.influence[:, 0]),
        "DeLong clustered by patient, Wald": _wald(area, error),
        "DeLong by image, Wald": _wald(area, float(np.sqrt(lone.covariance[0, 0]))),
    }


def rate_intervals(sample: Sample, draws: PatientResample, cut: float) -> dict[str, dict]:
    """Intervals of the metrics at a cut and of average precision, by metric and method."""
    measured = measure(sample.present, sample.scores[:, 0] - cut, draws, 0.0)
    found = {}
    for name in ("average_precision", "recall", "specificity", "precision", "f1"):
        estimate = measured.estimates[name]
        found[name] = {
            estimate.method: Interval(estimate.low, estimate.high),
            "bootstrap over patients, percentile": statistics.percentile_interval(
                measured.replicates[name]
            ),
        }
    return found


def difference_intervals(sample: Sample, draws: PatientResample) -> dict[str, Interval]:
    """Intervals of the second column's AUROC less the first's."""
    areas = statistics.clustered_aurocs(sample.present, sample.scores, sample.patient)
    sign = np.array([-1.0, 1.0])
    error = float(np.sqrt(sign @ areas.covariance @ sign))
    freedom = statistics.area_freedom(areas, areas.influence @ sign) + statistics.EXTRA_FREEDOM
    first, second = (
        statistics.ranked_replicates(sample.present, column, draws).auroc
        for column in sample.scores.T
    )
    return {
        AREA_TEST: statistics.difference_interval(float(areas.auroc @ sign), error, freedom),
        "paired bootstrap over patients, percentile": statistics.percentile_interval(
            second - first
        ),
    }


def cover(
    sets: int, *, positives: int, auroc: float, scenario: str = "binormal", kind: str = "area"
) -> list[Coverage]:
    """Simulate one support and return a row for each metric and method.

    Args:
        sets: simulated test sets.
        positives: positive patients.
        auroc: the true AUROC of the (first) score.
        scenario: "binormal" or "missed".
        kind: "area", "difference" or "rates".
    """
    patients = max(400, int(2.5 * positives))
    missed = MISSED if scenario == "missed" else 0.0
    rng = np.random.default_rng(zlib.crc32(f"{kind} {scenario} {auroc} {positives}".encode()))
    cut = shift(auroc, 0.0) - 0.25  # recall 0.6
    better = (auroc + 1) / 2 - 0.05
    truth = {"area": {"auroc": auroc}, "difference": {"auroc difference": better - auroc}}.get(
        kind, truths(auroc, cut, positives, patients)
    )
    tally: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(sets):
        sample = draw(
            rng,
            positives=positives,
            patients=patients,
            aurocs=(auroc, better) if kind == "difference" else (auroc,),
            fixed=kind != "rates",
            missed=missed,
        )
        if len(np.unique(sample.patient[sample.present])) < 2:
            continue
        draws = statistics.resample_patients(sample.patient, replicates=REPLICATES, rng=rng)
        found = _intervals(kind, sample, draws, cut)
        for name, methods in found.items():
            for method, ends in methods.items():
                if method and np.isfinite(ends.low):
                    tally.setdefault((name, method), []).append((ends.low, ends.high))
    return [
        _row(scenario, name, method, truth[name], positives, patients, np.array(ends))
        for (name, method), ends in tally.items()
    ]


def _intervals(kind: str, sample: Sample, draws: PatientResample, cut: float) -> dict[str, dict]:
    if kind == "area":
        return {"auroc": area_intervals(sample, draws)}
    if kind == "difference":
        return {"auroc difference": difference_intervals(sample, draws)}
    return rate_intervals(sample, draws, cut)


def _row(
    scenario: str,
    metric: str,
    method: str,
    truth: float,
    positives: int,
    patients: int,
    ends: np.ndarray,
) -> Coverage:
    low, high = ends.T
    shares = ((low <= truth) & (truth <= high), truth < low, truth > high)
    coverage, below, above = (round(float(np.mean(share)), 4) for share in shares)
    return Coverage(
        scenario=scenario,
        metric=metric,
        method=method,
        chosen=method in CHOSEN,
        truth=round(truth, 4),
        positive_patients=positives,
        patients=patients,
        sets=len(ends),
        coverage=coverage,
        truth_below=below,
        truth_above=above,
        width=round(float(np.mean(high - low)), 4),
    )


def _wald(area: float, error: float) -> Interval:
    return statistics.difference_interval(area, error, np.inf)


def _bca(estimate: float, replicates: np.ndarray, influence: np.ndarray) -> Interval:
    """Efron 1987, JASA 82:171-185, with the acceleration from the patients' influence."""
    known = replicates[np.isfinite(replicates)]
    below = np.mean(known < estimate) + np.mean(known == estimate) / 2
    bias = ndtri(min(max(below, 1e-4), 1 - 1e-4))
    spread = float((influence**2).sum()) ** 1.5
    skew = float((influence**3).sum()) / (6 * spread) if spread > 0 else 0.0
    reach = bias + ndtri([0.025, 0.975])
    low, high = np.quantile(known, ndtr(bias + reach / (1 - skew * reach)))
    return Interval(float(low), float(high))


def main(sets: int, first: int, end: int) -> None:
    """Print the rows of the designs from `first` to before `end` as CSV."""
    names = [field.name for field in dataclasses.fields(Coverage)]
    table = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    if first == 0:
        table.writeheader()
    for positives, design in DESIGNS[first:end]:
        for row in cover(sets, positives=positives, **design):
            table.writerow(dataclasses.asdict(row))
        sys.stdout.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
