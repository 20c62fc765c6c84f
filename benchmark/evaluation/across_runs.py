"""Networks of one run or of several, on the test cases that the runs have in common: all of them.

Runs are compared on the same cases with the same labels, or not at all: what differs is counted.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.config import EvaluationConfig
from benchmark.evaluation.comparison import compare_networks
from benchmark.gate.scored import Scored, key_of, read_scored
from benchmark.runs import read_run
from cxr.errors import InputError

SHARED_KEY = key_of("compare")
"""Keys the ids of all runs alike, so that equal cases have equal ids."""


def compare_runs(
    paths: Sequence[Path],
    *,
    margin: float | None = None,
    networks: Sequence[str] = (),
    first_labels: bool = False,
) -> dict[str, Any]:
    """Return the comparison document of the networks of finished runs.

    Args:
        paths: the run folders; the settings of the first one count.
        margin: what counts as too small to matter; None takes the first run's.
        networks: which networks; empty takes all.
        first_labels: where labels differ, take those of the first run.

    Raises:
        InputError: no finished run in a folder; other cases or labels; a network that is nowhere;
            fewer than two networks.
    """
    runs = [read_scored(path, key=SHARED_KEY) for path in paths]
    for path, run in zip(paths[1:], runs[1:], strict=True):
        _check_same(paths[0], runs[0], path, run, first_labels)
    settings = _settings(paths[0])
    if margin is not None:
        settings = replace(settings, margin=margin)
    named = _named(runs, networks)
    synthetic = [read_run(path).read().get("cohort", {}).get("synthetic") for path in paths]
    document = compare_networks(runs[0].cases(), named, settings)
    return {"runs": [run.run_id for run in runs], "synthetic": any(synthetic)} | document


def _settings(path: Path) -> EvaluationConfig:
    told = read_run(path).read().get("config", {}).get("evaluation", {})
    known = {name: told[name] for name in EvaluationConfig.__dataclass_fields__ if name in told}
    return EvaluationConfig(**known)


def _check_same(base: Path, first: Scored, path: Path, other: Scored, first_labels: bool) -> None:
    ours, theirs = set(first.image), set(other.image)
    if ours != theirs:
        raise InputError(
            f"cannot compare {path} with {base}: of the test cases {len(ours & theirs)} are in "
            f"both, {len(ours - theirs)} in the first alone and {len(theirs - ours)} in the other "
            "alone; score the same cases with both."
        )
    if first_labels:
        return
    left, right = first.labels, other.labels
    changed = int((~((left == right) | (np.isnan(left) & np.isnan(right)))).sum())
    if changed:
        raise InputError(
            f"cannot compare {path} with {base}: {changed} labels of the test cases differ (was "
            "the labeler changed?); take those of the first run with --first-labels."
        )


def _named(runs: Sequence[Scored], networks: Sequence[str]) -> dict[str, dict[int, np.ndarray]]:
    """Return name -> seed -> logits; a network that is in several runs is named with its run."""
    owners: dict[str, set[int]] = {}
    for place, run in enumerate(runs):
        for name, _ in run.logits:
            owners.setdefault(name, set()).add(place)
    for name in networks:
        if name not in owners:
            raise InputError(f"no run has a network '{name}'; there are {', '.join(owners)}.")
    found: dict[str, dict[int, np.ndarray]] = {}
    for place, run in enumerate(runs):
        for (name, seed), logits in run.logits.items():
            if networks and name not in networks:
                continue
            label = name if len(owners[name]) == 1 else f"{name} ({_mark(runs, place)})"
            found.setdefault(label, {})[seed] = np.asarray(logits)
    return found


def _mark(runs: Sequence[Scored], place: int) -> str:
    """Return what tells a run from the others: its id, with a number where that is the same."""
    ids = [run.run_id for run in runs]
    return ids[place] if ids.count(ids[place]) == 1 else f"{ids[place]}, {place + 1}"
