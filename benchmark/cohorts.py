"""From a source to cases: read, label, decode, split, and give restricted ids their stand-ins.

After `prepare`, nothing downstream sees a path, a report text or, where the source is
restricted, an original id.
"""

import dataclasses
import hashlib
import inspect
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from filelock import FileLock

from benchmark.config import Config
from benchmark.events import Events
from benchmark.headers import Counts, describe_headers
from benchmark.locations import cache_folder, id_key
from benchmark.sharing.publishing import KEY_NOTE, key_fingerprint
from cxr.cache import decode_images
from cxr.errors import InputError
from cxr.keys import keyed_id
from cxr.labeling import label_reports
from cxr.observations import OBSERVATIONS
from cxr.sources import SOURCES
from cxr.splits import check_split, limit_patients, split_patients
from cxr.studies import SPLITS, Cohort
from cxr.synth.cohort import COHORT_VERSION, write_cohort

LABEL_COLUMNS = [f"label:{name}" for name in OBSERVATIONS]
TRUTH_COLUMNS = [f"truth:{name}" for name in OBSERVATIONS]
_AGE_BANDS = ((0, 40, "<40"), (40, 60, "40-59"), (60, 80, "60-79"), (80, 200, "80+"))


@dataclass(frozen=True)
class Prepared:
    """Everything that training and evaluation need.

    Attributes:
        cohort: what the source is and what was left out.
        cases: one row per image, as stored in cases.parquet.
        pixels: (len(cases), size, size) uint8, row by row as `cases`.
        headers: images by device and modality, as `benchmark.headers` counts them.
    """

    cohort: Cohort
    cases: pd.DataFrame
    pixels: np.ndarray
    headers: Counts = field(default_factory=dict)


def prepare(config: Config, events: Events, *, filled: bool = True) -> Prepared:
    """Read, label, decode and split the data that `config` names.

    Args:
        config: the resolved config.
        events: told the progress.
        filled: whether each split has to hold an image, as training needs it.

    Raises:
        InputError: what is wrong with the data, in one sentence.
    """
    cohort = label_cohort(read_cohort(config, events), events)
    cohort, pixels = _decode(cohort, config, events)
    if config.split.method == "official" and "validate" not in set(cohort.table["split"]):
        drawn = {"validation images": "drawn by patient from the official training part"}
        cohort = dataclasses.replace(cohort, notes={**cohort.notes, **drawn})
    table = cohort.table.assign(split=_split(cohort.table, config))
    check_split(table)
    if filled:
        _check_splits_filled(table)
    paths = [Path(path) for path in table["image_path"]]
    headers = describe_headers(paths, jobs=joblib.cpu_count())
    cohort = _publishable(dataclasses.replace(cohort, table=table))
    return Prepared(cohort, _cases(cohort), pixels, headers)


def image_files(config: Config, events: Events) -> dict[str, Path]:
    """Return the file of each image by its id in cases.parquet.

    Raises:
        InputError: the source is not where `config` says.
    """
    cohort = read_cohort(config, events)
    ids = cohort.table["image_id"].tolist()
    if cohort.restricted:
        key = id_key()
        ids = [keyed_id(name, key) for name in ids]
    return dict(zip(ids, map(Path, cohort.table["image_path"]), strict=True))


def read_cohort(config: Config, events: Events) -> Cohort:
    """Read the images that a run of `config` uses, before labels, pixels and split.

    Raises:
        InputError: what is wrong with the data or the settings, in one sentence.
    """
    return _limit(read_source(config, events), config)


