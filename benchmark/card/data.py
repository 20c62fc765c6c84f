"""The data behind a run as the card shows it: flow, prevalence, who they are, the labels."""

import re

from benchmark.card import words
from benchmark.card.model import (
    Breakdown,
    Fact,
    FlowBox,
    LabelQuality,
    Number,
    PrevalenceRow,
    Reading,
)
from benchmark.card.numbers import estimate, fact, number, share
from benchmark.evidence import Evidence, column_values, key, where
from cxr.observations import OBSERVATIONS
from cxr.sources import SOURCES

SPLITS = ("train", "validate", "test")
SPLIT_NAMES = ("Training", "Validation", "Test")
CASES = "cases.parquet"
TRAITS = (("sex", "Sex"), ("age_band", "Age (years)"), ("view", "View"))
DATA = "run.json#data"


def build_flow(evidence: Evidence) -> tuple[FlowBox, ...]:
    """Return the boxes of the flow diagram: found, used, and the three splits."""
    reasons = evidence.value(f"{DATA}.exclusions")
    left_out = tuple(
        Fact(str(reason), number(evidence, f"{DATA}.exclusions.{key(str(reason))}"))
        for reason in (reasons if isinstance(reasons, dict) else {})
    )
    if reasons is None:
        left_out = (Fact("Exclusions", words.NOT_PROVIDED),)
    found = f"{DATA}.images" + (f" + {DATA}.exclusions.*" if left_out and reasons else "")
    return (
        FlowBox("Images found", (Fact("images", number(evidence, found)),), left_out),
        FlowBox("Used", _counts(evidence, f"{DATA}.")),
        *(
            FlowBox(name, _counts(evidence, f"{DATA}.splits.{split}."))
            for split, name in zip(SPLITS, SPLIT_NAMES, strict=True)
        ),
    )


def _counts(evidence: Evidence, base: str) -> tuple[Fact, ...]:
    return tuple(
        Fact(name, number(evidence, f"{base}{name}")) for name in ("images", "studies", "patients")
    )


def build_prevalence(evidence: Evidence) -> tuple[PrevalenceRow, ...]:
    """Return, per observation and split, images stated and hedged, and their share."""
    rows = []
    for name in OBSERVATIONS:
        splits = []
        for split in SPLITS:
            stated = _labeled(name, split, 1)
            hedged = _labeled(name, split, -1)
            whole = where(CASES, "images", split=split)
            splits.append(
                (
                    number(evidence, stated),
                    number(evidence, hedged),
                    share(evidence, f"{stated} + {hedged}", whole),
                )
                if evidence.value(whole)
                else (Number("", reason=words.NOT_PROVIDED),) * 3
            )
        rows.append(PrevalenceRow(name, tuple(splits)))
    return tuple(rows)


def _labeled(observation: str, split: str, value: int) -> str:
    return where(CASES, "images", **{"split": split, f"label:{observation}": value})


def build_breakdowns(evidence: Evidence) -> tuple[Breakdown, ...]:
    """Return images and patients by sex, age and view in each split; devices where known."""
    cases = evidence.table(CASES)
    found = []
    for column, title in TRAITS:
        values = sorted(column_values(cases, column), key=_ascending)
        if not any(values):
            found.append(Breakdown(title, (), words.NOT_PROVIDED))
            continue
        rows = tuple(
            (
                value or "unknown",
                tuple(
                    (
                        number(evidence, where(CASES, "images", split=split, **{column: value})),
                        number(evidence, where(CASES, "patients", split=split, **{column: value})),
                    )
                    for split in SPLITS
                ),
            )
            for value in values
        )
        found.append(Breakdown(title, rows))
    return (*found, _devices(evidence))


def _ascending(band: str) -> tuple[int, bool, str]:
    """Sort bands such as "<40", "40-59" and "80+" by where they start."""
    digits = re.search(r"\d+", band)
    return (int(digits[0]) if digits else 0, not band.startswith("<"), band)


def _devices(evidence: Evidence) -> Breakdown:
    makers = evidence.value(f"{DATA}.devices")
    if not isinstance(makers, dict) or not makers:
        missing = f"{words.NOT_PROVIDED}: the run counted none in DICOM headers"
        return Breakdown("X-ray devices", (), missing)
    rows = tuple(
        (str(maker), ((number(evidence, f"{DATA}.devices.{key(str(maker))}"), Number("")),))
        for maker in makers
    )
    return Breakdown("X-ray devices", rows)


def build_cohort_facts(evidence: Evidence) -> tuple[Fact, ...]:
    """Return the cohort's name, what may be shared, and the notes to print with every result."""
    notes = evidence.value("run.json#cohort.notes") or {}
    views = evidence.value("run.json#config.data.views")
    return (
        fact(evidence, "Cohort", "run.json#cohort.name"),
        Fact("Source", _source(evidence)),
        Fact(
            "Views that count",
            words.listed([str(v) or "unknown" for v in views or ()]) or words.NOT_PROVIDED,
        ),
        fact(evidence, "Images or texts restricted", "run.json#cohort.restricted"),
        Fact("Modality, by the headers", _modalities(evidence)),
        *_ages(evidence),
        *(
            Fact(str(name).replace("_", " ").capitalize(), str(value), "note of the cohort")
            for name, value in sorted(notes.items())
        ),
    )


