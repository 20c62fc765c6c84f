"""The comparison of a run's networks as the card shows it: two side by side, more in order."""

from collections.abc import Sequence
from typing import Any

from benchmark.card import words
from benchmark.card.model import Checkpoint, Comparison, Difference, Number, PairRow
from benchmark.card.numbers import estimate, number
from benchmark.card.ranking import SOURCE, ranking_chart
from benchmark.evaluation.comparison_words import BETTER
from benchmark.evidence import Evidence, key
from cxr.observations import OBSERVATIONS

FILE = "comparison.json"
MORE = (
    ("average_precision", "Average precision"),
    ("f1", "F1"),
    ("recall", "Recall"),
    ("specificity", "Specificity"),
    ("balanced_accuracy", "Balanced accuracy"),
)


def build_comparison(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> Comparison | None:
    """Return the paired comparison; None where the run has none."""
    document = evidence.document(FILE)
    if not document:
        return None
    if document.get("ranking"):
        return _ranked(evidence, checkpoints, document)
    names = [str(name) for name in document.get("networks", ())]
    sides = [_side(checkpoints, name) for name in names]
    several = any(len(seeds) > 1 for seeds in (document.get("seeds") or {}).values())
    more = tuple(
        (metric, title)
        for metric, title in MORE
        if any(metric in entry for entry in document.get("observations", {}).values())
    )

    def difference(title: str, path: str) -> Difference:
        base = f"{FILE}#{path}"
        values = tuple(
            _value(evidence, f"{base}.auroc.values.{place}", side, path)
            for place, side in enumerate(sides)
        )
        return Difference(
            observation=title,
            slug=words.slug(title),
            values=values,
            difference=estimate(evidence, f"{base}.auroc.difference", difference=True),
            p=number(evidence, f"{base}.auroc.p", words.p_value),
            p_holm=number(evidence, f"{base}.auroc.p_holm", words.p_value),
            verdict=_told(evidence, f"{base}.auroc.verdict"),
            more=tuple(
                estimate(evidence, f"{base}.{metric}.difference", difference=True)
                for metric, _ in more
            ),
        )

    return Comparison(
        names=tuple(
            words.network_name(name) if several or side is None else side.name
            for name, side in zip(names, sides, strict=True)
        ),
        direction=_told(evidence, f"{FILE}#direction"),
        words=_told(evidence, f"{FILE}#words"),
        adjustment=str(document.get("adjustment") or words.NOT_PROVIDED),
        more=tuple(title for _, title in more),
        macro=difference("Macro average", "macro"),
        observations=tuple(difference(n, f"observations.{key(n)}") for n in OBSERVATIONS),
    )


def _ranked(
    evidence: Evidence, checkpoints: Sequence[Checkpoint], document: dict[str, Any]
) -> Comparison:
    parts = {frozenset(pair["networks"]): pair for pair in document.get("pairs", ())}
    rows = []
    for place, pair in enumerate(evidence.value(f"{SOURCE}.pairs") or ()):
        base = f"{SOURCE}.pairs.{place}"
        own = parts.get(frozenset(pair["networks"]), {})
        rows.append(
            PairRow(
                first=words.network_name(str(pair["networks"][0])),
                second=words.network_name(str(pair["networks"][1])),
                difference=estimate(evidence, f"{base}.difference", difference=True),
                p=number(evidence, f"{base}.p", words.p_value),
                p_holm=number(evidence, f"{base}.p_holm", words.p_value),
                observations=_parted(own),
            )
        )
    return Comparison(
        names=(),
        direction="the lower in this order less the higher",
        words=_told(evidence, f"{SOURCE}.words"),
        adjustment=str(evidence.value(f"{SOURCE}.adjustment") or words.NOT_PROVIDED),
        more=(),
        macro=None,
        observations=(),
        ranking=ranking_chart(evidence, checkpoints),
        pairs=tuple(rows),
    )


def _parted(pair: dict[str, Any]) -> str:
    """The observations in which two networks are shown to differ, by which is better."""
    shown: dict[str, list[str]] = {}
    for name, entry in pair.get("observations", {}).items():
        verdict = str(entry["auroc"].get("verdict", ""))
        if verdict.endswith(BETTER):
            shown.setdefault(words.friendly(verdict), []).append(name)
    return "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in shown.items()) or "none"


def _value(evidence: Evidence, source: str, side: Checkpoint | None, path: str) -> Number:
    """A network's AUROC, a mean where it has several seeds; older runs tell it elsewhere."""
    if evidence.value(source) is None and side is not None:
        return estimate(evidence, f"{side.folder}/metrics.json#{path}.auroc")
    return number(evidence, source, words.ratio)


def _side(checkpoints: Sequence[Checkpoint], name: str) -> Checkpoint | None:
    return next((c for c in checkpoints if c.folder.startswith(f"{name}/")), None)


def _told(evidence: Evidence, source: str) -> str:
    return words.friendly(str(evidence.value(source) or words.NOT_PROVIDED))
