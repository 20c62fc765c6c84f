"""Differences of AUROCs on the same, on other and on partly the same patients."""

import math

import numpy as np
import pytest

from cxr.statistics import (
    Answered,
    clustered_aurocs,
    paired_area_difference,
    unpaired_area_difference,
)


def _drawn(rng: np.random.Generator, patients: np.ndarray, gains: tuple[float, ...]) -> tuple:
    """Three images of each patient, and correlated scores that rise by `gains`."""
    patient = np.repeat(patients, 3)
    truth = (rng.random(len(patients)) < 0.4)[np.searchsorted(patients, patient)]
    common = rng.normal(size=len(patients))[np.searchsorted(patients, patient)]
    scores = [gain * truth + common + rng.normal(size=len(patient)) for gain in gains]
    return truth, scores, patient


def test_paired_is_the_contrast_of_the_clustered_covariance() -> None:
    """The paired difference has the error that the covariance of both areas gives."""
    truth, (before, after), patient = _drawn(np.random.default_rng(0), np.arange(50), (1.0, 1.3))
    found = paired_area_difference(truth, before, after, patient)
    areas = clustered_aurocs(truth, np.stack([before, after], axis=1), patient)
    variance = areas.covariance[0, 0] + areas.covariance[1, 1] - 2 * areas.covariance[0, 1]
    assert found.value == pytest.approx(areas.auroc[1] - areas.auroc[0], abs=1e-12)
    assert found.error == pytest.approx(math.sqrt(variance), abs=1e-12)
    assert found.interval.low < found.value < found.interval.high


def test_without_a_patient_in_common_variances_add_up() -> None:
    """Two separate samples: the squared error is the sum of both areas' variances."""
    rng = np.random.default_rng(1)
    sides = []
    for patients in (np.arange(40), np.arange(40, 100)):
        truth, (score,), patient = _drawn(rng, patients, (1.0,))
        sides.append(Answered(truth, score, patient))
    found = unpaired_area_difference(*sides)
    areas = [clustered_aurocs(one.y_true, one.score, one.patient) for one in sides]
    assert found.value == pytest.approx(float(areas[1].auroc[0] - areas[0].auroc[0]), abs=1e-12)
    variance = sum(float(area.covariance[0, 0]) for area in areas)
    assert found.error**2 == pytest.approx(variance, abs=1e-15)


def test_with_all_patients_in_common_it_is_nearly_the_paired_error() -> None:
    """The unpaired form on the same cases differs from the paired by small-sample factors alone."""
    truth, (before, after), patient = _drawn(np.random.default_rng(2), np.arange(200), (1.0, 1.3))
    paired = paired_area_difference(truth, before, after, patient)
    unpaired = unpaired_area_difference(
        Answered(truth, before, patient), Answered(truth, after, patient)
    )
    assert unpaired.value == pytest.approx(paired.value, abs=1e-12)
    assert unpaired.error == pytest.approx(paired.error, rel=0.03)
    assert unpaired.error >= paired.error


def test_patients_in_common_are_dependent() -> None:
    """The error that half of the patients in common give is the spread over simulated samples."""
    rng = np.random.default_rng(3)
    values, errors = [], []
    for _ in range(400):
        truth, (before, after), patient = _drawn(rng, np.arange(90), (1.0, 1.0))
        first, second = patient < 60, patient >= 30
        found = unpaired_area_difference(
            Answered(truth[first], before[first], patient[first]),
            Answered(truth[second], after[second], patient[second]),
        )
        values.append(found.value)
        errors.append(found.error)
    spread = float(np.std(values, ddof=1))
    assert np.mean(errors) == pytest.approx(spread, rel=0.12)  # 400 samples know it to 3.5 %


def test_one_class_gives_no_difference() -> None:
    """Where one side has no positive there is neither difference nor error."""
    side = Answered(np.array([True, False]), np.array([1.0, 0.0]), np.array([1, 2]))
    blank = Answered(np.array([False, False]), np.array([1.0, 0.0]), np.array([1, 2]))
    found = unpaired_area_difference(side, blank)
    assert math.isnan(found.value)
    assert math.isnan(found.error)
    assert math.isnan(paired_area_difference([False], [1.0], [2.0], [1]).error)
