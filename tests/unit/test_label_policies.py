"""One network, four ways to count hedged and unmentioned: AUROCs side by side."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.evaluation.documents import evaluate
from benchmark.evaluation.label_policies import POLICIES, policy_document
from cxr.observations import OBSERVATIONS
from tests.score_tables import QUICK, make_cases, make_logits


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return make_cases(patients=150)


@pytest.fixture(scope="module")
def logits(cases: pd.DataFrame) -> np.ndarray:
    return make_logits(cases)


@pytest.fixture(scope="module")
def document(cases: pd.DataFrame, logits: np.ndarray) -> dict:
    return policy_document(cases, logits, network="n", seed=0, settings=QUICK)


def test_each_policy_is_what_it_says(
    cases: pd.DataFrame, logits: np.ndarray, document: dict
) -> None:
    """AUROC equals scikit-learn's on labels counted by hand."""
    label = cases["label:Edema"].to_numpy()
    score = logits[:, OBSERVATIONS.index("Edema")].astype(float)
    told = ~np.isnan(label)
    by_hand = {
        "hedged-present": (np.isin(label, (1, -1)), np.ones(len(label), bool)),
        "both-absent": (label == 1, np.ones(len(label), bool)),
        "hedged-out": (label == 1, label != -1),
        "both-out": (label == 1, told & (label != -1)),
    }
    assert list(by_hand) == [policy.key for policy in POLICIES]
    areas = []
    for key, (present, rows) in by_hand.items():
        found = document["observations"]["Edema"][key]
        areas.append(roc_auc_score(present[rows], score[rows]))
        assert found["auroc"]["estimate"] == pytest.approx(areas[-1], abs=1e-12)
        assert found["positives"] == present[rows].sum()
        assert found["negatives"] == (~present[rows]).sum()
    assert document["observations"]["Edema"]["range"] == {
        "low": pytest.approx(min(areas)),
        "high": pytest.approx(max(areas)),
    }


def test_the_first_policy_is_that_of_the_metrics(
    cases: pd.DataFrame, logits: np.ndarray, document: dict
) -> None:
    """Under the study's policy the numbers and intervals are those of metrics.json."""
    own = evaluate(cases, logits, network="n", seed=0, settings=QUICK)
    for name in OBSERVATIONS:
        found = document["observations"][name]["hedged-present"]["auroc"]
        assert found == own["observations"][name]["auroc"]
    macro = document["macro"]["hedged-present"]["auroc"]
    assert macro["estimate"] == pytest.approx(own["macro"]["auroc"]["estimate"], abs=1e-12)
    for end in ("low", "high"):
        assert macro[end] == pytest.approx(own["macro"]["auroc"][end], abs=0.006)


def test_what_is_never_stated_absent_has_no_auroc_without_blanks(
    cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """No Finding is stated or blank; where blanks are left out, no negatives stay."""
    table = cases.assign(**{"label:No Finding": cases["label:No Finding"].replace(0.0, np.nan)})
    document = policy_document(table, logits, network="n", seed=0, settings=QUICK)
    found = document["observations"]["No Finding"]
    assert found["both-out"]["auroc"]["reason"].startswith("0 negative patients")
    assert found["range"]["low"] is not None
    assert document["macro"]["both-out"]["over"] < document["macro"]["hedged-present"]["over"]


def test_nothing_is_estimable_of_a_handful() -> None:
    """With too few patients every place has its reason, the range too is not known."""
    cases = make_cases(patients=5)
    document = policy_document(cases, make_logits(cases), network="n", seed=0, settings=QUICK)
    assert document["macro"]["both-out"]["auroc"]["reason"] == "no observation is estimable"
    assert document["macro"]["range"] == {"low": None, "high": None}