def read_source(config: Config, events: Events) -> Cohort:
    """Read the source through its adapter, which is given the settings that it knows.

    Raises:
        InputError: what is wrong with the data or the settings, in one sentence.
    """
    data = config.data
    root = _synthetic_cohort(config, events) if data.source == "synthetic" else Path(data.path)
    events.stage("Reading studies")
    source = SOURCES[data.source]
    adapter = source.read
    known = inspect.signature(adapter).parameters
    places = {"reports": data.reports, "tables": data.tables, "patients": data.patients}
    for name, place in places.items():
        if place and name not in known:
            raise InputError(f"data.{name} is set, but {source.title} makes no use of it; drop it.")
    settings = {
        **{name: Path(place) if place else None for name, place in places.items()},
        "views": data.views,
        "labels": data.labels,
        "split": config.split.method,
        "restricted": data.restricted,
        "jobs": joblib.cpu_count(),
    }
    return adapter(root, **{name: value for name, value in settings.items() if name in known})


def _synthetic_cohort(config: Config, events: Events) -> Path:
    """Return the cohort's folder in the cache, rendering it where it is not whole there."""
    synth = config.synth
    name = f"{synth.studies}-{synth.seed}-{synth.size}-{synth.conspicuity:g}-v{COHORT_VERSION}"
    folder = cache_folder() / "synthetic" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "SYNTHETIC.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            events.stage("Rendering the synthetic cohort", synth.studies, "studies")
            write_cohort(
                folder,
                studies=synth.studies,
                seed=synth.seed,
                size=synth.size,
                conspicuity=synth.conspicuity,
                jobs=joblib.cpu_count(),
                progress=events.advance,
            )
    return folder


def _limit(cohort: Cohort, config: Config) -> Cohort:
    """Sample patients before anything else is done with them, so that a limit saves the work."""
    if not config.limit.patients:
        return cohort
    table = limit_patients(cohort.table, config.limit.patients, config.split.seed)
    if config.split.method == "official":
        patients = table.loc[table["split"] == "test", "patient_id"].nunique()
        if patients < config.split.min_test_patients:
            raise InputError(
                f"limit.patients leaves {patients} patients of the official test split, fewer "
                f"than split.min_test_patients ({config.split.min_test_patients}); raise the "
                'limit, or use split.method = "seeded".'
            )
    return dataclasses.replace(cohort, table=table)


def label_cohort(cohort: Cohort, events: Events) -> Cohort:
    """Label the reports, each study once, unless the source brought labels."""
    if cohort.label_source:
        return cohort
    reports = cohort.table["report"].drop_duplicates()
    events.stage("Labeling reports", len(reports), "reports")
    values = label_reports(reports.tolist(), jobs=1, progress=events.advance)
    labels = pd.DataFrame(values, index=reports.to_numpy(), columns=list(OBSERVATIONS))
    labeled = labels.loc[cohort.table["report"]].reset_index(drop=True)
    table = pd.concat([cohort.table, labeled], axis=1)
    return dataclasses.replace(cohort, table=table, label_source="report")


def _decode(cohort: Cohort, config: Config, events: Events) -> tuple[Cohort, np.ndarray]:
    """Decode every image once into the cache; move what can't be read to the exclusions."""
    table = cohort.table
    events.stage("Decoding images", len(table), "images")
    decoded = decode_images(
        [Path(path) for path in table["image_path"]],
        table["image_id"].tolist(),
        size=config.image.size,
        fit=config.image.fit,
        folder=cache_folder() / "decoded",
        jobs=joblib.cpu_count(),
        progress=events.advance,
    )
    failed = table[table["image_id"].isin(decoded.failures)]
    excluded = failed[["image_id", "study_id", "patient_id"]].assign(
        reason=failed["image_id"].map(decoded.failures)
    )
    share = len(failed) / len(table)
    if share > config.data.max_excluded or not len(decoded.ids):
        example = next(iter(decoded.failures.values()))
        raise InputError(
            f"{len(failed)} of {len(table)} images can't be read, more than data.max_excluded "
            f"({config.data.max_excluded:g}) allows; the first: {example}"
        )
    if len(failed):
        events.say(f"{len(failed)} images can't be read and are listed in exclusions.csv.")
    kept = table[~table["image_id"].isin(decoded.failures)].reset_index(drop=True)
    exclusions = pd.concat([cohort.exclusions, excluded], ignore_index=True)
    return dataclasses.replace(cohort, table=kept, exclusions=exclusions), decoded.pixels


