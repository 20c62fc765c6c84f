"""One report to its 14 labels, with the evidence for each."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from cxr.labeling.assertion import decide
from cxr.labeling.sections import counted_sections
from cxr.labeling.vocabulary import Vocabulary, load_vocabulary
from cxr.labeling.words import BOUNDARY, fold_text, split_words
from cxr.observations import BLANK, NEGATIVE, OBSERVATIONS, POSITIVE, SUPPORT_DEVICES, UNCERTAIN

CODE_VERSION = 1
"""Raised by hand with every change of code that can change a label."""

SECTION_MODES = ("all", "mimic")
COMPAT_MODES = ("", "chexpert")

_CARDIOMEGALY = OBSERVATIONS.index("Cardiomegaly")
_DEVICES = OBSERVATIONS.index(SUPPORT_DEVICES)


class Evidence(NamedTuple):
    """Why one observation has a value: one mention in the text.

    Attributes:
        observation: its name; "Other" for a pathology outside the 14, which bars No Finding.
        value: 1.0, 0.0 or -1.0, of this mention alone.
        section: heading of its section in lower case; empty for a body without one.
        sentence: the sentence, as in the text.
        span: (start, end) of the finding in the text.
        trigger: the words that decided; empty where the finding is simply stated.
        trigger_span: (start, end) of these; None without a trigger.
        convention: the convention applied, such as "C7".
    """

    observation: str
    value: float
    section: str
    sentence: str
    span: tuple[int, int]
    trigger: str
    trigger_span: tuple[int, int] | None
    convention: str


class ReportLabels(NamedTuple):
    """The labels of one report.

    Attributes:
        values: 14 values in the order of OBSERVATIONS: 1.0, 0.0, -1.0, or NaN for blank.
        evidence: every mention that counted, in the order of the text.
    """

    values: tuple[float, ...]
    evidence: tuple[Evidence, ...]

    def as_dict(self) -> dict[str, float]:
        """Return observation -> value."""
        return dict(zip(OBSERVATIONS, self.values, strict=True))


class _Found(NamedTuple):
    """A mention by its place among the pieces of the text."""

    observations: tuple[int, ...]
    value: float
    first: int
    last: int
    trigger: tuple[int, int] | None
    convention: str


def label_report(text: str, *, sections: str = "all", compat: str = "") -> ReportLabels:
    """Label one radiology report of the chest.

    Args:
        text: the report as written.
        sections: "all" reads everything but indication, history, comparison and the like (C2);
            "mimic" the one section that MIMIC-CXR-JPG's labels were read from.
        compat: "chexpert" gives -1 where one observation is stated present, absent and in
            doubt in one report, as the CheXpert labeler does; empty gives 1 (C4).

    Raises:
        ValueError: an unknown mode.
        TypeError: `text` is not a string.

    Example:
        >>> label_report("Small left effusion. No pneumothorax.").as_dict()["Pneumothorax"]
        0.0
    """
    _check_modes(sections, compat)
    if not isinstance(text, str):
        raise TypeError(f"text: a report is a string, not {type(text).__name__}.")
    vocabulary = load_vocabulary()
    folded = fold_text(text)
    evidence: list[Evidence] = []
    wordy = False
    for section in counted_sections(folded, mode=sections):
        pieces, ends = split_words(folded[section.start : section.end])
        wordy = wordy or len(pieces) > 1
        for start, stop in _sentences(pieces, vocabulary):
            for found in _read_sentence(pieces, start, stop, vocabulary):
                evidence += _explain(text, section, ends, (start, stop), found)
    return ReportLabels(_aggregate(evidence, wordy=wordy, compat=compat), tuple(evidence))


def label_reports(
    texts: Sequence[str], *, jobs: int = 1, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """Label many reports.

    Args:
        texts: the reports.
        jobs: processes to use.
        progress: called with the number of reports just done.

    Returns:
        (n, 14) float64 in the order of `texts` and OBSERVATIONS; NaN is blank.
    """
    values = np.full((len(texts), len(OBSERVATIONS)), BLANK)
    for place, text in enumerate(texts):
        values[place] = label_report(text).values
        if progress is not None:
            progress(1)
    return values


@cache
def labeler_version() -> str:
    """Return the labeler's version: hash of vocabulary and triggers, version of the code."""
    digest = hashlib.sha256(f"{CODE_VERSION}:{load_vocabulary().digest}".encode()).hexdigest()
    return f"{CODE_VERSION}-{digest[:12]}"


