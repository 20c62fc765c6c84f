"""The report's page: titles, indication and the other sections, line wraps, in MIMIC's manner.

Nothing written here counts for a label; only the parts that are handed in do.
"""

import random
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from cxr.synth.phrases import expand
from cxr.synth.truth import Study
from cxr.synth.wording import DEVICES

MISTYPED: Final = 0.005
"""Share of reports with one mistyped word in their body."""

_WIDTH = 79
_TITLE = " " * 33 + "FINAL REPORT"


@dataclass(frozen=True)
class Parts:
    """The sentences that count, in paragraphs.

    Attributes:
        body: paragraphs.
        impression: items of the impression; empty where there is none.
        wet: the preliminary reading above the report; mostly empty.
        addendum: what is added below the report; mostly empty.
        style: "full" (FINDINGS and IMPRESSION), "impression" (all under IMPRESSION), "title" (a
            body under the view's title), "bare" (a body without a heading).
        remarkable: something is said to be there: worth a recommendation or a telephone call.
    """

    body: list[list[str]]
    impression: list[str]
    wet: list[str]
    addendum: list[str]
    style: str
    remarkable: bool


def write_report(study: Study, parts: Parts, rng: random.Random) -> str:
    """Return the report's text, wrapped at 79 columns, every line indented by one space."""
    lines: list[str] = []
    if parts.wet:
        lines += [*_wet_reading(parts.wet, rng), ""]
    lines += [_TITLE, *_front(study, parts.style, rng)]
    gap = "  " if rng.random() < 0.5 else " "
    body = [" ".join(paragraph).replace(". ", f".{gap}") for paragraph in parts.body]
    if rng.random() < MISTYPED:
        body[-1] = mistype(body[-1], rng)
    lines += _body(study, parts.style, body, gap, rng)
    if parts.impression:
        lines += _impression(parts.impression, gap, rng)
    if parts.remarkable:
        lines += _after(rng)
    if parts.addendum:
        lines += _section("addendum", " ".join(parts.addendum), rng)
    return "\n".join(f" {line}" if line else " " for line in lines) + "\n"


def mistype(text: str, rng: random.Random) -> str:
    """Return the text with two neighbouring letters swapped inside one of its long words."""
    words = [match.span() for match in re.finditer(r"\b[a-z]{9,}\b", text)]
    if not words:
        return text
    start, end = words[int(rng.random() * len(words))]
    at = start + 2 + int(rng.random() * (end - start - 4))
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _front(study: Study, style: str, rng: random.Random) -> list[str]:
    """Return the sections before the body."""
    views = _views(study)
    lines: list[str] = []
    bare = style in ("title", "bare")
    if not bare or rng.random() < 0.3:
        lines += _section("examination", _draw("examination", views, rng), rng)
    heading = "REASON FOR EXAM" if bare and rng.random() < 0.5 else _draw_heading("indication", rng)
    lines += _lay(heading, _indication(study, rng))
    if not bare and rng.random() < 0.75:
        lines += _section("technique", _draw("technique", views, rng), rng)
    if rng.random() < (0.4 if style == "bare" else 0.9):
        when = "later" if study.number else "first"
        lines += _section("comparison", _draw("comparison", when, rng), rng)
    return lines


def _body(study: Study, style: str, body: list[str], gap: str, rng: random.Random) -> list[str]:
    """Return the body under its heading, if it has one."""
    if style == "impression":
        return _paragraphs(_draw_heading("impression", rng), body, rng)
    if style == "full":
        return _paragraphs(_draw_heading("findings", rng), body, rng)
    views = _views(study)
    intro = _draw("intro", views, rng)
    if study.number and rng.random() < 0.6:
        intro += gap + _draw("comparison", "intro", rng)
    if style == "title":
        first = intro if intro.endswith(":") or rng.random() < 0.4 else ""
        heading = _draw("title", views, rng)
    else:
        first, heading = intro, ""
    if first:
        body = [first + gap + body[0], *body[1:]] if body else [first]
    return _paragraphs(heading, body, rng)


