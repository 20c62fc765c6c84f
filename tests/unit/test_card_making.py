"""A card made anew: what people wrote, their own templates, paper, and two runs compared."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.card import build_card, render_html, render_markdown
from benchmark.card.diffing import diff_runs, render_diff, render_diff_text
from benchmark.card.pages import check_templates
from benchmark.runs import write_manifest
from cxr.errors import InputError
from tests.card_fixture import write_run
from tests.tiny_run import command


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("finished") / "run", images=80)
    for name in ("cases", "labels"):
        edit(folder / "run.json", "protocol", name, value="0123456789ab")
    edit(folder / "run.json", "protocol", "version", value=1)
    write_manifest(folder)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def edit(file: Path, *steps: Any, value: Any) -> None:
    document = json.loads(file.read_text())
    place = document
    for step in steps[:-1]:
        place = place.setdefault(step, {})
    place[steps[-1]] = value
    file.write_text(json.dumps(document))


def test_sections_that_people_add_stand_apart(run: Path) -> None:
    """A section of card.toml is shown as text, marked as hand-written, linked in the contents."""
    (run / "card.toml").write_text(
        '[[section]]\ntitle = "Monitoring"\n'
        'text = """\nOnce a month.\n\n{{ 7 * 7 }} <b>x</b>\n"""\n'
    )
    card = build_card(run)
    page = render_html(card)
    assert "<h3>Monitoring</h3>" in page
    assert "<p>Once a month.</p>" in page
    assert "<p>{{ 7 * 7 }} &lt;b&gt;x&lt;/b&gt;</p>" in page
    assert '<a href="#own">From the owners</a>' in page
    assert "Written by people, in card.toml; not read from the run." in page
    assert "## Monitoring" in render_markdown(card)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('ownr = "A"', "'ownr' is unknown; did you mean 'owner'?"),
        ("owner = 7", "owner is 7; expected a text."),
        ("caveats = [1]", r"caveats is \[1\]; expected a text or a list of texts"),
        ('[[section]]\ntitle = "A"', r"\[\[section\]\] 1 needs a title and a text"),
    ],
)
def test_mistakes_in_card_toml_are_named(run: Path, text: str, words: str) -> None:
    """An unknown key, a number for a text, a section without text: each with its mend."""
    (run / "card.toml").write_text(text)
    with pytest.raises(InputError, match=words):
        build_card(run)


def test_hand_written_claims_are_held_against_the_images(run: Path) -> None:
    """A card that speaks of CT or of children is flagged where headers say other things."""
    edit(run / "run.json", "data", "modalities", value={"CR": 10, "DX": 20})
    edit(run / "run.json", "data", "ages", value={"low": 21, "high": 90})
    (run / "card.toml").write_text(
        'intended_use = ["Triage of chest CT studies. Not for MRI.", "Children and adults."]\n'
    )
    card = build_card(run)
    assert card.contradictions == (
        "card.toml, intended_use, speaks of CT; the images' headers say CR and DX, which are "
        "radiographs.",
        "card.toml, intended_use, speaks of children; the youngest patient is 21.",
    )
    assert "What people wrote contradicts what the images say" in render_html(card)


def test_what_is_not_known_contradicts_nothing(run: Path) -> None:
    """Without modalities and ages in the run, no claim is flagged."""
    edit(run / "run.json", "data", "modalities", value={})
    edit(run / "run.json", "data", "ages", value={})
    (run / "card.toml").write_text('intended_use = "CT of children."\n')
    assert build_card(run).contradictions == ()


def test_one_block_or_one_file_can_be_replaced(run: Path, tmp_path: Path) -> None:
    """A block of the page, a section's file and the style each give way to the user's own."""
    own = tmp_path / "ours"
    (own / "sections").mkdir(parents=True)
    (own / "card.html.jinja").write_text(
        '{% extends "builtin/card.html.jinja" %}\n'
        '{% block ladder %}<section aria-labelledby="ladder">'
        '{{ m.heading("ladder", "Ours", card) }}</section>{% endblock %}'
    )
    (own / "sections/use.jinja").write_text('<h2 id="use">Our use of {{ card.run_id }}</h2>')
    (own / "screen.css").write_text("body { color: rebeccapurple; }")
    check_templates(own)
    card = build_card(run)
    page, builtin = render_html(card, templates=own), render_html(card)
    assert "Our use of 20260101T000000Z-abcd1234" in page
    assert "</a>Ours" in page
    assert "rebeccapurple" in page
    assert 'id="table-results"' in page
    assert "rebeccapurple" not in builtin
    digests = [text.partition("(card ")[2][:12] for text in (page, builtin)]
    assert digests[0] != digests[1]


def test_a_mistake_in_a_template_tells_file_and_line(run: Path, tmp_path: Path) -> None:
    """An unknown name and broken syntax end in one sentence each: which template, which line."""
    own = tmp_path / "ours"
    (own / "sections").mkdir(parents=True)
    (own / "sections/use.jinja").write_text("<p>one</p>\n<p>{{ card.nonsense }}</p>\n")
    with pytest.raises(InputError, match=r"sections/use\.jinja, line 2: .*nonsense"):
        render_html(build_card(run), templates=own)
    other = tmp_path / "others"
    (other / "sections").mkdir(parents=True)
    (other / "sections/use.jinja").write_text("\n\n{% if %}\n")
    with pytest.raises(InputError, match=r"sections/use\.jinja, line 3: "):
        render_html(build_card(run), templates=other)


def test_a_template_that_replaces_nothing_is_named(tmp_path: Path) -> None:
    """A misspelt file name would be silently ignored; it is refused with the nearest."""
    (tmp_path / "sections").mkdir()
    (tmp_path / "sections/sumary.jinja").write_text("")
    with pytest.raises(InputError, match=r"did you mean 'sections/summary\.jinja'"):
        check_templates(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        check_templates(tmp_path / "gone")


def test_a_card_is_made_anew_beside_the_runs_own(run: Path) -> None:
    """`card RUN` writes a second edition into reviews/, and the run's own files stay."""
    (run / "card.html").write_text("the first edition")
    (run / "card.toml").write_text('owner = "A ward"\n')
    told = command("card", run, "--no-pdf")
    assert told.code == 0, told.err
    assert "A ward" in (run / "reviews/card.html").read_text()
    assert "Edition 2, " in (run / "reviews/card.html").read_text()
    assert (run / "card.html").read_text() == "the first edition"


