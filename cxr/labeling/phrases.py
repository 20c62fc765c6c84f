"""Reads the phrase files: vocabulary, assertion triggers, headings.

One phrase a line, in a small notation that a radiologist can write: `(a|b)` alternatives, `[x]`
optional words, `{name}` a list defined above as `{name} = a | b`, `[kind: names]` alone on a line
opens a block, `#` starts a comment. Nothing else: no regular expressions, no code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from cxr.errors import InputError

MAX_VARIANTS = 20_000
"""Phrases that one line may stand for; more is a slip of the pen, and slow to load."""

_BLOCK = re.compile(r"\[([a-z ]+)(?::\s*([^\]]*))?\]")
_MACRO = re.compile(r"\{([a-z]+)\}\s*=\s*(.+)")
_SIGNS = re.compile(r"[()\[\]|]|[^\s()\[\]|]+")


@dataclass(frozen=True)
class Phrase:
    """One phrase as read.

    Attributes:
        words: lower-case words and punctuation marks, in order.
        kind: the block it stands in, such as "finding" or "absent before".
        names: what the block names after the colon, such as observations; may be empty.
        where: file and line, for messages.
    """

    words: tuple[str, ...]
    kind: str
    names: tuple[str, ...]
    where: str


def read_phrases(text: str, *, file: str) -> Iterator[Phrase]:
    """Yield every phrase that `text` stands for, in order.

    Raises:
        InputError: a line that can't be read; says file, line and reason.
    """
    macros: dict[str, str] = {}
    kind: str = ""
    names: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{file} line {number}"
        content = line.split("#", 1)[0].strip()
        if not content:
            continue
        if block := _BLOCK.fullmatch(content):
            kind = block[1].strip()
            names = tuple(name.strip() for name in (block[2] or "").split(",") if name.strip())
        elif macro := _MACRO.fullmatch(content):
            macros[macro[1]] = _insert_macros(macro[2], macros, where)
        elif not kind:
            raise InputError(f"{where}: '{content}' stands before the first [block]; move it.")
        else:
            for words in _expand(_insert_macros(content, macros, where), where):
                yield Phrase(words, kind, names, where)


def _insert_macros(content: str, macros: dict[str, str], where: str) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[1] not in macros:
            known = ", ".join(sorted(macros)) or "none"
            raise InputError(f"{where}: the list {{{match[1]}}} is unknown; defined are: {known}.")
        return f"({macros[match[1]]})"

    return re.sub(r"\{(\w+)\}", replace, content)


def _expand(content: str, where: str) -> list[tuple[str, ...]]:
    """Return the word sequences that one line stands for, without doubles."""
    signs = _SIGNS.findall(content.lower())
    variants, end = _alternatives(signs, 0, where)
    if end < len(signs):
        raise InputError(f"{where}: '{signs[end]}' closes nothing; remove it or open a bracket.")
    if () in variants:
        raise InputError(f"{where}: '{content}' may be empty; make one word of it obligatory.")
    return list(dict.fromkeys(variants))


def _alternatives(signs: list[str], position: int, where: str) -> tuple[list[tuple[str, ...]], int]:
    """Read `a b|c` up to a closing bracket or the end."""
    variants: list[tuple[str, ...]] = []
    sequence: list[list[tuple[str, ...]]] = []
    while position < len(signs) and signs[position] not in ")]":
        sign = signs[position]
        position += 1
        if sign == "|":
            variants += _join(sequence, where)
            sequence = []
        elif sign in "([":
            inner, position = _alternatives(signs, position, where)
            if position >= len(signs) or signs[position] != (")" if sign == "(" else "]"):
                raise InputError(f"{where}: a '{sign}' is not closed; close it.")
            position += 1
            sequence.append(inner if sign == "(" else [(), *inner])
        else:
            sequence.append([(sign,)])
    return variants + _join(sequence, where), position


def _join(sequence: list[list[tuple[str, ...]]], where: str) -> list[tuple[str, ...]]:
    count = 1
    for part in sequence:
        count *= len(part)
    if count > MAX_VARIANTS:
        raise InputError(
            f"{where}: stands for {count} phrases, more than {MAX_VARIANTS}; split it into lines."
        )
    return [tuple(word for part in parts for word in part) for parts in product(*sequence)]
