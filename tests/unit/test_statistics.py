"""Uncertainty against independent sources: pROC, Obuchowski's formula, worked examples."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from cxr import metrics, statistics

REFERENCE = Path(__file__).parent / "reference"


def _proc(name: str) -> tuple[np.ndarray, np.ndarray, pd.Series]:
    cases = pd.read_csv(REFERENCE / "proc_cases.csv")
    cases = cases[cases["set"] == name]
    expected = pd.read_csv(REFERENCE / "proc_reference.csv").set_index("set").loc[name]
    return cases["truth"].to_numpy(bool), cases[["first", "second"]].to_numpy(), expected


@pytest.mark.parametrize("name", ["plain", "tied", "rare", "few"])
def test_delong_equals_proc(name: str) -> None:
    """With one image a patient, areas, variances, covariance and paired test are pROC's."""
    truth, scores, expected = _proc(name)
    found = statistics.clustered_aurocs(truth, scores, np.arange(len(truth)))
    assert found.auroc == pytest.approx([expected.auc_first, expected.auc_second], abs=1e-12)
    assert _independent(truth, scores) == pytest.approx(
        np.array(
            [
                [expected.var_first, expected.covariance],
                [expected.covariance, expected.var_second],
            ]
        ),
        abs=1e-12,
    )
    assert found.covariance == pytest.approx(_independent(truth, scores), abs=1e-12)
    difference = float(found.auroc[0] - found.auroc[1])
    error = math.sqrt(np.array([1, -1]) @ found.covariance @ [1, -1])
    assert difference / error == pytest.approx(expected.z, abs=1e-9)
    assert statistics.two_sided_p(difference, error) == pytest.approx(expected.p, abs=1e-9)


