"""`cxr-bench check` as CI calls it: what it prints and how it exits."""

import json
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.runs import read_json
from tests.score_tables import make_cases, make_logits, write_run
from tests.tiny_run import command


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


def test_a_baseline_is_written_committed_and_compared_with(run: Path, tmp_path: Path) -> None:
    """--update-baseline writes a file, says how large it is, and --baseline reads it again."""
    file = tmp_path / "baseline.json"
    written = command("check", run, "--update-baseline", file)
    assert (written.code, written.out) == (0, "")
    assert "holds the baseline (" in written.err
    assert read_json(file)["run_id"] == "run-1"
    compared = command("check", run, "--baseline", file)
    assert compared.code == 0
    assert compared.out.splitlines()[-1].startswith("The gate passed.")


def test_a_baseline_is_not_renewed_by_what_fails(run: Path, tmp_path: Path) -> None:
    """With something to pass, the baseline file is written only where the gate passes."""
    thresholds, file = tmp_path / "t.toml", tmp_path / "baseline.json"
    thresholds.write_text('[[threshold]]\nmetric = "auroc"\nmin = 0.99\n')
    failed = command("check", run, "--thresholds", thresholds, "--update-baseline", file)
    assert failed.code == 1
    assert f"{file} stays as it is, since the gate did not pass." in failed.err
    assert not file.exists()
    thresholds.write_text('[[threshold]]\nmetric = "auroc"\nmin = 0.5\n')
    assert command("check", run, "--thresholds", thresholds, "--update-baseline", file).code == 0
    assert file.is_file()


@pytest.fixture(scope="module")
def relabeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same cases with other labels."""
    cases = make_cases()
    scores = make_logits(cases)
    cases["label:Edema"] = 1.0 - (cases["label:Edema"] == 1.0)
    return write_run(tmp_path_factory.mktemp("other"), cases, {"densenet121": scores}, whole=False)


def test_what_can_not_be_compared_exits_with_2(run: Path, relabeled: Path) -> None:
    """One sentence on standard error, exit code 2, and the machine's format says it too."""
    told = command("check", relabeled, "--baseline", run)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("Error: cannot compare with ")
    assert told.err.count("\n") == 1
    piped = command("check", relabeled, "--baseline", run, "--format", "json")
    assert (piped.code, json.loads(piped.out)["verdict"]) == (2, "cannot compare")
    assert piped.err == told.err
    chosen = command("check", relabeled, "--baseline", run, "--labels", "candidate")
    assert chosen.code in (0, 1)
    assert "both runs are scored against the run's." in chosen.out


def test_a_failed_threshold_is_shown_beside_what_can_not_be_compared(
    run: Path, relabeled: Path, tmp_path: Path
) -> None:
    """Thresholds are judged and shown though the baseline can't be; the exit code is 2."""
    thresholds = tmp_path / "t.toml"
    thresholds.write_text('[[threshold]]\nmetric = "auroc"\nmin = 0.99\n')
    told = command("check", relabeled, "--thresholds", thresholds, "--baseline", run)
    assert told.code == 2
    assert told.out.startswith("verdict")
    assert "1 check: 1 fail." in told.out


def test_the_margin_may_stand_in_the_file(run: Path, tmp_path: Path) -> None:
    """[baseline] sets the margin; the option goes before it; a file alone needs a baseline."""
    file = tmp_path / "t.toml"
    file.write_text("[baseline]\nmargin = 0.123\n")
    assert "> -0.123" in command("check", run, "--thresholds", file, "--baseline", run).out
    over = command("check", run, "--thresholds", file, "--baseline", run, "--margin", "0.2")
    assert "> -0.2" in over.out
    alone = command("check", run, "--thresholds", file)
    assert (alone.code, alone.err) == (
        2,
        f"Error: {file} holds no [[threshold]], and no --baseline is given.\n",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give --thresholds, --baseline or --update-baseline"),
        (("--baseline", "nowhere.json"), "baseline nowhere.json: No such file"),
        (("--baseline", "nowhere.json", "--margin", "2"), "2.0 is not in the range"),
        (("--thresholds", "nowhere.toml"), "thresholds file nowhere.toml: No such file"),
    ],
)
def test_a_mistake_in_the_command(run: Path, options: tuple[str, ...], message: str) -> None:
    """Each mistake exits with 2 and says what to mend."""
    told = command("check", run, *options)
    assert told.code == 2
    assert message in told.err


def test_one_verdict_can_be_saved_in_several_formats(run: Path, tmp_path: Path) -> None:
    """--save writes more formats of the verdict that is printed; an unknown suffix is refused."""
    file = tmp_path / "t.toml"
    file.write_text('[[threshold]]\nmetric = "auroc"\nmin = 0.5\n')
    names = [tmp_path / f"gate{suffix}" for suffix in (".md", ".json", ".xml", ".txt")]
    options = [part for name in names for part in ("--save", name)]
    told = command("check", run, "--thresholds", file, *options)
    starts = [name.read_text()[:12] for name in names]
    assert starts == ["### Model ga", '{\n "checks":', "<testsuite n", "verdict  net"]
    assert names[3].read_text() == told.out
    wrong = command("check", run, "--thresholds", file, "--save", tmp_path / "gate.pdf")
    assert wrong.code == 2
    assert "the suffix is none of .md, .json, .xml, .txt" in wrong.err
