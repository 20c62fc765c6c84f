"""Runs compared on the cases that they share, or not at all; and how it reads."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.evaluation.across_runs import compare_runs
from benchmark.evaluation.comparison_texts import comparison_page, render_comparison
from cxr.errors import InputError
from tests.score_tables import make_cases, make_logits, write_run
from tests.tiny_run import command


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return make_cases(patients=80)


@pytest.fixture(scope="module")
def first(cases: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two networks."""
    logits = {name: make_logits(cases, seed=seed) for seed, name in enumerate(("a", "b"))}
    return write_run(tmp_path_factory.mktemp("first"), cases, logits, run_id="run-1")


@pytest.fixture(scope="module")
def second(cases: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one of these again, on the same cases in another order."""
    turned = cases[::-1].reset_index(drop=True)
    logits = {"b": make_logits(turned, strength=0.5, seed=5)}
    return write_run(tmp_path_factory.mktemp("second"), turned, logits, run_id="run-2")


def test_a_run_s_networks_are_compared_as_in_the_run(first: Path) -> None:
    """Over one run the differences and DeLong's p are those of its own comparison.json."""
    document = compare_runs([first])
    own = json.loads((first / "comparison.json").read_text())
    for name, entry in own["observations"].items():
        found = document["observations"][name]["auroc"]
        if entry["auroc"]["p"] is None:
            assert found["verdict"] == entry["auroc"]["verdict"]
            continue
        assert found["difference"]["estimate"] == pytest.approx(
            entry["auroc"]["difference"]["estimate"], abs=1e-12
        )
        assert found["p"] == pytest.approx(entry["auroc"]["p"], rel=1e-6)


def test_a_network_in_two_runs_is_named_with_its_run(first: Path, second: Path) -> None:
    """The same name in two runs is two networks, matched case by case."""
    document = compare_runs([first, second])
    order = [entry["network"] for entry in document["ranking"]["order"]]
    assert sorted(order) == ["a", "b (run-1)", "b (run-2)"]
    assert order[-1] == "b (run-2)"
    assert document["runs"] == ["run-1", "run-2"]
    only = compare_runs([first, second], networks=["b"], margin=0.2)
    assert only["networks"] == ["b (run-1)", "b (run-2)"]
    assert only["margin"] == 0.2


def test_other_cases_are_counted_and_refused(
    first: Path, cases: pd.DataFrame, tmp_path: Path
) -> None:
    """Runs on other cases are not compared; how many are shared is told."""
    fewer = cases[4:].reset_index(drop=True)
    other = write_run(tmp_path / "o", fewer, {"c": make_logits(fewer)})
    with pytest.raises(InputError, match=rf"{len(fewer)} are in both, 4 in the first alone and 0"):
        compare_runs([first, other])
    apart = cases.assign(image_id=cases["image_id"] + "x")
    disjoint = write_run(tmp_path / "d", apart, {"c": make_logits(apart)})
    with pytest.raises(InputError, match="0 are in both"):
        compare_runs([first, disjoint])


def test_other_labels_are_counted_and_refused(
    first: Path, cases: pd.DataFrame, tmp_path: Path
) -> None:
    """Runs with other labels of the same cases are compared by the first's, if that is said."""
    relabeled = cases.copy()
    relabeled.loc[:2, "label:Edema"] = np.where(relabeled.loc[:2, "label:Edema"] == 1, 0.0, 1.0)
    other = write_run(tmp_path, relabeled, {"c": make_logits(cases)})
    with pytest.raises(InputError, match="3 labels of the test cases differ"):
        compare_runs([first, other])
    assert len(compare_runs([first, other], first_labels=True)["pairs"]) == 3


def test_there_must_be_two_networks(second: Path, first: Path) -> None:
    """One network, or one that is nowhere, ends with a sentence."""
    with pytest.raises(InputError, match="needs two networks, not 1"):
        compare_runs([second])
    with pytest.raises(InputError, match="no run has a network 'z'; there are a, b"):
        compare_runs([first], networks=["z"])


def test_two_networks_read_as_a_table(first: Path) -> None:
    """Every observation has a line, and Markdown has as many columns in each row."""
    document = compare_runs([first])
    lines = render_comparison(document, "table").splitlines()
    assert any(line.startswith("Macro average") for line in lines)
    rows = [line for line in render_comparison(document, "markdown").splitlines() if "|" in line]
    assert len(rows) == 2 + 15
    assert {row.count("|") for row in rows} == {8}
    assert json.loads(render_comparison(document, "json"))["networks"] == ["a", "b"]


def test_more_networks_read_as_a_ranking(first: Path, second: Path, tmp_path: Path) -> None:
    """The command prints an order and every two, and writes a page that stands alone."""
    page = tmp_path / "page.html"
    done = command("compare", first, second, "-o", page)
    assert done.code == 0, done.err
    assert done.out.count(" less ") == 3
    text = page.read_text()
    assert 'id="figure-ranking"' in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_the_page_of_two_has_both_values(first: Path) -> None:
    """The page shows each network's AUROC beside the difference."""
    text = comparison_page(compare_runs([first]))
    assert 'data-source="comparison.json#macro.auroc.values.1"' in text
    assert "not provided" not in text


def test_a_mistake_exits_with_2(first: Path) -> None:
    """No run there, or no comparison possible: one sentence and exit code 2."""
    done = command("compare", first / "nowhere")
    assert (done.code, "is no folder" in done.err) == (2, True)
    done = command("compare", first, "--network", "a")
    assert (done.code, "needs two networks" in done.err) == (2, True)
