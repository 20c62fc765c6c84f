import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from benchmark.config import EvaluationConfig
from benchmark.explanation.trust import CHECKS, SAMPLE, Check, sample_calls, trust_checks, verdict
from cxr.estimates import Estimate
from cxr.observations import NO_FINDING, OBSERVATIONS
from cxr.saliency import Explainer

torch.set_num_threads(1)
LESION = OBSERVATIONS.index("Lung Lesion")
LOW = Check("alike", "How alike?", 0.5, "below")
HIGH = Check("noise", "How stable?", 0.8, "above")


class Bright(nn.Module):
    """Calls every observation by brightness: the same map for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU())
        self.fc = nn.Linear(4, 14)
        with torch.no_grad():
            self.body[0].weight.fill_(1 / 48)
            self.body[0].bias.zero_()
            self.fc.weight.fill_(1.0)
            self.fc.bias.zero_()

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.body(images).mean((2, 3)))


@pytest.fixture
def cases() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": [f"p{row // 2}" for row in range(60)],
            "split": ["test"] * 50 + ["validate"] * 10,
        }
    )


@pytest.fixture
def images() -> Tensor:
    rng = np.random.default_rng(1)
    images = torch.zeros(60, 3, 32, 32)
    for image in images:
        down, across = rng.integers(0, 6, 2) * 4
        image[:, down : down + 8, across : across + 8] = 3.0
    return images


@pytest.fixture
def scores() -> np.ndarray:
    scores = np.full((60, 14), 0.1)
    scores[:40, LESION] = 0.9
    scores[:, OBSERVATIONS.index(NO_FINDING)] = 0.95
    return scores


def test_the_sample_is_of_called_test_images(cases, scores):
    """Called test images alone are sampled, for the observation called, not for No Finding."""
    rows, indices = sample_calls(cases, scores, threshold=0.5, rng=np.random.default_rng(0))
    assert len(rows) == SAMPLE == len(np.unique(rows))
    assert rows.max() < 40
    assert set(indices) == {LESION}


def test_one_map_for_all_observations_fails(cases, scores, images):
    """A network whose outputs share one map fails the question about different observations."""
    answers = trust_checks(
        Bright(),
        lambda model: Explainer(model, images[:1]),
        cases,
        scores,
        lambda rows: images[rows],
        EvaluationConfig(replicates=100),
    )
    found = {answer["name"]: answer for answer in answers}
    assert list(found) == [check.name for check in CHECKS]
    assert found["observations"]["value"]["estimate"] == pytest.approx(1)
    assert found["observations"]["verdict"] == "fails"
    assert found["blank"]["value"]["estimate"] == 0
    assert found["deletion_random"]["value"]["low"] > 0


def test_without_calls_nothing_is_estimable(cases, scores, images):
    """Where no observation is called, every check says why it has no answer."""
    answers = trust_checks(
        Bright(),
        lambda model: Explainer(model, images[:1]),
        cases,
        scores * 0,
        lambda rows: images[rows],
        EvaluationConfig(replicates=100),
    )
    assert {answer["verdict"] for answer in answers} == {"not estimable"}
    assert answers[0]["value"]["reason"] == "no test image on which an observation is called"


@pytest.mark.parametrize(
    ("check", "low", "high", "expected"),
    [
        (LOW, 0.1, 0.4, "passes"),
        (LOW, 0.4, 0.6, "undecided"),
        (LOW, 0.6, 0.8, "fails"),
        (HIGH, 0.85, 0.9, "passes"),
        (HIGH, 0.7, 0.9, "undecided"),
        (HIGH, 0.1, 0.2, "fails"),
    ],
)
def test_a_verdict_needs_the_whole_interval(check, low, high, expected):
    """A check passes or fails only where its whole interval lies on one side of the limit."""
    assert verdict(check, Estimate((low + high) / 2, low, high)) == expected


def test_other_seeds_are_asked_where_there_are_some(cases, scores, images):
    """A twin agrees wholly, a network that looks elsewhere does not, and alone none is asked."""

    class Dark(Bright):
        def forward(self, given: Tensor) -> Tensor:
            return super().forward(-given)

    def answer(*siblings) -> dict:
        checks = trust_checks(
            Bright(),
            lambda model: Explainer(model, images[:1]),
            cases,
            scores,
            lambda rows: images[rows] - 1,
            EvaluationConfig(replicates=100),
            siblings,
        )
        return {check["name"]: check for check in checks}

    assert "seeds" not in answer()
    twin = answer(Bright)["seeds"]
    assert twin["value"]["estimate"] == pytest.approx(1)
    assert twin["verdict"] == "passes"
    assert answer(Dark)["seeds"]["value"]["estimate"] < 0
    assert answer(Bright, Dark)["seeds"]["verdict"] == "fails"