def _check_modes(sections: str, compat: str) -> None:
    if sections not in SECTION_MODES:
        raise ValueError(f"sections: {sections!r} is unknown; choose from {SECTION_MODES}.")
    if compat not in COMPAT_MODES:
        raise ValueError(f"compat: {compat!r} is unknown; choose from {COMPAT_MODES}.")


def _sentences(pieces: list[str], vocabulary: Vocabulary) -> Iterable[tuple[int, int]]:
    signs = "".join(map(vocabulary.lexicon.__getitem__, pieces[1::2]))
    start = 0
    while start < len(signs):
        stop = signs.find(BOUNDARY, start)
        stop = len(signs) if stop < 0 else stop
        if stop > start:
            yield start, stop
        start = stop + 1


def _read_sentence(
    pieces: list[str], start: int, stop: int, vocabulary: Vocabulary
) -> list[_Found]:
    signs = "".join(map(vocabulary.lexicon.__getitem__, pieces[2 * start + 1 : 2 * stop : 2]))
    matches = vocabulary.automaton.find_matches_as_indexes(signs)
    shape: list[str] = []
    spans: list[tuple[int, int, int]] = []
    end = 0
    for pattern, first, last in matches:
        if first > end:
            shape.append("x")
            spans.append((-1, end, first))
        letter = vocabulary.kinds[pattern]
        shape.append(letter)
        spans.append((pattern, first, last))
        end = last
    if end < len(signs):
        shape.append("x")
        spans.append((-1, end, len(signs)))
    founds = []
    for element, value, trigger, convention in decide("".join(shape)):
        if value is None:
            continue
        pattern, first, last = spans[element]
        at = None
        if trigger >= 0:
            at = (start + spans[trigger][1], start + spans[trigger][2])
        letter = shape[element]
        if letter == "Z":
            continue
        if letter == "G" and value == POSITIVE:
            value, convention = UNCERTAIN, "C6"
        founds.append(
            _Found(
                vocabulary.observations[pattern], value, start + first, start + last, at, convention
            )
        )
        if letter == "U" and value != NEGATIVE:
            founds.append(
                _Found((_CARDIOMEGALY,), UNCERTAIN, start + first, start + last, at, "C5")
            )
    return founds


def _explain(
    text: str, section: object, ends: list[int], sentence: tuple[int, int], found: _Found
) -> list[Evidence]:
    base = section.start  # type: ignore[attr-defined]

    def span(first: int, last: int) -> tuple[int, int]:
        return base + ends[2 * first], base + ends[2 * last - 1]

    begin, finish = span(*sentence)
    at = span(found.first, found.last)
    trigger = span(*found.trigger) if found.trigger else None
    names = [OBSERVATIONS[index] for index in found.observations] or ["Other"]
    return [
        Evidence(
            name,
            found.value,
            section.name,  # type: ignore[attr-defined]
            text[begin:finish],
            at,
            text[trigger[0] : trigger[1]] if trigger else "",
            trigger,
            found.convention,
        )
        for name in names
    ]


def _aggregate(evidence: Sequence[Evidence], *, wordy: bool, compat: str) -> tuple[float, ...]:
    """Combine mentions: present over in doubt over absent (C4); No Finding by C14."""
    seen: dict[str, set[float]] = {}
    for item in evidence:
        seen.setdefault(item.observation, set()).add(item.value)
    values = [BLANK] * len(OBSERVATIONS)
    for index, name in enumerate(OBSERVATIONS):
        found = seen.get(name, set())
        if compat == "chexpert" and len(found) == 3:
            values[index] = UNCERTAIN
        elif POSITIVE in found:
            values[index] = POSITIVE
        elif UNCERTAIN in found:
            values[index] = UNCERTAIN
        elif NEGATIVE in found:
            values[index] = NEGATIVE
    clear = all(values[index] not in (POSITIVE, UNCERTAIN) for index in range(1, _DEVICES))
    other = seen.get("Other", set())
    if wordy and clear and not other & {POSITIVE, UNCERTAIN}:
        values[0] = POSITIVE
    return tuple(values)


def is_blank(value: float) -> bool:
    """Whether a label is blank."""
    return math.isnan(value)
