"""`cxr-bench check` as CI calls it: what it prints and how it exits."""

import json
from pathlib import Path

import pytest

from benchmark.cli import main
from tests.score_tables import make_cases, make_logits, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cases = make_cases()
    return write_run(tmp_path_factory.mktemp("run"), cases, {"densenet121": make_logits(cases)})


@pytest.mark.parametrize(
    ("demand", "code", "words"),
    [
        ("min = 0.5", 0, "The gate passed."),
        ("min = 0.99", 1, "The gate failed."),
        ('observation = "Pleural Other"\nmin = 0.5', 1, "inconclusive and so does not pass"),
        (
            'observation = "Pleural Other"\nmin = 0.5\nallow_inconclusive = true',
            0,
            "inconclusive where the thresholds allow it",
        ),
    ],
)
def test_the_exit_code_is_the_verdict(
    run: Path, tmp_path: Path, capsys, demand: str, code: int, words: str
) -> None:
    """0 passes, 1 fails or is inconclusive, and the last line says which."""
    file = tmp_path / "thresholds.toml"
    file.write_text(f'[[threshold]]\nmetric = "auroc"\n{demand}\n')
    with pytest.raises(SystemExit) as stop:
        main(["check", str(run), "--thresholds", str(file)])
    assert stop.value.code == code
    assert words in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        ('metric = "aurok"', "did you mean 'auroc'?"),
        ('metric = "auroc"\nnetwork = "densenet"', "did you mean 'densenet121'?"),
    ],
)
def test_a_demand_on_nothing_exits_with_2(
    run: Path, tmp_path: Path, capsys, demand: str, words: str
) -> None:
    """What does not exist is one sentence on standard error and exit code 2, never a pass."""
    file = tmp_path / "thresholds.toml"
    file.write_text(f"[[threshold]]\n{demand}\nmin = 0.5\n")
    with pytest.raises(SystemExit) as stop:
        main(["check", str(run), "--thresholds", str(file)])
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Error: ")
    assert words in captured.err
    assert captured.err.count("\n") == 1


def test_no_run_exits_with_2(tmp_path: Path, capsys) -> None:
    """A folder that is not there is one sentence and exit code 2."""
    file = tmp_path / "thresholds.toml"
    file.write_text('[[threshold]]\nmetric = "auroc"\nmin = 0.5\n')
    with pytest.raises(SystemExit) as stop:
        main(["check", str(tmp_path / "nothing"), "--thresholds", str(file)])
    assert stop.value.code == 2
    assert "is no folder" in capsys.readouterr().err


def test_json_can_be_piped(run: Path, tmp_path: Path, capsys) -> None:
    """Standard output is the format alone."""
    file = tmp_path / "thresholds.toml"
    file.write_text('[[threshold]]\nmetric = "auroc"\nmin = 0.5\n')
    with pytest.raises(SystemExit):
        main(["check", str(run), "--thresholds", str(file), "--format", "json"])
    assert json.loads(capsys.readouterr().out)["verdict"] == "pass"