def _split(table: pd.DataFrame, config: Config) -> pd.Series:
    if config.split.method == "official":
        missing = int((table["split"] == "").sum())
        if missing:
            raise InputError(
                f"{missing} images stand in no official split; give the split table with "
                '--set data.tables=FOLDER, or use split.method = "seeded".'
            )
        return _with_validation(table, config)
    return split_patients(
        table["patient_id"], seed=config.split.seed, fractions=config.split.fractions
    )


def _with_validation(table: pd.DataFrame, config: Config) -> pd.Series:
    """Return the official split; one without a validation part gets it from its training part.

    Patients are drawn by `split.seed`, in the proportion of `split.fractions`.
    """
    if "validate" in set(table["split"]):
        return table["split"]
    train, validate, _ = config.split.fractions
    share = validate / (train + validate)
    drawn = split_patients(
        table["patient_id"], seed=config.split.seed, fractions=(1 - share, share, 0)
    )
    return table["split"].where(table["split"] != "train", drawn)


def _check_splits_filled(table: pd.DataFrame) -> None:
    counts = table["split"].value_counts()
    for name in SPLITS:
        if not counts.get(name, 0):
            raise InputError(
                f"the {name} split holds no image ({table['patient_id'].nunique()} patients in "
                "all); use more patients, other split.fractions, or another split.seed."
            )


def _publishable(cohort: Cohort) -> Cohort:
    """Drop report texts and paths; where the source is restricted, key the ids too."""
    table = cohort.table.drop(columns=["report", "image_path"])
    exclusions = cohort.exclusions.copy()
    if cohort.restricted:
        key = id_key()
        names = ["image_id", "study_id", "patient_id"]
        table = table.assign(**{name: [keyed_id(i, key) for i in table[name]] for name in names})
        exclusions["reason"] = [
            without_names(str(reason), [str(name) for name in private])
            for reason, *private in exclusions[["reason", *names]].itertuples(index=False)
        ]
        for name in names:
            exclusions[name] = [keyed_id(i, key) for i in exclusions[name].fillna("")]
        notes = {**cohort.notes, KEY_NOTE: key_fingerprint(key)}
        cohort = dataclasses.replace(cohort, notes=notes)
    return dataclasses.replace(cohort, table=table, exclusions=exclusions)


def without_names(reason: str, names: list[str]) -> str:
    """Return `reason` without the words that carry a path or an original id."""
    private = [name for name in names if name]
    words = reason.split(" ")
    kept = [
        "(file)" if "/" in word or "\\" in word or any(name in word for name in private) else word
        for word in words
    ]
    return " ".join(kept)


def _cases(cohort: Cohort) -> pd.DataFrame:
    table = cohort.table
    cases = table[["image_id", "study_id", "patient_id", "view", "sex"]].copy()
    cases["age_band"] = [age_band(age) for age in table["age"]]
    cases["split"] = table["split"]
    for name, column in zip(OBSERVATIONS, LABEL_COLUMNS, strict=True):
        cases[column] = table[name].astype(float) if name in table else np.nan
    if cohort.truth is not None:
        truth = cohort.truth.loc[table["image_id"]]
        for name, column in zip(OBSERVATIONS, TRUTH_COLUMNS, strict=True):
            cases[column] = truth[name].to_numpy(bool)
    return cases


def age_band(age: float) -> str:
    """Return the band of an age in years, such as "40-59"; empty where it is not known."""
    return next((band for low, high, band in _AGE_BANDS if low <= age < high), "")


def digest_of(prepared: Prepared) -> str:
    """Return 16 hexadecimal digits of the cases, their labels, splits and pixels."""
    digest = hashlib.sha256()
    hashed = pd.util.hash_pandas_object(prepared.cases, index=False)
    digest.update(hashed.to_numpy().tobytes())
    digest.update(str(prepared.pixels.shape).encode())
    for row in prepared.pixels:
        digest.update(row.tobytes())
    return digest.hexdigest()[:16]
