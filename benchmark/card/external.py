"""What the networks lose on another collection, as the card shows it."""

from collections.abc import Sequence

from benchmark.card import words
from benchmark.card.model import Checkpoint, External, ExternalRow, Number
from benchmark.card.numbers import estimate, number
from benchmark.evaluation.transfer import FILE
from benchmark.evidence import Evidence, key
from cxr.observations import OBSERVATIONS


def build_external(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> External | None:
    """Return the external test; None where the run is none."""
    if not evidence.document(FILE):
        return None
    rows = [(name, words.slug(name), f"observations.{key(name)}") for name in OBSERVATIONS]
    return External(
        run=str(evidence.value(f"{FILE}#run") or words.NOT_PROVIDED),
        cohort=str(evidence.value(f"{FILE}#internal.cohort") or words.NOT_PROVIDED),
        images=number(evidence, f"{FILE}#internal.images"),
        patients=number(evidence, f"{FILE}#internal.patients"),
        words=tuple(words.friendly(str(one)) for one in evidence.value(f"{FILE}#words") or ()),
        rows=tuple(
            ExternalRow(
                title,
                slug,
                tuple(_row(evidence, checkpoint, path) for checkpoint in checkpoints),
            )
            for title, slug, path in [*rows, ("Macro average", "macro-average", "macro")]
        ),
    )


def _row(
    evidence: Evidence, checkpoint: Checkpoint, path: str
) -> tuple[Checkpoint, Number, Number, Number, Number]:
    base = f"{FILE}#networks.{key(checkpoint.folder)}.{path}"
    return (
        checkpoint,
        estimate(evidence, f"{base}.internal"),
        estimate(evidence, f"{base}.external"),
        estimate(evidence, f"{base}.difference", difference=True),
        number(evidence, f"{base}.p_holm" if path != "macro" else f"{base}.p", words.p_value),
    )
