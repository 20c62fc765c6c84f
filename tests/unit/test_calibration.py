"""Calibration: errors, lines and scalings against other implementations and simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from benchmark.config import EvaluationConfig
from benchmark.evaluation.calibration import FITS, calibration_document
from benchmark.evaluation.operating import ValidationScores
from cxr.observations import OBSERVATIONS
from cxr.statistics import (
    calibration_error,
    calibration_line,
    corrected_calibration_error,
    fit_platt,
    fit_temperature,
)
from tests.score_tables import make_cases, make_logits


def _drawn(
    rng: np.random.Generator, patients: int = 200, each: int = 3, slope: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers whose log-odds are `slope` times the logits; patients share half of the logits."""
    patient = np.repeat(np.arange(patients), each)
    logits = rng.normal(size=patients)[patient] + rng.normal(size=len(patient)) - 1
    return rng.random(len(patient)) < expit(slope * logits), logits, patient


def test_the_error_of_hand_made_groups() -> None:
    """Two groups of two: the mean of |share of positives - mean score|."""
    found = calibration_error([False, True, True, True], [0.1, 0.3, 0.6, 0.8], groups=2)
    assert found == pytest.approx((abs(0.5 - 0.2) + abs(1.0 - 0.7)) / 2)
    assert calibration_error([False, True], [0.0, 1.0]) == 0.0


def test_right_scores_have_nearly_no_corrected_error() -> None:
    """Where scores are right, chance alone makes the plain error; the corrected one drops most."""
    rng = np.random.default_rng(0)
    plain, corrected = [], []
    for _ in range(60):
        truth, logits, patient = _drawn(rng, patients=100)
        plain.append(calibration_error(truth, expit(logits)))
        corrected.append(corrected_calibration_error(truth, expit(logits), patient))
    assert np.mean(corrected) < 0.4 * np.mean(plain)
    assert min(corrected) == 0.0


def test_wrong_scores_keep_their_error() -> None:
    """Where scores are too sure, the corrected error is nearer the true one than the plain."""
    rng = np.random.default_rng(1)
    truth, logits, patient = _drawn(rng, patients=40_000, each=1, slope=0.6)
    true = calibration_error(truth, expit(logits))
    plain, corrected = [], []
    for _ in range(60):
        truth, logits, patient = _drawn(rng, patients=100, slope=0.6)
        plain.append(calibration_error(truth, expit(logits)))
        corrected.append(corrected_calibration_error(truth, expit(logits), patient))
    assert abs(np.mean(corrected) - true) < abs(np.mean(plain) - true)
    assert np.mean(corrected) == pytest.approx(true, rel=0.15)


def test_the_slope_is_that_of_logistic_regression() -> None:
    """Slope and intercept equal scikit-learn's unpenalised fit, and the fit with the slope at 1."""
    truth, logits, patient = _drawn(np.random.default_rng(2), slope=0.7)
    line = calibration_line(truth, logits, patient)
    other = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(logits[:, None], truth)
    assert line.slope == pytest.approx(other.coef_[0, 0], abs=1e-5)
    assert expit(logits + line.intercept).mean() == pytest.approx(truth.mean(), abs=1e-9)


def test_intervals_of_the_line_cover() -> None:
    """95 % intervals hold slope 1 and intercept 0 in 90 to 99 % of simulated clustered sets."""
    rng = np.random.default_rng(3)
    held = []
    for _ in range(300):
        line = calibration_line(*_drawn(rng, patients=80))
        ends = line.slope_interval, line.intercept_interval
        held.append([ends[0].low <= 1 <= ends[0].high, ends[1].low <= 0 <= ends[1].high])
    assert ((np.mean(held, axis=0) > 0.90) & (np.mean(held, axis=0) < 0.99)).all()


def test_copies_of_images_do_not_narrow_the_line() -> None:
    """Each image five times, all of one patient, tells as much as once."""
    truth, logits, patient = _drawn(np.random.default_rng(4), each=1)
    one = calibration_line(truth, logits, patient)
    five = calibration_line(*(np.repeat(column, 5) for column in (truth, logits, patient)))
    for name in ("slope_interval", "intercept_interval"):
        assert getattr(five, name).low == pytest.approx(getattr(one, name).low, abs=1e-6)


@pytest.mark.parametrize("truth", [[True] * 4, [False] * 4, [False, False, True, True]])
def test_a_line_needs_both_classes_mixed(truth: list[bool]) -> None:
    """One class, or classes that a threshold separates, have no line."""
    line = calibration_line(truth, [0.0, 1.0, 2.0, 3.0], [1, 2, 3, 4])
    assert math.isnan(line.slope)
    assert math.isnan(line.intercept_interval.low)


