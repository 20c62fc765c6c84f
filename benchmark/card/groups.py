"""Subgroups of the test split: AUROC by sex, age band and view, and the largest gap.

Macro means of two groups run over different observations where one is not estimable in one of
them, so the gap is looked for observation by observation.
"""

import re
from collections.abc import Sequence
from itertools import combinations, groupby

from benchmark.card import words
from benchmark.card.model import (
    Checkpoint,
    Gap,
    Group,
    GroupRow,
    Groups,
    Number,
)
from benchmark.card.numbers import estimate, number
from benchmark.evidence import Evidence, key
from cxr.observations import OBSERVATIONS


def build_groups(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> Groups | None:
    """Return every subgroup that all checkpoints were measured in; None where there is none."""
    groups = _groups(evidence, checkpoints)
    if not groups:
        return None
    rows = tuple(
        GroupRow(
            title,
            words.slug(title),
            tuple(
                (
                    checkpoint,
                    tuple(
                        estimate(evidence, f"{checkpoint.folder}/{group.file}#{path}.auroc")
                        for group in groups
                    ),
                )
                for checkpoint in checkpoints
            ),
        )
        for title, path in [
            *((name, f"observations.{key(name)}") for name in OBSERVATIONS),
            ("Macro average", "macro"),
        ]
    )
    traits = tuple(
        (trait, len(list(found))) for trait, found in groupby(groups, lambda group: group.trait)
    )
    return Groups(groups, traits, rows, _largest_gap(groups, rows))


def _groups(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> tuple[Group, ...]:
    files = [
        {
            path.name
            for path in (evidence.run.path / c.folder).glob("metrics.*.json")
            if evidence.value(f"{c.folder}/{path.name}#group") not in (None, "all")
        }
        for c in checkpoints
    ]
    shared = set.intersection(*files) if files else set()
    return tuple(sorted((_group(evidence, checkpoints[0], file) for file in shared), key=_order))


def _group(evidence: Evidence, checkpoint: Checkpoint, file: str) -> Group:
    base = f"{checkpoint.folder}/{file}#"
    trait, _, value = str(evidence.value(f"{base}group")).partition("=")
    return Group(
        file=file,
        trait=trait.capitalize() if value else "Other",
        value=value or trait,
        cases=number(evidence, f"{base}cases"),
        patients=number(evidence, f"{base}patients"),
    )


def _order(group: Group) -> tuple[str, int, bool, str]:
    digits = re.search(r"\d+", group.value)
    start = int(digits[0]) if digits else 0
    return (group.trait, start, not group.value.startswith("<"), group.value)


def _largest_gap(groups: Sequence[Group], rows: Sequence[GroupRow]) -> Gap | None:
    """The largest difference in AUROC between two groups of one trait on one observation."""
    found = [
        (row.observation, checkpoint, numbers, lower, higher)
        for row in rows[:-1]
        for checkpoint, numbers in row.rows
        for lower, higher in _pairs(groups, numbers)
    ]
    if not found:
        return None
    observation, checkpoint, numbers, lower, higher = max(
        found, key=lambda pair: (pair[2][pair[4]].value or 0.0) - (pair[2][pair[3]].value or 0.0)
    )
    return Gap(
        observation=observation,
        checkpoint=checkpoint,
        lower=(groups[lower], numbers[lower]),
        higher=(groups[higher], numbers[higher]),
        compared=len(found),
    )


def _pairs(groups: Sequence[Group], numbers: Sequence[Number]) -> list[tuple[int, int]]:
    """Positions of two groups of one trait that are both estimable, the lower one first."""
    found = []
    for a, b in combinations(range(len(groups)), 2):
        one, other = numbers[a].value, numbers[b].value
        if groups[a].trait == groups[b].trait and one is not None and other is not None:
            found.append((a, b) if one <= other else (b, a))
    return found
