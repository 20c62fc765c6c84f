"""Metrics equal scikit-learn's on any input, and keep the laws of ranking."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from cxr import metrics

CLOSE = {"rel": 0, "abs": 1e-12, "nan_ok": True}


unhurried = settings(deadline=None)  # machines that run tests may be busy


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Truth, scores and weights; random, tied, of one class, one case, weighted with zeros."""
    size = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = rng.random(size) < draw(st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.95, 1.0]))
    score = rng.normal(size=size) + truth
    decimals = draw(st.sampled_from([0, 1, 12]))
    weight = draw(st.sampled_from(["none", "counts", "real"]))
    weights = {"none": None, "counts": rng.poisson(1.0, size), "real": rng.random(size) + 1e-3}
    return truth, np.round(score, decimals) * draw(st.sampled_from([1e-3, 1, 1e6])), weights[weight]


def _both(truth: np.ndarray, weight: np.ndarray | None) -> bool:
    mass = np.ones(len(truth)) if weight is None else weight
    return mass[truth].sum() > 0 and mass[~truth].sum() > 0


@unhurried
@given(cases())
def test_auroc_equals_scikit_learn(case) -> None:
    """AUROC is scikit-learn's to 1e-12; without both classes it is NaN."""
    truth, score, weight = case
    ours = metrics.auroc_score(truth, score, weight=weight)
    if not _both(truth, weight):
        assert math.isnan(ours)
        return
    theirs = sklearn.roc_auc_score(truth, score, sample_weight=weight)
    assert ours == pytest.approx(theirs, **CLOSE)


@unhurried
@given(cases(), st.floats(0.01, 0.99))
def test_partial_auroc_equals_scikit_learn(case, max_fpr: float) -> None:
    """The standardised partial AUROC is scikit-learn's to 1e-12."""
    truth, score, weight = case
    if not _both(truth, weight):
        return
    ours = metrics.partial_auroc_score(truth, score, max_fpr=max_fpr, weight=weight)
    theirs = sklearn.roc_auc_score(truth, score, sample_weight=weight, max_fpr=max_fpr)
    assert ours == pytest.approx(theirs, **CLOSE)


@unhurried
@given(cases())
def test_average_precision_equals_scikit_learn(case) -> None:
    """Average precision is scikit-learn's to 1e-12; without a positive it is NaN."""
    truth, score, weight = case
    ours = metrics.average_precision_score(truth, score, weight=weight)
    mass = np.ones(len(truth)) if weight is None else weight
    if not mass[truth].sum() > 0:
        assert math.isnan(ours)
        return
    theirs = sklearn.average_precision_score(truth, score, sample_weight=weight)
    assert ours == pytest.approx(theirs, **CLOSE)
    lift = metrics.average_precision_lift_score(truth, score, weight=weight)
    prevalence = np.average(truth, weights=mass)
    assert lift == pytest.approx(theirs / prevalence, rel=1e-12)


@unhurried
@given(cases())
def test_rates_equal_scikit_learn(case) -> None:
    """Every rate at a threshold is scikit-learn's to 1e-12, and NaN where that one gives up."""
    truth, score, weight = case
    call = score >= np.median(score)
    table = metrics.confusion(truth, call, weight=weight)
    if weight is not None and not np.sum(weight) > 0:
        assert math.isnan(metrics.accuracy_score(table))
        return
    options = {"sample_weight": weight, "zero_division": np.nan}
    pairs = [
        (metrics.precision_score, sklearn.precision_score(truth, call, **options)),
        (metrics.recall_score, sklearn.recall_score(truth, call, **options)),
        (metrics.specificity_score, sklearn.recall_score(~truth, ~call, **options)),
        (
            metrics.negative_predictive_value_score,
            sklearn.precision_score(~truth, ~call, **options),
        ),
        (metrics.f1_score, sklearn.f1_score(truth, call, **options)),
    ]
    for ours, theirs in pairs:
        assert ours(table) == pytest.approx(theirs, **CLOSE)
    accuracy = sklearn.accuracy_score(truth, call, sample_weight=weight)
    assert metrics.accuracy_score(table) == pytest.approx(accuracy, **CLOSE)
    matthews = metrics.matthews_score(table)
    if not math.isnan(matthews):
        theirs = sklearn.matthews_corrcoef(truth, call, sample_weight=weight)
        assert matthews == pytest.approx(theirs, **CLOSE)


@unhurried
@given(cases())
def test_losses_equal_scikit_learn(case) -> None:
    """Brier and log loss are scikit-learn's to 1e-12."""
    truth, score, weight = case
    if weight is not None and not np.sum(weight) > 0:
        return
    chance = 1 / (1 + np.exp(-np.clip(score, -50, 50)))
    brier = sklearn.brier_score_loss(truth, chance, sample_weight=weight, pos_label=True)
    assert metrics.brier_loss(truth, chance, weight=weight) == pytest.approx(brier, **CLOSE)
    theirs = sklearn.log_loss(truth, chance, sample_weight=weight, labels=[False, True])
    ours = metrics.log_loss(truth, chance, weight=weight)
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


@unhurried
@given(cases())
def test_curves_equal_scikit_learn(case) -> None:
    """The ROC curve is scikit-learn's, every corner of it."""
    truth, score, _ = case
    if not _both(truth, None):
        return
    ours = metrics.roc_curve(truth, score)
    theirs = sklearn.roc_curve(truth, score, drop_intermediate=False)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(other, **CLOSE)
    precision, recall, thresholds = metrics.precision_recall_curve(truth, score)
    expected = sklearn.precision_recall_curve(truth, score)
    assert precision[::-1] == pytest.approx(expected[0][:-1], **CLOSE)
    assert recall[::-1] == pytest.approx(expected[1][:-1], **CLOSE)
    assert thresholds[::-1] == pytest.approx(expected[2], **CLOSE)


@unhurried
@given(cases())
def test_ranking_metrics_ignore_the_scale(case) -> None:
    """A strictly increasing change of scores changes neither AUROC nor average precision."""
    truth, score, weight = case
    levels, place = np.unique(score, return_inverse=True)
    other = np.cumsum(np.arange(1.0, len(levels) + 1))[place]
    for metric in (metrics.auroc_score, metrics.average_precision_score):
        before, after = metric(truth, score, weight=weight), metric(truth, other, weight=weight)
        assert before == pytest.approx(after, rel=0, abs=0, nan_ok=True)


@unhurried
@given(cases())
def test_a_turned_score_turns_the_auroc(case) -> None:
    """The AUROC of the negated score is one less the AUROC."""
    truth, score, weight = case
    turned = metrics.auroc_score(truth, -score, weight=weight)
    assert 1 - turned == pytest.approx(metrics.auroc_score(truth, score, weight=weight), **CLOSE)


@unhurried
@given(cases())
def test_scores_keep_their_range(case) -> None:
    """No score leaves its range, whatever the input."""
    truth, score, weight = case
    table = metrics.confusion(truth, score >= 0, weight=weight)
    values = [
        metrics.auroc_score(truth, score, weight=weight),
        metrics.average_precision_score(truth, score, weight=weight),
        metrics.f1_score(table),
        metrics.balanced_accuracy_score(table),
        (metrics.matthews_score(table) + 1) / 2,
    ]
    assert all(math.isnan(value) or -1e-12 <= value <= 1 + 1e-12 for value in values)
