"""Finds the sections of a report and tells which of them count (C2)."""

import re
from functools import lru_cache
from typing import NamedTuple


class Section(NamedTuple):
    """A stretch of the report.

    Attributes:
        name: its heading in lower case; empty for a body without heading.
        kind: "findings", "impression", "body", or "ignored".
        start, end: the span of its text, heading left out.
    """

    name: str
    kind: str
    start: int
    end: int


_FINDINGS = "findings|finding|chest findings|report|interpretation"
_IMPRESSION = (
    "impression|impressions|conclusion|conclusions|opinion|summary|assessment|final impression"
)
_BODY = (
    "wet read|wet reading|preliminary report|preliminary read|preliminary findings|addendum|"
    "addenda|final report|provisional findings|prelim report|provisional findings impression"
)
_PREFACE = (
    "indication|indications|clinical indication|indication for study|indication for exam|history|"
    "clinical history|patient history|medical history|clinical information|clinical data|"
    "clinical statement|clinical question|clinical|brief history|reason for exam|"
    "reason for examination|reason for this examination|reason for study|reason for the exam|"
    "reason|reason for consultation|reason for test|symptoms|signs and symptoms|"
    "comparison|comparisons|compare|comparison study|comparison studies|comparison exam|prior|"
    "priors|comparison film|comparison films|technique|techniques|exam|examination|examinations|"
    "exam type|study|study type|procedure|procedures|type of exam|protocol|diagnosis|"
    "admitting diagnosis|underlying medical condition|medical condition|history and indication|"
    "history/indication|indication/history|exam date|date|date of exam|contrast|dose"
)
_CLOSING = (
    "recommendation|recommendations|notification|notifications|communication|follow up|"
    "critical results|findings discussed|attestation|signed|electronically signed by|dictated by|"
    "suggestion|advice|plan|note to physician|results communication"
)
_KINDS = {
    **dict.fromkeys(_FINDINGS.split("|"), "findings"),
    **dict.fromkeys(_IMPRESSION.split("|"), "impression"),
    **dict.fromkeys(_BODY.split("|"), "body"),
    **dict.fromkeys(_PREFACE.split("|"), "preface"),
    **dict.fromkeys(_CLOSING.split("|"), "closing"),
}
_LAST_WORDS = frozenset(name.split(" ")[-1].split("/")[-1].rstrip("s") for name in _KINDS)
_LONGEST_HEADING = 80
_LONGEST_SUFFIX = 4
_STRIPPED = re.compile(r"\([^)]*\)|[^a-z/ ]+")
_VIEW_TITLE = re.compile(
    r"\b(?:chest|thorax|cxr)\b.*\b(?:views?|pa|ap|lateral|portable|film|radiographs?|frontal|"
    r"x ?ray|upright|supine|two|single|one|three|[ap] ?m)\b|"
    r"\b(?:views?|pa|ap|portable|frontal|radiographs?|films?|upright|supine|single)\b.*"
    r"\b(?:chest|thorax|cxr)\b|^(?:chest|cxr|portable chest|chest x ?ray)$"
)
_SENTENCE_LINE = re.compile(r"(?<=[.?\x02])[ \t]*\n\s*")
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")


def split_sections(folded: str) -> list[Section]:
    """Return the sections of a report in folded text, in order; they do not overlap.

    A heading is a known phrase before a colon, or alone on its line after a full stop or a blank
    line. The title of a view heads a body. A preface (indication, comparison ...) ends at the
    next heading, or at a blank line.
    """
    marks = _colon_headings(folded)
    if any(line.strip() in _KINDS for line in folded.split("\n")):
        marks = sorted(marks + _lone_headings(folded))
    if not marks:
        return [Section("", "body", 0, len(folded))]
    sections = []
    if folded[: marks[0][0]].strip():
        sections.append(Section("", "body", 0, marks[0][0]))
    ends = [mark[0] for mark in marks[1:]] + [len(folded)]
    bodiless = not any(kind in ("findings", "impression") for *_, kind in marks)
    for (_, start, name, kind), end in zip(marks, ends, strict=True):
        start = min(start, end)
        if kind == "preface":
            last = bodiless and end == len(folded)
            sections += _split_preface(folded, name, start, end, last=last)
        else:
            sections.append(Section(name, "ignored" if kind == "closing" else kind, start, end))
    return sections


