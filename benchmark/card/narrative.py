"""The card's sentences: summary, use, limits, ethics.

Each sentence follows from a fact of the run. What only people can know (owner, contact, licence,
intended use) is read from the run folder's `card.toml` and is "not provided" without one.
"""

from collections.abc import Sequence
from typing import Any

from benchmark.card import words
from benchmark.card.model import (
    Averages,
    Checkpoint,
    Comparison,
    Fact,
    ObservationResult,
    Results,
    Summary,
)
from benchmark.evaluation.transfer import FILE as EXTERNAL
from benchmark.evidence import Evidence

HINT = f"{words.NOT_PROVIDED}; state it in card.toml in the run folder"
OWNER = (
    ("Owner", "owner"),
    ("Contact", "contact"),
    ("Licence", "licence"),
    ("Funding", "funding"),
    ("Registration", "registration"),
    ("Ethical approval", "approval"),
    ("Availability of model and data", "availability"),
)
SYNTHETIC = (
    "Synthetic: the images are phantoms and the reports are narrated. The figures measure how "
    "hard the phantoms are, and say nothing about patients."
)


def build_owner(notes: dict[str, Any]) -> tuple[Fact, ...]:
    """Return who answers for the models."""
    return tuple(Fact(title, str(notes.get(name) or words.NOT_PROVIDED)) for title, name in OWNER)


