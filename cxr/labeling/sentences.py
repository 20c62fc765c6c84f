"""One sentence to its mentions: phrases found, assertion decided, conventions C5 and C6 applied."""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from cxr.labeling.assertion import decide
from cxr.labeling.shapes import FAR, NOUNS
from cxr.labeling.vocabulary import load_vocabulary
from cxr.labeling.words import BOUNDARY, UNKNOWN
from cxr.observations import NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN

OTHER = 0
"""Stands for a pathology outside the 14: the place of No Finding, which is never mentioned."""

JOINT = "\x02"
"""The character of a boundary before a sentence that goes on about the finding before."""

LONGEST_READ = 1000
"""Words read at once; nobody writes a longer sentence, and evidence quotes its sentence."""

LONGEST_KEPT = 200
"""Words of the longest sentence whose reading is remembered."""

_VERBS = ("is", "has", "was", "had", "remains", "appears", "persists")
_CARDIOMEGALY = OBSERVATIONS.index("Cardiomegaly")


class Mention(NamedTuple):
    """A finding stated, denied or doubted in a sentence.

    Attributes:
        observations: indices into OBSERVATIONS; (OTHER,) for pathology outside the 14.
        value: 1.0, 0.0 or -1.0.
        first, last: the words of the finding: from `first` up to, not including, `last`.
        trigger: the same for the words that decided; None without a trigger.
        convention: such as "C7".
    """

    observations: tuple[int, ...]
    value: float
    first: int
    last: int
    trigger: tuple[int, int] | None
    convention: str


def join_sentences(signs: str) -> str:
    """Return a text with a joint for every boundary before a sentence that goes on.

    What "It has resolved" and "The left is smaller" say is said of the finding before.
    """
    return _sequels().sub(JOINT, signs)


@cache
def _sequels() -> re.Pattern[str]:
    pronoun = _any_of("it", "this", "these", "they", "both")
    side = _any_of("the") + _any_of("left", "right", "other")
    goes_on = f"{pronoun}{_any_of(*_VERBS)}|{side}{_any_of(*_VERBS, 'one', 'side', 'sided')}"
    return re.compile(f"(?<!{BOUNDARY}){BOUNDARY}(?={goes_on})")


@cache
def _places() -> re.Pattern[str]:
    """Return "the" of "on the left is": a place, where no clause begins with it."""
    begins = _any_of(",", "and", "but", "while", "whereas", "although", "though", "however", "now")
    side = _any_of("left", "right", "other")
    goes_on = side + _any_of(*_VERBS, "one", "side", "sided", "now", "also")
    return re.compile(f"(?<![{JOINT}{begins[1:]}){_any_of('the')}(?={goes_on})")


def _any_of(*words: str) -> str:
    """Return a pattern for the character of any of `words`."""
    return f"[{''.join(map(load_vocabulary().lexicon.__getitem__, words))}]"


def find_sentences(signs: str) -> Iterator[tuple[int, int]]:
    """Yield the first word and the end of every sentence of a text given as characters."""
    start = 0
    while start < len(signs):
        stop = signs.find(BOUNDARY, start)
        if stop < 0:
            stop = len(signs)
        while stop - start > LONGEST_READ:
            yield start, start + LONGEST_READ
            start += LONGEST_READ
        if stop > start:
            yield start, stop
        start = stop + 1


def read_sentence(signs: str) -> tuple[Mention, ...]:
    """Return the mentions of a sentence, in order.

    Args:
        signs: the sentence, one character of the lexicon for each word.
    """
    return _remembered(signs) if len(signs) <= LONGEST_KEPT else _read(signs)


def _read(signs: str) -> tuple[Mention, ...]:
    vocabulary = load_vocabulary()
    signs = _places().sub(UNKNOWN, signs)
    letters: list[str] = []
    spans: list[tuple[int, int, int]] = []  # phrase, first word, end
    end = 0
    joined = JOINT in signs
    for phrase, first, last in vocabulary.automaton.find_matches_as_indexes(signs):
        if first > end:
            if joined:
                for letter, start, stop in _between(signs, end, first):
                    letters.append(letter)
                    spans.append((-1, start, stop))
            else:
                letters.append("x")
                spans.append((-1, end, first))
        letter = vocabulary.kinds[phrase]
        if letters and letter == letters[-1] and letter not in NOUNS:  # "no, no" is one no
            spans[-1] = (phrase, spans[-1][1], last)
        else:
            letters.append(letter)
            spans.append((phrase, first, last))
        end = last
    if not letters:
        return ()
    if end < len(signs):
        letters.append("x")
        spans.append((-1, end, len(signs)))
    mentions = []
    for element, value, trigger, convention in decide("".join(letters)):
        letter = letters[element]
        phrase, first, last = spans[element]
        if letter == "9":
            phrase, letter = _spoken_of(letters, spans, element)
        if value is None or letter == "Z":
            continue
        decided = spans[trigger][1:] if trigger >= 0 else None
        if letter == "G" and value == POSITIVE:
            value, convention = UNCERTAIN, "C6"
        observations = vocabulary.observations[phrase] or (OTHER,)
        mentions.append(Mention(observations, value, first, last, decided, convention))
        if letter == "U" and value != NEGATIVE:
            mentions.append(Mention((_CARDIOMEGALY,), UNCERTAIN, first, last, decided, "C5"))
    return tuple(mentions)


def _between(signs: str, start: int, stop: int) -> list[tuple[str, int, int]]:
    """Return the letters of words that are no phrase: "x", and ";" where a sentence goes on."""
    found = []
    while start < stop:
        end = signs.find(JOINT, start, stop)
        if end == start:
            found.append((";", start, start + 1))
            start += 1
            continue
        end = stop if end < 0 else end
        found.append(("x", start, end))
        start = end
    return found


def _spoken_of(
    letters: list[str], spans: list[tuple[int, int, int]], element: int
) -> tuple[int, str]:
    """Return phrase and letter of the finding that "the left is" speaks of again."""
    for before in range(element - 1, max(element - FAR, 0) - 1, -1):
        if letters[before] in "FfJGUDO":
            return spans[before][0], letters[before]
    return -1, "Z"


_remembered = lru_cache(maxsize=1 << 16)(_read)


def forget() -> None:
    """Forget the sentences read so far; for timing, labels never depend on them."""
    _remembered.cache_clear()
    decide.cache_clear()
