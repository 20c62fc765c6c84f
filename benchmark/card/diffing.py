"""What changed from one run to another: data, code, protocol, settings, and every AUROC."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.card import words
from benchmark.card.model import Checkpoint, Number
from benchmark.card.numbers import estimate
from benchmark.card.pages import render_page
from benchmark.card.results import build_checkpoints, present_labels
from benchmark.evidence import Evidence, key
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS
from cxr.statistics import paired_area_difference

PARTS = (
    ("Protocol", "protocol"),
    ("Data", "data"),
    ("Cohort", "cohort"),
    ("Labels", "labels"),
    ("Settings", "config"),
    ("Code and machine", "provenance"),
)
MACRO = "Macro average"
GONE = "(not there)"


@dataclass(frozen=True)
class Change:
    """One fact of both runs, as texts."""

    name: str
    before: str
    after: str

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        return self.before == self.after


@dataclass(frozen=True)
class Part:
    """The facts of one kind."""

    title: str
    changes: tuple[Change, ...]

    @property
    def changed(self) -> tuple[Change, ...]:
        """Those that are not the same."""
        return tuple(change for change in self.changes if not change.same)


@dataclass(frozen=True)
class Moved:
    """One network's AUROC on one observation before and after."""

    observation: str
    before: Number
    after: Number
    difference: Number


@dataclass(frozen=True)
class NetworkDiff:
    """One network in both runs; `only` names the run where it is in one alone."""

    checkpoint: Checkpoint
    only: str
    rows: tuple[Moved, ...]


@dataclass(frozen=True)
class RunDiff:
    """Two runs side by side."""

    before: str
    after: str
    synthetic: bool
    paired: bool
    words: str
    parts: tuple[Part, ...]
    networks: tuple[NetworkDiff, ...]


def diff_runs(first: Path, second: Path) -> RunDiff:
    """Return what changed from the run in `first` to that in `second`.

    Raises:
        InputError: one of them is no run, or a file in it can't be read.
    """
    sides = (Evidence(first), Evidence(second))
    runs = [evidence.document("run.json") for evidence in sides]
    paired, said = _paired(*sides)
    return RunDiff(
        before=str(runs[0].get("run_id", first.name)),
        after=str(runs[1].get("run_id", second.name)),
        synthetic=any(run.get("cohort", {}).get("synthetic") for run in runs),
        paired=paired,
        words=said,
        parts=tuple(
            Part(title, _changes(*(run.get(name, {}) for run in runs))) for title, name in PARTS
        ),
        networks=_networks(*sides, paired=paired),
    )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    old, new = dict(_flat(before)), dict(_flat(after))
    return tuple(
        Change(name, old.get(name, GONE), new.get(name, GONE)) for name in dict.fromkeys(old | new)
    )


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping):
            yield from _flat(value, here)
        elif isinstance(value, list):
            yield here, ", ".join(map(str, value)) or "none"
        else:
            yield here, "none" if value in (None, "") else str(value)


def _paired(before: Evidence, after: Evidence) -> tuple[bool, str]:
    """Return whether differences can be paired, and in words why or why not."""
    names = ("cases", "labels", "version")
    parts = [
        [side.value(f"run.json#protocol.{name}") for name in names] for side in (before, after)
    ]
    apart = [name for name, old, new in zip(names, *parts, strict=True) if old != new or not old]
    if not apart:
        return True, "Both runs have the same test cases and labels; differences are paired."
    meant = {
        "cases": "test cases",
        "labels": "labels of the test cases",
        "version": "definitions of the metrics",
    }
    return False, (
        f"The runs differ in their {words.listed([meant[name] for name in apart])}; their AUROCs "
        "stand side by side, and no difference is given."
    )


def _networks(before: Evidence, after: Evidence, *, paired: bool) -> tuple[NetworkDiff, ...]:
    old, new = ({c.folder: c for c in build_checkpoints(evidence)} for evidence in (before, after))
    found = []
    for folder, checkpoint in (old | new).items():
        only = "" if folder in old and folder in new else ("before" if folder in old else "after")
        differences = _differences(before, after, folder) if paired and not only else {}
        rows = tuple(
            Moved(
                name,
                estimate(before, f"{folder}/metrics.json#{path}.auroc"),
                estimate(after, f"{folder}/metrics.json#{path}.auroc"),
                differences.get(name, Number("", reason="not paired")),
            )
            for name, path in (
                *((name, f"observations.{key(name)}") for name in OBSERVATIONS),
                (MACRO, "macro"),
            )
        )
        found.append(NetworkDiff(checkpoint, only, rows))
    return tuple(found)


def _differences(before: Evidence, after: Evidence, folder: str) -> dict[str, Number]:
    """Return the paired difference of each observation that has enough patients in both."""
    sides = [evidence.scored_cases(folder) for evidence in (before, after)]
    if sides[0] is None or sides[1] is None:
        return {}
    (cases, old), (others, new) = sides[0], sides[1]
    place = {image: row for row, image in enumerate(others["image_id"])}
    new = new[[place[image] for image in cases["image_id"]]]
    found = {}
    for column, name in enumerate(OBSERVATIONS):
        known = [
            evidence.value(f"{folder}/metrics.json#observations.{key(name)}.auroc.estimate")
            for evidence in (before, after)
        ]
        if None in known:
            continue
        area = paired_area_difference(
            present_labels(cases, name),
            old[:, column],
            new[:, column],
            cases["patient_id"].to_numpy(str),
        )
        found[name] = _number(Estimate(area.value, area.interval.low, area.interval.high))
    return found


def _number(value: Estimate) -> Number:
    if np.isnan(value.low):
        return Number(words.signed(value.estimate), value=value.estimate, reason="no interval")
    places = words.decimals(value)
    low, high = (Number(words.ratio(end, places), value=end) for end in (value.low, value.high))
    return Number(words.signed(value.estimate, places), "", value.estimate, low, high)


def render_diff(found: RunDiff) -> str:
    """Return the comparison as one self-contained HTML file."""
    return render_page("diff.html.jinja", style="screen.css", diff=found, paper=False)


def render_diff_text(found: RunDiff, *, everything: bool) -> str:
    """Return the comparison for a terminal.

    Args:
        found: the comparison.
        everything: also what is the same.
    """
    lines = [f"{found.before} -> {found.after}" + (" (SYNTHETIC)" if found.synthetic else "")]
    for part in found.parts:
        shown = part.changes if everything else part.changed
        lines += ["", f"{part.title}: {len(part.changed)} of {len(part.changes)} changed"]
        lines += [f"  {change.name}: {change.before} -> {change.after}" for change in shown]
    lines += ["", found.words]
    for network in found.networks:
        lines += ["", f"{network.checkpoint.name}, AUROC" + _only_words(found, network)]
        lines += [_row(row) for row in network.rows if row.before.text or row.after.text]
    return "\n".join(lines)


def _only_words(found: RunDiff, network: NetworkDiff) -> str:
    if not network.only:
        return ""
    return f" (only in {found.before if network.only == 'before' else found.after})"


def _row(row: Moved) -> str:
    cells = [_shown(number) for number in (row.before, row.after)]
    moved = f"  {_shown(row.difference)}" if row.difference.text else ""
    return f"  {row.observation:<27}{cells[0]:<22}{cells[1]:<22}{moved}".rstrip()


def _shown(number: Number) -> str:
    if not number.text:
        return "-"
    if number.low and number.high:
        return f"{number.text} [{number.low.text}, {number.high.text}]"
    return number.text