def _independent(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """DeLong's covariance by comparing every pair, for cases that are all independent."""
    above, below = [], []
    for score in scores.T:
        kernel = np.sign(score[truth][:, None] - score[~truth][None, :]) / 2 + 0.5
        above.append(kernel.mean(axis=1))
        below.append(kernel.mean(axis=0))
    return np.cov(above) / truth.sum() + np.cov(below) / (~truth).sum()


def _clustered_cases(
    seed: int = 3, patients: int = 30
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Several images a patient, both classes inside some, two correlated scores, some ties."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, 6, patients))
    truth = rng.random(len(patient)) < rng.random(patients)[patient]
    common = rng.normal(size=patients)[patient]
    scores = np.stack(
        [common + truth + rng.normal(size=len(patient)), common + rng.normal(size=len(patient))],
        axis=1,
    )
    return truth, np.round(scores, 1), patient


def test_clustered_covariance_is_obuchowskis_formula() -> None:
    """The covariance is that of Obuchowski 1997, equations 3 to 6, written out pair by pair."""
    truth, scores, patient = _clustered_cases()
    found = statistics.clustered_aurocs(truth, scores, patient)
    m, n = int(truth.sum()), int((~truth).sum())
    names = np.unique(patient)
    sums = {"x": np.zeros((len(names), 2)), "y": np.zeros((len(names), 2))}
    for column in range(2):
        score = scores[:, column]
        for place, name in enumerate(names):
            for case in np.flatnonzero(patient == name):
                others = score[truth != truth[case]]
                if truth[case]:
                    placed = np.mean((others < score[case]) + (others == score[case]) / 2)
                    sums["x"][place, column] += placed - found.auroc[column]
                else:
                    placed = np.mean((others > score[case]) + (others == score[case]) / 2)
                    sums["y"][place, column] += placed - found.auroc[column]
    having = len(np.unique(patient[truth]))
    lacking = len(np.unique(patient[~truth]))
    s10 = having / ((having - 1) * m) * sums["x"].T @ sums["x"]
    s01 = lacking / ((lacking - 1) * n) * sums["y"].T @ sums["y"]
    s11 = len(names) / (len(names) - 1) * sums["x"].T @ sums["y"]
    expected = s10 / m + s01 / n + (s11 + s11.T) / (m * n)
    assert found.covariance == pytest.approx(expected, abs=1e-9)
    assert found.positive_patients == having
    assert found.negative_patients == lacking


def test_clusters_widen_the_variance_where_images_repeat() -> None:
    """Every image four times tells no more: the clustered variance stays, DeLong's shrinks."""
    truth, scores, patient = _clustered_cases()
    once = statistics.clustered_aurocs(truth, scores, patient)
    again = statistics.clustered_aurocs(
        np.tile(truth, 4), np.tile(scores, (4, 1)), np.tile(patient, 4)
    )
    assert again.covariance == pytest.approx(once.covariance, rel=1e-9)
    assert (
        _independent(np.tile(truth, 4), np.tile(scores, (4, 1)))[0, 0] < once.covariance[0, 0] / 2
    )


def test_areas_of_one_class_are_unknown() -> None:
    """Without both classes there is no area and no variance; the patients are still counted."""
    found = statistics.clustered_aurocs([True, True], [[1.0], [2.0]], ["a", "b"])
    assert np.isnan(found.auroc).all()
    assert np.isnan(found.covariance).all()
    assert (found.positive_patients, found.negative_patients) == (2, 0)


def test_one_patient_of_a_class_gives_no_variance() -> None:
    """An area may be known while its variance is not: one positive patient tells no spread."""
    found = statistics.clustered_aurocs([True, False, False], [3.0, 2.0, 1.0], ["a", "b", "c"])
    assert found.auroc == [1.0]
    assert np.isnan(found.covariance).all()


def test_the_resample_is_of_patients() -> None:
    """Each replicate draws as many patients as there are, each with all of its images."""
    ids = np.array(["b", "a", "b", "c", "a"])
    draws = statistics.resample_patients(ids, replicates=50, rng=np.random.default_rng(0))
    assert draws.counts.shape == (50, 3)
    assert (draws.counts.sum(axis=1) == 3).all()
    assert draws.patient.tolist() == [1, 0, 1, 2, 0]
    assert draws.select(np.array([True, False, False, True, False])).patient.tolist() == [1, 2]


def test_the_resample_does_not_depend_on_the_order_of_cases() -> None:
    """The same patients and seed draw the same, in whatever order their images stand."""
    ids = np.array(["b", "a", "b", "c", "a"])
    first, second = (
        statistics.resample_patients(values, replicates=9, rng=np.random.default_rng(7))
        for values in (ids, ids[::-1])
    )
    assert (first.counts == second.counts).all()


def test_replicates_leave_out_what_has_one_class() -> None:
    """A replicate without both classes has no AUROC, and is never counted as 0 or 0.5."""
    draws = statistics.PatientResample(
        np.arange(3), np.array([[1, 1, 1], [0, 2, 1], [3, 0, 0]], dtype=np.uint16)
    )
    found = statistics.ranked_replicates([True, False, False], [1.0, 2.0, 0.0], draws)
    assert found.auroc == pytest.approx([0.5, math.nan, math.nan], nan_ok=True)
    assert found.average_precision == pytest.approx([0.5, math.nan, 1.0], nan_ok=True)


def test_holm_on_a_worked_example() -> None:
    """Holm's steps: smallest times the number of tests, never decreasing, at most 1."""
    adjusted = statistics.holm([0.01, 0.04, math.nan, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, math.nan, 0.06, 0.02], nan_ok=True)
    assert statistics.holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert statistics.holm([math.nan]) == pytest.approx([math.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("difference", "error", "p"),
    [
        (1.96, 1.0, 2 * norm.sf(1.96)),
        (-1.96, 1.0, 2 * norm.sf(1.96)),
        (0.0, 0.0, 1.0),
        (0.1, 0.0, 0.0),
        (0.1, math.nan, math.nan),
    ],
)
def test_two_sided_p(difference: float, error: float, p: float) -> None:
    """The p-value is two-sided, 1 for no difference, and unknown where the error is."""
    assert statistics.two_sided_p(difference, error) == pytest.approx(p, nan_ok=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: statistics.resample_patients([], replicates=5, rng=np.random.default_rng(0)),
            "both must be > 0",
        ),
        (
            lambda: statistics.clustered_aurocs([True, False], [1.0, 2.0], ["a"]),
            "2 cases, but 1 patients",
        ),
        (
            lambda: statistics.clustered_aurocs([True, False], [1.0, math.inf], ["a", "b"]),
            "not finite",
        ),
        (
            lambda: statistics.ranked_replicates(
                [True, False],
                [1.0],
                statistics.PatientResample(np.arange(2), np.ones((1, 2), np.uint16)),
            ),
            "they must agree",
        ),
    ],
)
def test_arguments_without_sense_are_refused(call, message: str) -> None:
    """Arguments that make no sense raise ValueError and say which."""
    with pytest.raises(ValueError, match=message):
        call()


def test_replicate_means_are_weighted_means() -> None:
    """The mean of a replicate counts each case as often as its patient was drawn."""
    ids = np.array(["a", "b", "b"])
    draws = statistics.resample_patients(ids, replicates=300, rng=np.random.default_rng(1))
    values = np.array([1.0, 2.0, 6.0])
    expected = [np.average(values, weights=row[draws.patient]) for row in draws.counts]
    assert statistics.replicate_means(values, draws) == pytest.approx(expected, abs=1e-12)


def test_replicates_are_the_weighted_metrics() -> None:
    """A replicate is the metric with each case weighted by how often its patient was drawn."""
    truth, scores, patient = _clustered_cases()
    draws = statistics.resample_patients(patient, replicates=40, rng=np.random.default_rng(2))
    found = statistics.ranked_replicates(truth, scores[:, 0], draws, threshold=0.5)
    for place, row in enumerate(draws.counts):
        weight = row[draws.patient]
        table = metrics.confusion(truth, scores[:, 0] >= 0.5, weight=weight)
        assert (found.tp[place], found.fp[place]) == (table.tp, table.fp)
        assert (found.fn[place], found.tn[place]) == (table.fn, table.tn)
        for name in ("auroc", "average_precision"):
            expected = getattr(metrics, f"{name}_score")(truth, scores[:, 0], weight=weight)
            assert getattr(found, name)[place] == pytest.approx(expected, abs=1e-12)
