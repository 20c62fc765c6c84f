"""The ladder flags what lies far below the published band, and nothing of phantoms."""

import json
from pathlib import Path

import pytest

from benchmark.card import build_card, render_html
from tests.score_tables import make_cases, make_logits, write_run


def _run(folder: Path, *, strength: float, synthetic: bool) -> Path:
    cases = make_cases(patients=200)
    run = write_run(folder, cases, {"n": make_logits(cases, strength=strength)})
    told = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(told | {"cohort": {"synthetic": synthetic}}))
    return run


@pytest.mark.parametrize(
    ("strength", "synthetic", "flagged"),
    [(0.2, False, True), (2.5, False, False), (0.2, True, False)],
)
def test_what_is_far_below_is_flagged(
    tmp_path: Path, strength: float, synthetic: bool, flagged: bool
) -> None:
    """An interval that ends 0.1 under every published value is named; phantoms have no band."""
    card = build_card(_run(tmp_path, strength=strength, synthetic=synthetic))
    assert bool(card.ladder.flags) == flagged
    assert ("Far below what is published" in render_html(card)) == flagged
    if flagged:
        assert any(words.startswith("Macro average, n: ") for words in card.ladder.flags)
        assert not any(words.startswith("Pleural Other") for words in card.ladder.flags)


def test_the_study_s_own_values_are_no_band(tmp_path: Path) -> None:
    """The study's 0.09 for Enlarged Cardiomediastinum does not lower the band to nothing."""
    card = build_card(_run(tmp_path, strength=-0.5, synthetic=False))
    assert any(words.startswith("Enlarged Cardiomediastinum") for words in card.ladder.flags)
