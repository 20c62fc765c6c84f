"""Labels to files: a table and its evidence, in the order of the input, going on after a stop.

While a job runs, the files end in `.part` and a small state beside them tells how far they are
whole. Starting the same job again goes on from there; when all is done they get their names.
"""

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr.errors import InputError
from cxr.labeling import Evidence
from cxr.observations import OBSERVATIONS


def format_value(value: float) -> str:
    """Return a label as MIMIC-CXR-JPG writes it: "1.0", "0.0", "-1.0" or nothing."""
    return "" if value != value else f"{value:.1f}"


def format_row(ids: Sequence[str], values: Sequence[float]) -> str:
    """Return one line of CSV: ids, then the 14 labels."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([*ids, *map(format_value, values)])
    return line.getvalue()


def format_header(id_names: Sequence[str]) -> str:
    """Return the first line of the table."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([*id_names, *OBSERVATIONS])
    return line.getvalue()


def format_evidence(
    id_names: Sequence[str],
    ids: Sequence[str],
    values: Sequence[float],
    evidence: Sequence[Evidence],
) -> str:
    """Return one line of JSON: ids, the labels that are not blank, and what they rest on."""
    document: dict[str, Any] = {
        "ids": dict(zip(id_names, ids, strict=True)),
        "labels": {n: v for n, v in zip(OBSERVATIONS, values, strict=True) if v == v},
        "evidence": [item._asdict() for item in evidence],
    }
    return json.dumps(document, ensure_ascii=False) + "\n"


def check_outputs(source: Path | None, outputs: Sequence[Path | None]) -> None:
    """Refuse outputs that can't be written, before any work is done.

    Args:
        source: the input, unless it is standard input.
        outputs: the files to write; None for one that is not wanted.

    Raises:
        InputError: a folder that does not exist, the input itself, one file for two outputs.
    """
    wanted = [path for path in outputs if path is not None]
    for place, path in enumerate(wanted):
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist; make it first.")
        if source is not None and path.resolve() == source.resolve():
            raise InputError(f"{path}: is the input; give the output another name.")
        if path.resolve() in [other.resolve() for other in wanted[:place]]:
            raise InputError(f"{path}: is named for two outputs; give each a file of its own.")


@dataclass
class Part:
    """One growing file."""

    path: Path
    size: int = 0

    @property
    def part(self) -> Path:
        """Where it lies until it is whole."""
        return self.path.with_name(self.path.name + ".part")


class LabelFiles:
    """The files that a labeling job writes.

    Args:
        table: the CSV.
        evidence: the JSON lines, if wanted.
        job: what must be equal for an interrupted job to go on: input, labeler, modes.
        header: the first line of the table.
    """

    def __init__(self, table: Path, evidence: Path | None, *, job: dict[str, str], header: str):
        self._parts = [Part(table)] + ([Part(evidence)] if evidence else [])
        self._job = {**job, "files": ", ".join(str(part.path) for part in self._parts)}
        self._state = table.with_name(table.name + ".state")
        self.done = 0
        if not self._go_on():
            self._start(header)

    def _go_on(self) -> bool:
        """Cut the files back to where they were last whole; whether there was such a state."""
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            if state["job"] != self._job:
                return False
            for part, size in zip(self._parts, state["sizes"], strict=True):
                if part.part.stat().st_size < size:
                    return False
                os.truncate(part.part, size)
                part.size = size
            self.done = int(state["done"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return True

    def _start(self, header: str) -> None:
        check_outputs(None, [part.path for part in self._parts])
        for part in self._parts:
            part.part.write_text("", encoding="utf-8")
        self.done = 0
        self.append([header], 0)

    def append(self, texts: Sequence[str], done: int) -> None:
        """Add one text to each file and note `done` more reports as whole."""
        for part, text in zip(self._parts, texts, strict=False):
            content = text.encode("utf-8")
            with part.part.open("ab") as file:
                file.write(content)
            part.size += len(content)
        self.done += done
        state = {"job": self._job, "done": self.done, "sizes": [p.size for p in self._parts]}
        fresh = self._state.with_name(self._state.name + ".new")
        fresh.write_text(json.dumps(state), encoding="utf-8")
        fresh.replace(self._state)

    def finish(self) -> None:
        """Give the files their names; they are whole."""
        for part in self._parts:
            part.part.replace(part.path)
        self._state.unlink(missing_ok=True)
