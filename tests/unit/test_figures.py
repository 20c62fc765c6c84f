"""Charts and figure files: what they draw, and that equal results give equal bytes."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from benchmark.card import svg
from benchmark.card.charts import Curve, curve_chart
from benchmark.card.model import Checkpoint, Number, ObservationResult, Scores
from benchmark.figures import draw_figures
from tests.card_fixture import write_run

NONE = Number("")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run")


def test_figures_of_a_run_are_whole_svg_files(run: Path) -> None:
    """Each figure is well-formed SVG with a title and no address of anything outside."""
    files = draw_figures(run)
    names = {file.name for file in files}
    assert {"auroc.svg", "confusion.svg", "loss.svg", "validation-auroc.svg"} <= names
    assert {"roc-edema.svg", "pr-edema.svg"} <= names
    for file in files:
        root = ElementTree.parse(file).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
        assert "href" not in file.read_text()


def test_equal_results_give_equal_bytes(run: Path) -> None:
    """Drawing the same run twice writes the same bytes."""
    first = {file.name: file.read_bytes() for file in draw_figures(run)}
    assert {file.name: file.read_bytes() for file in draw_figures(run)} == first


def test_a_run_without_scores_and_history_draws_what_it_has(tmp_path: Path) -> None:
    """Where scores and history are missing, the chart of intervals is still drawn."""
    run = write_run(tmp_path / "run", optional=False)
    for scores in run.rglob("scores.parquet"):
        scores.unlink()
    assert {file.name for file in draw_figures(run)} == {"auroc.svg", "confusion.svg"}


def test_the_roc_curve_runs_through_its_corners() -> None:
    """Perfect scores draw the curve up the left side and along the top of the plot."""
    drawing = str(_chart(auroc=Number("1.00", value=1.0)).svg)
    (path,) = re.findall(r'<path d="(M[^"]*)" class="line net1"', drawing)
    assert path == "M30 158L30 83L30 8L105 8L180 8"


def test_a_curve_that_is_not_estimable_is_not_drawn() -> None:
    """With too few patients for an AUROC there is no curve, and the panel says so."""
    drawing = str(_chart(auroc=NONE).svg)
    assert "not estimable" in drawing
    assert 'class="line' not in drawing


def test_each_checkpoint_differs_by_more_than_colour() -> None:
    """The first four checkpoints differ in marker and in dash."""
    shapes = {re.sub(r'class="[^"]*"', "", str(svg.marker(0, 0, slot))) for slot in range(1, 5)}
    assert len(shapes) == 4
    assert len({svg.dash(slot) for slot in range(1, 5)}) == 4


def _chart(auroc: Number) -> object:
    checkpoint = Checkpoint("a-seed-0", "A", "a/seed-0", 1)
    scores = Scores(
        checkpoint,
        auroc,
        *(NONE,) * 8,
        confusion=(NONE,) * 4,
        never=(NONE,) * 2,
        always=(NONE,) * 2,
        over=NONE,
        more=(),
    )
    result = ObservationResult("Edema", "edema", *(NONE,) * 6, scores=(scores,))
    labels = np.array([True, True, False, False])
    curve = Curve(checkpoint, labels, np.array([0.4, 0.3, 0.2, 0.1]), np.arange(4))
    return curve_chart("roc", result, [curve])
