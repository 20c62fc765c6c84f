"""What a network loses on another collection: two samples of patients, one difference."""

import numpy as np
import pytest
from scipy.stats import norm

from benchmark.config import EvaluationConfig
from benchmark.evaluation.documents import evaluate
from benchmark.evaluation.transfer import Sample, transfer, transfer_words
from cxr.observations import OBSERVATIONS
from cxr.statistics import clustered_aurocs
from tests.score_tables import QUICK, make_cases, make_logits

SETTINGS = EvaluationConfig()


def _tested(*, patients: int, strength: float, seed: int, mark: str = "") -> Sample:
    cases = make_cases(patients=patients, seed=seed)
    cases["patient_id"] = mark + cases["patient_id"]
    return Sample(cases, make_logits(cases, strength=strength, seed=seed))


@pytest.fixture(scope="module")
def before() -> Sample:
    return _tested(patients=150, strength=2.0, seed=0)


@pytest.fixture(scope="module")
def after() -> Sample:
    return _tested(patients=120, strength=1.0, seed=1, mark="other ")


@pytest.fixture(scope="module")
def document(before: Sample, after: Sample) -> dict:
    return transfer(before, after, SETTINGS)


def test_both_sides_are_their_own_metrics(before: Sample, after: Sample, document: dict) -> None:
    """AUROCs and their intervals are those of the two metrics documents."""
    for side, tested in (("internal", before), ("external", after)):
        own = evaluate(tested.cases, tested.logits, network="n", seed=0, settings=QUICK)
        for name in OBSERVATIONS:
            found = document["observations"][name][side]
            assert found["estimate"] == own["observations"][name]["auroc"]["estimate"]
            assert found["low"] == pytest.approx(own["observations"][name]["auroc"]["low"] or None)


def test_independent_patients_add_their_variances(
    before: Sample, after: Sample, document: dict
) -> None:
    """The error of a difference is the root of the sum of two clustered variances."""
    place = OBSERVATIONS.index("Cardiomegaly")
    variances = [
        clustered_aurocs(
            tested.cases["label:Cardiomegaly"].isin((1, -1)).to_numpy(),
            tested.logits[:, place].astype(float),
            tested.patients,
        ).covariance[0, 0]
        for tested in (before, after)
    ]
    entry = document["observations"]["Cardiomegaly"]
    assert entry["error"] == pytest.approx(np.sqrt(sum(variances)))
    gap = entry["external"]["estimate"] - entry["internal"]["estimate"]
    assert entry["difference"]["estimate"] == pytest.approx(gap)
    assert entry["difference"]["low"] < gap < entry["difference"]["high"]
    assert entry["p"] == pytest.approx(2 * norm.sf(abs(gap) / entry["error"]), abs=0.02)


def test_the_macro_mean_is_over_what_both_can_tell(document: dict) -> None:
    """An observation that is rare in one collection is left out of both means."""
    known = [
        name
        for name, entry in document["observations"].items()
        if entry["difference"]["estimate"] is not None
    ]
    macro = document["macro"]
    assert macro["over"] == len(known) < 14
    for side in ("internal", "external"):
        mean = np.mean([document["observations"][name][side]["estimate"] for name in known])
        assert macro[side]["estimate"] == pytest.approx(mean)
    assert macro["difference"]["high"] < 0
    (words,) = transfer_words({"n": document})
    assert words.startswith("n: macro AUROC ")
    assert "Lower, after Holm: " in words


def test_the_same_patients_make_no_difference(before: Sample) -> None:
    """A collection against itself differs by nothing, with an error of nothing."""
    entry = transfer(before, before, SETTINGS)["macro"]
    assert entry["difference"]["estimate"] == 0
    assert entry["error"] == pytest.approx(0, abs=1e-9)


def test_a_handful_of_patients_tells_nothing(before: Sample) -> None:
    """Too few patients on one side are a reason that says on which."""
    few = _tested(patients=6, strength=2.0, seed=3, mark="x")
    document = transfer(before, few, SETTINGS)
    found = document["observations"]["Edema"]["difference"]
    assert found["estimate"] is None
    assert found["reason"].endswith("in the other collection")
    (words,) = transfer_words({"n": document})
    assert words == "n: no observation is estimable in both."
    with_few = transfer(few, before, SETTINGS)["observations"]["Edema"]["difference"]
    assert with_few["reason"].endswith("in the run")
