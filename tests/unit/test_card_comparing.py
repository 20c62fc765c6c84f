"""The card's comparison: two networks side by side, more in order, seeds as one."""

import shutil
from pathlib import Path

import pytest

from benchmark.card import build_card, render_html
from benchmark.evaluation.comparison import compare_networks
from benchmark.evaluation.documents import write_document
from tests.score_tables import QUICK, make_cases, make_logits, write_run


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three networks, the last of them poor."""
    cases = make_cases(patients=150)
    logits = {
        "densenet121": make_logits(cases, strength=2.0),
        "resnet50": make_logits(cases, strength=2.0, seed=1),
        "poor": make_logits(cases, strength=0.5, seed=2),
    }
    return write_run(tmp_path_factory.mktemp("three"), cases, logits)


def test_more_than_two_networks_are_shown_in_order(three: Path) -> None:
    """A picture ranks them, joins those that are not apart, and a table has every two."""
    card = build_card(three)
    assert card.comparison is not None
    assert len(card.comparison.pairs) == 3
    assert card.comparison.pairs[-1].second == "poor"
    assert "poor" in card.summary.comparison
    text = render_html(card)
    assert 'id="figure-ranking"' in text
    assert "joined" in str(card.comparison.ranking and card.comparison.ranking.svg)
    assert "DenseNet-121 better: " in text
    assert 'data-source="comparison.json#ranking.pairs.0.difference.estimate"' in text


def test_two_networks_are_shown_side_by_side(tmp_path: Path) -> None:
    """Two have a table of differences, and another of those at the operating point."""
    cases = make_cases(patients=100)
    logits = {name: make_logits(cases, seed=seed) for seed, name in enumerate(("a", "b"))}
    card = build_card(write_run(tmp_path, cases, logits))
    assert card.comparison is not None
    assert (card.comparison.ranking, card.comparison.pairs) == (None, ())
    assert card.comparison.names == ("a", "b")
    assert "Balanced accuracy" in card.comparison.more
    assert 'id="table-comparison-more"' in render_html(card)


def test_seeds_are_one_network(three: Path, tmp_path: Path) -> None:
    """Beside a difference of means over seeds stand the networks' means, under their names."""
    folder = tmp_path / "run"
    shutil.copytree(three, folder)
    cases = make_cases(patients=150)
    networks = {
        name: {seed: make_logits(cases, strength=strength, seed=seed) for seed in (0, 1)}
        for name, strength in (("densenet121", 2.0), ("resnet50", 1.5))
    }
    write_document(compare_networks(cases, networks, QUICK), folder / "comparison.json")
    card = build_card(folder)
    assert card.comparison is not None
    assert card.comparison.names == ("DenseNet-121", "ResNet-50")
    macro = card.comparison.macro
    assert macro is not None
    assert macro.values[0].source == "comparison.json#macro.auroc.values.0"
    assert macro.values[1].value - macro.values[0].value == pytest.approx(macro.difference.value)
    assert "speaks of the two architectures" in card.comparison.words
    assert 'id="table-comparison"' in render_html(card)
