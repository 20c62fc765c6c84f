"""The results of a run as the card shows them: scores, label variants, comparison."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.card import words
from benchmark.card.model import (
    Averages,
    Checkpoint,
    Fact,
    Number,
    ObservationResult,
    OperatingPoints,
    Results,
    Scores,
    Variant,
)
from benchmark.card.numbers import estimate, number
from benchmark.evaluation.measures import PARTIAL_FPR
from benchmark.evidence import Evidence, key
from cxr.observations import OBSERVATIONS

AVERAGES = (
    ("macro", "mean over the observations that are estimable"),
    ("micro", "all observations' cases pooled"),
    ("weighted", "mean weighted by positives"),
)
VARIANTS = (
    ("metrics.json", "hedged counts as present"),
    ("metrics.uncertain-excluded.json", "hedged left out"),
    ("metrics.truth.json", "against the truth"),
    ("metrics.study.json", "by study"),
)
MORE = (
    ("partial_auroc", f"Partial AUROC (to FPR {PARTIAL_FPR:g})"),
    ("average_precision_lift", "Average precision over prevalence"),
    ("npv", "NPV"),
    ("balanced_accuracy", "Balanced accuracy"),
    ("mcc", "Matthews correlation"),
)
"""Metrics that stand in a table of their own."""
OPTIONAL = ("metrics.truth.json", "metrics.study.json")
"""Variants that a run has where its data allow them."""
THRESHOLDS = tuple(
    round(float(t), 3)
    for t in np.concatenate(
        [np.arange(1, 10) / 1000, np.arange(1, 100) / 100, np.arange(991, 1000) / 1000]
    )
)
"""Operating points that a reader can try: steps of 0.01, finer at both ends."""


def build_checkpoints(evidence: Evidence) -> tuple[Checkpoint, ...]:
    """Return the run's checkpoints; the first network's colour is the first one."""
    entries = evidence.value("run.json#networks") or []
    many = len({entry.get("seed") for entry in entries}) > 1
    checkpoints = []
    for slot, entry in enumerate(entries, 1):
        name = words.network_name(str(entry["name"]))
        checkpoints.append(
            Checkpoint(
                slug=words.slug(f"{entry['name']}-seed-{entry['seed']}"),
                name=f"{name}, seed {entry['seed']}" if many else name,
                folder=str(entry["folder"]),
                slot=slot,
                facts=_checkpoint_facts(evidence, str(entry["folder"])),
            )
        )
    return tuple(checkpoints)


def _checkpoint_facts(evidence: Evidence, folder: str) -> tuple[Fact, ...]:
    training, timing = f"{folder}/training.json#", f"{folder}/timing.json#"

    def plain(value: float) -> str:
        return f"{value:.1f}"

    return (
        Fact("Parameters", number(evidence, f"{training}parameters")),
        Fact("Weights, fp32 (MB)", number(evidence, f"{training}weights_mb", plain)),
        Fact("Checkpoint file (MB)", number(evidence, f"{training}checkpoint_mb", plain)),
        Fact("Epochs trained", number(evidence, f"{training}epochs")),
        Fact("Epoch kept (best validation macro AUROC)", number(evidence, f"{training}best_epoch")),
        Fact(
            "Its validation macro AUROC",
            number(evidence, f"{training}best_validation_auroc", lambda v: words.ratio(v, 3)),
        ),
        Fact("Seconds per epoch", number(evidence, f"{timing}seconds_per_epoch", plain)),
    )


def build_results(
    evidence: Evidence, checkpoints: Sequence[Checkpoint], file: str = "metrics.json"
) -> Results | None:
    """Return every checkpoint's scores in one label variant; None where there is no such file."""
    scored = [c for c in checkpoints if evidence.document(f"{c.folder}/{file}")]
    if not scored:
        return None
    first = f"{scored[0].folder}/{file}#"
    return Results(
        slug=words.slug(file.removesuffix(".json")),
        title=dict(VARIANTS).get(file, file),
        observations=tuple(
            _observation(evidence, name, first, scored, file) for name in OBSERVATIONS
        ),
        averages=tuple(
            Averages(
                name,
                meaning,
                tuple(_scores(evidence, c, f"{c.folder}/{file}#{name}") for c in scored),
            )
            for name, meaning in AVERAGES
        ),
        threshold=str(evidence.value(f"{first}operating_point") or words.NOT_PROVIDED),
        more=tuple(title for _, title in MORE),
        labels="report labels" if evidence.trained_here else "the labels given",
    )


