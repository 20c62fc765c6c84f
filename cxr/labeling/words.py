"""Text to words: folds case and spacing, keeps every word's place, forgives misspelling.

Each word of the vocabulary has a character of its own, so that a sentence becomes a short string
and an Aho-Corasick search over that string finds whole words only: "mass" is not in "massive".
"""

import re
from collections.abc import Iterable, Mapping
from itertools import accumulate

UNKNOWN = "\x00"
"""The character of every word that is not in the vocabulary."""

BOUNDARY = "\x01"
"""The character of everything that ends a sentence."""

_FOLDS = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"',
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
        "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u3000": " ", "\u2022": "*", "\ufeff": " ",
    }
)  # fmt: skip

_WORDS = re.compile(
    r"""( [a-z]+
          (?: (?=['/.]) (?: '[a-z]+                         # can't
                          | (?<=\bvs)\. | (?<=\bdr)\. | (?<=\be)\.g\. | (?<=\bi)\.e\.
                          | (?<=\b[ap])\.m\.?
                          | (?<=\band)/or\b
                          | (?<=\b[bchsrw])/[lworp]\b         # c/w h/o s/p r/o w/o b/l
                          | (?<=\bw)/(?=\s) ) )?           # w/ effusion
        | [.;!]+ | ,+ | \(+ | :+ | \?+ | [/&]
        | \d+ (?: [.,:/] \d+ )* [a-z]*                      # 1.5, 3:15, 12/3/2019, 5th
        | \x02                                              # a question mark that ends
        | (?<=\s)-+(?=\s)                                   # a dash between phrases
        | \n [ \t]* (?: \n \s* )+ (?: [-*] \s | \d+ [.)] \s )?   # blank line, bullet, number
        | \n [ \t]* (?: [-*] \s | \d+ [.)] \s )
        | [^\W\d_]+ )""",
    re.VERBOSE,
)
_ENDING_QUESTION = re.compile(r"(?<=[^\s(])\?(?=\s|$|[.)])")
_SKIPPED = re.compile(r"\bx{3,}\b")
_ENDINGS = frozenset(".;!\n")


def fold_text(text: str) -> str:
    """Return `text` in lower case, with plain quotes and dashes, less XXXX; of the same length."""
    if text.isascii():
        folded = text.lower()
    else:
        lowered = text.lower()
        if len(lowered) != len(text):  # such as the Turkish dotted I, which lowers to two
            lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        folded = lowered.translate(_FOLDS)
    if "\r" in folded:
        folded = folded.replace("\r", " ")
    if "xxx" in folded:
        folded = _SKIPPED.sub(lambda match: " " * len(match[0]), folded)
    return _ENDING_QUESTION.sub("\x02", folded) if "?" in folded else folded


def split_words(folded: str, *, offset: int = 0) -> tuple[list[str], list[int], list[int]]:
    """Split folded text into words and punctuation marks.

    Returns:
        words and marks; where each starts, and where each ends, counted from `offset`.
    """
    pieces = _WORDS.split(folded)  # what lies between words, and words, in turn
    ends = list(accumulate(map(len, pieces), initial=offset))
    return pieces[1::2], ends[1:-1:2], ends[2::2]


class Lexicon(dict[str, str]):
    """Word -> its character; learns the words that it meets, misspelt ones by their neighbours.

    Args:
        words: the words of the vocabulary.
        read_as: another spelling, or a word of equal meaning -> word.
        real_words: words near the vocabulary that are no misspelling of it.
    """

    LIMIT = 100_000
    """Words kept; after that the met ones are forgotten, so that memory does not grow."""

    def __init__(
        self, words: Iterable[str], read_as: Mapping[str, str], real_words: Iterable[str]
    ) -> None:
        super().__init__()
        vocabulary = sorted(set(words))
        self._known = {word: chr(0x100 + place) for place, word in enumerate(vocabulary)}
        self._known |= {other: self._known.get(word, UNKNOWN) for other, word in read_as.items()}
        self._known |= {word: UNKNOWN for word in real_words if word not in self._known}
        self._near: dict[str, list[str]] = {}
        for word in vocabulary:
            if len(word) >= MIN_FORGIVEN and word.isalpha():
                for key in _without_one(word):
                    self._near.setdefault(key, []).append(word)
        self.update(self._known)

    def __missing__(self, word: str) -> str:
        sign = self._sign(word)
        if len(self) >= self.LIMIT:
            self.clear()
            self.update(self._known)
        if len(word) <= MAX_FORGIVEN:
            self[word] = sign
        return sign

    def _sign(self, word: str) -> str:
        if word[0] in _ENDINGS:
            return BOUNDARY
        if not word[0].isalnum():
            return self._known.get(word[0], UNKNOWN)
        if MIN_FORGIVEN <= len(word) <= MAX_FORGIVEN and word.isascii() and word.isalpha():
            found = {
                near
                for key in _without_one(word)
                for near in self._near.get(key, ())
                if one_slip_apart(word, near)
            }
            if found:
                return self._known[min(found)]
        return UNKNOWN


MIN_FORGIVEN = 7
"""Letters of the shortest word in which a slip is forgiven: short words have real neighbours."""
MAX_FORGIVEN = 24


def _without_one(word: str) -> set[str]:
    """Return the word and the word less each letter between its first and its last."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(1, len(word) - 1))}


def one_slip_apart(word: str, other: str) -> bool:
    """Whether one letter inside was left out, added, changed or swapped with its neighbour.

    First and last letters must agree: there sit the inflections, which are words of their own.
    """
    if word[0] != other[0] or word[-1] != other[-1] or abs(len(word) - len(other)) > 1:
        return False
    start = 0
    shorter = min(len(word), len(other))
    while start < shorter and word[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and word[-1 - end] == other[-1 - end]:
        end += 1
    middle, wanted = word[start : len(word) - end], other[start : len(other) - end]
    if len(middle) + len(wanted) <= 2 and max(len(middle), len(wanted)) == 1:
        return True
    return len(middle) == 2 and middle == wanted[::-1]
