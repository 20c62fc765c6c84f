"""How well labels agree with a gold standard: the three questions of the CheXpert paper's Table 2.

Mention: is the observation spoken of? Negation: is it stated absent? Uncertainty: is it in doubt?
(Irvin et al. 2019, AAAI 33:590-597.) Beside them Cohen's kappa over the four labels (Cohen 1960,
Educ Psychol Meas 20:37-46), and the F1 of positives alone, for gold standards that know no doubt
and no silence. Intervals are percentile bootstraps over reports (Efron & Tibshirani 1993).
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.labels.inputs import ID_COLUMNS, check_encoding
from cxr.errors import InputError
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS

POSITIVES = ("positive", "positive or in doubt")
"""What can be asked of a gold standard that says only yes or no."""
QUESTIONS = ("mention", "negation", "uncertainty", "positive", "positive or in doubt")
MEASURES = ("precision", "recall", "f1")
_LABELS = {"": 0, "1": 1, "1.0": 1, "0": 2, "0.0": 2, "-1": 3, "-1.0": 3, "nan": 0}
_WORDS = ("not mentioned", "present", "absent", "in doubt")
_ASKED = {
    "mention": (1, 2, 3),
    "negation": (2,),
    "uncertainty": (3,),
    "positive": (1,),
    "positive or in doubt": (1, 3),
}
"""Question -> codes of the labels that answer it with yes."""


@dataclass(frozen=True)
class LabelTable:
    """Labels as read from a CSV.

    Attributes:
        name: for messages.
        ids: one id for each row.
        labels: observation -> (n,) int8; 0 not mentioned, 1 present, 2 absent, 3 in doubt.
    """

    name: str
    ids: tuple[str, ...]
    labels: dict[str, np.ndarray]


@dataclass(frozen=True)
class ObservationQuality:
    """Agreement on one observation.

    Attributes:
        counts: question -> how many gold rows answer it with yes.
        scores: question -> measure -> estimate.
        kappa: Cohen's kappa over the four labels; over present or not for a gold standard that
            says only yes or no.
    """

    counts: dict[str, int]
    scores: dict[str, dict[str, Estimate]]
    kappa: Estimate


@dataclass(frozen=True)
class Disagreement:
    """One report on which labels and gold differ, in words."""

    id: str
    observation: str
    predicted: str
    gold: str


@dataclass(frozen=True)
class LabelQuality:
    """The whole comparison.

    Attributes:
        reports: how many ids both tables have.
        unmatched: ids that only one of the tables has.
        yes_or_no: whether the gold standard says only present or absent, of every observation
            and report; then silence is no disagreement, and only positives can be asked for.
        observations: observation -> its agreement.
        macro: question -> mean F1 over the observations where it can be estimated.
        disagreements: every difference, in the order of the gold table.
    """

    reports: int
    unmatched: int
    yes_or_no: bool
    observations: dict[str, ObservationQuality]
    macro: dict[str, Estimate]
    disagreements: list[Disagreement]


def read_labels(path: Path, *, id_column: str | None = None) -> LabelTable:
    """Read a table of labels: one column of ids and any of the 14 observations.

    Raises:
        InputError: no such file, no id column, no observation, a value that is no label, an id
            that repeats.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; check the path.")
    check_encoding(path, "utf-8")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        header = list(reader.fieldnames or ())
        column = _find_id(path, header, id_column)
        names = [name for name in OBSERVATIONS if name in header]
        if not names:
            raise InputError(
                f"{path}: has none of the 14 observations as a column; it has {', '.join(header)}."
            )
        ids: list[str] = []
        codes: list[list[int]] = []
        for number, row in enumerate(reader, start=1):
            ids.append(row[column] or "")
            codes.append([_code(path, number, name, row[name]) for name in names])
    if not ids:
        raise InputError(f"{path}: has no rows.")
    repeated = next((i for i, n in zip(ids, _earlier(ids), strict=True) if n), None)
    if repeated is not None:
        raise InputError(f"{path}: the id '{repeated}' in column '{column}' occurs twice.")
    array = np.array(codes, dtype=np.int8)
    return LabelTable(str(path), tuple(ids), {n: array[:, k] for k, n in enumerate(names)})


def _earlier(ids: Sequence[str]) -> list[bool]:
    seen: set[str] = set()
    return [identity in seen or bool(seen.add(identity)) for identity in ids]  # type: ignore[func-returns-value]


def _find_id(path: Path, header: list[str], chosen: str | None) -> str:
    if chosen is not None:
        if chosen not in header:
            raise InputError(f"{path}: has no column '{chosen}'; it has {', '.join(header)}.")
        return chosen
    # the narrowest id that the table has: a patient has several studies
    for name in ("study_id", "uid", "image_id", "dicom_id", "id", "row", *ID_COLUMNS):
        if name in header:
            return name
    raise InputError(
        f"{path}: has no column of ids; it has {', '.join(header) or 'no header'}. "
        "Name one with --id-column."
    )


def _code(path: Path, number: int, name: str, value: str | None) -> int:
    code = _LABELS.get((value or "").strip().lower())
    if code is None:
        raise InputError(
            f"{path} row {number}: '{name}' is {value!r}; a label is 1, 0, -1 or empty."
        )
    return code


