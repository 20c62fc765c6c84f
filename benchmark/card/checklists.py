"""Where the card answers each item of the reporting checklists, and which items stay open.

First come the five points on which most published studies of imaging AI fail: annotation
quality, sample size, robustness, failure analysis, and the availability of code and data.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.card import words
from benchmark.card.model import Breakdown, Checklist, ChecklistItem, ExampleGroup, Groups, Point
from benchmark.evidence import Evidence

OPEN = "not provided"


@dataclass(frozen=True)
class Known:
    """What the card turned out to hold, as far as checklists ask for it."""

    synthetic: bool
    results: bool
    truth: bool
    variants: bool
    examples: tuple[ExampleGroup, ...]
    groups: Groups | None
    breakdowns: tuple[Breakdown, ...]
    readers: bool


def build_checklists(known: Known, notes: Mapping[str, Any]) -> tuple[Checklist, ...]:
    """Return every checklist, each item with its section or as not provided."""
    facts = _facts(known, notes)
    path = Path(__file__).with_name("checklists.toml")
    return tuple(
        Checklist(
            name=entry["name"],
            citation=entry["citation"],
            items=tuple(
                ChecklistItem(
                    number=item["number"],
                    text=item["text"],
                    section=item.get("section", "") if facts[item.get("needs", "")] else "",
                )
                for item in entry["items"]
            ),
        )
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["checklist"]
    )


def _facts(known: Known, notes: Mapping[str, Any]) -> dict[str, bool]:
    """Return for each `needs` whether it is met; the empty one always is."""
    traits = {b.title: not b.missing for b in known.breakdowns}
    told = {name: bool(notes.get(name)) for name in ("funding", "registration", "approval")}
    return told | {
        "": True,
        "synthetic": known.synthetic,  # then nobody is in the data, and dates mean nothing
        "results": known.results,
        "examples": bool(known.examples),
        "groups": bool(known.groups),
        "devices": traits.get("X-ray devices", False),
        "demographics": traits.get("Sex", False) and traits.get("Age (years)", False),
        "availability": bool(notes.get("availability")),
        "sample_size": bool(notes.get("sample_size")),
        "readers": known.readers,
        "external": False,  # a run has one cohort
        "robustness": False,  # label variants alone are none
    }


def build_points(evidence: Evidence, known: Known, notes: Mapping[str, Any]) -> tuple[Point, ...]:
    """Return the five points that most published studies leave open, answered first."""
    least = evidence.value("run.json#config.evaluation.min_patients")
    git = evidence.value("run.json#provenance.git")
    quality = "labels" if known.truth else ""
    return (
        Point(
            "Annotation quality",
            "Labels are held against the truth, observation by observation; no reader has "
            "labeled the images again."
            if known.truth
            else f"{OPEN}: neither the truth nor a second reader is known.",
            quality,
        ),
        Point(
            "Sample size",
            str(notes.get("sample_size") or "")
            or (
                f"Not planned for this run. Fewer than {least} patients of a class give no number, "
                "and the comparison says how many positives a difference of 0.02 would take."
                if least
                else OPEN
            ),
            "comparison",
        ),
        Point(
            "Robustness",
            f"{OPEN}: noise, contrast, devices and other hospitals were not tried. Only what "
            "hedged labels change is shown."
            if known.variants
            else OPEN,
            "variants" if known.variants else "",
        ),
        Point(
            "Failure analysis",
            "The most confident false alarms and misses of each observation stand in the "
            "explanations, the counts in the confusion matrices."
            if known.examples
            else f"{OPEN}: the run holds no examples.",
            "explanations" if known.examples else "",
        ),
        Point(
            "Availability of code and data",
            str(notes.get("availability") or "")
            or f"Code: {f'git {git}' if git else 'version as in the provenance'}. "
            f"Model and data: {words.NOT_PROVIDED}; state it in card.toml (availability).",
            "reproduce",
        ),
    )
