"""Metrics on worked examples, at their undefined edges, and their refusals."""

import doctest
import math

import numpy as np
import pytest

from cxr import metrics
from cxr.statistics import coverage

TABLE = metrics.Confusion(tp=6, fp=2, fn=4, tn=8)


@pytest.mark.parametrize(
    ("score", "value"),
    [
        (metrics.precision_score, 6 / 8),
        (metrics.recall_score, 6 / 10),
        (metrics.specificity_score, 8 / 10),
        (metrics.negative_predictive_value_score, 8 / 12),
        (metrics.accuracy_score, 14 / 20),
        (metrics.f1_score, 12 / 18),
        (metrics.balanced_accuracy_score, 0.7),
        (metrics.matthews_score, (48 - 8) / math.sqrt(8 * 10 * 10 * 12)),
        (metrics.youden_score, 0.4),
    ],
)
def test_rates_of_a_worked_table(score, value: float) -> None:
    """Each rate of a confusion table is the textbook's."""
    assert score(TABLE) == pytest.approx(value, abs=1e-15)


@pytest.mark.parametrize(
    ("score", "table"),
    [
        (metrics.precision_score, metrics.Confusion(0, 0, 3, 7)),
        (metrics.recall_score, metrics.Confusion(0, 3, 0, 7)),
        (metrics.specificity_score, metrics.Confusion(3, 0, 7, 0)),
        (metrics.negative_predictive_value_score, metrics.Confusion(3, 7, 0, 0)),
        (metrics.accuracy_score, metrics.Confusion(0, 0, 0, 0)),
        (metrics.f1_score, metrics.Confusion(0, 0, 0, 9)),
        (metrics.balanced_accuracy_score, metrics.Confusion(3, 0, 7, 0)),
        (metrics.matthews_score, metrics.Confusion(0, 0, 3, 7)),
    ],
)
def test_an_undefined_rate_is_nan(score, table: metrics.Confusion) -> None:
    """A rate over nothing is NaN, never 0 or 0.5."""
    assert math.isnan(score(table))


def test_f1_of_nothing_found_is_zero() -> None:
    """Positives of which none is called give an F1 of 0: that is a result, not a gap."""
    assert metrics.f1_score(metrics.Confusion(0, 0, 3, 7)) == 0


def test_rates_take_arrays() -> None:
    """A table of arrays gives an array, NaN only where the rate is undefined."""
    table = metrics.Confusion(
        np.array([6, 0]), np.array([2, 0]), np.array([4, 3]), np.array([8, 7])
    )
    assert metrics.precision_score(table) == pytest.approx([0.75, math.nan], nan_ok=True)


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_auroc_of_one_class_is_nan(truth: list[int]) -> None:
    """AUROC needs both classes."""
    assert math.isnan(metrics.auroc_score(truth, [1.0, 2.0, 3.0]))
    assert math.isnan(metrics.partial_auroc_score(truth, [1.0, 2.0, 3.0], max_fpr=0.5))


def test_average_precision_without_a_positive_is_nan() -> None:
    """Average precision and its lift need a positive."""
    assert math.isnan(metrics.average_precision_score([0, 0], [0.1, 0.2]))
    assert math.isnan(metrics.average_precision_lift_score([0, 0], [0.1, 0.2]))


def test_no_cases_at_all() -> None:
    """Empty input is undefined, not an error: a subgroup may be empty."""
    assert math.isnan(metrics.auroc_score([], []))
    assert math.isnan(metrics.average_precision_score([], []))
    assert math.isnan(metrics.brier_loss([], []))
    assert math.isnan(metrics.subset_accuracy_score(np.zeros((0, 14)), np.zeros((0, 14))))


def test_a_constant_score_ranks_like_chance() -> None:
    """All ties: AUROC is one half, average precision the prevalence, lift one."""
    truth = [1, 0, 0, 1, 0]
    assert metrics.auroc_score(truth, [2.0] * 5) == 0.5
    assert metrics.average_precision_score(truth, [2.0] * 5) == 0.4
    assert metrics.average_precision_lift_score(truth, [2.0] * 5) == 1


