"""AUROC under the label policies in use, side by side, and how far they move it."""

from collections.abc import Sequence

from benchmark.card import words
from benchmark.card.model import Checkpoint, PolicyRow
from benchmark.card.numbers import estimate, number
from benchmark.evaluation.label_policies import FILE, POLICIES
from benchmark.evidence import Evidence, key
from cxr.observations import OBSERVATIONS

NAMES = {
    "hedged-present": "hedged present, unmentioned absent (here, and the study)",
    "both-absent": "both absent (CheXclusion)",
    "hedged-out": "hedged left out, unmentioned absent",
    "both-out": "both left out (torchxrayvision, nearly)",
}


def policy_names() -> tuple[str, ...]:
    """Return the policies in words, in the order of the columns."""
    return tuple(NAMES[policy.key] for policy in POLICIES)


def build_policies(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> tuple[PolicyRow, ...]:
    """Return each observation's AUROCs under every policy; none where the run has none."""
    known = [c for c in checkpoints if evidence.document(f"{c.folder}/{FILE}")]
    if not known:
        return ()
    rows = [(name, words.slug(name), f"observations.{key(name)}") for name in OBSERVATIONS]
    return tuple(
        PolicyRow(
            title,
            slug,
            tuple(
                (
                    checkpoint,
                    tuple(
                        estimate(evidence, f"{checkpoint.folder}/{FILE}#{path}.{policy.key}.auroc")
                        for policy in POLICIES
                    ),
                    number(evidence, f"{checkpoint.folder}/{FILE}#{path}.range.low", words.ratio),
                    number(evidence, f"{checkpoint.folder}/{FILE}#{path}.range.high", words.ratio),
                )
                for checkpoint in known
            ),
        )
        for title, slug, path in [*rows, ("Macro average", "macro-average", "macro")]
    )
