"""The GitHub Action and the workflows in docs/ci: what they say exists in the command line."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from benchmark.cli import group

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / "docs" / "ci").glob("*.yml"))


def _steps(path: Path) -> list[dict[str, Any]]:
    content = yaml.safe_load(path.read_text())
    if "runs" in content:
        return content["runs"]["steps"]
    return [step for job in content["jobs"].values() for step in job["steps"]]


def _calls(script: str) -> list[list[str]]:
    """The words after each `cxr-bench` of a script, continued lines joined."""
    lines = script.replace("\\\n", " ").splitlines()
    return [call.split() for line in lines for call in re.findall(r"cxr-bench (.*)", line)]


def _scripts() -> list[str]:
    return [step.get("run", "") for path in (ACTION, *WORKFLOWS) for step in _steps(path)]


def test_every_command_and_option_of_the_scripts_exists() -> None:
    """Each `cxr-bench` call in the action and the workflows names a command and options we have."""
    calls = [
        call for script in _scripts() for call in _calls(script) if not call[0].startswith(">")
    ]
    assert {call[0] for call in calls} == {"run", "check"}
    for name, *words in calls:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        known = {option for one in command.params for option in one.opts}
        assert {word for word in words if word.startswith("-")} <= known


def test_options_that_inputs_add_exist() -> None:
    """Every option that the action adds for an input is one of `check`."""
    (script,) = [step["run"] for step in _steps(ACTION) if step.get("id") == "gate"]
    added = set(re.findall(r"arguments\+=\((--[a-z-]+)", script))
    command = group.get_command(click.Context(group), "check")
    assert command is not None
    assert added == {"--thresholds", "--baseline", "--margin", "--labels"}
    assert added <= {option for one in command.params for option in one.opts}


def test_no_input_is_pasted_into_a_script() -> None:
    """Values from outside come through the environment: pasted into a script they could run."""
    for script in _scripts():
        assert "${{" not in script


def test_inputs_and_outputs_are_used_as_declared() -> None:
    """The action reads each input that it declares, and the workflow gives none but those."""
    content = yaml.safe_load(ACTION.read_text())
    used = set(re.findall(r"inputs\.([a-z]+)", ACTION.read_text()))
    assert used == set(content["inputs"])
    (call,) = [
        step for path in WORKFLOWS for step in _steps(path) if step.get("uses", "").startswith("./")
    ]
    assert set(call["with"]) <= set(content["inputs"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_only_the_workflow_that_runs_no_foreign_code_may_write(path: Path) -> None:
    """The workflow of the pull request reads; the one that comments checks out nothing."""
    content = yaml.safe_load(path.read_text())
    writes = "write" in content["permissions"].values()
    checks_out = any("checkout" in step.get("uses", "") for step in _steps(path))
    assert writes != checks_out
