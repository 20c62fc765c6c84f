"""Two checkpoints on the same patients: differences, p-values, words."""

import numpy as np
import pandas as pd
import pytest

from benchmark.comparison import compare
from benchmark.evaluation import dump_document, evaluate
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from tests.score_tables import QUICK, make_cases, make_logits


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return make_cases(patients=150)


@pytest.fixture(scope="module")
def logits(cases: pd.DataFrame) -> dict[str, np.ndarray]:
    return {
        "densenet121": make_logits(cases, strength=2.0),
        "resnet50": make_logits(cases, strength=1.4, seed=1),
    }


@pytest.fixture(scope="module")
def document(cases: pd.DataFrame, logits: dict[str, np.ndarray]) -> dict:
    return compare(cases, logits, QUICK)


def test_differences_are_second_minus_first(
    cases: pd.DataFrame, logits: dict[str, np.ndarray], document: dict
) -> None:
    """A difference is the second network's metric less the first's, as in their own documents."""
    first, second = (
        evaluate(cases, scores, network=name, seed=0, settings=QUICK)
        for name, scores in logits.items()
    )
    for name in ("Edema", "Support Devices"):
        for metric, entry in document["observations"][name].items():
            expected = (
                second["observations"][name][metric]["estimate"]
                - first["observations"][name][metric]["estimate"]
            )
            assert entry["difference"]["estimate"] == pytest.approx(expected, abs=1e-12)
    gap = second["macro"]["auroc"]["estimate"] - first["macro"]["auroc"]["estimate"]
    assert document["macro"]["auroc"]["difference"]["estimate"] == pytest.approx(gap, abs=1e-12)
    assert document["networks"] == ["densenet121", "resnet50"]
    assert document["direction"].startswith("resnet50 minus densenet121")


def test_turning_the_networks_turns_the_signs(
    cases: pd.DataFrame, logits: dict[str, np.ndarray], document: dict
) -> None:
    """The order of the two changes the sign of a difference and nothing of its p-value."""
    turned = compare(cases, dict(reversed(logits.items())), QUICK)
    for name in OBSERVATIONS:
        one, other = (d["observations"][name]["auroc"] for d in (document, turned))
        if one["p"] is None:
            continue
        assert one["difference"]["estimate"] == -other["difference"]["estimate"]
        assert one["difference"]["low"] == pytest.approx(-other["difference"]["high"])
        assert one["p"] == pytest.approx(other["p"], rel=1e-9)


def test_a_network_against_itself(cases: pd.DataFrame, logits: dict[str, np.ndarray]) -> None:
    """Equal scores show no difference anywhere, with p = 1 and an interval of nothing."""
    scores = logits["resnet50"]
    document = compare(cases, {"a": scores, "b": scores}, QUICK)
    for entry in document["observations"].values():
        if entry["auroc"]["p"] is not None:
            assert entry["auroc"]["p"] == entry["auroc"]["p_holm"] == 1
            assert entry["auroc"]["difference"]["low"] == entry["auroc"]["difference"]["high"] == 0
    assert document["macro"]["auroc"]["verdict"] == "no difference shown"
    assert "no single observation shows a difference" in document["words"]


def test_the_words_follow_the_numbers(document: dict) -> None:
    """Better stands only where Holm's p is below 5 %; else how many positives it would take."""
    seen = set()
    for entry in document["observations"].values():
        found = entry["auroc"]
        if found["difference"]["estimate"] is None:
            assert found["verdict"].startswith("not estimable: ")
            seen.add("missing")
        elif found["p_holm"] < 0.05:
            better = "resnet50" if found["difference"]["estimate"] > 0 else "densenet121"
            assert found["verdict"] == f"{better} better"
            seen.add("better")
        else:
            assert found["verdict"].startswith("no difference shown (needs about ")
            seen.add("none")
    assert seen == {"missing", "better", "none"}
    assert document["macro"]["auroc"]["verdict"] == "densenet121 better"
    assert "these two checkpoints" in document["words"]
    assert "says nothing about the two architectures" in document["words"]


def test_holm_never_makes_a_p_smaller(document: dict) -> None:
    """Over the observations each adjusted p is at least the raw one."""
    for entry in document["observations"].values():
        for found in entry.values():
            if found["p"] is not None:
                assert found["p"] <= found["p_holm"] <= 1


def test_equal_input_gives_equal_bytes(
    cases: pd.DataFrame, logits: dict[str, np.ndarray], document: dict
) -> None:
    """The same cases and scores give the same comparison, whatever the order of rows."""
    turned = {name: scores[::-1] for name, scores in logits.items()}
    assert dump_document(compare(cases[::-1], turned, QUICK)) == dump_document(document)


def test_one_network_alone_is_refused(cases: pd.DataFrame, logits: dict) -> None:
    """A comparison is of two."""
    with pytest.raises(InputError, match="needs two networks, not 1"):
        compare(cases, {"resnet50": logits["resnet50"]}, QUICK)


def test_a_handful_of_patients_compares_nothing() -> None:
    """With too few patients there is a reason in every place and a sentence that says so."""
    few = make_cases(patients=5)
    document = compare(few, {"a": make_logits(few), "b": make_logits(few, seed=2)}, QUICK)
    assert document["macro"]["auroc"]["difference"]["estimate"] is None
    assert document["words"].startswith("No observation has enough patients")