def _observation(
    evidence: Evidence, name: str, first: str, checkpoints: Sequence[Checkpoint], file: str
) -> ObservationResult:
    base = f"{first}observations.{key(name)}."
    return ObservationResult(
        name=name,
        slug=words.slug(name),
        positives=number(evidence, f"{base}positives"),
        negatives=number(evidence, f"{base}negatives"),
        positive_patients=number(evidence, f"{base}positive_patients"),
        negative_patients=number(evidence, f"{base}negative_patients"),
        stated=number(evidence, f"{base}stated"),
        hedged=number(evidence, f"{base}hedged"),
        scores=tuple(
            _scores(evidence, c, f"{c.folder}/{file}#observations.{key(name)}") for c in checkpoints
        ),
    )


def _scores(evidence: Evidence, checkpoint: Checkpoint, base: str) -> Scores:
    def measured(metric: str) -> Number:
        return estimate(evidence, f"{base}.{metric}")

    def fixed(answer: str) -> tuple[Number, Number]:
        return (
            number(evidence, f"{base}.{answer}.accuracy", words.ratio),
            number(evidence, f"{base}.{answer}.f1", words.ratio),
        )

    cells = tuple(number(evidence, f"{base}.confusion.{cell}") for cell in ("tp", "fp", "fn", "tn"))
    return Scores(
        checkpoint=checkpoint,
        auroc=measured("auroc"),
        average_precision=measured("average_precision"),
        f1=measured("f1"),
        precision=measured("precision"),
        recall=measured("recall"),
        specificity=measured("specificity"),
        accuracy=measured("accuracy"),
        brier=measured("brier"),
        log_loss=measured("log_loss"),
        confusion=(cells[0], cells[1], cells[2], cells[3]),
        never=fixed("always_negative"),
        always=fixed("always_positive"),
        over=number(evidence, f"{base}.auroc.over"),
        more=tuple(measured(metric) for metric, _ in MORE),
    )


def build_variants(
    evidence: Evidence, checkpoints: Sequence[Checkpoint]
) -> tuple[tuple[str, ...], tuple[Variant, ...]]:
    """Return the names of the label variants, and AUROC in each, side by side."""
    files = [
        (file, name)
        for file, name in VARIANTS
        if file not in OPTIONAL or any(evidence.document(f"{c.folder}/{file}") for c in checkpoints)
    ]
    rows = [(name, words.slug(name), f"observations.{key(name)}") for name in OBSERVATIONS] + [
        ("Macro average", "macro-average", "macro")
    ]
    variants = tuple(
        Variant(
            title,
            slug,
            tuple(
                (
                    c,
                    tuple(estimate(evidence, f"{c.folder}/{f}#{path}.auroc") for f, _ in files),
                )
                for c in checkpoints
            ),
        )
        for title, slug, path in rows
    )
    return tuple(name for _, name in files), variants


def present_labels(cases: Any, observation: str) -> np.ndarray:
    """Return which test cases are positive, hedged counted as present, as metrics.json does."""
    return np.isin(cases[f"label:{observation}"].to_numpy(float), (1.0, -1.0))


def build_operating_points(
    evidence: Evidence, checkpoints: Sequence[Checkpoint], threshold: str
) -> OperatingPoints | None:
    """Return the counts at every threshold, from the test scores; None without scores."""
    counts: dict[str, dict[str, tuple[tuple[int, ...], tuple[int, ...], int, int]]] = {}
    for checkpoint in checkpoints:
        found = evidence.scored_cases(checkpoint.folder)
        if found is None:
            continue
        cases, probabilities = found
        for place, name in enumerate(OBSERVATIONS):
            if f"label:{name}" not in cases or np.isnan(probabilities[:, place]).any():
                continue
            labels = present_labels(cases, name)
            entry = _counts_by_threshold(labels, probabilities[:, place])
            counts.setdefault(name, {})[checkpoint.slug] = entry
    if not counts:
        return None
    start = int(np.argmin(np.abs(np.array(THRESHOLDS) - _float(threshold, 0.5))))
    return OperatingPoints(THRESHOLDS, start, counts)


def _counts_by_threshold(
    labels: np.ndarray, scores: np.ndarray
) -> tuple[tuple[int, ...], tuple[int, ...], int, int]:
    sides = []
    for chosen in (scores[labels], scores[~labels]):
        below = np.searchsorted(np.sort(chosen), np.array(THRESHOLDS) - 1e-12, side="left")
        sides.append(tuple(int(n) for n in len(chosen) - below))
    return sides[0], sides[1], int(labels.sum()), int((~labels).sum())


def _float(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default
