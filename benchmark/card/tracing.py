"""From a rendered card back to the run: does each number that it shows stand where it says?

Every number of the HTML carries its source (`data-source`, see `benchmark.evidence`). Reading
the page and the files again tells an edited number from a true one, whoever rendered it.
"""

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from benchmark.card import words
from benchmark.evidence import Evidence
from cxr.errors import InputError

_SCALES = {"": 1.0, "%": 100.0, "s": 1.0, "min": 1 / 60, "h": 1 / 3600}
_SLACK = 1e-9


@dataclass(frozen=True)
class Traced:
    """What came of tracing a page.

    Attributes:
        agree: numbers that stand in the run.
        wrong: sentences about numbers that do not.
        lost: numbers whose file is not there to look in.
    """

    agree: int
    wrong: tuple[str, ...]
    lost: int


def trace(page: str, evidence: Evidence) -> Traced:
    """Compare every number of an HTML card with the run that it says it is from."""
    reader = _Sources()
    reader.feed(page)
    agree, lost = 0, 0
    wrong = []
    for source, text in reader.shown:
        if any(evidence.path(file) is None for file in _files(source)):
            lost += 1
            continue
        value = _look_up(evidence, source)
        if words.is_number(value) and agrees(text, float(value)):
            agree += 1
        else:
            wrong.append(f"it shows {text!r} for {source}, where the run has {value!r}")
    return Traced(agree, tuple(wrong), lost)


def agrees(text: str, value: float) -> bool:
    """Whether `text` is `value` in the digits, and with the unit, that it shows."""
    plain = text.replace(",", "").replace(words.MINUS, "-").replace("+", "")
    plain = plain.replace(words.SPACE, " ").strip()
    if plain.startswith(("<", ">")):
        try:
            edge = float(plain[1:])
        except ValueError:
            return False
        return value < edge if plain[0] == "<" else value > edge - 0.005
    digits, _, unit = plain.partition(" ")
    try:
        shown = float(digits)
    except ValueError:
        return False
    places = len(digits.partition(".")[2])
    return unit in _SCALES and abs(shown - value * _SCALES[unit]) <= 0.5 * 10**-places + _SLACK


def _look_up(evidence: Evidence, source: str) -> Any:
    try:
        return evidence.value(source)
    except (InputError, TypeError, ValueError, KeyError, ZeroDivisionError):
        return None


def _files(source: str) -> set[str]:
    parts = [part for side in source.split(" / ") for part in side.split(" + ")]
    return {part.partition("#")[0] for part in parts}


class _Sources(HTMLParser):
    """Collects (source, text) of each element that names a source."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[str, str]] = []
        self._open: list[tuple[str, str | None]] = []
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("span", "tspan"):
            source = dict(attrs).get("data-source")
            self._open.append((tag, source))
            if source:
                self._text = ""

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            source = self._open.pop()[1]
            if source:
                self.shown.append((source, self._text.strip()))

    def handle_data(self, data: str) -> None:
        self._text += data
