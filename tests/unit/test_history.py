"""Histories: runs of one protocol in time, what changed between them, page and terminal."""

import re
import shutil
from pathlib import Path

import pytest

from benchmark.history.page import history_chart, terminal_table, write_histories
from benchmark.history.series import MACRO, read_histories
from benchmark.runs import read_json, write_json
from cxr.errors import InputError
from tests.score_tables import make_cases, make_logits, write_run
from tests.tiny_run import command


def _told(day: int, protocol: str = "synthetic-1", loss: str = "bce") -> dict:
    return {
        "run_id": f"run-{day}",
        "finished": f"2026-01-{day:02d}T10:00:00Z",
        "protocol": {"name": protocol},
        "cohort": {"name": "Made <up>", "synthetic": protocol == "synthetic-1"},
        "config": {"training": {"loss": loss}},
        "provenance": {"cxr_bench": "0.1.0", "git": f"abc{day}"},
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    cases = make_cases()
    for day, networks, told in (
        (3, ("densenet121",), _told(3, loss="focal")),  # written first, finished last
        (1, ("densenet121", "resnet50"), _told(1)),
        (2, ("resnet50",), _told(2)),
        (9, ("densenet121",), _told(9, protocol="manifest-2")),
    ):
        logits = {name: make_logits(cases, seed=day) for name in networks}
        folder = root / told["protocol"]["name"] / f"folder-{9 - day}"
        write_run(folder, cases, logits, whole=False, **told)
    (root / "synthetic-1" / "x.unfinished").mkdir()
    write_json(root / "synthetic-1" / "x.unfinished" / "run.json", {"schema": 1, "status": "new"})
    return root


def test_runs_of_a_protocol_stand_in_time(results: Path) -> None:
    """Each protocol has a history; runs stand in the order in which they were finished."""
    (other, history), left_out = read_histories(results)
    assert [version.run_id for version in history.versions] == ["run-1", "run-2", "run-3"]
    assert [version.run_id for version in other.versions] == ["run-9"]
    assert [one.name for one in history.checkpoints] == ["densenet121", "resnet50"]
    assert (history.synthetic, other.synthetic) == (True, False)
    assert len(left_out) == 1
    assert "was not finished" in left_out[0]


def test_numbers_are_those_of_the_metrics_files(results: Path) -> None:
    """A point is the estimate and interval that its run's metrics.json holds."""
    (_, history), _ = read_histories(results, metric="average_precision")
    version = history.versions[2]
    document = read_json(results / "synthetic-1/folder-6/densenet121/seed-0/metrics.json")
    (point,) = version.points
    for row, entry in {MACRO: document["macro"], **document["observations"]}.items():
        wanted, found = entry["average_precision"], point.numbers[row]
        assert found.value == wanted["estimate"]
        assert (found.low and found.low.value) == wanted["low"]


def test_what_changed_since_the_run_before_is_told(results: Path) -> None:
    """Each run lists what differs in its recipe from the run before it."""
    (_, history), _ = read_histories(results)
    assert [version.changes for version in history.versions] == [
        (),
        (("code", "0.1.0 abc1", "0.1.0 abc2"),),
        (("training.loss", "bce", "focal"), ("code", "0.1.0 abc2", "0.1.0 abc3")),
    ]


def test_a_chart_has_a_mark_for_each_number(results: Path) -> None:
    """Every estimate is a marker with its interval; what no run could estimate has no chart."""
    (_, history), _ = read_histories(results)
    chart = history_chart(history, MACRO, "auroc")
    assert chart is not None
    assert chart.svg.count("whisker") == 4  # two, one and one network
    assert "over 3 runs" in chart.alternative
    assert history_chart(history, "Pleural Other", "auroc") is None


def test_the_page_is_one_file_and_escapes(results: Path, tmp_path: Path) -> None:
    """The page loads nothing, says synthetic, and shows names as text."""
    histories, _ = read_histories(results)
    write_histories(tmp_path / "h.html", histories, metric="auroc")
    page = (tmp_path / "h.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    assert "SYNTHETIC" in page
    assert "Made &lt;up&gt;" in page
    assert re.search(r"Not estimable in any run: [^<]*Pleural Other", page)
    assert "training.loss: bce → focal" in page
    assert page.count("<section") == 2


def test_the_terminal_shows_the_macro_means(results: Path, tmp_path: Path) -> None:
    """One line for each run and network, protocols apart; -o writes the page beside it."""
    told = command("history", results, "-o", tmp_path / "h.html")
    assert (told.code, told.out) == (
        0,
        terminal_table(read_histories(results)[0], metric="auroc") + "\n",
    )
    blocks = told.out.strip().split("\n\n")
    assert [len(block.splitlines()) for block in blocks] == [3, 6]
    assert "(SYNTHETIC)" in blocks[1]
    assert "is left out: " in told.err
    assert (tmp_path / "h.html").is_file()


def test_folders_without_a_history(results: Path, tmp_path: Path) -> None:
    """No folder, no finished run, an unknown metric: one sentence and exit code 2."""
    with pytest.raises(InputError, match="metric 'aurok' is unknown; known are auroc"):
        read_histories(results, metric="aurok")
    assert "is no folder" in command("history", tmp_path / "none").err
    empty = command("history", tmp_path)
    assert (empty.code, empty.out) == (2, "")
    assert "holds no finished run" in empty.err


def test_a_broken_run_is_left_out_and_told(results: Path, tmp_path: Path) -> None:
    """A run whose metrics are missing or cut off doesn't hide the others."""
    shutil.copytree(results, tmp_path / "r")
    folder = tmp_path / "r" / "synthetic-1"
    (folder / "folder-7/resnet50/seed-0/metrics.json").write_text("{")
    (folder / "folder-6/densenet121/seed-0/metrics.json").unlink()
    (_, history), left_out = read_histories(tmp_path / "r")
    assert [version.run_id for version in history.versions] == ["run-1"]
    assert len(left_out) == 3