def test_a_card_for_elsewhere_leaves_no_edition(run: Path, tmp_path: Path) -> None:
    """With -o the card goes there, on the paper that was asked for, and the run is not touched."""
    told = command("card", run, "-o", tmp_path / "out", "--paper", "letter", "--no-pdf")
    assert told.code == 0, told.err
    assert (tmp_path / "out/card.html").is_file()
    assert not (run / "reviews").exists()


def test_a_wrong_template_leaves_the_edition_before(run: Path, tmp_path: Path) -> None:
    """A mistake in the user's template ends with exit code 2 and no half-made card."""
    own = tmp_path / "ours"
    (own / "sections").mkdir(parents=True)
    (own / "sections/use.jinja").write_text("{{ nonsense }}")
    told = command("card", run, "--templates", own, "--no-pdf")
    assert told.code == 2
    assert "line 1: 'nonsense' is undefined" in told.err
    assert not (run / "reviews").exists()


def test_the_same_run_differs_in_nothing(run: Path) -> None:
    """A run compared with itself has no changed fact, and differences of nought."""
    found = diff_runs(run, run)
    assert found.paired
    assert [change for part in found.parts for change in part.changed] == []
    differences = [row.difference for network in found.networks for row in network.rows]
    known = [number.value for number in differences if number.value is not None]
    assert len(known) == 24
    assert set(known) == {0.0}


def test_what_changed_is_listed_and_paired(run: Path, finished: Path) -> None:
    """Settings, code and counts that changed are named; better scores show as a gain."""
    edit(run / "run.json", "run_id", value="20260202T000000Z-abcd1234")
    edit(run / "run.json", "provenance", "git", value="fedcba987654")
    edit(run / "run.json", "config", "training", "epochs", value=9)
    file = run / "densenet121/seed-0/scores.parquet"
    scores = pd.read_parquet(file)
    cases = pd.read_parquet(run / "cases.parquet").set_index("image_id")
    labels = cases.loc[scores["image_id"], "label:Edema"].to_numpy()
    scores["Edema"] = [5.0 if label in (1.0, -1.0) else -5.0 for label in labels]
    scores.sample(frac=1, random_state=1).to_parquet(file, index=False)
    found = diff_runs(finished, run)
    text = render_diff_text(found, everything=False)
    assert "training.epochs: " in text
    assert " -> 9" in text
    assert "git: " in text
    edema = next(row for row in found.networks[0].rows if row.observation == "Edema")
    assert edema.difference.value is not None
    assert edema.difference.value > 0.1
    assert edema.difference.low is not None
    page = render_diff(found)
    assert "training.epochs" in page
    assert "script" not in page.partition("<body>")[2]


def test_other_cases_are_not_paired(run: Path, finished: Path) -> None:
    """Runs on other test cases stand side by side, without a difference, and say why."""
    edit(run / "run.json", "protocol", "cases", value="0" * 12)
    found = diff_runs(finished, run)
    assert not found.paired
    assert "The runs differ in their test cases" in found.words
    assert {row.difference.reason for row in found.networks[0].rows} == {"not paired"}


def test_a_network_of_one_run_alone_is_said_to_be(run: Path, finished: Path) -> None:
    """A network that only the second run has is shown with that."""
    document = json.loads((run / "run.json").read_text())
    document["networks"] = document["networks"][:1]
    (run / "run.json").write_text(json.dumps(document))
    found = diff_runs(finished, run)
    assert [network.only for network in found.networks] == ["", "before"]
    assert "only in" in render_diff_text(found, everything=True)


def test_diff_of_no_run_is_refused(run: Path, tmp_path: Path) -> None:
    """A folder that is no run ends with one sentence and exit code 2."""
    told = command("card", "diff", run, tmp_path)
    assert (told.code, "holds no run.json" in told.err) == (2, True)
    shown = command("card", "diff", run, run, "-o", tmp_path / "d.html")
    assert shown.code == 0, shown.err
    assert (tmp_path / "d.html").is_file()
