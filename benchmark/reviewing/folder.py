"""The folder `reviews/` of a finished run: what people add after it, with a manifest of its own.

The run's own files and its MANIFEST.sha256 stay as they are. Beside them:

    reviews/
      blind-1a2b3c4d/cases.json     which cases were asked, and how many cases each stands for
      blind-1a2b3c4d/answers/       one JSON file a reader, as it was sent
      maps-5e6f7a8b/...             the same for the heatmaps
      review.json                   what the answers say
      signoffs.json                 who decided what
      history.json                  every edition of the card, and why it was made
      card.html ...                 the newest edition
      MANIFEST.sha256               of all this
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.runs import Run, read_json, write_json, write_manifest
from cxr.errors import InputError

FOLDER = "reviews"
SET_FORMAT = "cxr-bench review cases"


@dataclass(frozen=True)
class ReviewSet:
    """The cases of one form, as they are kept beside the run.

    Attributes:
        stage: "blind" or "maps".
        observations: that were asked.
        cases: one record a case: "case" (its number in the form), "image_id", "patient_id",
            "weight", "picture" (a digest); of a map also "network", "observation", "score".
        about: how they were chosen: seed, sampling in words; for maps the blind set.
    """

    stage: str
    observations: tuple[str, ...]
    cases: tuple[Mapping[str, Any], ...]
    about: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of what is asked; the form and every answer carry it."""
        shown = [
            [case["case"], case["image_id"], case["picture"], case.get("overlay")]
            for case in self.cases
        ]
        text = json.dumps([SET_FORMAT, self.stage, self.observations, shown])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def name(self) -> str:
        """The set's folder."""
        return f"{self.stage}-{self.digest[:8]}"

    def as_json(self) -> dict[str, Any]:
        """Return what cases.json holds."""
        return {
            "format": SET_FORMAT,
            "stage": self.stage,
            "digest": self.digest,
            "observations": list(self.observations),
            "about": dict(self.about),
            "cases": [dict(case) for case in self.cases],
        }


class Reviews:
    """The reviews of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.path = run.path / FOLDER

    def add_set(self, chosen: ReviewSet) -> None:
        """Keep the cases of a form; the same form again changes nothing."""
        file = self.path / chosen.name / "cases.json"
        if not file.is_file():
            write_json(file, chosen.as_json())
            self.seal()

    def sets(self, stage: str | None = None) -> list[ReviewSet]:
        """Return the sets that were exported, by name.

        Raises:
            InputError: a file was changed.
        """
        files = sorted(self.path.glob("*/cases.json"))
        found = [_read_set(file) for file in files]
        return [each for each in found if stage in (None, each.stage)]

    def find(self, digest: str) -> ReviewSet | None:
        """Return the set with this digest, or one that begins so."""
        found = [each for each in self.sets() if digest and each.digest.startswith(digest)]
        return found[0] if len(found) == 1 else None

    def answers(self, chosen: ReviewSet) -> list[dict[str, Any]]:
        """Return the answers to a set, by reader."""
        files = sorted((self.path / chosen.name / "answers").glob("*.json"))
        return sorted((read_json(file) for file in files), key=lambda each: each["reader"])

    def add_answers(self, chosen: ReviewSet, name: str, text: str) -> None:
        """Keep a reader's file as it was sent."""
        file = self.path / chosen.name / "answers" / f"{name}.json"
        write_json(file, json.loads(text))

    def records(self, name: str) -> list[dict[str, Any]]:
        """Return the list that signoffs.json or history.json holds; empty without it."""
        file = self.path / f"{name}.json"
        found: Any = read_json(file) if file.is_file() else []
        return list(found)

    def add_records(self, name: str, added: Sequence[Mapping[str, Any]]) -> None:
        """Append to signoffs.json or history.json."""
        if added:
            self.put_records(name, [*self.records(name), *added])

    def put_records(self, name: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Replace signoffs.json or history.json; without records, as if nothing had been."""
        if records:
            write_json(self.path / f"{name}.json", [*map(dict, records)])
            return
        (self.path / f"{name}.json").unlink(missing_ok=True)
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def seal(self) -> None:
        """Write the manifest of all that lies here."""
        write_manifest(self.path)


def _read_set(file: Path) -> ReviewSet:
    values = read_json(file)
    found = ReviewSet(
        stage=str(values["stage"]),
        observations=tuple(values["observations"]),
        cases=tuple(values["cases"]),
        about=values["about"],
    )
    if found.digest != values["digest"]:
        raise InputError(
            f"{file} was changed: its digest is not that of its cases; restore it, or remove the "
            "folder and export anew."
        )
    return found