def test_scalings_find_what_was_done_to_the_scores() -> None:
    """Scores three times too sure are cooled by three; a shift is found by Platt's way alone."""
    truth, logits, _ = _drawn(np.random.default_rng(5), patients=4000)
    assert fit_temperature(truth, 3 * logits).slope == pytest.approx(1 / 3, rel=0.05)
    moved = fit_platt(truth, 3 * logits + 2)
    assert moved.slope == pytest.approx(1 / 3, rel=0.05)
    assert moved.apply([2.0])[0] == pytest.approx(0.0, abs=0.08)


def test_platt_is_regression_on_smoothed_answers() -> None:
    """Platt's fit equals a weighted regression in which each case counts for both classes."""
    truth, logits, _ = _drawn(np.random.default_rng(6), patients=30)
    high = (truth.sum() + 1) / (truth.sum() + 2)
    low = 1 / ((~truth).sum() + 2)
    target = np.where(truth, high, low)
    other = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(
        np.tile(logits, 2)[:, None],
        np.repeat([1, 0], len(logits)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    found = fit_platt(truth, logits)
    assert (found.slope, found.intercept) == pytest.approx(
        (other.coef_[0, 0], other.intercept_[0]), abs=1e-5
    )


@pytest.mark.parametrize("fit", [fit_temperature, fit_platt])
def test_separated_classes_give_a_finite_scaling(fit) -> None:
    """Perfect scores don't drive a scaling to infinity, and order is kept."""
    found = fit([False] * 20 + [True] * 20, np.linspace(-2, 2, 40))
    assert 0 < found.slope <= 20.1
    assert np.isfinite(found.intercept)


@pytest.mark.parametrize(
    ("truth", "score", "message"),
    [
        ([], [], "at least one"),
        ([True], [0.1, 0.2], "one column of the same cases"),
        ([True], [math.nan], "is not finite"),
    ],
)
def test_arguments_without_sense(truth: list, score: list, message: str) -> None:
    """Lengths that differ, nothing at all and scores that are no numbers are refused."""
    for function in (calibration_error, fit_temperature, fit_platt):
        with pytest.raises(ValueError, match=message):
            function(truth, score)


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    cases = make_cases(patients=240)
    patient = cases["patient_id"].rank(method="dense")
    return cases.assign(split=np.where(patient <= 120, "validate", "test"))


def _scores(cases: pd.DataFrame, logits: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(logits, columns=list(OBSERVATIONS))
    return pd.concat([cases[["image_id", "split"]], table], axis=1)


def _document(cases: pd.DataFrame, logits: np.ndarray, **settings: object) -> dict:
    test = (cases["split"] == "test").to_numpy()
    return calibration_document(
        ValidationScores.of(cases, _scores(cases, logits)),
        cases[test],
        logits[test],
        network="a",
        seed=0,
        settings=EvaluationConfig(**settings),
    )


def test_the_document_measures_each_way_on_test(cases: pd.DataFrame) -> None:
    """Raw scores and each scaling have errors, slope and intercept; raw ones are not changed."""
    logits = 3 * make_logits(cases).astype(float)
    found = _document(cases, logits)
    assert list(found["ways"]) == ["none", "temperature", "platt"]
    raw, cooled = (found["ways"][way]["observations"]["Edema"] for way in ("none", "temperature"))
    assert raw["scaling"] == {"slope": 1.0, "intercept": 0.0}
    assert cooled["scaling"]["slope"] < 0.7
    assert cooled["brier"] < raw["brier"]
    assert cooled["slope"]["estimate"] == pytest.approx(
        raw["slope"]["estimate"] / cooled["scaling"]["slope"]
    )
    assert found["ways"]["platt"]["common"]["ece"] < found["ways"]["none"]["common"]["ece"]
    assert found["ways"]["none"]["observations"]["Pleural Other"]["reason"].endswith("are needed")
    assert _document(cases, logits, scaling=())["ways"].keys() == {"none"}


def test_scalings_see_no_test_case(cases: pd.DataFrame) -> None:
    """Other scores and labels of test cases change no scaling; those of validation do."""
    logits = make_logits(cases).astype(float)
    test = (cases["split"] == "test").to_numpy()
    before = _scalings(_document(cases, logits))
    other, labels = logits.copy(), cases.copy()
    other[test] *= -1
    labels.loc[test, "label:Edema"] = 1.0 - labels.loc[test, "label:Edema"].eq(1.0)
    assert _scalings(_document(labels, other)) == before
    moved = logits.copy()
    moved[~test] *= 2
    assert _scalings(_document(cases, moved)) != before


def _scalings(document: dict) -> dict:
    return {
        (way, name): entry["scaling"]
        for way in FITS
        for name, entry in document["ways"][way]["observations"].items()
    }


def test_without_validation_cases_there_is_no_scaling(cases: pd.DataFrame) -> None:
    """A run of test cases alone has raw errors, and scalings that say why they are missing."""
    found = _document(cases.assign(split="test"), make_logits(cases).astype(float))
    assert found["ways"]["none"]["macro"]["over"] > 0
    edema = found["ways"]["platt"]["observations"]["Edema"]
    assert (edema["ece"], edema["reason"]) == (None, "there are no validation cases")
