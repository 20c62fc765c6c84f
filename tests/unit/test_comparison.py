"""Two checkpoints on the same patients: differences, p-values, words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmark.evaluation.comparison import COMPARED, compare_networks
from benchmark.evaluation.documents import dump_document, evaluate
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from tests.score_tables import QUICK, compare, make_cases, make_logits


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
    assert document["macro"]["auroc"]["verdict"] == "no difference shown, and none beyond 0.05"
    assert document["macro"]["auroc"]["superiority"] == 0.5
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
            assert found["verdict"].startswith("no difference shown")
            assert ", and none beyond" in found["verdict"] or found["p_equivalent_holm"] >= 0.05
            assert "(needs about " in found["verdict"]
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


@pytest.fixture(scope="module")
def seeded(cases: pd.DataFrame) -> dict[str, dict[int, np.ndarray]]:
    """Two networks of three seeds each."""
    return {
        "densenet121": {seed: make_logits(cases, strength=2.0, seed=seed) for seed in range(3)},
        "resnet50": {seed: make_logits(cases, strength=1.4, seed=9 + seed) for seed in range(3)},
    }


def test_seeds_are_averaged_and_widen_the_interval(
    cases: pd.DataFrame, seeded: dict[str, dict[int, np.ndarray]]
) -> None:
    """With several seeds a difference is of means, its error holds both spreads, words follow."""
    document = compare_networks(cases, seeded, QUICK)
    own = {
        name: [
            evaluate(cases, scores, network=name, seed=0, settings=QUICK)
            for scores in seeds.values()
        ]
        for name, seeds in seeded.items()
    }
    for metric in COMPARED:
        means = {
            name: [one["observations"]["Edema"][metric]["estimate"] for one in documents]
            for name, documents in own.items()
        }
        entry = document["observations"]["Edema"][metric]
        gap = np.mean(means["resnet50"]) - np.mean(means["densenet121"])
        assert entry["values"][1] == pytest.approx(np.mean(means["resnet50"]))
        assert entry["difference"]["estimate"] == pytest.approx(gap, abs=1e-12)
        spread = (np.var(means["resnet50"], ddof=1) + np.var(means["densenet121"], ddof=1)) / 2
        assert entry["error_seeds"] == pytest.approx(np.sqrt(spread * 2 / 3))
        assert entry["error"] == pytest.approx(
            np.hypot(entry["error_seeds"], entry["error_patients"])
        )
        assert entry["difference"]["method"].endswith("with the spread over seeds")
    assert "p_permutation" not in document["observations"]["Edema"]["auroc"]
    assert document["seeds"] == {"densenet121": [0, 1, 2], "resnet50": [0, 1, 2]}
    assert "speaks of the two architectures" in document["words"]
    macros = [
        np.mean([one["macro"]["auroc"]["estimate"] for one in own[name]])
        for name in ("densenet121", "resnet50")
    ]
    found = document["macro"]["auroc"]["difference"]["estimate"]
    assert found == pytest.approx(macros[1] - macros[0], abs=1e-12)


def test_one_network_without_a_second_seed_makes_checkpoints_of_all(
    cases: pd.DataFrame, seeded: dict[str, dict[int, np.ndarray]]
) -> None:
    """Where a network has one seed, the first of each is compared, and architectures are not."""
    fewer = seeded | {"resnet50": {4: seeded["resnet50"][0]}}
    document = compare_networks(cases, fewer, QUICK)
    single = compare(
        cases,
        {name: next(iter(seeds.values())) for name, seeds in fewer.items()},
        QUICK,
    )
    assert document["seeds"] == {"densenet121": [0], "resnet50": [4]}
    assert document["observations"] == single["observations"]
    assert "says nothing about the two architectures" in document["words"]
    assert "several seeds: densenet121 seed 1, densenet121 seed 2." in document["words"]


def test_more_networks_are_paired_and_ranked(
    cases: pd.DataFrame, logits: dict[str, np.ndarray]
) -> None:
    """Every two are compared, and an order by macro AUROC tells who is not apart."""
    four = {
        "weak": make_logits(cases, strength=0.8, seed=3),
        **logits,
        "twin": make_logits(cases, strength=2.0, seed=7),
    }
    document = compare(cases, four, QUICK)
    assert [pair["networks"] for pair in document["pairs"]][:2] == [
        ["weak", "densenet121"],
        ["weak", "resnet50"],
    ]
    assert len(document["pairs"]) == 6
    single = compare(cases, {name: four[name] for name in ("weak", "densenet121")}, QUICK)
    assert document["observations"] == single["observations"]
    ranking = document["ranking"]
    areas = [entry["auroc"]["estimate"] for entry in ranking["order"]]
    assert areas == sorted(areas, reverse=True)
    assert [entry["network"] for entry in ranking["order"]][2:] == ["resnet50", "weak"]
    assert [sorted(group) for group in ranking["groups"]] == [["densenet121", "twin"]]
    assert "Not shown to differ: " in ranking["words"]
    assert "these are checkpoints, not architectures" in ranking["words"]
    for entry in ranking["order"]:
        own = evaluate(cases, four[entry["network"]], network="n", seed=0, settings=QUICK)
        mean = own["macro"]["auroc"]
        assert entry["auroc"]["estimate"] == pytest.approx(mean["estimate"], abs=1e-12)
        assert entry["auroc"]["low"] == pytest.approx(mean["low"], abs=0.004)


def test_what_one_network_does_not_tell_is_not_compared(
    cases: pd.DataFrame, logits: dict[str, np.ndarray]
) -> None:
    """An observation that one of the two lacks has a reason, and the macro mean goes without."""
    fewer = logits | {"resnet50": np.where(np.arange(14) == 5, np.nan, logits["resnet50"])}
    document = compare(cases, fewer, QUICK)
    assert document["observations"]["Edema"]["auroc"]["verdict"].startswith(
        "not estimable: no scores"
    )
    whole = compare(cases, logits, QUICK)
    assert document["macro"]["auroc"]["over"] == whole["macro"]["auroc"]["over"] - 1


def test_equivalence_and_non_inferiority_hang_on_the_margin(
    cases: pd.DataFrame, logits: dict[str, np.ndarray]
) -> None:
    """A wide margin makes two unequal networks equivalent, a narrow one does not."""
    wide, narrow = (
        compare(cases, logits, replace(QUICK, margin=margin))["macro"]["auroc"]
        for margin in (0.5, 0.001)
    )
    assert wide["p_equivalent"] < 0.001 < narrow["p_equivalent"]
    assert wide["p_noninferior"] < narrow["p_noninferior"]
    assert wide["superiority"] == narrow["superiority"] < 0.025  # the second is worse here
    assert wide["superiority"] == pytest.approx(wide["p"] / 2)
