"""The study of remedies reads its scores as its plan says."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from cxr.observations import OBSERVATIONS

FOLDER = Path(__file__).parents[2] / "results" / "remedies"
NAMES = list(OBSERVATIONS)
CELLS = ["bce", "better", "same"]


@pytest.fixture(scope="module")
def reading():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import reading

        yield reading
        sys.modules.pop("reading")


@pytest.fixture(scope="module")
def cases():
    random = np.random.default_rng(0)
    patients = np.repeat(np.arange(400), 2)
    shares = np.where(np.arange(14) < 7, 0.3, 0.06)
    truth = random.random((800, 14)) < shares
    frame = pd.DataFrame({"image_id": np.arange(800).astype(str), "patient_id": patients})
    frame["split"] = np.where(patients < 100, "train", np.where(patients < 160, "validate", "test"))
    for k, name in enumerate(NAMES):
        frame[f"truth:{name}"] = truth[:, k]
        hedged = truth[:, k] & (random.random(800) < 0.1)
        frame[f"label:{name}"] = np.where(hedged, -1.0, np.where(truth[:, k], 1.0, np.nan))
    return frame


@pytest.fixture(scope="module")
def scores(cases):
    """One cell is better by far, one is the baseline with other noise; three seeds each."""
    random = np.random.default_rng(1)
    truth = cases[[f"truth:{name}" for name in NAMES]].to_numpy(float)
    shared = random.normal(0, 1, truth.shape)
    kept = (cases["split"] != "train").to_numpy()
    tables = {}
    for cell in CELLS:
        for seed in range(3):
            strength = 2.5 if cell == "better" else 1.0
            logits = truth * strength + shared + random.normal(0, 0.3, truth.shape)
            table = pd.DataFrame(logits[kept], columns=NAMES)
            table.insert(0, "split", cases["split"][kept].to_numpy())
            tables[cell, seed] = table
    return tables


def test_means_are_those_of_scikit_learn(reading, cases, scores):
    """A group's mean is the mean of scikit-learn's metrics, over observations and seeds."""
    table, about = reading.read(cases, scores, CELLS)
    test = cases[cases["split"] == "test"]
    for metric, function in (
        ("auroc", roc_auc_score),
        ("average_precision", average_precision_score),
    ):
        expected = [
            function(test[f"truth:{name}"], scores["same", seed].query("split == 'test'")[name])
            for seed in range(3)
            for name in about["rare_estimable"]
        ]
        row = table.query(
            "split == 'test' and labels == 'truth' and group == 'rare' and cell == 'same'"
            f" and metric == '{metric}'"
        )
        assert row["mean"].item() == pytest.approx(np.mean(expected))


def test_rare_is_what_few_training_images_have(reading, cases, scores):
    """The seven that were planted as rare are found, and no other."""
    about = reading.read(cases, scores, CELLS)[1]
    assert set(about["rare"]) == set(NAMES[7:])
    assert set(about["rare_estimable"]) <= set(about["rare"])


def test_a_better_cell_is_shown_and_chosen_and_a_like_one_is_not(reading, cases, scores):
    """Holm's p tells the planted difference from none; validation chooses it."""
    table, about = reading.read(cases, scores, CELLS)
    asked = table[table["p_holm"].notna()]
    assert len(asked) == 2 * 2  # two remedies, two metrics
    assert (asked.loc[asked["cell"] == "better", "p_holm"] < 0.001).all()
    assert (asked.loc[asked["cell"] == "same", "p_holm"] > 0.05).all()
    assert about["chosen_on_validation"] == "better"


def test_seeds_widen_the_interval(reading):
    """The variance over seeds is the two-way residual's, worked out by hand."""
    points = {("a", 0): 0.5, ("a", 1): 0.6, ("b", 0): 0.7, ("b", 1): 0.6}
    values = {key: np.full((1, 11), value) for key, value in points.items()}
    rows = reading.compare_cells(values, ["a", "b"], [0, 1], np.array([0]), 20.0)
    assert rows[1]["difference"] == pytest.approx(0.1)
    assert rows[1]["error_patients"] == pytest.approx(0)
    # residuals are 0.05 four times: mean square 0.01 on one degree of freedom, times 2 / 2 seeds
    assert rows[1]["error_seeds"] == pytest.approx(0.1)
    alone = {key: value for key, value in values.items() if key[1] == 0}
    assert reading.compare_cells(alone, ["a", "b"], [0], np.array([0]), 20.0)[1][
        "error_seeds"
    ] == pytest.approx(0)
