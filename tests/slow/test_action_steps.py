"""The action's shell step, run as a runner would: its files, its outputs and its exit code."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from benchmark.gate import write_baseline
from tests.score_tables import make_cases, make_logits, write_run

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Step:
    """What the step left."""

    code: int
    out: str
    err: str
    summary: str
    outputs: dict[str, str]
    files: set[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cases = make_cases()
    folder = tmp_path_factory.mktemp("results") / "synthetic-1" / "run 1"
    return write_run(folder, cases, {"densenet121": make_logits(cases)}, whole=False)


def _step(folder: Path, **inputs: str) -> Step:
    """Run the step "gate" of action.yml in `folder` with bash, as GitHub does."""
    content = yaml.safe_load((ROOT / "action.yml").read_text())
    (step,) = [one for one in content["runs"]["steps"] if one.get("id") == "gate"]
    given = {name: one.get("default", "") for name, one in content["inputs"].items()} | inputs
    values = {
        name: re.sub(r"\$\{\{ inputs\.([a-z]+) \}\}", lambda found: given[found[1]], text)
        for name, text in step["env"].items()
    }
    tools = folder / "tools"
    tools.mkdir()
    (tools / "cxr-bench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m benchmark "$@"\n')
    (tools / "cxr-bench").chmod(0o755)
    (tools / "python").symlink_to(sys.executable)
    summary, outputs = folder / "summary.md", folder / "outputs"
    environment = {
        **os.environ,
        **values,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_OUTPUT": str(outputs),
    }
    bash = [str(shutil.which("bash")), "--noprofile", "--norc", "-eo", "pipefail", "-c"]
    done = subprocess.run(
        [*bash, step["run"]], cwd=folder, env=environment, capture_output=True, text=True
    )
    told = outputs.read_text() if outputs.exists() else ""
    return Step(
        done.returncode,
        done.stdout,
        done.stderr,
        summary.read_text() if summary.exists() else "",
        dict(line.split("=", 1) for line in told.splitlines()),
        {path.name for path in (folder / "model-gate").glob("*")},
    )


def _thresholds(folder: Path, least: float) -> str:
    file = folder / "thresholds.toml"
    file.write_text(f'[[threshold]]\nmetric = "auroc"\nmin = {least}\n')
    return str(file)


@pytest.mark.parametrize(("least", "code", "word"), [(0.5, 0, "pass"), (0.99, 1, "fail")])
def test_the_step_tells_the_verdict(
    tmp_path: Path, run: Path, least: float, code: int, word: str
) -> None:
    """Exit code, outputs, step summary and the files for comment and report agree."""
    pattern = f"{run.parent.parent}/*/*/"
    step = _step(tmp_path, run=pattern, thresholds=_thresholds(tmp_path, least))
    assert step.code == code
    assert step.outputs == {"verdict": word, "comment": "model-gate/gate.md"}
    assert step.summary.startswith(f"### Model gate: {word}\n")
    assert step.files == {"gate.md", "gate.json", "gate.xml"}
    assert ("::error title=Model gate" in step.out) == bool(code)


def test_the_step_compares_with_a_committed_file(tmp_path: Path, run: Path) -> None:
    """A baseline file and a margin are handed on; the same run passes."""
    write_baseline(run, tmp_path / "base line.json")
    step = _step(tmp_path, run=str(run), baseline="base line.json", margin="0.02")
    assert (step.code, step.outputs["verdict"]) == (0, "pass")
    assert "> -0.02" in step.summary


def test_the_step_says_why_it_could_not_run(tmp_path: Path, run: Path) -> None:
    """A mistake ends with 2, and the comment and the summary hold the sentence."""
    step = _step(tmp_path, run=str(run), thresholds="nowhere.toml")
    assert (step.code, step.outputs["verdict"]) == (2, "")
    assert "Model gate: could not run" in step.summary
    assert "nowhere.toml: No such file" in step.summary
    assert "nowhere.toml: No such file" in step.err


def test_a_pattern_has_to_match_one_run(tmp_path: Path, run: Path) -> None:
    """No match is an error with exit code 2, never a pass."""
    step = _step(tmp_path, run="nothing/*/", thresholds=_thresholds(tmp_path, 0.5))
    assert step.code == 2
    assert "0 folders match 'nothing/*/'" in step.out