def test_weights_repeat_cases() -> None:
    """A weight of 3 is the case three times, a weight of 0 is no case."""
    truth, score, weight = [1, 0, 1, 0], [0.9, 0.8, 0.3, 0.1], [3, 1, 0, 2]
    truths, scores = np.repeat(truth, weight), np.repeat(score, weight)
    for metric in (metrics.auroc_score, metrics.average_precision_score):
        assert metric(truth, score, weight=weight) == metric(truths, scores)


def test_subset_accuracy_wants_every_label_right() -> None:
    """One wrong label of a case makes the case wrong."""
    assert metrics.subset_accuracy_score([[1, 0], [1, 1]], [[1, 0], [1, 0]]) == 0.5


def test_a_chosen_threshold_is_the_best_one() -> None:
    """The chosen threshold gives the largest criterion; of equals the highest score."""
    truth, score = [1, 1, 0, 1, 0, 0], [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert metrics.choose_threshold(truth, score, metrics.f1_score) == 3.0
    assert metrics.choose_threshold(truth, score, metrics.youden_score) == 5.0
    assert math.isnan(metrics.choose_threshold([0, 0], [1.0, 2.0], metrics.youden_score))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.auroc_score([0, 2], [1.0, 2.0]), r"y_true\[1\] is .*2.*only 0 and 1"),
        (lambda: metrics.auroc_score([[0, 1]], [[1.0, 2.0]]), "must have one axis"),
        (lambda: metrics.auroc_score([0, 1], [1.0]), r"score has shape \(1,\)"),
        (lambda: metrics.auroc_score([0, 1], [1.0, math.nan]), r"score\[1\] is not finite"),
        (lambda: metrics.auroc_score([0, 1], [1.0, 2.0], weight=[1, -1]), "none below 0"),
        (lambda: metrics.partial_auroc_score([0, 1], [1.0, 2.0], max_fpr=2.0), r"in \(0, 1\]"),
        (lambda: metrics.brier_loss([0, 1], [0.5, 1.5]), "turn logits into probabilities"),
        (lambda: metrics.subset_accuracy_score([1, 0], [1, 0]), r"must be \(cases, labels\)"),
        (lambda: metrics.confusion([0, 1], [1]), r"call has shape \(1,\)"),
    ],
)
def test_arguments_without_sense_are_refused(call, message: str) -> None:
    """Arguments that make no sense raise ValueError and say which."""
    with pytest.raises(ValueError, match=message):
        call()


def test_the_examples_in_the_docstrings_hold() -> None:
    """Every example in the documentation of metrics and statistics gives what it shows."""
    for module in (metrics, coverage):
        found = doctest.testmod(module)
        assert found.attempted > 0
        assert found.failed == 0


@pytest.mark.parametrize("decimals", [1, 12])
@pytest.mark.parametrize("max_fpr", [0.1, 0.2, 0.5])
def test_influences_stand_for_a_bootstrap_of_the_partial_auroc(
    decimals: int, max_fpr: float
) -> None:
    """Resampled means of the influences spread like the partial AUROC of resampled cases."""
    rng = np.random.default_rng(3)
    truth = np.arange(600) % 5 == 0
    score = np.round(rng.normal(size=600) + truth, decimals)
    moved = metrics.partial_auroc_influences(truth, score, max_fpr=max_fpr)
    assert moved.sum() == pytest.approx(0, abs=1e-9)
    exact, linear = [], []
    for _ in range(400):
        weight = np.bincount(rng.integers(600, size=600), minlength=600)
        exact.append(metrics.partial_auroc_score(truth, score, max_fpr=max_fpr, weight=weight))
        linear.append(float((moved * weight).sum()) / 600)
    apart = np.array(exact) - metrics.partial_auroc_score(truth, score, max_fpr=max_fpr)
    assert np.std(linear) == pytest.approx(np.std(apart), rel=0.12)
    assert np.corrcoef(linear, apart)[0, 1] > 0.95


def test_influences_of_one_class_are_unknown() -> None:
    """Without both classes nothing moves anything."""
    assert np.isnan(metrics.partial_auroc_influences([1, 1], [0.1, 0.2], max_fpr=0.2)).all()
