"""How a metric moved over the runs of a protocol, in time.

Only runs of one protocol (the same test cases, labels and metric definitions) are put on one
line; each protocol has a history of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.card import numbers
from benchmark.card.model import Checkpoint, Number
from benchmark.card.words import moment, slug
from benchmark.evaluation.measures import METRICS
from benchmark.evidence import Evidence, key
from benchmark.gate.scored import recipe_of
from benchmark.runs import read_json, read_run
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

MACRO = "macro"
ROWS: tuple[str, ...] = (MACRO, *OBSERVATIONS)


@dataclass(frozen=True)
class Point:
    """One network of one run: macro and each observation -> the metric with its interval."""

    checkpoint: Checkpoint
    numbers: Mapping[str, Number]


@dataclass(frozen=True)
class Version:
    """One run in a history.

    Attributes:
        run_id: the run's.
        finished: when, in words.
        code: version and commit that made it.
        changes: how its recipe differs from the run before: (what, before, here).
        points: one for each network and seed.
    """

    run_id: str
    finished: str
    code: str
    changes: tuple[tuple[str, str, str], ...]
    points: tuple[Point, ...]


@dataclass(frozen=True)
class History:
    """The runs of one protocol, oldest first.

    Attributes:
        protocol: its name.
        cohort: what the cases are of, and how many.
        synthetic: whether these are phantoms.
        checkpoints: every network and seed that any run has; one colour each.
        versions: the runs.
    """

    protocol: str
    cohort: str
    synthetic: bool
    checkpoints: tuple[Checkpoint, ...]
    versions: tuple[Version, ...]


def read_histories(
    results: Path, *, metric: str = "auroc"
) -> tuple[tuple[History, ...], tuple[str, ...]]:
    """Return the history of every protocol under `results`, and what was left out.

    Args:
        results: a folder with finished runs at any depth.
        metric: any of `benchmark.evaluation.measures.METRICS`.

    Returns:
        Histories by protocol name; sentences about folders that hold no finished run.

    Raises:
        InputError: no such metric or folder, or no finished run in it.
    """
    if metric not in METRICS:
        raise InputError(f"metric '{metric}' is unknown; known are {', '.join(METRICS)}.")
    if not results.is_dir():
        raise InputError(f"{results} is no folder; name the folder that runs were written to.")
    found: dict[str, list[tuple[dict[str, Any], Path]]] = {}
    left_out = []
    for file in sorted(results.rglob("run.json")):
        try:
            values = read_run(file.parent).read()
            _check_metrics(file.parent, values)
        except (InputError, ValueError, KeyError) as error:
            left_out.append(f"{file.parent} is left out: {error}")
            continue
        found.setdefault(str(values["protocol"]["name"]), []).append((values, file.parent))
    if not found:
        told = f" {left_out[0]}" if left_out else ""
        raise InputError(f"{results} holds no finished run; name the folder that holds them.{told}")
    histories = tuple(_history(name, found[name], metric) for name in sorted(found))
    return histories, tuple(left_out)


def _check_metrics(folder: Path, values: Mapping[str, Any]) -> None:
    if not values["protocol"]["name"]:
        raise InputError("its protocol has no name.")
    for entry in values["networks"]:
        path = folder / entry["folder"] / "metrics.json"
        if not path.is_file():
            raise InputError(f"{path.name} of {entry['name']} is missing.")
        read_json(path)


def _history(name: str, runs: list[tuple[dict[str, Any], Path]], metric: str) -> History:
    runs = sorted(runs, key=lambda run: (str(run[0].get("finished", "")), run[0]["run_id"]))
    seen = dict.fromkeys(
        (str(entry["name"]), int(entry["seed"]))
        for values, _ in runs
        for entry in values["networks"]
    )
    checkpoints = {pair: _checkpoint(pair, slot) for slot, pair in enumerate(seen, 1)}
    versions = []
    before: dict[str, str] | None = None
    for values, folder in runs:
        recipe = recipe_of(values)
        versions.append(_version(values, folder, metric, checkpoints, _changes(before, recipe)))
        before = recipe
    last = runs[-1][0]
    test = last.get("data", {}).get("splits", {}).get("test", {})
    size = f", {test['images']} test images of {test['patients']} patients" if test else ""
    cohort = last.get("cohort", {})
    return History(
        protocol=name,
        cohort=f"{cohort.get('name', 'Unnamed cohort')}{size}",
        synthetic=bool(cohort.get("synthetic", False)),
        checkpoints=tuple(checkpoints.values()),
        versions=tuple(versions),
    )


def _checkpoint(pair: tuple[str, int], slot: int) -> Checkpoint:
    name, seed = pair
    shown = name if seed == 0 else f"{name} seed {seed}"
    return Checkpoint(slug=slug(f"{name}-seed-{seed}"), name=shown, folder="", slot=slot)


def _changes(
    before: Mapping[str, str] | None, here: Mapping[str, str]
) -> tuple[tuple[str, str, str], ...]:
    if before is None:
        return ()
    return tuple(
        (what, before.get(what, "none"), here.get(what, "none"))
        for what in dict.fromkeys((*before, *here))
        if before.get(what, "none") != here.get(what, "none")
    )


def _version(
    values: Mapping[str, Any],
    folder: Path,
    metric: str,
    checkpoints: Mapping[tuple[str, int], Checkpoint],
    changes: tuple[tuple[str, str, str], ...],
) -> Version:
    evidence = Evidence(folder)
    made = values.get("provenance", {})
    return Version(
        run_id=str(values["run_id"]),
        finished=moment(str(values.get("finished", ""))) or "not told",
        code=" ".join(str(made[part]) for part in ("cxr_bench", "git") if made.get(part)),
        changes=changes,
        points=tuple(
            Point(
                checkpoints[str(entry["name"]), int(entry["seed"])],
                {row: _number(evidence, entry["folder"], row, metric) for row in ROWS},
            )
            for entry in values["networks"]
        ),
    )


def _number(evidence: Evidence, folder: str, row: str, metric: str) -> Number:
    where = MACRO if row == MACRO else f"observations.{key(row)}"
    return numbers.estimate(evidence, f"{folder}/metrics.json#{where}.{metric}")
