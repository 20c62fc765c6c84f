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
    values = np.array([[1.0, 5.0], [2.0, 0.0], [6.0, 1.0]])
    expected = np.transpose(
        [np.average(values, axis=0, weights=row[draws.patient]) for row in draws.counts]
    )
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


def test_freedom_counts_patients_not_images() -> None:
    """Equal patients give one degree of freedom less than there are; one giant gives one."""
    assert statistics.patient_freedom(np.array([3.0] * 9)) == pytest.approx(8)
    assert statistics.patient_freedom(np.array([3.0] * 9 + [0.0] * 50)) == pytest.approx(8)
    assert statistics.patient_freedom(np.array([1.0] * 9 + [1000.0])) == pytest.approx(1)
    assert statistics.patient_freedom(np.array([])) == 1
    assert statistics.effective_patients(np.array([2.0, 2.0, 0.0])) == 2
    assert statistics.pooled_freedom(np.array([1.0, 1.0]), np.array([4.0, 4.0])) == 8
    assert statistics.pooled_freedom(np.array([1.0, 0.0]), np.array([4.0, 90.0])) == 4


@pytest.mark.parametrize(
    ("share", "trials", "low", "high"),
    [(0.0, 10, 0.0, 0.2775), (0.5, 10, 0.2366, 0.7634), (1.0, 10, 0.7225, 1.0)],
)
def test_wilson_on_known_values(share: float, trials: int, low: float, high: float) -> None:
    """Wilson's interval is the textbook's (Newcombe 1998, Stat Med 17:857-872, method 3)."""
    ends = statistics.wilson_interval(share, trials)
    assert (ends.low, ends.high) == pytest.approx((low, high), abs=5e-5)


def test_a_ratio_of_lone_images_is_plain_wilson_with_student() -> None:
    """One image a patient: as many trials as images, less one for the estimated spread."""
    part = np.array([1.0] * 30 + [0.0] * 70)
    ends = statistics.ratio_interval(part, np.ones(100))
    expected = statistics.wilson_interval(0.3, 99, 99)
    assert (ends.low, ends.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_copies_of_an_image_do_not_narrow_a_ratio() -> None:
    """Four copies of every image leave the interval as it was."""
    part = np.array([1.0] * 30 + [0.0] * 70)
    once = statistics.ratio_interval(part, np.ones(100))
    again = statistics.ratio_interval(part * 4, np.full(100, 4.0))
    assert (once.low, once.high) == pytest.approx((again.low, again.high), abs=1e-12)


def test_a_perfect_area_still_has_an_interval() -> None:
    """An AUROC of 1 with five positive patients is not certain: its interval reaches down."""
    truth = np.arange(100) < 5
    areas = statistics.clustered_aurocs(truth, truth.astype(float), np.arange(100))
    ends = statistics.auroc_interval(areas)
    assert ends.high == 1
    assert 0.3 < ends.low < 0.9


def test_one_positive_patient_has_no_interval() -> None:
    """The spread over patients can't be told from one patient, however many images there are."""
    truth = np.arange(100) < 5
    patient = np.where(truth, 0, np.arange(100))
    areas = statistics.clustered_aurocs(truth, np.arange(100.0), patient)
    assert math.isnan(statistics.auroc_interval(areas).low)
    assert math.isnan(statistics.ratio_interval(np.array([3.0]), np.array([5.0])).low)


def test_replicate_interval_keeps_the_range() -> None:
    """A correlation's interval lies in [-1, 1]; equal replicates give Wilson's; none gives NaN."""
    rng = np.random.default_rng(0)
    ends = statistics.replicate_interval(0.9, rng.normal(0.9, 0.2, 500), 5, low=-1)
    assert -1 < ends.low < 0.9 < ends.high < 1
    perfect = statistics.replicate_interval(1.0, np.ones(500), 9)
    expected = statistics.wilson_interval(1.0, 10, 9)
    assert (perfect.low, perfect.high) == (expected.low, expected.high)
    assert math.isnan(statistics.replicate_interval(0.5, np.full(9, math.nan), 9).low)


def test_percentile_interval_is_the_middle() -> None:
    """The percentile interval leaves 2.5 % of the replicates on either side."""
    ends = statistics.percentile_interval(np.append(np.arange(1001.0), math.nan))
    assert (ends.low, ends.high) == pytest.approx((25, 975))
    assert math.isnan(statistics.percentile_interval(np.array([1.0])).low)


def test_a_permutation_finds_a_difference_and_none() -> None:
    """A clear difference has a p near its smallest value; equal scores have a p of 1."""
    rng = np.random.default_rng(5)
    patient = np.repeat(np.arange(80), 3)
    truth = (rng.random(80) < 0.4)[patient]
    good, bad = truth + 0.3 * rng.normal(size=240), rng.normal(size=240)
    options = {"permutations": 499, "rng": np.random.default_rng(0)}
    assert statistics.permutation_p(truth, bad, good, patient, **options) == 1 / 500
    assert statistics.permutation_p(truth, good, good, patient, **options) == 1
    assert math.isnan(statistics.permutation_p(truth[:0], [], [], [], **options))


def test_a_permutation_keeps_patients_whole() -> None:
    """Images of one patient are exchanged together: with one patient nothing can be shown."""
    rng = np.random.default_rng(5)
    truth = np.arange(40) < 20
    good, bad = truth + 0.1 * rng.normal(size=40), rng.normal(size=40)
    p = statistics.permutation_p(
        truth, bad, good, np.zeros(40), permutations=199, rng=np.random.default_rng(0)
    )
    assert p == 1


def test_a_permutation_is_exact_by_enumeration() -> None:
    """With few patients the p-value is the share of all exchanges that are as far apart."""
    rng = np.random.default_rng(9)
    patient = np.repeat(np.arange(6), 2)
    truth = np.array([1, 0] * 6, dtype=bool)
    first, second = rng.normal(size=12) + truth, rng.normal(size=12)
    ranks = np.stack([np.argsort(np.argsort(values)) for values in (first, second)])
    observed, apart = None, []
    for code in range(2**6):
        flip = (code >> patient) & 1 == 1
        a, b = np.where(flip, ranks[1], ranks[0]), np.where(flip, ranks[0], ranks[1])
        apart.append(abs(metrics.auroc_score(truth, b) - metrics.auroc_score(truth, a)))
        observed = apart[0] if observed is None else observed
    expected = np.mean(np.array(apart) >= observed - 1e-12)
    found = statistics.permutation_p(
        truth, first, second, patient, permutations=20_000, rng=np.random.default_rng(0)
    )
    assert found == pytest.approx(expected, abs=0.015)
