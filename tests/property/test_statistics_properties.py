"""The bootstrap is scikit-learn's weighted metric; p-values and clusters keep their laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from cxr import statistics

unhurried = settings(deadline=None)  # machines that run tests may be busy


@st.composite
def clustered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, scores and patients: few or many patients, tied scores, sometimes one class."""
    size = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = rng.random(size) < draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    score = np.round(rng.normal(size=size) + truth, draw(st.sampled_from([0, 1, 9])))
    return truth, score, rng.integers(draw(st.integers(1, size)), size=size)


@settings(unhurried, max_examples=40)
@given(clustered())
def test_every_replicate_equals_scikit_learn(case) -> None:
    """AUROC and average precision of each replicate are scikit-learn's weighted ones to 1e-12."""
    truth, score, patient = case
    draws = statistics.resample_patients(patient, replicates=8, rng=np.random.default_rng(0))
    found = statistics.ranked_replicates(truth, score, draws)
    for place, row in enumerate(draws.counts):
        weight = row[draws.patient]
        positives, negatives = weight[truth].sum(), weight[~truth].sum()
        if not positives:
            assert math.isnan(found.average_precision[place])
            assert math.isnan(found.auroc[place])
            continue
        expected = sklearn.average_precision_score(truth, score, sample_weight=weight)
        assert found.average_precision[place] == pytest.approx(expected, rel=0, abs=1e-12)
        if not negatives:
            assert math.isnan(found.auroc[place])
            continue
        expected = sklearn.roc_auc_score(truth, score, sample_weight=weight)
        assert found.auroc[place] == pytest.approx(expected, rel=0, abs=1e-12)


@unhurried
@given(clustered())
def test_clustered_areas_and_influence(case) -> None:
    """The area is scikit-learn's, and the patients' influences on it sum to 0."""
    truth, score, patient = case
    found = statistics.clustered_aurocs(truth, score, patient)
    if truth.all() or not truth.any():
        assert np.isnan(found.auroc).all()
        return
    assert found.auroc[0] == pytest.approx(sklearn.roc_auc_score(truth, score), rel=0, abs=1e-12)
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)


@unhurried
@given(clustered())
def test_swapping_the_classes_changes_nothing_but_the_direction(case) -> None:
    """Calling the classes the other way round and turning the score keeps area and variance."""
    truth, score, patient = case
    one = statistics.clustered_aurocs(truth, score, patient)
    other = statistics.clustered_aurocs(~truth, -score, patient)
    assert one.auroc == pytest.approx(other.auroc, rel=0, abs=1e-12, nan_ok=True)
    assert one.covariance == pytest.approx(other.covariance, rel=1e-9, abs=1e-12, nan_ok=True)


@unhurried
@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=14))
def test_holm_is_between_the_raw_p_and_bonferroni(values: list[float]) -> None:
    """Adjusting never makes a p smaller, never more than Bonferroni's, and keeps the order."""
    raw = np.array(values)
    adjusted = statistics.holm(raw)
    known = ~np.isnan(raw)
    assert (np.isnan(adjusted) == ~known).all()
    assert (adjusted[known] >= raw[known]).all()
    assert (adjusted[known] <= np.minimum(1, raw[known] * known.sum()) + 1e-15).all()
    order = np.argsort(raw[known], kind="stable")
    assert (np.diff(adjusted[known][order]) >= 0).all()


@unhurried
@given(clustered())
def test_intervals_hold_their_estimate_and_stay_in_range(case) -> None:
    """Whatever the data, an interval encloses its estimate and lies in [0, 1]."""
    truth, score, patient = case
    areas = statistics.clustered_aurocs(truth, score, patient)
    called = np.bincount(patient, weights=score >= 0)
    images = np.bincount(patient).astype(float)
    pairs = [
        (float(areas.auroc[0]), statistics.auroc_interval(areas)),
        (float(called.sum() / images.sum()), statistics.ratio_interval(called, images)),
    ]
    for estimate, ends in pairs:
        if not math.isnan(ends.low):
            assert 0 <= ends.low <= estimate <= ends.high <= 1


@unhurried
@given(clustered())
def test_the_interval_of_a_turned_score_is_the_mirror_image(case) -> None:
    """Turning the score turns the interval: no direction is favoured."""
    truth, score, patient = case
    one = statistics.auroc_interval(statistics.clustered_aurocs(truth, score, patient))
    other = statistics.auroc_interval(statistics.clustered_aurocs(truth, -score, patient))
    assert one.low == pytest.approx(1 - other.high, abs=1e-9, nan_ok=True)
    assert one.high == pytest.approx(1 - other.low, abs=1e-9, nan_ok=True)
