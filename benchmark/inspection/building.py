"""From a cohort and its files to what an inspection shows."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pydicom.uid

from benchmark.cohorts import label_cohort, without_names
from benchmark.events import Events
from benchmark.inspection.indexing import read_all
from benchmark.inspection.model import (
    Duplicates,
    Inspection,
    Label,
    Row,
    Table,
)
from benchmark.inspection.pictures import (
    MOST_EXAMPLES,
    Looks,
    contact_sheets,
    find_suspicions,
)
from benchmark.locations import cache_folder, id_key
from cxr.dicom import PREPROCESSING_VERSION, load
from cxr.dicom.facts import Facts, pixel_digest, read_facts
from cxr.dicom.files import DiskError
from cxr.errors import RadiographError
from cxr.keys import keyed_id
from cxr.observations import OBSERVATIONS
from cxr.parallel import run_parallel
from cxr.splits import limit_patients
from cxr.studies import Cohort
from cxr.suspicions import SIZE, look_at

INDEX_VERSION = 1
MOST_ROWS = 12
_GREY = ("MONOCHROME", "L", "I", "1")  # the latter are modes of PNG and JPEG


def inspect_cohort(
    cohort: Cohort,
    *,
    title: str,
    source: str,
    looks: int,
    include_restricted: bool,
    events: Events,
) -> Inspection:
    """Look over a cohort: headers of every file, pixels of a sample.

    Args:
        cohort: read with every view.
        title: what was inspected.
        source: the words for its layout.
        looks: how many images' pixels are looked at; whole patients, drawn by hash.
        include_restricted: show pictures and ids of a restricted source.
        events: told of progress.
    """
    paths = cohort.table["image_path"].tolist()
    store = cache_folder() / "inspected"
    events.stage("Reading headers", len(paths), "files")
    found = read_all(
        facts_of, paths, store / "headers.jsonl", version=INDEX_VERSION, progress=events.advance
    )
    facts = [Facts(**values) for values in found]
    hidden = cohort.restricted and not include_restricted
    name = _namer(cohort, hidden)
    rows = _sample(cohort, looks)
    events.stage("Looking at pixels", len(rows), "images")
    seen = read_all(
        _look,
        [paths[row] for row in rows],
        store / f"looks-{SIZE}.jsonl",
        version=1000 * PREPROCESSING_VERSION + INDEX_VERSION,
        progress=events.advance,
    )
    events.stage("Comparing contents")
    if "report" in cohort.table and (cohort.table["report"] != "").any():
        cohort = label_cohort(cohort, events)
    table, look = cohort.table, Looks(rows, seen, name)
    return Inspection(
        title=title,
        source=source,
        synthetic=cohort.synthetic,
        hidden=hidden,
        totals=_totals(cohort, facts),
        people=_people(table),
        files=_files(facts),
        exclusions=_exclusions(cohort, [*facts, *_unread(rows, seen, facts)], hidden=hidden),
        labels=_labels(table),
        label_source=cohort.label_source,
        duplicates=_duplicates(table, facts, name),
        suspicions=find_suspicions(table, facts, look, hidden=hidden),
        looked=len(rows),
        sheets=() if hidden else contact_sheets(table, look),
        notes=tuple(cohort.notes.items()),
    )


def facts_of(path: Path) -> dict[str, Any]:
    """Return what a file's header says, as plain values for the store."""
    return asdict(read_facts(path))


def _look(path: Path) -> dict[str, Any]:
    """Return what was measured on an image, or why it can't be read."""
    facts = read_facts(path)
    try:
        image = load(path, size=SIZE, fit="squash")
    except DiskError:
        raise
    except RadiographError as error:
        return {"problem": str(error)}
    aspect = facts.columns / facts.rows if facts.rows else 1.0
    return asdict(look_at(image, aspect=aspect))


def _namer(cohort: Cohort, hidden: bool) -> Callable[[str], str]:
    if not hidden:
        return str
    key = id_key()
    return lambda image_id: keyed_id(image_id, key)


def _sample(cohort: Cohort, looks: int) -> list[int]:
    """Return the rows of about `looks` images, of patients drawn by hash."""
    table = cohort.table
    if looks >= len(table):
        return list(range(len(table)))
    patients = max(1, round(table["patient_id"].nunique() * looks / len(table)))
    drawn = set(limit_patients(table, patients, seed=0)["image_id"]) if looks else set()
    return np.flatnonzero(table["image_id"].isin(drawn)).tolist()


def _totals(cohort: Cohort, facts: Sequence[Facts]) -> tuple[tuple[str, str], ...]:
    table = cohort.table
    unread = sum(bool(fact.problem) for fact in facts)
    return (
        ("Patients", f"{table['patient_id'].nunique():,}"),
        ("Studies", f"{table['study_id'].nunique():,}"),
        ("Images", f"{len(table):,}"),
        ("Left out", f"{len(cohort.exclusions):,}"),
        ("Unreadable headers", f"{unread:,}"),
    )


