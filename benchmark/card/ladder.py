"""The reference ladder: AUROCs beside chance and what others published, and what lies far below.

A number is far below where even the upper end of its interval stays `FAR` under the lowest
published one of a whole training set: then the size of the test set does not explain it.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.card import words
from benchmark.card.model import Checkpoint, Ladder, LadderRow, Reference, Results
from benchmark.card.numbers import published, share
from benchmark.evidence import Evidence, key

FAR = 0.1
"""How far below the published band an interval has to end."""
STUDY = "study"
"""The reference that is no band: its own values are what is doubted."""


def build_ladder(
    evidence: Evidence, checkpoints: Sequence[Checkpoint], results: Results | None
) -> Ladder:
    """Return our AUROCs beside chance and what others published."""
    references = _references()
    columns = [column for reference in references for column in reference["column"]]
    scored = results.observations if results else ()
    rows = tuple(
        LadderRow(
            observation=o.name,
            prevalence=share(
                evidence,
                f"{checkpoints[0].folder}/metrics.json#observations.{key(o.name)}.positives",
                f"{checkpoints[0].folder}/metrics.json#cases",
            ),
            ours=tuple(s.auroc for s in o.scores),
            published=tuple(published(column["auroc"].get(o.name)) for column in columns),
        )
        for o in scored
    )
    averages = results.averages[0].scores if results else ()
    macro = LadderRow(
        observation="Macro average",
        prevalence=None,
        ours=tuple(s.auroc for s in averages),
        published=tuple(published(column.get("macro")) for column in columns),
    )
    synthetic = bool(evidence.value("run.json#cohort.synthetic"))
    return Ladder(
        references=tuple(Reference(r["name"], r["citation"], r["policy"]) for r in references),
        columns=tuple(column["name"] for column in columns),
        rows=rows,
        macro=macro,
        flags=() if synthetic else _flags(checkpoints, [*rows, macro], references),
    )


def _flags(
    checkpoints: Sequence[Checkpoint],
    rows: Sequence[LadderRow],
    references: Sequence[dict[str, Any]],
) -> tuple[str, ...]:
    """Return a sentence for each number that lies far below the published band."""
    found = []
    for row in rows:
        band = _band(row.observation, references)
        for checkpoint, number in zip(checkpoints, row.ours, strict=True):
            high = number.high.value if number.high else None
            if band is None or high is None or high >= band - FAR:
                continue
            found.append(
                f"{row.observation}, {checkpoint.name}: {number.text}, its interval ends at "
                f"{words.ratio(high)}; published values start at {words.ratio(band)}."
            )
    return tuple(found)


def _band(observation: str, references: Sequence[dict[str, Any]]) -> float | None:
    """The lowest published value of an observation, or of the macro average."""
    values = [
        column["auroc"].get(observation, column.get("macro") if "average" in observation else None)
        for reference in references
        if reference["key"] != STUDY
        for column in reference["column"]
    ]
    return min((value for value in values if value is not None), default=None)


def _references() -> list[dict[str, Any]]:
    path = Path(__file__).with_name("references.toml")
    return list(tomllib.loads(path.read_text(encoding="utf-8"))["reference"])
