"""Numbers of a card traced back to the run, and identifiers found before anything is shared."""

from pathlib import Path

import pandas as pd
import pytest

from benchmark.card import build_card, render_html
from benchmark.card.tracing import agrees, trace
from benchmark.evidence import Evidence
from benchmark.sharing.identifiers import find_identifiers
from tests.card_fixture import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run", images=60)


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return render_html(build_card(run))


def test_every_number_of_a_fresh_card_agrees(run: Path, page: str) -> None:
    """A card as it was rendered has no number that the run does not have."""
    found = trace(page, Evidence(run))
    assert found.wrong == ()
    assert found.lost == 0
    assert found.agree > 1000


def test_one_changed_number_is_named(run: Path, page: str) -> None:
    """A single digit that was edited is found, with its source and what the run has."""
    source = "densenet121/seed-0/metrics.json#macro.auroc.estimate"
    edited = page.replace(f'data-source="{source}">0.7', f'data-source="{source}">0.9')
    assert edited != page
    wrong = trace(edited, Evidence(run)).wrong
    assert wrong
    assert source in wrong[0]
    assert "'0.9" in wrong[0]


def test_a_source_that_leads_nowhere_is_wrong(run: Path) -> None:
    """A made-up source, or one that leads out of the run, supports no number."""
    page = '<span data-source="run.json#nothing">1</span><span data-source="../x.json#a">1</span>'
    found = trace(page, Evidence(run))
    assert len(found.wrong) == 1
    assert (found.agree, found.lost) == (0, 1)


def test_numbers_of_files_that_were_left_out_are_counted(run: Path, tmp_path: Path) -> None:
    """Where the cases are not there, their counts can't be looked up, and are no lie."""
    page = '<span data-source="cases.parquet#images?split=test">7</span>'
    (tmp_path / "run.json").write_text("{}")
    assert trace(page, Evidence(tmp_path)).lost == 1


@pytest.mark.parametrize(
    ("text", "value", "same"),
    [
        ("0.71", 0.7149, True),
        ("0.72", 0.7149, False),
        ("1,234", 1234, True),
        ("\N{MINUS SIGN}0.05", -0.049, True),
        ("+0.05", 0.049, True),
        ("9.5\N{NO-BREAK SPACE}%", 0.0951, True),
        ("<0.001", 0.0004, True),
        ("<0.001", 0.04, False),
        (">0.99", 0.997, True),
        ("7 min", 425.0, True),
        ("fast", 1.0, False),
        ("3 yards", 3.0, False),
        ("", 0.0, False),
    ],
)
def test_a_text_agrees_with_a_value_to_its_digits(text: str, value: float, same: bool) -> None:
    """Rounded to the digits and with the unit shown; anything else does not agree."""
    assert agrees(text, value) is same


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"path": "/home/anna/mimic"}', "a path"),
        (r"C:\Users\anna\mimic", "a path"),
        ("write to anna.b@ward.example.org today", "an e-mail address"),
        ("1.2.840.10008.5.1.4.1.1.1", "a DICOM UID"),
        ("p10000032/s50414267", "an id of MIMIC-CXR"),
        ("02aa804e-bde0afdd-112c0b34-7bc16630-4e384014", "an id of MIMIC-CXR"),
    ],
)
def test_what_looks_like_an_identifier_is_found(tmp_path: Path, text: str, kind: str) -> None:
    """Paths, addresses, UIDs and MIMIC-CXR's ids are found in texts of a real source."""
    file = tmp_path / "a.json"
    file.write_text(text)
    found = find_identifiers([("a.json", file)], real=True)
    assert kind in {each.kind for each in found}
    assert "in a.json (" in str(found[0])


@pytest.mark.parametrize(
    "text",
    [
        "https://www.nature.com/data/articles",
        "AUROC 0.71 (0.65 to 0.77), version 1.2.3",
        "data:image/png;base64,aa/home/anna@b.cc",
        "densenet121/seed-0/metrics.json",
        "20260101T000000Z-abcd1234",
        "MIMIC-CXR 2019;6:317",
    ],
)
def test_what_is_no_identifier_is_let_through(tmp_path: Path, text: str) -> None:
    """Addresses of papers, versions, pictures and the run's own names are none."""
    file = tmp_path / "a.html"
    file.write_text(text)
    assert find_identifiers([("a.html", file)], real=True) == []


def test_synthetic_ids_look_like_mimics_and_are_nobodys(tmp_path: Path) -> None:
    """Ids in a table count where patients are real, and are let through where they are made up."""
    file = tmp_path / "cases.parquet"
    pd.DataFrame({"patient_id": ["10000032"]}).to_parquet(file)
    assert find_identifiers([("cases.parquet", file)], real=False) == []
    assert len(find_identifiers([("cases.parquet", file)], real=True)) == 1


def test_what_people_gave_as_contact_is_meant(tmp_path: Path) -> None:
    """An address that stands in card.toml is no slip."""
    file = tmp_path / "card.html"
    file.write_text("Contact: lab@example.org")
    assert find_identifiers([("card.html", file)], real=True, allowed=["lab@example.org"]) == []
