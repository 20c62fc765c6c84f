"""The preflight: silent nonsense is named, and an honest network passes without a word."""

import numpy as np
import pandas as pd
import pytest

from benchmark.config import EvaluationConfig
from benchmark.evaluation.preflight import foresee, order_matrix, preflight
from cxr import metrics
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from tests.score_tables import make_cases, make_logits

SETTINGS = EvaluationConfig()


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return make_cases(patients=300).assign(split="validate")


@pytest.fixture(scope="module")
def logits(cases: pd.DataFrame) -> np.ndarray:
    return make_logits(cases)


def _words(cases: pd.DataFrame, scores: np.ndarray) -> list[str]:
    return [notice.words for notice in preflight(cases, {"resnet50": scores}, SETTINGS)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_an_honest_network_is_not_suspected(
    cases: pd.DataFrame, seed: int, strength: float
) -> None:
    """A network that learned much, little or nothing, in the right order, raises no notice."""
    assert _words(cases, make_logits(cases, strength=strength, seed=seed)) == []


@pytest.mark.parametrize("seed", range(5))
def test_related_findings_may_beat_the_diagonal(
    cases: pd.DataFrame, logits: np.ndarray, seed: int
) -> None:
    """A label that a related finding's column ranks better is not suspected: one way only."""
    scores = logits.copy()
    heart, wide = OBSERVATIONS.index("Cardiomegaly"), OBSERVATIONS.index("Edema")
    table = cases.copy()
    table["label:Edema"] = table["label:Cardiomegaly"]
    table.loc[::9, "label:Edema"] = np.nan
    scores[:, wide] = scores[:, heart] + np.random.default_rng(seed).normal(0, 2, len(scores))
    assert _words(table, scores) == []


def test_swapped_columns_are_found(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """Two columns in each other's place are named, each with both AUROCs."""
    order = np.arange(14)
    order[[3, 10]] = 10, 3
    (words,) = _words(cases, logits[:, order])
    assert words.startswith("The outputs of resnet50 may stand in another order")
    assert "Lung Opacity is ranked better by the column of Pleural Effusion" in words
    assert "Pleural Effusion is ranked better by the column of Lung Opacity" in words


def test_another_order_of_observations_is_found(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """Columns in alphabetical order, a common mistake, are found."""
    (words,) = _words(cases, logits[:, np.argsort(OBSERVATIONS)])
    assert words.count("is ranked better by the column of") >= 8


def test_a_turned_sign_is_found(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """A column that ranks its label clearly below chance is named."""
    turned = logits * np.where(np.arange(14) == OBSERVATIONS.index("Edema"), -1, 1)
    (words,) = _words(cases, turned)
    assert words.startswith("resnet50 ranks Edema below chance on validation (AUROC 0.")


def test_the_same_scores_for_every_image_stop(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """Outputs that do not depend on the image stop the run, rounding noise or not."""
    same = np.broadcast_to(logits[0], logits.shape) * (1 + 1e-9 * np.arange(len(logits))[:, None])
    (notice,) = preflight(cases, {"resnet50": same}, SETTINGS)
    assert notice.stops
    assert "the same scores for every image" in notice.words


def test_a_constant_column_is_named(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """One output that never changes is a warning that names it."""
    scores = logits.copy()
    scores[:, OBSERVATIONS.index("Fracture")] = -2.0
    (notice,) = preflight(cases, {"resnet50": scores}, SETTINGS)
    assert not notice.stops
    assert notice.words.endswith("one and the same score to every image for Fracture.")


def test_a_patient_in_two_splits_stops(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """One patient on both sides of the split stops the run and is named, before any warning."""
    leak = pd.concat([cases, cases[:1].assign(split="test")])
    constant = logits.copy()
    constant[:, 0] = 0
    first, second = preflight(leak, {"resnet50": constant}, SETTINGS)
    assert first.stops
    assert "1 patient(s) have images in more than one split, the first of them 'p0000'" in (
        first.words
    )
    assert not second.stops


def test_scores_that_are_not_finite_are_refused(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """A diverged network is refused with the row and the observation."""
    scores = logits.copy()
    scores[4, 5] = np.inf
    with pytest.raises(InputError, match="for 'Edema' in row 5 is inf"):
        preflight(cases, {"resnet50": scores}, SETTINGS)


def test_the_matrix_scores_every_label_by_every_column(
    cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """Entry (i, j) is the AUROC of column j for label i; rare labels have no row."""
    areas, _, _ = order_matrix(cases, logits, min_patients=10)
    present = cases["label:Edema"].isin((1.0, -1.0)).to_numpy()
    for column in (0, 5):
        expected = metrics.auroc_score(present, logits[:, column].astype(float))
        assert areas[OBSERVATIONS.index("Edema"), column] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(areas[OBSERVATIONS.index("Pleural Other")]).all()


def test_too_few_validation_patients_are_not_judged() -> None:
    """A validation set too small to tell anything raises no notice."""
    few = make_cases(patients=6).assign(split="validate")
    assert _words(few, -make_logits(few)) == []


def test_what_a_network_does_not_tell_is_not_looked_at(
    cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """A model with fewer outputs is no suspect; those that it has are looked at all the same."""
    fewer = np.where(np.arange(14) == 5, np.nan, logits)
    assert _words(cases, fewer) == []
    order = np.arange(14)
    order[[3, 10]] = 10, 3
    assert "another order" in _words(cases, fewer[:, order])[0]


def test_without_a_validation_set_it_looks_at_the_cases_there_are(
    cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """Score tables have test cases alone; a turned sign is seen there, and the words say where."""
    turned = np.where(np.arange(14) == 5, -logits, logits)
    found = preflight(cases.assign(split="test"), {"n": turned}, SETTINGS, look="test")
    assert "below chance on the test cases" in found[0].words


def test_before_training_it_says_what_the_test_set_is_enough_for(cases: pd.DataFrame) -> None:
    """An observation counts with ten patients on either side; with fewer patients none does."""
    test = cases.assign(split="test")
    few = test["patient_id"].isin(test["patient_id"].unique()[:12])
    assert "enough for 0 of 14" in foresee(test[few], EvaluationConfig())
    told = foresee(test, EvaluationConfig())
    assert told.startswith(f"{len(test)} test images of {test['patient_id'].nunique()} patients")
    assert "enough for 0 of 14" not in told
