"""The card: what it says from a whole run, from a bare one, and what it refuses."""

import re
from pathlib import Path

import pytest

from benchmark.card import build_card, render_html, render_markdown
from cxr.errors import InputError
from tests.card_fixture import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return render_html(build_card(run))


def test_the_card_names_the_run_and_both_networks(html: str) -> None:
    """Title and byline say what was compared and in which run."""
    assert "<h1>DenseNet-121 and ResNet-50 on chest radiographs</h1>" in html
    assert "20260101T000000Z-abcd1234" in html


def test_every_section_of_a_synthetic_run_is_marked_so(html: str) -> None:
    """A synthetic run carries a banner, and the mark beside every section's heading."""
    assert 'aria-label="Synthetic data"' in html
    headings = re.findall(r"<h2 id=.*?</h2>", html)
    assert len(headings) == 19
    assert all("Synthetic</span>" in heading for heading in headings)


def test_one_seed_speaks_of_two_checkpoints(html: str) -> None:
    """With one seed each, the card says that two checkpoints are compared, not architectures."""
    assert "Two checkpoints, not two architectures" in html


def test_what_can_not_be_estimated_says_why(html: str) -> None:
    """An observation with too few patients shows the reason in place of a number."""
    assert "not estimable (fewer than 10 positive patients)" in html
    assert "<strong>Not estimable</strong> (too few patients): Pleural Other, Fracture." in html


def test_a_bare_run_shows_what_is_not_provided(tmp_path: Path) -> None:
    """Missing files show as "not provided" in their sections, which stay."""
    html = render_html(build_card(write_run(tmp_path / "run", optional=False)))
    for words in (
        "Training curves: not provided",
        "the run holds no comparison.json",
        "the run holds no explanations",
        "no lesion outlines are known",
        "no gate was run",
        "the run measured no subgroups",
    ):
        assert words in html
    assert len(re.findall(r"<h2 id=", html)) == 19


def test_a_folder_without_run_json_is_refused(tmp_path: Path) -> None:
    """A folder that is no run is refused in one sentence."""
    with pytest.raises(InputError, match=r"holds no run\.json; name the folder of one run"):
        build_card(tmp_path)


def test_markdown_starts_with_metadata(run: Path) -> None:
    """MODEL_CARD.md starts with Hugging Face's metadata."""
    assert render_markdown(build_card(run)).startswith("---\nlanguage: en\n")
