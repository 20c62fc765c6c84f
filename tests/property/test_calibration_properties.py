"""Laws of calibration errors, lines and scalings, and of what they leave alone."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from cxr.metrics import auroc_score, log_loss
from cxr.statistics import (
    calibration_error,
    calibration_line,
    corrected_calibration_error,
    fit_platt,
    fit_temperature,
)

unhurried = settings(deadline=None, max_examples=40)  # machines that run tests may be busy


@st.composite
def answered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, logits and patients: few or many, tied or extreme scores, sometimes one class."""
    size = draw(st.integers(1, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = rng.random(size) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    spread = draw(st.sampled_from([0.1, 1.0, 30.0]))
    logits = np.round(spread * (rng.normal(size=size) + truth), draw(st.sampled_from([0, 2, 9])))
    return truth, logits, rng.integers(draw(st.integers(1, size)), size=size)


@unhurried
@given(answered())
def test_errors_lie_between_nothing_and_one(case) -> None:
    """The corrected error is no more than the plain one, and both lie in 0 to 1."""
    truth, logits, patient = case
    plain = calibration_error(truth, expit(logits))
    corrected = corrected_calibration_error(truth, expit(logits), patient)
    assert 0 <= corrected <= plain + 1e-12 <= 1 + 2e-12


@unhurried
@given(answered())
def test_turning_classes_and_scores_changes_no_error(case) -> None:
    """The chance of absence is calibrated as well as the chance of presence."""
    truth, logits, _ = case
    logits = logits + np.linspace(0, 1e-6, len(logits))  # groups don't depend on the order of ties
    one = calibration_error(truth, expit(logits), groups=1)
    other = calibration_error(~truth, expit(-logits), groups=1)
    assert math.isclose(one, other, abs_tol=1e-9)


@unhurried
@given(answered())
def test_a_scaling_is_no_worse_where_it_was_fitted(case) -> None:
    """A temperature never has a higher log loss on its own cases, and never moves the AUROC."""
    truth, logits, _ = case
    fitted = fit_temperature(truth, logits)
    assert 1 / 20.1 <= fitted.slope <= 20.1
    before, after = (log_loss(truth, expit(x)) for x in (logits, fitted.apply(logits)))
    assert after <= before + 1e-6
    if truth.any() and not truth.all():
        assert auroc_score(truth, fitted.apply(logits)) == auroc_score(truth, logits)


@unhurried
@given(answered())
def test_lines_and_platt_are_finite_or_unknown(case) -> None:
    """Whatever the scores, Platt's line is finite; the calibration line has both ends or none."""
    truth, logits, patient = case
    found = fit_platt(truth, logits)
    assert np.isfinite([found.slope, found.intercept]).all()
    line = calibration_line(truth, logits, patient)
    for value, ends in (
        (line.slope, line.slope_interval),
        (line.intercept, line.intercept_interval),
    ):
        assert math.isnan(value) == math.isnan(ends.low) == math.isnan(ends.high)
        assert math.isnan(value) or ends.low <= value <= ends.high
