"""What readers said of a run, as the card shows it: agreement, comparisons, maps, sign-offs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.card import words
from benchmark.card.model import Checkpoint, Number
from benchmark.card.numbers import estimate, number
from benchmark.evidence import Evidence, key

FILE = "reviews/review.json"


@dataclass(frozen=True)
class Reader:
    """One reader: who, and how much was read in what time."""

    name: str
    role: str
    finished: str
    cases: Number
    seconds: Number
    boxes: Number
    comments: Number


@dataclass(frozen=True)
class Agreed:
    """How readers agreed on one observation."""

    observation: str
    answers: tuple[Number, Number, Number]  # present, absent, can't tell
    percent: Number
    gwet: Number
    fleiss: Number
    cohen: Number


@dataclass(frozen=True)
class Against:
    """The labels, the truth or a network against the majority of readers."""

    name: str
    checkpoint: Checkpoint | None
    sensitivity: Number
    specificity: Number
    kappa: Number


@dataclass(frozen=True)
class BlindReview:
    """One blind form and its answers."""

    title: str
    words: str
    cases: Number
    patients: Number
    weights: tuple[Number, Number]
    readers: tuple[Reader, ...]
    agreed: tuple[Agreed, ...]
    against: tuple[tuple[str, tuple[Against, ...]], ...]


@dataclass(frozen=True)
class MapRow:
    """How one network's maps of one observation were judged."""

    observation: str
    checkpoint: Checkpoint
    maps: Number
    answers: tuple[Number, Number, Number, Number]  # well, partly, not at all, no such finding
    confirmed: Number
    touched: Number
    believed: Number


@dataclass(frozen=True)
class MapReview:
    """One form of maps and its answers."""

    title: str
    words: str
    cases: Number
    readers: tuple[Reader, ...]
    gwet: Number
    percent: Number
    rows: tuple[tuple[str, tuple[MapRow, ...]], ...]


@dataclass(frozen=True)
class SignOff:
    """Who decided what."""

    name: str
    role: str
    date: str
    decision: str
    remarks: str


@dataclass(frozen=True)
class Edition:
    """One edition of the card."""

    number: str
    date: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class Review:
    """Everything that people added to a finished run."""

    blind: tuple[BlindReview, ...]
    maps: tuple[MapReview, ...]
    signoffs: tuple[SignOff, ...]
    editions: tuple[Edition, ...]


