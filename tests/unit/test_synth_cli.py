from pathlib import Path

import pytest

from benchmark.cli import main


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["synth", *arguments])
    return int(stop.value.code or 0)


def test_a_cohort_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`synth` writes a whole cohort, prints its folder on standard output, and exits with 0."""
    folder = tmp_path / "cohort"
    assert call(str(folder), "--studies", "2", "--size", "48", "--jobs", "1") == 0
    assert (folder / "SYNTHETIC.json").is_file()
    assert capsys.readouterr().out.strip() == str(folder)


def test_reports_only(tmp_path: Path) -> None:
    """`synth --reports-only` writes no image."""
    assert call(str(tmp_path / "reports"), "--studies", "3", "--reports-only") == 0
    assert len(list(tmp_path.rglob("s5*.txt"))) == 3
    assert not list(tmp_path.rglob("*.dcm"))


@pytest.mark.parametrize(
    "arguments", [("--size", "8"), ("--conspicuity", "9"), ("--studies", "0"), ("--jobs", "0")]
)
def test_values_out_of_range_end_with_2(tmp_path: Path, arguments: tuple[str, str]) -> None:
    """Values out of range are wrong usage."""
    assert call(str(tmp_path / "x"), *arguments) == 2
    assert not (tmp_path / "x").exists()


def test_a_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with something else in it is left alone, with one sentence and exit code 2."""
    (tmp_path / "letter.txt").write_text("mine")
    assert call(str(tmp_path), "--studies", "1") == 2
    assert "choose a new or empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
