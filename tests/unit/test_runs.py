"""Run folders: written whole, continued only where nothing changed, never half-finished."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmark.runs import finish_run, open_run, read_run, replacing, write_json, write_text
from cxr.errors import InputError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _open(results: Path, key: str = "k"):
    return open_run(results, "synthetic-1", key=key, config_digest="abcd1234", now=NOW)


def test_a_run_is_renamed_when_whole(tmp_path: Path) -> None:
    """A run carries `.unfinished` until its manifest stands, and the manifest verifies."""
    with _open(tmp_path) as (run, resumed):
        assert not resumed
        assert run.path.name == "20260102T030405Z-abcd1234.unfinished"
        run.write({"schema": 1, "status": "finished"})
        write_text(run.path / "a" / "b.txt", "hello")
        finished = finish_run(run)
    assert finished.path.name == "20260102T030405Z-abcd1234"
    assert read_run(finished.path).run_id == finished.path.name
    assert not list(finished.path.parent.glob(".*"))
    subprocess.run(["sha256sum", "-c", "MANIFEST.sha256"], cwd=finished.path, check=True)


def test_an_unfinished_run_of_the_same_key_goes_on(tmp_path: Path) -> None:
    """The same config and data continue the unfinished run; another key starts anew."""
    with _open(tmp_path) as (first, _):
        pass
    with _open(tmp_path) as (again, resumed):
        assert resumed
        assert again.path == first.path
    with _open(tmp_path, key="other") as (other, resumed):
        assert not resumed
        assert other.path != first.path


def test_a_run_in_use_is_left_alone(tmp_path: Path) -> None:
    """A second process never joins a run that another one holds."""
    with _open(tmp_path) as (first, _), _open(tmp_path) as (second, resumed):
        assert not resumed
        assert second.path != first.path


def test_a_finished_run_is_never_reused(tmp_path: Path) -> None:
    """After a run is finished the same command makes a new folder."""
    with _open(tmp_path) as (run, _):
        run.write({"schema": 1, "status": "finished"})
        finished = finish_run(run)
    with _open(tmp_path) as (again, resumed):
        assert not resumed
        assert again.run_id != finished.run_id


def test_unwritable_results(tmp_path: Path) -> None:
    """A results folder that is a file is refused with the way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose another folder with -o"), _open(tmp_path / "file"):
        pass


def test_replacing_leaves_nothing_on_failure(tmp_path: Path) -> None:
    """A write that fails keeps the old file and leaves no temporary one."""
    target = tmp_path / "x.txt"
    write_text(target, "old")

    def fail() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_json_refuses_nan(tmp_path: Path) -> None:
    """NaN can't slip into a JSON file, which other parsers would refuse."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no run.json"),
        ('{"schema": 99}', "has schema 99"),
        ('{"schema": 1, "status": "running"}', "was not finished"),
    ],
)
def test_reading_what_is_no_finished_run(tmp_path: Path, content: str | None, message: str) -> None:
    """Each folder that is no finished run is refused with what is wrong."""
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_run(tmp_path)


def test_a_document_that_was_edited_is_refused(tmp_path: Path) -> None:
    """A finished run whose metrics were changed by hand is no longer read as that run."""
    with _open(tmp_path) as (run, _):
        run.write({"schema": 1, "status": "finished"})
        write_json(run.path / "metrics.json", {"auroc": 0.61})
        finished = finish_run(run)
    assert read_run(finished.path)
    write_text(finished.path / "metrics.json", '{"auroc": 0.99}')
    with pytest.raises(InputError, match=r"metrics\.json was changed after the run was finished"):
        read_run(finished.path)
