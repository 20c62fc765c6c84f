"""A page that shows each report with its findings coloured by what was decided, and why."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.labels.inputs import Report
from benchmark.locations import templates_folder
from cxr.labeling import Evidence, ReportLabels, labeler_version
from cxr.observations import OBSERVATIONS

WORDS = {1.0: "present", 0.0: "absent", -1.0: "in doubt"}
_CLASSES = {1.0: "present", 0.0: "absent", -1.0: "doubt"}

MOST_REPORTS = 2000
"""Reports on one page; a browser gets slow beyond."""


@dataclass(frozen=True)
class Why:
    """One reason in a marked place: which observation, what was decided, by what."""

    observation: str
    word: str
    trigger: str
    convention: str
    section: str


@dataclass(frozen=True)
class Segment:
    """A stretch of a report; marked where `reasons` are given."""

    text: str
    look: str = ""
    reasons: tuple[Why, ...] = ()


@dataclass(frozen=True)
class Shown:
    """One report as the page shows it.

    Attributes:
        title: its ids.
        labels: (observation, look, word) of every label that is not blank.
        keys: the same as "place:look", for filtering.
        segments: the whole text in order.
    """

    title: str
    labels: tuple[tuple[str, str, str], ...]
    keys: str
    segments: tuple[Segment, ...]


def show_report(report: Report, labels: ReportLabels) -> Shown:
    """Return a report as the page shows it."""
    stated = [(place, value) for place, value in enumerate(labels.values) if value == value]
    return Shown(
        " / ".join(part for part in report.ids if part),
        tuple((OBSERVATIONS[place], _CLASSES[value], WORDS[value]) for place, value in stated),
        " ".join(f"{place}:{_CLASSES[value]}" for place, value in stated),
        cut_segments(report.text, labels.evidence),
    )


def cut_segments(text: str, evidence: Iterable[Evidence]) -> tuple[Segment, ...]:
    """Cut `text` where findings begin and end; joined again it is `text`."""
    segments: list[Segment] = []
    end = 0
    ordered = sorted(evidence, key=lambda item: item.span)
    for span, group in itertools.groupby(ordered, key=lambda item: item.span):
        if span[0] < end:
            continue
        items = list(group)
        if span[0] > end:
            segments.append(Segment(text[end : span[0]]))
        reasons = tuple(
            Why(
                item.observation if item.observation != "Other" else "Other pathology",
                WORDS[item.value],
                " ".join(item.trigger.split()),
                item.convention,
                item.section,
            )
            for item in items
        )
        segments.append(Segment(text[slice(*span)], _CLASSES[items[0].value], reasons))
        end = span[1]
    if end < len(text):
        segments.append(Segment(text[end:]))
    return tuple(segments)


def write_page(
    path: Path, labeled: Iterable[tuple[Report, ReportLabels]], *, name: str, count: int
) -> None:
    """Write the page for the first `MOST_REPORTS` reports; it needs no network.

    Args:
        path: HTML file to write.
        labeled: reports with their labels.
        name: of the input, for the title.
        count: how many reports the input holds.
    """
    environment = Environment(
        loader=FileSystemLoader(templates_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown: Iterator[Shown] = (
        show_report(report, labels) for report, labels in itertools.islice(labeled, MOST_REPORTS)
    )
    stream = environment.get_template("labels.html.jinja").stream(
        name=name,
        count=count,
        shown_count=min(count, MOST_REPORTS),
        version=labeler_version(),
        observations=list(enumerate(OBSERVATIONS)),
        reports=shown,
    )
    from benchmark.runs import replacing  # pandas loads with it

    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(stream)
