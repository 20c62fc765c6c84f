"""What only people know, from the run folder's card.toml, and where it contradicts the images.

owner = "Department of Radiology"       # also contact, licence, funding, registration,
intended_use = ["Research."]            # approval, availability, sample_size
out_of_scope = ["Children."]            # also caveats, ethics: text or a list of texts

[[section]]                             # as many as you like, after the limits
title = "Monitoring"
text = "Every month ..."                # an empty line between paragraphs
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.card.words import listed
from benchmark.evidence import Evidence
from cxr.errors import InputError

TEXTS = (
    "owner",
    "contact",
    "licence",
    "funding",
    "registration",
    "approval",
    "availability",
    "sample_size",
)
LISTS = ("intended_use", "out_of_scope", "caveats", "ethics")
SECTION = "section"

MODALITIES = {
    "CT": r"\bCTs?\b|\bcomputed tomograph\w*",
    "MRI": r"\bMRI?s?\b|\bmagnetic resonance",
    "ultrasound": r"\bultrasound|\bsonograph\w*|\bechocardiogra\w*",
    "mammography": r"\bmammogra\w*",
    "PET": r"\bPET\b|\bpositron emission",
}
RADIOGRAPHS = frozenset({"CR", "DX", "RG", "DR", "XR", "RF"})
CHILDREN = re.compile(
    r"\b(?:child(?:ren)?|p(?:a)?ediatric\w*|infants?|neonat\w*|newborns?)\b", re.I
)
NOT_MEANT = re.compile(r"\b(?:not?|never|without|except|other than|exclud\w*)\b", re.I)
_CLAIMS = ("intended_use", "sample_size", "availability", "caveats")


@dataclass(frozen=True)
class OwnSection:
    """A section that people wrote: title and paragraphs."""

    title: str
    paragraphs: tuple[str, ...]


def read_notes(evidence: Evidence) -> dict[str, Any]:
    """Return what people wrote into the run folder's card.toml; nothing where there is none.

    Raises:
        InputError: the file is no TOML, or holds a key or a value that the card does not know.
    """
    path = evidence.path("card.toml")
    if path is None:
        return {}
    try:
        notes = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML ({error}); correct that line.") from error
    for name, value in notes.items():
        _check(str(path), name, value)
    return notes


def _check(where: str, name: str, value: Any) -> None:
    known = (*TEXTS, *LISTS, SECTION)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
        raise InputError(f"{where}: {name!r} is unknown; {hint}")
    if name == SECTION:
        sections = value if isinstance(value, list) else [value]
        for number, each in enumerate(sections, 1):
            if not isinstance(each, dict) or set(each) != {"title", "text"}:
                raise InputError(
                    f"{where}: [[section]] {number} needs a title and a text, no more."
                )
        value = [text for each in sections for text in each.values()]
    texts = value if isinstance(value, list) and name not in TEXTS else [value]
    if not all(isinstance(text, str) for text in texts):
        kind = "a text" if name in TEXTS else "a text or a list of texts"
        raise InputError(f"{where}: {name} is {value!r}; expected {kind}.")


def build_own_sections(notes: Mapping[str, Any]) -> tuple[OwnSection, ...]:
    """Return the sections that people added, in their order."""
    found = notes.get(SECTION, [])
    sections = found if isinstance(found, list) else [found]
    return tuple(
        OwnSection(
            each["title"].strip() or "Untitled",
            tuple(" ".join(part.split()) for part in re.split(r"\n\s*\n", each["text"].strip())),
        )
        for each in sections
    )


def build_contradictions(evidence: Evidence, notes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where hand-written claims contradict what the images' own headers say.

    A sentence that says what is *not* meant ("not for CT") contradicts nothing.
    """
    modalities = evidence.value("run.json#data.modalities") or {}
    youngest = evidence.value("run.json#data.ages.low")
    found = []
    for name, sentence in _claims(notes):
        if NOT_MEANT.search(sentence):
            continue
        if modalities and set(modalities) <= RADIOGRAPHS:
            said = [kind for kind, words in MODALITIES.items() if re.search(words, sentence)]
            if said:
                found.append(
                    f"card.toml, {name}, speaks of {listed(said)}; the images' headers say "
                    f"{listed(sorted(modalities))}, which are radiographs."
                )
        if youngest is not None and youngest >= 18 and CHILDREN.search(sentence):
            found.append(
                f"card.toml, {name}, speaks of children; the youngest patient is {youngest:g}."
            )
    return tuple(found)


def _claims(notes: Mapping[str, Any]) -> list[tuple[str, str]]:
    texts: list[tuple[str, str]] = []
    for name in _CLAIMS:
        value = notes.get(name) or []
        texts += [(name, text) for text in (value if isinstance(value, list) else [value])]
    for section in build_own_sections(notes):
        texts += [(f"section {section.title!r}", text) for text in section.paragraphs]
    return [
        (name, sentence) for name, text in texts for sentence in re.split(r"(?<=[.;!?])\s+", text)
    ]
