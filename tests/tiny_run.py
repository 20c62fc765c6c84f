"""The whole job made tiny, and the command line run in this process."""

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmark.cli import main

TINY = (
    "synth.studies=70",
    "synth.size=64",
    "image.size=32",
    "split.fractions=[0.5, 0.2, 0.3]",
    "training.epochs=1",
    "evaluation.replicates=100",
    "evaluation.min_patients=2",
)
"""Settings that make the whole job take seconds; its numbers mean nothing."""


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


def command(*arguments: str | Path) -> Outcome:
    """Run `cxr-bench` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return Outcome(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def tiny(*more: str) -> list[str]:
    """Return the `--set` options of a tiny run."""
    return [part for setting in (*TINY, *more) for part in ("--set", setting)]


@dataclass(frozen=True)
class TinyRun:
    """A finished tiny run and what the command printed."""

    folder: Path
    outcome: Outcome
