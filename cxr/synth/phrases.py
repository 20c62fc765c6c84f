"""The narrator's stock of sentences, read from `sentences/*.toml`.

The files are written for a radiologist's eye: nouns name findings, carriers are sentences around
a noun, frames are whole sentences, terms stand in lists of what is absent. Each says which
observation takes which value, so that what a report means is known without reading it. In a
text, [x|y] is a free choice; it is multiplied out once, here.
"""

import itertools
import random
import re
import tomllib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Generic, TypeVar

Says = tuple[tuple[str, float], ...]
"""(observation, value) pairs; values 1, 0 and -1 as in `cxr.observations`."""

T = TypeVar("T")

_PLACES = ("findings", "impression", "wet")
_CHOICE = re.compile(r"\[([^\]]*)\]")


class Choice(Generic[T]):
    """Things to pick from, each with a weight."""

    def __init__(self, weighted: Iterable[tuple[T, float]]) -> None:
        pairs = list(weighted)
        self.items = tuple(item for item, _ in pairs)
        self._cumulative = tuple(itertools.accumulate(weight for _, weight in pairs))
        self.weight = self._cumulative[-1]

    def pick(self, rng: random.Random) -> T:
        """Return one of the things."""
        return self.items[bisect_right(self._cumulative, rng.random() * self.weight)]


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun phrase; `form` is "a", "many" or "mass", `names` the observations that it names."""

    form: str
    text: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A sentence with slots.

    Attributes:
        text: the sentence; starts with a capital after its slots are filled.
        says: what it says by itself.
        value: what it says about the observations that its noun or its list names; None where
            it has neither.
        other: it states pathology outside the 14 observations.
        slots: the slots that need a noun phrase.
    """

    text: str
    says: Says
    value: float | None
    other: bool
    slots: frozenset[str]


@dataclass(frozen=True)
class Stock:
    """All sentences, by what they are looked up with.

    Attributes:
        nouns: (kind, place, "one" or "both").
        carriers: (stance, place, what it fits).
        frames: (about, stance, place, "one" or "both").
        alone: (about, stance, place) whose frames are used without nouns and carriers.
        terms: topic of a list.
    """

    nouns: Mapping[tuple[str, str, str], Choice[Noun]]
    carriers: Mapping[tuple[str, str, str], Choice[Frame]]
    frames: Mapping[tuple[str, str, str, str], Choice[Frame]]
    alone: frozenset[tuple[str, str, str]]
    terms: Mapping[str, Choice[Noun]]


def expand(text: str) -> list[str]:
    """Return every reading of a text with choices.

    >>> expand("[No|There is no] change[| since ___].")[:2]
    ['No change.', 'No change since ___.']
    """
    parts = _CHOICE.split(text)  # plain, choices, plain, ...
    options = [[part] if i % 2 == 0 else part.split("|") for i, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*options)]


@cache
def stock() -> Stock:
    """Return the stock of sentences; read once."""
    folder = resources.files("cxr.synth") / "sentences"
    table: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in ("carriers", "devices", "frames", "normal", "nouns"):
        for key, groups in tomllib.loads((folder / f"{name}.toml").read_text("utf-8")).items():
            table[key].extend(groups)
    frames, carriers, terms = table.pop("frame"), table.pop("carrier"), table.pop("term")
    return Stock(
        nouns=_collect(_noun_entries(table)),
        carriers=_collect(_carrier_entries(carriers)),
        frames=_collect(_frame_entries(frames)),
        alone=frozenset(
            (group["about"], stance, place)
            for group in frames
            if group.get("alone")
            for stance in group["stance"]
            for place in group["place"]
        ),
        terms=_collect(_term_entries(terms)),
    )


K = TypeVar("K", bound=Hashable)


def _collect(entries: Iterable[tuple[K, T, float]]) -> dict[K, Choice[T]]:
    grouped: dict[K, list[tuple[T, float]]] = defaultdict(list)
    for key, item, weight in entries:
        grouped[key].append((item, weight))
    return {key: Choice(pairs) for key, pairs in grouped.items()}


def _readings(texts: list[str]) -> Iterator[tuple[str, float]]:
    """Yield each reading with its share: texts share equally, readings share their text's."""
    for text in texts:
        readings = expand(text)
        for reading in readings:
            yield reading, 1 / len(readings) / len(texts)


def _sided(group: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for sides in ("one", "both"):
        texts = [*group.get("any", ()), *group.get(sides, ())]
        if texts:
            yield sides, texts


def _noun_entries(
    table: Mapping[str, list[dict[str, Any]]],
) -> Iterator[tuple[tuple[str, str, str], Noun, float]]:
    for kind, groups in table.items():
        for group in groups:
            names = tuple(group["names"])
            for sides, texts in _sided(group):
                for reading, share in _readings(texts):
                    form, text = reading.split(": ", 1)
                    noun = Noun(form, text, names)
                    for place in group.get("place", _PLACES):
                        yield (kind, place, sides), noun, share * group.get("weight", 1)


def _carrier_entries(
    groups: list[dict[str, Any]],
) -> Iterator[tuple[tuple[str, str, str], Frame, float]]:
    for group in groups:
        for reading, share in _readings(group["text"]):
            frame = _make_frame(reading, group)
            for place in group["place"]:
                for nature in group["fits"]:
                    key = (group["stance"], place, nature)
                    yield key, frame, share * group.get("weight", 1)


def _frame_entries(
    groups: list[dict[str, Any]],
) -> Iterator[tuple[tuple[str, str, str, str], Frame, float]]:
    for group in groups:
        for sides, texts in _sided(group):
            for reading, share in _readings(texts):
                frame = _make_frame(reading, group)
                for stance in group.get("stance", ("stated",)):
                    for place in group.get("place", _PLACES):
                        key = (group["about"], stance, place, sides)
                        yield key, frame, share * group.get("weight", 1)


def _term_entries(groups: list[dict[str, Any]]) -> Iterator[tuple[str, Noun, float]]:
    for group in groups:
        for reading, share in _readings(group["text"]):
            yield group["topic"], Noun("mass", reading, tuple(group["names"])), share


def _make_frame(text: str, group: Mapping[str, Any]) -> Frame:
    return Frame(
        text=text,
        says=tuple((name, float(value)) for name, value in group.get("says", {}).items()),
        value=float(group["value"]) if "value" in group else None,
        other=group.get("other", False),
        slots=frozenset(re.findall(r"\{(\w*np\w*|is|was|has|s)\}", text)),
    )