def compare_labels(
    predicted: LabelTable, gold: LabelTable, *, resamples: int = 1000, seed: int = 0
) -> LabelQuality:
    """Compare labels with a gold standard on the ids and the observations that both have.

    Args:
        predicted: what a labeler read.
        gold: what is right.
        resamples: of the reports, for the intervals; one set for all observations.
        seed: of the resampling.

    Raises:
        InputError: no id, or no observation, in common.
    """
    places = {identity: place for place, identity in enumerate(predicted.ids)}
    common = [identity for identity in gold.ids if identity in places]
    if not common:
        raise InputError(
            f"{predicted.name} and {gold.name} have no id in common "
            f"(such as '{predicted.ids[0]}' and '{gold.ids[0]}'); name the columns with "
            "--id-column."
        )
    names = [name for name in gold.labels if name in predicted.labels]
    if not names:
        raise InputError(f"{predicted.name} and {gold.name} have no observation in common.")
    rows = np.array([places[identity] for identity in common])
    gold_rows = np.array([p for p, identity in enumerate(gold.ids) if identity in places])
    yes_or_no = all(np.isin(codes, (1, 2)).all() for codes in gold.labels.values())
    questions = POSITIVES if yes_or_no else QUESTIONS
    weights = _resample(len(common), resamples, seed)
    quality: dict[str, ObservationQuality] = {}
    replicates: dict[str, list[np.ndarray]] = {question: [] for question in questions}
    disagreements: list[Disagreement] = []
    for name in names:
        ours, theirs = predicted.labels[name][rows], gold.labels[name][gold_rows]
        quality[name] = _compare_one(ours, theirs, weights, replicates, yes_or_no=yes_or_no)
        differing = (ours == 1) != (theirs == 1) if yes_or_no else ours != theirs
        disagreements += [
            Disagreement(common[k], name, _WORDS[ours[k]], _WORDS[theirs[k]])
            for k in np.flatnonzero(differing)
        ]
    macro = {
        question: _macro(
            [quality[name].scores[question]["f1"] for name in names], replicates[question]
        )
        for question in questions
    }
    unmatched = len(gold.ids) + len(predicted.ids) - 2 * len(common)
    return LabelQuality(len(common), unmatched, yes_or_no, quality, macro, disagreements)


def _resample(reports: int, resamples: int, seed: int) -> np.ndarray:
    """Return (resamples + 1, reports) counts of each report; the first row is the sample itself."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(reports, np.full(reports, 1 / reports), size=resamples)
    return np.concatenate([np.ones((1, reports), dtype=drawn.dtype), drawn]).astype(np.float32)


def _compare_one(
    ours: np.ndarray,
    theirs: np.ndarray,
    weights: np.ndarray,
    replicates: dict[str, list[np.ndarray]],
    *,
    yes_or_no: bool,
) -> ObservationQuality:
    # (resamples + 1, 4, 4): gold label by predicted label
    table = np.stack(
        [
            np.stack([weights @ ((theirs == g) & (ours == p)) for p in range(4)], axis=-1)
            for g in range(4)
        ],
        axis=-2,
    )
    scores, counts = {}, {}
    for question in replicates:
        yes = list(_ASKED[question])
        both = table[:, yes][:, :, yes].sum(axis=(1, 2))
        in_gold = table[:, yes].sum(axis=(1, 2))
        in_ours = table[:, :, yes].sum(axis=(1, 2))
        counts[question] = int(in_gold[0])
        f1 = _ratio(2 * both, in_gold + in_ours)
        replicates[question].append(f1)
        scores[question] = {
            "precision": _estimate(_ratio(both, in_ours), "never predicted"),
            "recall": _estimate(_ratio(both, in_gold), "never in the gold standard"),
            "f1": _estimate(f1, "neither predicted nor in the gold standard"),
        }
    if yes_or_no:
        table = np.stack([table[:, 1], table.sum(axis=1) - table[:, 1]], axis=1)
        table = np.stack([table[..., 1], table.sum(axis=2) - table[..., 1]], axis=2)
    total = table.sum(axis=(1, 2))
    agreed = np.trace(table, axis1=1, axis2=2) / total
    chance = (table.sum(axis=1) * table.sum(axis=2)).sum(axis=1) / total**2
    kappa = _ratio(agreed - chance, 1 - chance)
    return ObservationQuality(counts, scores, _estimate(kappa, "only one label occurs"))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), math.nan), where=below > 1e-9)


def _estimate(values: np.ndarray, reason: str) -> Estimate:
    """Return the first value, with the percentiles of the others."""
    if math.isnan(values[0]):
        return Estimate.missing(reason)
    drawn = values[1:][~np.isnan(values[1:])]
    if len(drawn) < 2:
        return Estimate(float(values[0]), reason="no resamples for an interval")
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(values[0]), float(low), float(high), "bootstrap, reports")


def _macro(single: Sequence[Estimate], replicates: Sequence[np.ndarray]) -> Estimate:
    known = [r for e, r in zip(single, replicates, strict=True) if e.known]
    if not known:
        return Estimate.missing("no observation can be estimated")
    stacked = np.stack(known)
    counted = ~np.isnan(stacked)
    means = _ratio(np.where(counted, stacked, 0).sum(axis=0), counted.sum(axis=0).astype(float))
    return _estimate(means, "no observation can be estimated")


def as_json(quality: LabelQuality) -> dict[str, object]:
    """Return the comparison as plain values for JSON."""

    def plain(scores: Mapping[str, Mapping[str, Estimate]]) -> dict[str, object]:
        return {q: {m: e.as_json() for m, e in by.items()} for q, by in scores.items()}

    return {
        "schema": 1,
        "reports": quality.reports,
        "unmatched": quality.unmatched,
        "yes_or_no": quality.yes_or_no,
        "macro_f1": {q: e.as_json() for q, e in quality.macro.items()},
        "observations": {
            name: {"counts": o.counts, "kappa": o.kappa.as_json(), **plain(o.scores)}
            for name, o in quality.observations.items()
        },
    }