def _modalities(evidence: Evidence) -> str:
    found = evidence.value(f"{DATA}.modalities")
    if not isinstance(found, dict) or not found:
        return f"{words.NOT_PROVIDED}: the run counted none in DICOM headers"
    return ", ".join(f"{name} ({words.count(count)} images)" for name, count in found.items())


def _ages(evidence: Evidence) -> tuple[Fact, ...]:
    names = (("Youngest patient (years)", "low"), ("Median age (years)", "median"))
    found = [Fact(name, number(evidence, f"{DATA}.ages.{end}")) for name, end in names]
    oldest = number(evidence, f"{DATA}.ages.high")
    return (*found, Fact("Oldest patient (years)", oldest, "90 stands for 90 or older"))


def _source(evidence: Evidence) -> str:
    if not evidence.trained_here:
        return "tables of scores and labels; the images were not seen"
    source = SOURCES.get(str(evidence.value("run.json#config.data.source")))
    return source.title if source else words.NOT_PROVIDED


def build_label_facts(evidence: Evidence) -> tuple[Fact, ...]:
    """Return where the labels come from and how -1 and blank are read."""
    source = evidence.value("run.json#config.data.labels")
    version = evidence.value("run.json#labels.labeler_version")
    uncertain = evidence.value("run.json#config.labels.uncertain")
    blank = evidence.value("run.json#config.labels.blank")
    own = evidence.value("run.json#config.labels.per_observation")
    raised = evidence.value("run.json#config.labels.hierarchy")
    return (
        Fact(
            "Labels come from",
            {
                "report": "the reports, read by this project's labeler",
                "chexpert": "MIMIC-CXR's CheXpert label table",
                "negbio": "MIMIC-CXR's NegBio label table",
                "columns": "the manifest's own columns"
                if evidence.trained_here
                else "the table of labels that was given",
                "own": "the data set's own annotations",
            }.get(str(source), words.NOT_PROVIDED),
        ),
        Fact("Labeler version", str(version) if version else words.NOT_PROVIDED),
        Fact("Hedged (-1), in training", _policy(uncertain)),
        *(
            Fact(f"Hedged {name}, in training", _policy(policy))
            for name, policy in (own or {}).items()
        ),
        *([Fact("Kinds raise", "what they are a kind of, in training")] if raised else []),
        Fact("Not mentioned, in training", _policy(blank)),
        Fact("Hedged, in testing", "counted as present; left out beside it"),
        Fact("Not mentioned, in testing", "counted as absent"),
    )


def _policy(value: object) -> str:
    return {
        "positive": "counted as present, as in the study",
        "negative": "counted as absent",
        "ignore": "left out",
        "positive-smoothed": "counted as probably present (a target between 0.55 and 0.85)",
        "negative-smoothed": "counted as probably absent (a target between 0 and 0.3)",
        "class": "a class of their own beside present and absent",
    }.get(str(value), words.NOT_PROVIDED)


def build_reading(evidence: Evidence) -> tuple[tuple[Reading, ...], str]:
    """Return how well the reports were read, and in words; nothing where no meaning is known."""
    file = "label_reading.json"
    if evidence.document(file) is None:
        return (), (
            f"{words.NOT_PROVIDED}: what these reports meant to say is not known beyond their "
            "text, so how well they were read can't be measured from this run; `cxr-bench "
            "label-quality` measures it against expert labels."
        )
    rows = []
    for name in OBSERVATIONS:
        base = f"{file}#observations.{key(name)}"
        f1 = {
            question: estimate(evidence, f"{base}.{question}.f1")
            for question in ("mention", "negation", "uncertainty", "positive")
        }
        rows.append(Reading(observation=name, **f1))
    return tuple(rows), (
        "What was read from each report against what its narrator meant, all studies. This says "
        "how well reports are read, not how well they tell the truth."
    )


def build_label_quality(evidence: Evidence) -> tuple[tuple[LabelQuality, ...], str]:
    """Return how the report labels agree with the truth on the test images, and in words."""
    cases = evidence.table(CASES)
    known = cases is not None and all(f"truth:{name}" in cases for name in OBSERVATIONS)
    if not known:
        return (), (
            f"{words.NOT_PROVIDED}: no truth beside the reports is known for this cohort, so what "
            "the labels are worth can't be measured from this run."
        )
    rows = tuple(_quality(evidence, name) for name in OBSERVATIONS)
    return rows, (
        "What each report says, as read, against what is truly there (test images; hedged counts "
        "as present). A report may leave out what is subtle: such a finding counts against the "
        "labels here, and an image rightly called by a network then counts as a false alarm "
        "in the results."
    )


def _quality(evidence: Evidence, name: str) -> LabelQuality:
    def counted(**more: object) -> str:
        return where(CASES, "images", **{"split": "test", **more})

    present = counted(**{f"truth:{name}": True})
    labeled = " + ".join(counted(**{f"label:{name}": v}) for v in (1, -1))
    both = " + ".join(counted(**{f"label:{name}": v, f"truth:{name}": True}) for v in (1, -1))
    return LabelQuality(
        observation=name,
        present=number(evidence, present),
        labeled=number(evidence, labeled),
        both=number(evidence, both),
        sensitivity=share(evidence, both, present),
        precision=share(evidence, both, labeled),
    )
