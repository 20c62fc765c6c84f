"""A look for identifiers in files that are to be shared: a last net, not a proof.

It finds what looks like a path of somebody's machine, an e-mail address, a DICOM UID or, where
patients are real, an id of MIMIC-CXR. It can't see into pictures.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

TEXTS = frozenset({".json", ".html", ".md", ".xml", ".csv", ".svg", ".toml", ".txt"})

_DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
ALWAYS = {
    "a path": re.compile(
        r"(?<![\w./:-])/(?:home|Users|root|mnt|media|data|scratch|srv|tmp|var)/[\w.-]+"
        r"|\b[A-Za-z]:\\+Users\\+[\w.-]+"
    ),
    "an e-mail address": re.compile(r"[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"),
    "a DICOM UID": re.compile(r"(?<![\d.])[0-2](?:\.(?:0|[1-9]\d*)){5,}(?![\d.])"),
}
REAL = {
    "an id of MIMIC-CXR": re.compile(
        r"\bp?1\d{7}\b|\bs?5\d{7}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{8}){4}\b"
    ),
}


@dataclass(frozen=True)
class Found:
    """Something that looks like an identifier."""

    file: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.file} ({self.text})"


def find_identifiers(
    files: Iterable[tuple[str, Path]], *, real: bool, allowed: Iterable[str] = ()
) -> list[Found]:
    """Return what looks like an identifier, once a file, kind and text.

    Args:
        files: names to report and where the files lie.
        real: patients are; then ids of MIMIC-CXR count too.
        allowed: texts that are meant to be there, such as the contact.
    """
    patterns = ALWAYS | (REAL if real else {})
    known = " ".join(allowed)
    found: dict[Found, None] = {}
    for name, path in files:
        for text in _texts(path):
            for kind, pattern in patterns.items():
                for match in pattern.finditer(text):
                    if match[0] not in known:
                        found[Found(name, kind, match[0])] = None
    return list(found)


def _texts(path: Path) -> Iterator[str]:
    if path.suffix in TEXTS:
        yield _DATA_URI.sub("", path.read_text(encoding="utf-8", errors="replace"))
    elif path.suffix == ".parquet":
        table = pd.read_parquet(path)
        for column in table.select_dtypes(include=["object", "string"]):
            yield "\n".join(map(str, table[column].unique()))
