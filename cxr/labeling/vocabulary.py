"""The vocabulary and the triggers, loaded from their files into one search automaton."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from ahocorasick_rs import AhoCorasick, MatchKind

from cxr.errors import InputError
from cxr.labeling.phrases import Phrase, read_phrases
from cxr.labeling.words import Lexicon
from cxr.observations import NO_FINDING, OBSERVATIONS

FINDING_KINDS = {
    "finding": "F",
    "sign": "f",
    "adjective": "J",
    "congestion": "G",
    "failure": "U",
    "device": "D",
    "other": "O",
    "nothing": "Z",
    "subject": "S",
    "anatomy": "A",
    "ignored": "x",
    "tip": "t",
}
"""Kinds of block in vocabulary files -> their letter in a sentence's shape."""

TRIGGER_KINDS = {
    "absent before": "n",
    "absent after": "q",
    "absent either": "Q",
    "new": "w",
    "gone before": "r",
    "gone after": "z",
    "gone either": "R",
    "kept": "k",
    "possible before": "h",
    "differential": "u",
    "differential for": "5",
    "includes": "6",
    "setting": "?",
    "suggests": "g",
    "consistent": "c",
    "possible after": "H",
    "possible either": "p",
    "modal": "m",
    "history": "i",
    "family": "e",
    "earlier": "e",
    "prior study": "b",
    "there was": "a",
    "was": "1",
    "earlier after": "E",
    "contrast": "T",
    "except": "X",
    "with": "W",
    "after": "P",
    "verb": "V",
    "show": "v",
    "seen": "Y",
    "there is": "I",
    "the": "d",
    "a": "j",
    "some": "M",
    "and": "&",
    "or": "|",
    "slash": "/",
    "versus": "y",
    "comma": ",",
    "colon": ":",
    "of": "o",
    "over": "l",
    "landmark": "L",
    "same": "9",
    "aspect": "=",
    "hidden": "%",
    "enlarged": "+",
    "grown": "^",
    "normal": "0",
    "borderline": "B",
    "unassessed": "K",
    "former": "~",
    "stable": "s",
    "change": "C",
    "change of": "N",
}
"""Kinds of block in the trigger file -> their letter in a sentence's shape."""

_LETTERS = {**TRIGGER_KINDS, **FINDING_KINDS}

NEEDS_NAMES = frozenset("FfJGUDS")


@dataclass(frozen=True)
class Vocabulary:
    """Everything that reading a sentence needs.

    Attributes:
        lexicon: word -> character.
        automaton: finds phrases in a string of such characters, the longest first.
        kinds: letter of each phrase, by the automaton's number for it.
        observations: for each phrase, the indices of the observations that it names.
        phrases: the phrases themselves, for tests and documentation.
        digest: hash of every data file.
    """

    lexicon: Lexicon
    automaton: AhoCorasick
    kinds: tuple[str, ...]
    observations: tuple[tuple[int, ...], ...]
    phrases: tuple[Phrase, ...]
    digest: str


@cache
def load_vocabulary() -> Vocabulary:
    """Return the vocabulary that ships with the package; read once.

    Raises:
        InputError: a data file has an error; says file, line and reason.
    """
    folder = files("cxr.labeling")
    texts = _read_texts(folder)
    phrases: list[Phrase] = []
    for name, text in texts.items():
        if name.startswith("findings/"):
            phrases += _checked(read_phrases(text, file=name), FINDING_KINDS)
    phrases += _checked(read_phrases(texts["triggers.txt"], file="triggers.txt"), TRIGGER_KINDS)
    return build_vocabulary(
        phrases,
        read_as=read_words(texts["words.txt"], file="words.txt"),
        real_words=_lines(texts["real_words.txt"]),
        digest=hashlib.sha256("\0".join(texts.values()).encode()).hexdigest(),
    )


def build_vocabulary(
    phrases: Iterable[Phrase], *, read_as: dict[str, str], real_words: Iterable[str], digest: str
) -> Vocabulary:
    """Return the automaton over `phrases`.

    Raises:
        InputError: one phrase in two places that mean different things; names both.
    """
    unique: dict[tuple[str, ...], Phrase] = {}
    for phrase in phrases:
        words = tuple(read_as.get(word, word) for word in phrase.words)
        first = unique.setdefault(words, phrase)
        if _meaning(first) != _meaning(phrase):
            raise InputError(
                f"{phrase.where}: '{' '.join(phrase.words)}' stands in {first.where} too, "
                "with another meaning; keep one of them."
            )
    lexicon = Lexicon((word for words in unique for word in words), read_as, real_words)
    automaton = AhoCorasick(
        ["".join(map(lexicon.__getitem__, words)) for words in unique],
        matchkind=MatchKind.LeftmostLongest,
    )
    ordered = tuple(unique.values())
    return Vocabulary(
        lexicon,
        automaton,
        tuple(_LETTERS[phrase.kind] for phrase in ordered),
        tuple(tuple(OBSERVATIONS.index(name) for name in phrase.names) for phrase in ordered),
        ordered,
        digest,
    )


def read_words(text: str, *, file: str) -> dict[str, str]:
    """Read lines of `word = other | other`; return other -> word.

    Raises:
        InputError: a line of another form, or a word that is read as two.
    """
    read_as: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#", 1)[0].strip().lower()
        if not content:
            continue
        word, _, rest = (part.strip() for part in content.partition("="))
        others = [other.strip() for other in rest.split("|")]
        if any(len(part.split()) != 1 for part in (word, *others)):
            raise InputError(
                f"{file} line {number}: '{content}' is not of the form 'word = other | other'."
            )
        for other in others:
            if read_as.setdefault(other, word) != word:
                raise InputError(
                    f"{file} line {number}: '{other}' is read as '{read_as[other]}' already; "
                    "keep one of them."
                )
    return read_as


def _read_texts(folder: Traversable) -> dict[str, str]:
    names = sorted(item.name for item in (folder / "findings").iterdir())
    paths = [f"findings/{name}" for name in names if name.endswith(".txt")]
    paths += ["triggers.txt", "words.txt", "real_words.txt"]
    return {path: (folder / path).read_text(encoding="utf-8") for path in paths}


def _lines(text: str) -> list[str]:
    contents = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return [content for content in contents if content]


def _checked(phrases: Iterable[Phrase], kinds: dict[str, str]) -> Iterable[Phrase]:
    for phrase in phrases:
        if phrase.kind not in kinds:
            raise InputError(
                f"{phrase.where}: the block [{phrase.kind}] is unknown; "
                f"known are: {', '.join(kinds)}."
            )
        for name in phrase.names:
            if name not in OBSERVATIONS or name == NO_FINDING:
                raise InputError(
                    f"{phrase.where}: '{name}' is no observation; "
                    f"known are: {', '.join(OBSERVATIONS[1:])}."
                )
        if kinds is FINDING_KINDS and (kinds[phrase.kind] in NEEDS_NAMES) != bool(phrase.names):
            raise InputError(
                f"{phrase.where}: a block [{phrase.kind}] "
                + ("takes no observation." if phrase.names else "names its observation.")
            )
        yield phrase


def _meaning(phrase: Phrase) -> tuple[str, tuple[str, ...]]:
    return _LETTERS[phrase.kind], phrase.names