def _count(
    title: str,
    values: Iterable[str],
    *,
    warn: Callable[[str], bool] = lambda value: False,
    note: str = "",
    order: Sequence[str] = (),
) -> Table:
    """Return a table of counts: by `order` where it is given, else the largest first."""
    counts = Counter(values)
    names = [name for name in order if name in counts] or [name for name, _ in counts.most_common()]
    total = sum(counts.values())
    rows = tuple(
        Row(name or "unknown", counts[name], counts[name] / total, warn(name)) for name in names
    )
    return Table(title, rows[:MOST_ROWS], note, max(0, len(rows) - MOST_ROWS))


def _people(table: pd.DataFrame) -> tuple[Table, ...]:
    patients = table.drop_duplicates("patient_id")
    per_patient = table.groupby("patient_id").size()
    sizes = pd.cut(per_patient, [0, 1, 2, 5, 10, np.inf], labels=["1", "2", "3-5", "6-10", ">10"])
    decades = [
        "" if np.isnan(age) else f"{int(age) // 10 * 10}-{int(age) // 10 * 10 + 9}"
        for age in table["age"]
    ]
    order = [f"{start}-{start + 9}" for start in range(0, 130, 10)]
    return (
        _count("Views", table["view"]),
        _count("Sex, by patient", patients["sex"]),
        _count("Age, by image", decades, order=[*order, ""]),
        _count("Images of a patient", sizes.astype(str), order=["1", "2", "3-5", "6-10", ">10"]),
        *([_count("Official split", table["split"])] if (table["split"] != "").any() else []),
    )


def _files(facts: Sequence[Facts]) -> tuple[Table, ...]:
    read = [fact for fact in facts if not fact.problem]
    odd = {"MONOCHROME1": "shown inverted"}
    return (
        _count("Transfer syntax or format", [_syntax(fact.format) for fact in read]),
        _count(
            "Photometric interpretation",
            [
                f"{fact.photometric} ({odd[fact.photometric]})"
                if fact.photometric in odd
                else fact.photometric
                for fact in read
            ],
            warn=lambda value: not value.startswith(_GREY),
        ),
        _count("Rows x columns", [f"{fact.rows} x {fact.columns}" for fact in read]),
        _count("Bits stored", [str(fact.bits or "") for fact in read]),
        _count(
            "Modality",
            [fact.modality for fact in read],
            warn=lambda value: value not in ("CR", "DX", "RG", "DR", ""),
        ),
        _count("Device", [fact.device for fact in read]),
    )


def _syntax(name: str) -> str:
    return pydicom.uid.UID(name).name if name[:1].isdigit() else name


def _unread(
    rows: Sequence[int], seen: Sequence[dict[str, Any]], facts: Sequence[Facts]
) -> list[Facts]:
    """Return what was wrong with pixels whose headers could be read."""
    problems = ((row, values.get("problem", "")) for row, values in zip(rows, seen, strict=True))
    return [Facts(problem=words) for row, words in problems if words and not facts[row].problem]


def _exclusions(cohort: Cohort, facts: Sequence[Facts], *, hidden: bool) -> Table:
    told = cohort.exclusions[["reason", "image_id", "study_id", "patient_id"]]
    reasons = [
        without_names(reason, private) if hidden else reason
        for reason, *private in told.fillna("").astype(str).itertuples(index=False)
    ]
    reasons += [fact.problem for fact in facts if fact.problem]
    note = "Reasons that only pixels tell are of the images that were looked at."
    return _count("Left out, and why", [reason.rstrip(".") for reason in reasons], note=note)


def _labels(table: pd.DataFrame) -> tuple[Label, ...]:
    rows = []
    for name in OBSERVATIONS:
        if name not in table:
            return ()
        values = table[name].to_numpy(float)
        positive, uncertain = int((values == 1).sum()), int((values == -1).sum())
        negative = int((values == 0).sum())
        blank = int(np.isnan(values).sum())
        rows.append(
            Label(name, positive, uncertain, negative, blank, positive / max(len(values), 1))
        )
    return tuple(rows)


def _duplicates(
    table: pd.DataFrame, facts: Sequence[Facts], name: Callable[[str], str]
) -> tuple[Duplicates, ...]:
    """Return pictures that lie in several places, the worst kind first."""
    content = pd.Series([fact.content for fact in facts], index=table.index)
    candidates = table[content.duplicated(keep=False) & (content != "")]
    paths = [Path(path) for path in candidates["image_path"]]
    digests = run_parallel(pixel_digest, paths, jobs=joblib.cpu_count())
    groups = candidates.assign(digest=digests).query("digest != ''").groupby("digest", sort=False)
    kinds: dict[str, list[tuple[str, ...]]] = {
        "across splits": [],
        "across patients": [],
        "within a patient": [],
    }
    for _, group in groups:
        if len(group) < 2:
            continue
        if len(set(group["split"])) > 1:
            kind = "across splits"
        elif len(set(group["patient_id"])) > 1:
            kind = "across patients"
        else:
            kind = "within a patient"
        kinds[kind].append(tuple(name(image_id) for image_id in group["image_id"]))
    return tuple(
        Duplicates(kind, len(found), tuple(found[:MOST_EXAMPLES])) for kind, found in kinds.items()
    )