def build_review(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> Review:
    """Return what readers said; nothing where nobody was asked."""
    document = evidence.document(FILE) or {}
    return Review(
        blind=tuple(
            _blind(evidence, f"{FILE}#blind.{place}", each, checkpoints)
            for place, each in enumerate(document.get("blind", ()))
        ),
        maps=tuple(
            _maps(evidence, f"{FILE}#maps.{place}", each, checkpoints)
            for place, each in enumerate(document.get("maps", ()))
        ),
        signoffs=tuple(
            SignOff(**{name: str(each[name]) for name in SignOff.__dataclass_fields__})
            for each in evidence.document("reviews/signoffs.json") or ()
        ),
        editions=_editions(evidence),
    )


def _editions(evidence: Evidence) -> tuple[Edition, ...]:
    first = str(evidence.value("run.json#finished") or words.NOT_PROVIDED)
    later = evidence.document("reviews/history.json") or ()
    return (
        Edition("1", words.moment(first), ("The run.",)),
        *(
            Edition(str(each["edition"]), words.moment(each["date"]), tuple(each["why"]))
            for each in later
        ),
    )


def _readers(evidence: Evidence, base: str, entries: Sequence[Any]) -> tuple[Reader, ...]:
    return tuple(
        Reader(
            name=str(entry["reader"]),
            role=str(entry["role"] or words.NOT_PROVIDED),
            finished=words.moment(str(entry["finished"])),
            cases=number(evidence, f"{base}.readers.{place}.cases"),
            seconds=number(evidence, f"{base}.readers.{place}.seconds", words.count),
            boxes=number(evidence, f"{base}.readers.{place}.boxes"),
            comments=number(evidence, f"{base}.readers.{place}.comments"),
        )
        for place, entry in enumerate(entries)
    )


def _blind(
    evidence: Evidence, base: str, entry: dict[str, Any], checkpoints: Sequence[Checkpoint]
) -> BlindReview:
    def weight(end: str) -> Number:
        return number(evidence, f"{base}.weights.{end}", lambda value: words.ratio(value, 1))

    names = list(entry["observations"])
    places = {name: f"{base}.observations.{key(name)}" for name in names}
    return BlindReview(
        title=f"Cases {entry['digest'][:8]}",
        words=str(entry["sampling"]),
        cases=number(evidence, f"{base}.cases"),
        patients=number(evidence, f"{base}.patients"),
        weights=(weight("low"), weight("high")),
        readers=_readers(evidence, base, entry["readers"]),
        agreed=tuple(_agreed(evidence, name, places[name]) for name in names),
        against=tuple((name, _against(evidence, places[name], checkpoints)) for name in names),
    )


def _agreed(evidence: Evidence, name: str, base: str) -> Agreed:
    present, absent, unsure = (
        number(evidence, f"{base}.answers.{answer}") for answer in ("present", "absent", "unsure")
    )
    pairs = evidence.value(f"{base}.pairs") or ()
    alone = len(pairs) == 1
    return Agreed(
        observation=name,
        answers=(present, absent, unsure),
        percent=estimate(evidence, f"{base}.agreement.percent"),
        gwet=estimate(evidence, f"{base}.agreement.gwet"),
        fleiss=estimate(evidence, f"{base}.agreement.fleiss"),
        cohen=estimate(evidence, f"{base}.pairs.0.kappa")
        if alone
        else Number("", reason="of two readers only" if not pairs else f"{len(pairs)} pairs"),
    )


def _against(
    evidence: Evidence, base: str, checkpoints: Sequence[Checkpoint]
) -> tuple[Against, ...]:
    asked: list[tuple[str, str, Checkpoint | None]] = [("labels", "Report labels", None)]
    if evidence.value(f"{base}.against.truth"):
        asked.append(("truth", "The truth", None))
    asked += [(checkpoint.folder, checkpoint.name, checkpoint) for checkpoint in checkpoints]
    return tuple(
        Against(
            name=title,
            checkpoint=checkpoint,
            **{
                measure: estimate(evidence, f"{base}.against.{key(name)}.{measure}")
                for measure in ("sensitivity", "specificity", "kappa")
            },
        )
        for name, title, checkpoint in asked
    )


def _maps(
    evidence: Evidence, base: str, entry: dict[str, Any], checkpoints: Sequence[Checkpoint]
) -> MapReview:
    known = {c.folder: c for c in checkpoints if c.folder in entry["networks"]}
    names = dict.fromkeys(name for judged in entry["networks"].values() for name in judged)
    ordered = [*(name for name in names if name != "all"), "all"]
    return MapReview(
        title=f"Maps {entry['digest'][:8]}",
        words=str(entry["sampling"]),
        cases=number(evidence, f"{base}.cases"),
        readers=_readers(evidence, base, entry["readers"]),
        gwet=estimate(evidence, f"{base}.agreement.gwet"),
        percent=estimate(evidence, f"{base}.agreement.percent"),
        rows=tuple(
            (
                "All of these" if name == "all" else name,
                tuple(
                    _map_row(evidence, name, c, f"{base}.networks.{key(folder)}.{key(name)}")
                    for folder, c in known.items()
                    if name in entry["networks"][folder]
                ),
            )
            for name in ordered
        ),
    )


def _map_row(evidence: Evidence, name: str, checkpoint: Checkpoint, base: str) -> MapRow:
    well, partly, missed, none = (
        number(evidence, f"{base}.answers.{answer}")
        for answer in ("well", "partly", "not at all", "no finding")
    )
    return MapRow(
        observation=name,
        checkpoint=checkpoint,
        maps=number(evidence, f"{base}.maps"),
        answers=(well, partly, missed, none),
        confirmed=estimate(evidence, f"{base}.confirmed"),
        touched=estimate(evidence, f"{base}.touched"),
        believed=estimate(evidence, f"{base}.believed"),
    )
