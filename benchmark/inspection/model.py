"""What the page and the terminal show, as plain values: nothing is computed after this."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of a table of counts.

    Attributes:
        name: what is counted.
        count: how many images.
        share: of all that the table counts, 0 to 1.
        warn: whether it deserves a second look.
    """

    name: str
    count: int
    share: float
    warn: bool = False


@dataclass(frozen=True)
class Table:
    """A table of counts, largest first; `more` rows are left out at its end."""

    title: str
    rows: tuple[Row, ...]
    note: str = ""
    more: int = 0


@dataclass(frozen=True)
class Label:
    """How often an observation has each value, over studies' images."""

    observation: str
    positive: int
    uncertain: int
    negative: int
    blank: int
    share: float


@dataclass(frozen=True)
class Suspicion:
    """A kind of likely mistake, how often it was seen, and the first images.

    `pictures` are (data URI, name) of those that can be read; empty where they are kept back.
    """

    title: str
    meaning: str
    count: int
    images: tuple[str, ...]
    pictures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Duplicates:
    """One picture in several places.

    Attributes:
        title: where: within a patient, across patients, across splits.
        groups: how many pictures.
        examples: the image ids of the first of them.
    """

    title: str
    groups: int
    examples: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: one view's pictures, each (data URI, words)."""

    view: str
    pictures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Inspection:
    """Everything that was seen.

    Attributes:
        totals: (name, value) of patients, studies, images and files.
        looked: how many images' pixels were looked at.
        hidden: whether pictures and ids are kept back, because the source is restricted.
    """

    title: str
    source: str
    synthetic: bool
    hidden: bool
    totals: tuple[tuple[str, str], ...]
    people: tuple[Table, ...]
    files: tuple[Table, ...]
    exclusions: Table
    labels: tuple[Label, ...]
    label_source: str
    duplicates: tuple[Duplicates, ...]
    suspicions: tuple[Suspicion, ...]
    looked: int
    sheets: tuple[Sheet, ...]
    notes: tuple[tuple[str, str], ...]
