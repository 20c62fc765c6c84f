"""From a finding to a sentence about it: its slots, its noun phrase, its frame."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cxr.synth.phrases import Frame, Noun, Says, stock
from cxr.synth.truth import Finding

DEVICES = frozenset(
    {
        "endotracheal_tube",
        "central_line",
        "enteric_tube",
        "pacemaker",
        "chest_tube",
        "sternal_wires",
    }
)

_FITS: dict[str, str] = {
    "effusion": "size",
    "pneumothorax": "size",
    "nodule": "lesion",
    "mass": "lesion",
    "edema": "degree",
    "opacity": "opacity",
    "consolidation": "degree",
    "pneumonia": "infection",
    "atelectasis": "degree",
    "cardiomegaly": "fixed",
    "widened_mediastinum": "fixed",
    "rib_fracture": "fixed",
    "pleural_thickening": "fixed",
} | dict.fromkeys(DEVICES, "device")
"""Kind -> the carriers that fit it."""


class Said(NamedTuple):
    """A sentence of the report and what it means; `other`: pathology outside the 14."""

    text: str
    says: Says = ()
    other: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A finding that the report speaks of.

    `stance` is "stated", "new", "same" (as on the earlier study), "better", "worse" or "hedged";
    `words` are its slots, drawn once, so that findings and impression tell the same place and size.
    """

    finding: Finding
    stance: str
    words: Mapping[str, str]

    @property
    def kind(self) -> str:
        """The finding's kind."""
        return self.finding.kind

    @property
    def sides(self) -> str:
        """ "both" or "one", as the stock is looked up."""
        return "both" if self.finding.side == "both" else "one"


def tell(told: Told, place: str, rng: random.Random, *, about: str = "") -> Said:
    """Return a sentence about one finding; `about` asks for certain frames of the stock."""
    shelf = stock()
    about = about or _about(told, place, rng)
    frames = shelf.frames.get((about, told.stance, place, told.sides))
    nouns = shelf.nouns.get((told.kind, place, told.sides))
    carriers = shelf.carriers.get((told.stance, place, _FITS[told.kind]))
    alone = (
        about != told.kind
        or (about, told.stance, place) in shelf.alone
        or nouns is None
        or carriers is None
    )
    if frames and (alone or rng.random() * (1 + frames.weight) > 1):
        return say(frames.pick(rng), told, place, rng)
    if nouns is None or carriers is None:
        raise LookupError(f"No sentence for {told.kind}, {told.stance}, {place}.")
    return say(carriers.pick(rng), told, place, rng)


def tell_pair(first: Told, second: Told, place: str, rng: random.Random) -> Said | None:
    """Return one sentence about two findings, or None where the stock has none for them."""
    key = (f"{first.kind}+{second.kind}", first.stance, place, first.sides)
    frames = stock().frames.get(key)
    if frames is None:
        return None
    frame = frames.pick(rng)
    words = {**first.words}
    if frame.slots:
        words |= _dress(_noun(first.kind, first.sides, place, rng), first.words)
        other = _dress(_noun(second.kind, second.sides, place, rng), second.words)
        words |= {f"{name}2": text for name, text in other.items()}
    words |= {f"{name}2": second.words[name] for name in ("side", "line", "feeding")}
    return Said(fill(frame.text, words), frame.says)


def tell_gone(kind: str, place: str, rng: random.Random) -> Said:
    """Return a sentence that something of the earlier study is there no more."""
    shelf = stock()
    stance = "removed" if kind in DEVICES else "resolved"
    frames = shelf.frames.get((f"gone_{kind}", stance, place, "one"))
    if frames and rng.random() * (1 + frames.weight) > 1:
        frame = frames.pick(rng)
        return Said(fill(frame.text, {}), frame.says)
    frame = shelf.carriers[stance, place, _FITS[kind]].pick(rng)
    noun = _noun(f"gone_{kind}", "one", place, rng)
    return Said(fill(frame.text, _dress(noun, {})), _value(frame, noun))


def say(frame: Frame, told: Told, place: str, rng: random.Random) -> Said:
    """Return the frame filled for one finding."""
    if not frame.slots:
        return Said(fill(frame.text, told.words), frame.says)
    kind = "opacity" if "opacity_np" in frame.slots else _noun_kind(told, place, rng)
    noun = _noun(kind, told.sides, place, rng)
    dressed = _dress(noun, told.words)
    words = {**told.words, **dressed, "opacity_np": dressed["np"]}
    return Said(fill(frame.text, words), frame.says or _value(frame, noun))


