"""The seeds of one network as a network of its own."""

import json

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from benchmark.inference.prediction import read_scores
from benchmark.runs import Run
from benchmark.training.ensembles import mean_scores, write_ensembles
from cxr.observations import OBSERVATIONS

NAMES = list(OBSERVATIONS)


def table(logits):
    frame = pd.DataFrame(np.broadcast_to(logits, (3, 14)).astype(np.float32), columns=NAMES)
    frame.insert(0, "split", ["validate", "test", "test"])
    frame.insert(0, "image_id", ["a", "b", "c"])
    return frame


def test_probabilities_are_averaged():
    """The ensemble's probability is the mean of its members', kept as a logit."""
    random = np.random.default_rng(0)
    members = [random.normal(0, 2, (3, 14)) for _ in range(3)]
    mean = mean_scores([table(member) for member in members])
    expected = logit(np.mean([expit(member) for member in members], axis=0))
    np.testing.assert_allclose(mean[NAMES], expected, rtol=1e-5)
    assert mean[["image_id", "split"]].equals(table(0)[["image_id", "split"]])


def test_certain_members_stay_finite():
    """Logits at which a probability is 0 or 1 to the last digit have a finite mean."""
    assert np.isfinite(mean_scores([table(800.0), table(900.0)])[NAMES]).all(axis=None)
    np.testing.assert_allclose(mean_scores([table(-90.0), table(-90.0)])[NAMES], -90, rtol=1e-5)


def test_each_network_with_several_seeds_gets_one(tmp_path):
    """An ensemble has a folder with its scores and members; a network of one seed has none."""
    scores = {("a", 0): table(1.0), ("a", 4): table(2.0), ("b", 0): table(3.0)}
    made = write_ensembles(Run(tmp_path), scores)
    assert list(made) == [("a-ensemble", 0)]
    folder = tmp_path / "a-ensemble" / "seed-0"
    pd.testing.assert_frame_equal(read_scores(folder / "scores.parquet"), made["a-ensemble", 0])
    told = json.loads((folder / "ensemble.json").read_text())
    assert [member["seed"] for member in told["members"]] == [0, 4]
    assert told["mean_of"] == "probabilities"
