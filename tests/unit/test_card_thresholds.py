"""The card shows thresholds chosen on validation and calibration, each number with its source."""

import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from benchmark.card import build_card, render_html
from benchmark.config import EvaluationConfig
from benchmark.evaluation.calibration import calibration_document
from benchmark.evaluation.documents import write_document
from benchmark.evaluation.operating import ValidationScores, operating_documents
from benchmark.evidence import Evidence
from cxr.observations import OBSERVATIONS
from tests.card_fixture import NETWORKS, write_run

SETTINGS = EvaluationConfig(replicates=100, min_patients=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("card") / "run", images=400)
    cases = pd.read_parquet(folder / "cases.parquet")
    test = cases[cases["split"] == "test"]
    for name in NETWORKS:
        target = folder / name / "seed-0"
        scores = pd.read_parquet(target / "scores.parquet")
        logits = scores[scores["split"] == "test"].set_index("image_id").loc[test["image_id"]]
        arguments = (
            ValidationScores.of(cases, scores),
            test,
            logits[list(OBSERVATIONS)].to_numpy(float),
        )
        told = {"network": name, "seed": 0, "settings": SETTINGS}
        for file, document in operating_documents(*arguments, **told).items():
            write_document(document, target / file)
        write_document(calibration_document(*arguments, **told), target / "calibration.json")
    return folder


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return render_html(build_card(run))


def _between(html: str, start: str, end: str) -> str:
    return html[html.index(start) : html.index(end, html.index(start))]


def test_every_rule_stands_beside_the_fixed_threshold(html: str) -> None:
    """A row of means for the fixed threshold and each rule, a table of thresholds for each."""
    part = _between(html, 'id="chosen-points"', 'id="confusion"')
    table = _between(part, 'id="table-chosen-points"', "</table>")
    heads = re.findall(r'<th scope="rowgroup"[^>]*>(.*?)</th>', table)
    assert {unescape(head) for head in heads} == {"0.5 for all", *SETTINGS.operating_points}
    assert part.count("<details") == 4
    assert "which no choice saw" in part


def test_calibration_shows_errors_lines_and_scalings(html: str) -> None:
    """Calibration has a table of errors and lines, one of scalings, and says of what the chance."""
    part = _between(html, 'id="calibration"', 'id="subgroups"')
    assert "the chance that the report states or hedges the finding" in part
    assert 'id="table-calibration-lines"' in part
    table = _between(part, 'id="table-scalings"', "</table>")
    for way in ("Scores as they are", "Cooled by a temperature", "Platt&#39;s line"):
        assert way in table


def test_every_number_stands_where_its_source_says(run: Path, html: str) -> None:
    """Each shown number of both parts can be looked up in the run folder."""
    evidence = Evidence(run)
    parts = _between(html, 'id="chosen-points"', 'id="confusion"') + _between(
        html, 'id="table-calibration-lines"', 'id="subgroups"'
    )
    found = re.findall(r'data-source="([^"]*)">([^<]*)<', parts)
    assert len(found) > 200
    for source, text in found:
        value = evidence.value(unescape(source))
        shown = float(text.replace("−", "-").replace("+", "").replace(",", ""))
        assert value == pytest.approx(shown, abs=0.0051), source


def test_a_run_without_them_shows_neither(tmp_path: Path) -> None:
    """Older runs, and runs without validation cases, have no such tables and no empty ones."""
    page = render_html(build_card(write_run(tmp_path / "run")))
    assert "chosen-points" not in page
    assert "table-calibration-lines" not in page
    assert "table-scalings" not in page