def build_use(evidence: Evidence, notes: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return intended and out-of-scope use."""
    intended = _sentences(notes.get("intended_use")) or (
        "Research: to compare networks on chest radiographs under one stated protocol, and to "
        "check a new version against an old one.",
        f"Intended use beyond that: {HINT}.",
    )
    out_of_scope = (
        "Diagnosis, triage or any other clinical decision: no clinical evaluation stands behind "
        "these models.",
        "Children, lateral views and other modalities than projection radiographs of the chest, "
        "unless the data section shows them.",
        "Reading a heatmap as the outline of a finding: it shows what moved a score.",
        *_sentences(notes.get("out_of_scope")),
    )
    if evidence.value("run.json#cohort.synthetic"):
        out_of_scope = (
            "Any statement about patients: these models have seen phantoms only.",
            *out_of_scope,
        )
    return intended, out_of_scope


def _sentences(value: Any) -> tuple[str, ...]:
    if not value:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)


def build_summary(
    evidence: Evidence,
    checkpoints: Sequence[Checkpoint],
    results: Results | None,
    truth: Results | None,
    comparison: Comparison | None,
) -> Summary:
    """Return the first page."""
    names = words.listed([c.name for c in checkpoints])
    cohort = evidence.value("run.json#cohort.name") or words.NOT_PROVIDED
    strongest, weakest, missing = _ranked(results)
    gate, state = _gate(evidence)
    elsewhere = not evidence.trained_here or evidence.document(EXTERNAL) is not None
    how = "trained elsewhere and tested here" if elsewhere else "trained and tested"
    return Summary(
        what=(
            f"{names}, {how} under one protocol to tell which of 14 observations "
            f"a chest radiograph shows, on: {cohort}."
        ),
        whom=(
            "For radiologists, reviewers and engineers who have to judge whether these models, "
            "or the next version of them, can be trusted, and how far."
        ),
        gate=gate,
        gate_state=state,
        macro=_macro(results),
        truth=_macro(truth),
        strongest=strongest,
        weakest=weakest,
        not_estimable=missing,
        comparison=comparison.words if comparison else _no_comparison(checkpoints),
        seeds=_seeds(evidence),
    )


def _macro(results: Results | None) -> Averages | None:
    return next((a for a in results.averages if a.name == "macro"), None) if results else None


def _no_comparison(checkpoints: Sequence[Checkpoint]) -> str:
    if len(checkpoints) < 2:
        return "One network was run; there is nothing to compare it with."
    return f"Comparison: {words.NOT_PROVIDED}; the run holds no comparison.json."


def _seeds(evidence: Evidence) -> str:
    entries = evidence.value("run.json#networks") or ()
    names = {entry.get("name") for entry in entries}
    seeds = {entry.get("seed") for entry in entries}
    if not evidence.trained_here and len(seeds) > 1:
        return (
            f"Scores of {len(seeds)} seeds were given; how they came about is not known here, nor "
            "whether more than the seed was changed."
        )
    if not evidence.trained_here:
        return (
            "Scores were given, and how they came about is not known here: they speak of these "
            "checkpoints, and other training runs of the same networks may do better or worse."
        )
    if len(seeds) > 1:
        return f"Each network was trained with {len(seeds)} seeds."
    if len(names) == 1:
        return (
            "One checkpoint, not an architecture: it was trained with one seed, and another may do "
            "better or worse."
        )
    two = len(names) == 2
    start = "Two checkpoints, not two architectures" if two else "Checkpoints, not architectures"
    return (
        f"{start}: each network was trained with one seed, and another seed may turn a small "
        "difference round."
    )


def _ranked(
    results: Results | None,
) -> tuple[tuple[ObservationResult, ...], tuple[ObservationResult, ...], tuple[str, ...]]:
    """The three strongest and weakest observations by mean AUROC, and those without one."""
    if results is None:
        return (), (), ()
    known = [r for r in results.observations if all(s.auroc.value is not None for s in r.scores)]
    known.sort(key=lambda r: -sum(s.auroc.value or 0.0 for s in r.scores))
    missing = tuple(r.name for r in results.observations if r not in known)
    strongest = known[:3]
    weakest = [r for r in reversed(known[-3:]) if r not in strongest]
    return tuple(strongest), tuple(weakest), missing


def _gate(evidence: Evidence) -> tuple[str, str]:
    verdict = evidence.value("gate.json#verdict")
    if verdict is None:
        return (
            "Not provided: no gate was run on this folder (cxr-bench check RUN --thresholds FILE)."
        ), ""
    checks = evidence.value("gate.json#checks") or ()
    state = {"pass": "passed", "fail": "failed"}.get(str(verdict), str(verdict))
    return f"{state.capitalize()}, {len(checks)} checks.", state


def build_limits(
    evidence: Evidence, results: Results | None, notes: dict[str, Any]
) -> tuple[str, ...]:
    """Return what the reader must not conclude."""
    limits = []
    if evidence.value("run.json#cohort.synthetic"):
        limits.append(SYNTHETIC)
    if evidence.value("run.json#config.data.labels") not in ("columns", "own"):
        limits.append(
            "Labels are read from reports. They say what a radiologist wrote, not what the image "
            "shows, and a finding that nobody mentioned counts as absent."
        )
    missing = [
        r.name
        for r in (results.observations if results else ())
        if any(s.auroc.value is None for s in r.scores)
    ]
    if missing:
        limits.append(
            f"Nothing can be said about {words.listed(missing)} (the results say why); macro "
            "averages leave them out."
        )
    limits += [
        _seeds(evidence),
        "One source of data: nothing is known about other hospitals, devices or populations.",
        "The operating point of the results is fixed, not tuned; precision depends on how common a "
        "finding is where the model is used.",
        *_readers(evidence),
        "Heatmaps are coarse. A map on the finding is no proof that the finding made the score, "
        "and a high AUROC is no proof that the map is on the finding.",
        *_sentences(notes.get("caveats")),
    ]
    return tuple(limits)


def _readers(evidence: Evidence) -> tuple[str, ...]:
    if evidence.value("reviews/review.json#blind"):
        return ("Readers saw a sample of the cases, and saw less than a clinical reading has.",)
    return ("No clinician has read these cases against the models.",)


def build_ethics(evidence: Evidence, notes: dict[str, Any]) -> tuple[str, ...]:
    """Return privacy, fairness and use."""
    synthetic = evidence.value("run.json#cohort.synthetic")
    restricted = evidence.value("run.json#cohort.restricted")
    if synthetic:
        privacy = "No patient is in the data: images, reports and ids are made up."
    elif restricted:
        privacy = (
            "The source is restricted: images, report texts, paths and original ids stay out of "
            "this card unless they were asked for by name."
        )
    else:
        privacy = (
            "The source is not marked restricted; whoever shares this card has to be allowed to "
            "share its images."
        )
    return (
        privacy,
        "Performance may differ between groups of patients. Subgroup results are shown where the "
        "run measured them; where it did not, fairness is unknown, not given.",
        "Labels made from reports carry over who was examined, how and by whom.",
        *_sentences(notes.get("ethics")),
    )