def _paragraphs(heading: str, body: list[str], rng: random.Random) -> list[str]:
    """Return paragraphs; the first stands on the heading's line or below it."""
    lines: list[str] = [""]
    if heading and rng.random() < 0.4:
        lines += [f"{heading}: ", ""]
    elif heading:
        body = [f"{heading}:  {body[0]}", *body[1:]]
    for paragraph in body:
        lines += [*_wrap(paragraph), ""]
    return lines[:-1]


def _impression(items: list[str], gap: str, rng: random.Random) -> list[str]:
    heading = _draw_heading("impression", rng)
    if len(items) > 1 and rng.random() < 0.4:
        lines = ["", f"{heading}: ", ""]
        for number, item in enumerate(items, 1):
            lines += _wrap(f"{number}. {item}")
        return lines
    return _paragraphs(heading, [" ".join(items).replace(". ", f".{gap}")], rng)


def _wet_reading(sentences: list[str], rng: random.Random) -> list[str]:
    clock = f"{int(rng.random() * 12) + 1}:{int(rng.random() * 60):02d} "
    stamp = f"WET READ: ___ ___ ___ {clock}{'AM' if rng.random() < 0.4 else 'PM'}"
    return [
        stamp,
        *(f"  {line}" for line in _wrap(" ".join(sentences), _WIDTH - 2)),
        " " + "_" * 77,
    ]


def _after(rng: random.Random) -> list[str]:
    """Return a recommendation or a notification now and then."""
    draw = rng.random()
    if draw < 0.04:
        return _lay("RECOMMENDATION(S)", _draw("after", "recommendation", rng))
    if draw < 0.10:
        return _lay("NOTIFICATION", _draw("after", "notification", rng))
    return []


def _indication(study: Study, rng: random.Random) -> str:
    kinds = {finding.kind for finding in study.findings}
    sick = rng.random() < (0.97 if "endotracheal_tube" in kinds else 0.5 * bool(kinds & DEVICES))
    lines = "lines_sick" if sick else "lines"
    for _ in range(3):
        text = _ask(study, lines, rng)
        long_words = re.findall(r"[a-z]{6,}", text.lower())
        if len(set(long_words)) == len(long_words):  # "prior pneumothorax, r/o pneumothorax"
            break
    return text


def _ask(study: Study, lines: str, rng: random.Random) -> str:
    """Return one line of an indication: who, with what, asked for what."""
    female = study.patient.sex == "F"
    words = {
        "sex": study.patient.sex,
        "sex_low": study.patient.sex.lower(),
        "person": "woman" if female else "man",
        "person_up": "Woman" if female else "Man",
    }
    words["who"] = _draw("indication", "who", rng).format_map(words)
    line = _draw("indication", lines, rng)
    for name in re.findall(r"{(\w+?)(?:_up)?}", line):
        if name not in words:
            words[name] = _draw("indication", name, rng)
            words[f"{name}_up"] = words[name][0].upper() + words[name][1:]
    return line.format_map(words)


def _views(study: Study) -> str:
    frontal = study.images[0].view
    lateral = any(image.view == "LATERAL" for image in study.images)
    return f"{frontal} LATERAL" if lateral else frontal


def _section(name: str, text: str, rng: random.Random) -> list[str]:
    return _lay(_draw_heading(name, rng), text)


def _lay(heading: str, text: str) -> list[str]:
    return ["", *_wrap(f"{heading}:  {text}")]


def _draw_heading(name: str, rng: random.Random) -> str:
    return _draw("headings", name, rng)


def _draw(section: str, key: str, rng: random.Random) -> str:
    texts = _texts()[section, key]
    return texts[int(rng.random() * len(texts))]


def _wrap(text: str, width: int = _WIDTH) -> list[str]:
    """Return lines of at most `width` columns; the spaces inside a line stay as they are."""
    lines: list[str] = []
    while len(text) > width:
        cut = text.rfind(" ", 0, width + 1)
        if cut <= 0:
            break
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*lines, text]


@cache
def _texts() -> dict[tuple[str, str], tuple[str, ...]]:
    """Return (section, key) -> every reading of paper.toml."""
    path = resources.files("cxr.synth") / "sentences" / "paper.toml"
    return {
        (section, key): tuple(reading for text in texts for reading in expand(text))
        for section, keys in tomllib.loads(path.read_text("utf-8")).items()
        for key, texts in keys.items()
    }