def _split_preface(folded: str, name: str, start: int, end: int, *, last: bool) -> list[Section]:
    """Cut what follows a preface after a blank line off as a body without heading.

    The last preface of a report that has no findings and no impression ends with its first
    line that ends a sentence: a report has a body somewhere.
    """
    while start < end and folded[start].isspace():
        start += 1
    blank = _PARAGRAPH.search(folded, start, end) or (
        _SENTENCE_LINE.search(folded, start, end) if last else None
    )
    if blank is None or blank.end() >= end:
        return [Section(name, "ignored", start, end)]
    return [Section(name, "ignored", start, blank.start()), Section("", "body", blank.end(), end)]


def _colon_headings(folded: str) -> list[tuple[int, int, str, str]]:
    """Return (start of heading, start of text, name, kind) of every heading with a colon."""
    marks = []
    floor = 0
    colon = folded.find(":")
    while colon >= 0:
        start = max(floor, colon - _LONGEST_HEADING)
        if not _may_head(folded, start, colon):
            colon = folded.find(":", colon + 1)
            continue
        start = max(start, *(folded.rfind(mark, start, colon) + 1 for mark in ".;!?\n"))
        found = _name_heading(folded[start:colon])
        if found:
            name, kind, offset = found
            marks.append((start + offset, colon + 1, name, kind))
            floor = colon + 1
        colon = folded.find(":", colon + 1)
    return marks


def _may_head(folded: str, start: int, colon: int) -> bool:
    """Whether what stands before the colon at all looks like a heading: cheap, for speed."""
    last = folded[max(start, colon - 24) : colon].rstrip(" \t()s").rpartition(" ")[2]
    if not last or last[-1] == ":":
        return False
    return last.rpartition("\n")[2] in _LAST_WORDS or any(
        folded.find(word, start, colon) >= 0 for word in ("chest", "thorax", "cxr")
    )


@lru_cache(maxsize=4096)
def _name_heading(line: str) -> tuple[str, str, int] | None:
    """Return name, kind and place of the heading that `line` is or ends with."""
    name = line.strip()
    if name not in _KINDS:
        name = " ".join(_STRIPPED.sub(" ", line).split())
    kind = _KINDS.get(name)
    if kind:
        return name, kind, len(line) - len(line.lstrip())
    if _VIEW_TITLE.search(name):
        return name, "body", len(line) - len(line.lstrip())
    words = name.split(" ")
    for count in range(min(_LONGEST_SUFFIX, len(words) - 1), 0, -1):
        suffix = " ".join(words[-count:])
        if suffix in _KINDS and suffix not in ("clinical", "reason", "report", "note", "study"):
            place = line.rfind(words[-count])
            return suffix, _KINDS[suffix], max(place, 0)
    return None


def _lone_headings(folded: str) -> list[tuple[int, int, str, str]]:
    """Return the same of every heading alone on its line, after a full stop or a blank line."""
    marks = []
    start, before = 0, ""
    for line in folded.split("\n"):
        name = line.strip()
        if name in _KINDS and before[-1:] in ("", ".", "!", "?", ":"):
            marks.append((start + line.find(name), start + len(line), name, _KINDS[name]))
        before = name
        start += len(line) + 1
    return marks


def counted_sections(folded: str, *, mode: str) -> list[Section]:
    """Return the sections whose text counts.

    Args:
        folded: the report, folded.
        mode: "all" for everything but the ignored; "mimic" for the one section that
            MIMIC-CXR-JPG labeled: the last of the first kind present among impression,
            findings, last paragraph, comparison.
    """
    sections = split_sections(folded)
    if mode == "all":
        return [section for section in sections if section.kind != "ignored"]
    for kind in ("impression", "findings"):
        chosen = [s for s in sections if s.kind == kind and folded[s.start : s.end].strip()]
        if chosen:
            return chosen[-1:]
    bodies = [s for s in sections if s.kind == "body" and folded[s.start : s.end].strip()]
    if bodies:
        return [_last_paragraph(folded, bodies[-1])]
    return [s for s in sections if s.name.startswith("comparison")][-1:]


def _last_paragraph(folded: str, body: Section) -> Section:
    end = body.start + len(folded[body.start : body.end].rstrip())
    starts = [match.end() for match in _PARAGRAPH.finditer(folded, body.start, end)]
    return Section(body.name, body.kind, starts[-1] if starts else body.start, end)