def plain(about: str, rng: random.Random) -> Said:
    """Return a sentence that needs no finding."""
    frame = stock().frames[about, "stated", "findings", "one"].pick(rng)
    return Said(fill(frame.text, {}), frame.says, frame.other)


def deny(about: str, topics: list[str], rng: random.Random, told: Told | None = None) -> Said:
    """Return a sentence of the frame `about`, which may hold a list of topics and a finding.

    Args:
        about: a frame with {list} ("no", "clear_without", "no_new" ...), or with {a_np}, or both.
        topics: topics of terms in the order of the list; none for a frame without {list}.
        told: the finding that a frame with {a_np} asserts.
    """
    shelf = stock()
    frame = shelf.frames[about, "stated", "findings", "one"].pick(rng)
    terms = [shelf.terms[topic].pick(rng) for topic in topics]
    words = {"list": _join([term.text for term in terms], rng, each=about == "no_each")}
    says: Says = tuple((name, frame.value or 0.0) for term in terms for name in term.names)
    if told is not None:
        noun = _noun(told.kind, told.sides, "findings", rng)
        words |= _dress(noun, told.words)
        says += tuple((name, 1.0) for name in noun.names)
    return Said(fill(frame.text, words), says)


def fill(text: str, words: Mapping[str, str]) -> str:
    """Return the text with its slots filled, one space between words and a capital first."""
    filled = " ".join(text.format_map(words).split())
    return filled[0].upper() + filled[1:]


def _about(told: Told, place: str, rng: random.Random) -> str:
    """Return the frames' key: the kind, or the kind at one end of its sizes, or told in short.

    The short forms stand in impressions, where the body has already said what is seen.
    """
    severity = told.finding.severity
    ends = ("_severe" if severity > 0.8 else "_slight" if severity < 0.3 else None, "_short")
    for end in ends:
        known = end and (told.kind + end, told.stance, place, told.sides) in stock().frames
        if known and rng.random() < 0.3:
            return f"{told.kind}{end}"
    return told.kind


def _noun_kind(told: Told, place: str, rng: random.Random) -> str:
    """Return the nouns' key: severe findings have some of their own."""
    severe = f"{told.kind}_severe"
    known = (severe, place, told.sides) in stock().nouns
    return severe if known and told.finding.severity > 0.8 and rng.random() < 0.4 else told.kind


def _noun(kind: str, sides: str, place: str, rng: random.Random) -> Noun:
    return stock().nouns[kind, place, sides].pick(rng)


def _value(frame: Frame, noun: Noun) -> Says:
    if frame.value is None:
        return frame.says
    return tuple((name, frame.value) for name in noun.names)


_AN = (*"aeiouAEIOU8", "11", "18", "NG ")
"""What takes "an": vowels, numbers that start with one when spoken, spelled letters."""

_PLAIN = {"size": "", "degree": "", "texture": "", "degreely": ""}
_ONE = {"is": "is", "was": "was", "has": "has", "s": "s"}
_MANY = {"is": "are", "was": "were", "has": "have", "s": ""}


def _dress(noun: Noun, words: Mapping[str, str]) -> dict[str, str]:
    """Return the slots that a noun phrase fills: itself, with articles, and its agreement."""
    phrase = noun.text.format_map(words)
    bare = noun.text.format_map({**words, **_PLAIN})
    one = noun.form == "a"
    an = "an " if phrase.startswith(_AN) else "a "
    agreement = _MANY if noun.form == "many" else _ONE
    return {
        "np": phrase,
        "a_np": an + phrase if one else phrase,
        "the_np": "the " + bare,
        "np_plain": bare,
        "a_new": "a new " if one else "new ",
        "a_possible": "a possible " if one else "possible ",
        "an_unchanged": "an unchanged " if one else "unchanged ",
        **agreement,
    }


def _join(terms: list[str], rng: random.Random, *, each: bool) -> str:
    """Return "a, b, or c", or "a, no b, and no c"."""
    if len(terms) < 2:
        return "".join(terms)
    if each and len(terms) == 2:
        return f"{terms[0]} and no {terms[1]}"
    if each:
        return ", ".join((terms[0], *(f"no {term}" for term in terms[1:-1]), f"and no {terms[-1]}"))
    if len(terms) == 2:
        return f"{terms[0]} or {terms[1]}"
    comma = "," if rng.random() < 0.6 else ""
    last = f"evidence of {terms[-1]}" if rng.random() < 0.06 else terms[-1]
    return f"{', '.join(terms[:-1])}{comma} or {last}"
