"""Which scores belong to which answers: cases that every table tells, and a list of the rest.

Nothing is dropped in silence. What a table of scores has too many or too few of, against the
table of labels, becomes a row of exclusions.csv with the reason.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.cohorts import age_band
from benchmark.scores.tables import Predictions
from benchmark.scores.truth import Truth
from cxr.dicom.header import age_years, standard_view
from cxr.errors import InputError
from cxr.keys import keyed_id
from cxr.observations import OBSERVATIONS
from cxr.studies import empty_exclusions

IDS = ["image_id", "study_id", "patient_id"]
_SEXES = {"F": "F", "FEMALE": "F", "M": "M", "MALE": "M"}
_SPLITS = {
    "train": "train", "training": "train",
    "validate": "validate", "val": "validate", "valid": "validate", "validation": "validate",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Matched:
    """Cases with the scores of every network.

    Attributes:
        cases: as in cases.parquet; splits "test" and, where the labels tell it, "validate".
        scores: (network, seed) -> as in scores.parquet, row by row as `cases`.
        exclusions: what was left out, as in exclusions.csv.
        notices: what the reader should know, in sentences.
    """

    cases: pd.DataFrame
    scores: dict[tuple[str, int], pd.DataFrame]
    exclusions: pd.DataFrame
    notices: tuple[str, ...]


def match(truth: Truth, tables: Sequence[Predictions]) -> Matched:
    """Bring scores and labels together.

    Args:
        truth: labels by image, or by study: then each image of a study has the study's.
        tables: one of each network and seed.

    Raises:
        InputError: two tables of one network and seed; no case in common; no patients; images
            whose study is not told though the labels are by study; an unknown split; no test
            case.
    """
    _refuse_two_of_a_kind(tables)
    rows = _rows(_by_image(truth, tables) if truth.by_study else truth.table, truth)
    identify, notices = _identity(rows, tables)
    keys = [identify(_image_ids(table.ids)) for table in tables]
    labeled = identify(rows["image_id"])
    shared = set(labeled).intersection(*map(set, keys))
    if not shared:
        raise InputError(_nothing_shared(truth, rows, tables))
    kept = labeled.isin(shared).to_numpy()
    cases = _cases(rows[kept].reset_index(drop=True), truth)
    wanted = labeled[kept].to_numpy()
    scores = {
        (table.network, table.seed): _scores_of(table, key, wanted, cases)
        for table, key in zip(tables, keys, strict=True)
    }
    exclusions = _exclusions(rows, labeled, tables, keys)
    if len(exclusions):
        notices.append(_told(exclusions))
    return Matched(cases, scores, exclusions, tuple(notices))


def hide_ids(matched: Matched, key: bytes) -> Matched:
    """Return the same with keyed ids, as a restricted source demands."""

    def keyed(frame: pd.DataFrame) -> pd.DataFrame:
        names = [name for name in IDS if name in frame]
        return frame.assign(**{name: [keyed_id(i, key) for i in frame[name]] for name in names})

    return Matched(
        keyed(matched.cases),
        {pair: keyed(table) for pair, table in matched.scores.items()},
        keyed(matched.exclusions),
        matched.notices,
    )


def _refuse_two_of_a_kind(tables: Sequence[Predictions]) -> None:
    seen: dict[tuple[str, int], str] = {}
    for table in tables:
        pair = (table.network, table.seed)
        if pair in seen:
            raise InputError(
                f"{seen[pair]} and {table.file} both tell network '{table.network}', seed "
                f"{table.seed}; name them apart, as in NAME=FILE or NAME-seed1=FILE."
            )
        seen[pair] = table.file


def _image_ids(ids: pd.DataFrame) -> pd.Series:
    """Return what names each case: its image, else its study."""
    return ids["image_id"].where(ids["image_id"] != "", ids["study_id"])


def _by_image(truth: Truth, tables: Sequence[Predictions]) -> pd.DataFrame:
    """Return the labels of studies for each of their images; a study nobody scored stays one."""
    for table in tables:
        if not table.ids["study_id"].any():
            raise InputError(
                f"{truth.file} has labels by study, but {table.file} has no study_id column; add "
                "it, so that each image finds its labels."
            )
    images = pd.concat(
        [table.ids.assign(image_id=_image_ids(table.ids)) for table in tables]
    ).drop_duplicates("image_id")
    studies = truth.table.drop(columns="image_id")
    joined = studies.merge(images[["image_id", "study_id"]], on="study_id", how="left")
    return joined.assign(image_id=_image_ids(joined.fillna({"image_id": ""})))


Identify = Callable[[pd.Series], pd.Series]


def _identity(whole: pd.DataFrame, tables: Sequence[Predictions]) -> tuple[Identify, list[str]]:
    """Return how ids are compared: as they are; else, where none fits, as names of files.

    A file's name stands for its path only where it names one case in every table.
    """
    columns = [whole["image_id"], *(_image_ids(table.ids) for table in tables)]
    ways: list[tuple[Identify, str]] = [
        (lambda ids: ids, ""),
        (_tail, "Ids were compared by patient, study and file, without the folders above them."),
        (_stem, "Ids were compared by file names, without folders and suffixes."),
    ]
    for identify, words in ways:
        found = [identify(column) for column in columns]
        shared = set.intersection(*map(set, found))
        if shared and not any(column.duplicated().any() for column in found):
            return identify, [words] if words else []
    return ways[0][0], []


def _stem(ids: pd.Series) -> pd.Series:
    return (
        ids.str.replace("\\", "/")
        .str.rsplit("/", n=1)
        .str[-1]
        .str.replace(r"\.(dcm|dicom|png|jpe?g|npy|tiff?)$", "", regex=True, flags=re.IGNORECASE)
    )


def _tail(ids: pd.Series) -> pd.Series:
    """CheXpert's ids from the patient on, whatever release and folder stand before."""
    tail = ids.str.extract(r"(patient\d+[/_]study\d+[/_]view\w+)")[0]
    return tail.str.replace("/", "_").fillna(ids)


def _rows(whole: pd.DataFrame, truth: Truth) -> pd.DataFrame:
    """Return the labeled cases with their splits; training cases are left aside."""
    splits = whole["split"].str.lower()
    if not splits.any():
        return whole.assign(split="test")
    named = splits.map(_SPLITS)
    wrong = np.flatnonzero(named.isna().to_numpy())
    if wrong.size:
        row = int(wrong[0])
        raise InputError(
            f"{truth.file}, row {row + 1}: split is {whole['split'].iloc[row]!r}; expected train, "
            "validate or test."
        )
    return whole.assign(split=named)[(named != "train").to_numpy()]


def _nothing_shared(truth: Truth, rows: pd.DataFrame, tables: Sequence[Predictions]) -> str:
    if not len(rows):
        return f"{truth.file}: every case is in the training split; there is nothing to evaluate."
    for table in tables:
        ids = _image_ids(table.ids)
        if not set(ids) & set(rows["image_id"]):
            return (
                f"{table.file} and {truth.file} have no case in common: ids look like "
                f"'{ids.iloc[0] if len(ids) else ''}' here and '{rows['image_id'].iloc[0]}' there."
            )
    return "no case is in every table of scores; evaluate the networks one by one."


def _cases(rows: pd.DataFrame, truth: Truth) -> pd.DataFrame:
    """Return the columns of cases.parquet."""
    missing = np.flatnonzero((rows["patient_id"] == "").to_numpy())
    if missing.size:
        raise InputError(
            f"{truth.file}: the patient of '{rows['image_id'].iloc[missing[0]]}' is not told "
            f"({missing.size} such cases), and without patients no interval is honest; name their "
            "column with --patients (the id column itself, if each case is a patient of its own)."
        )
    if not (rows["split"] == "test").any():
        raise InputError(f"{truth.file}: no scored case is in the test split.")
    cases = rows[IDS].copy()
    cases["view"] = [standard_view(view) for view in rows["view"]]
    cases["sex"] = [_SEXES.get(sex, "") for sex in rows["sex"].str.upper()]
    bands = [age_band(_years(age)) for age in rows["age"]]
    cases["age_band"] = rows["age_band"].where(rows["age_band"] != "", pd.Series(bands, dtype=str))
    cases["split"] = rows["split"]
    more = [name for name in rows if str(name).partition(":")[0] in ("label", "truth", "group")]
    return pd.concat([cases, rows[more]], axis=1)


def _years(age: str) -> float:
    try:
        return float(age)
    except ValueError:
        return age_years(age) if age else float("nan")


def _scores_of(
    table: Predictions, key: pd.Series, wanted: np.ndarray, cases: pd.DataFrame
) -> pd.DataFrame:
    """Return a network's scores in the cases' order."""
    places = pd.Series(np.arange(len(key)), index=key.to_numpy())[wanted].to_numpy()
    logits = table.logits[places]
    dtype = (
        np.float32 if np.array_equal(logits, logits.astype(np.float32), equal_nan=True) else float
    )
    scores = pd.DataFrame(logits.astype(dtype), columns=list(OBSERVATIONS))
    return pd.concat([cases[["image_id", "split"]], scores], axis=1)


def _exclusions(
    rows: pd.DataFrame,
    labeled: pd.Series,
    tables: Sequence[Predictions],
    keys: Sequence[pd.Series],
) -> pd.DataFrame:
    """Return labeled cases without scores, and scored ones without labels."""
    found = [empty_exclusions()]
    for table, key in zip(tables, keys, strict=True):
        unscored = rows[IDS][~labeled.isin(set(key)).to_numpy()]
        found.append(unscored.assign(reason=f"no scores in {table.file}"))
        alone = ~key.isin(set(labeled)).to_numpy()
        ids = table.ids.assign(image_id=_image_ids(table.ids))[alone]
        found.append(ids.assign(reason="no labels"))
    return pd.concat(found, ignore_index=True).drop_duplicates("image_id", ignore_index=True)


def _told(exclusions: pd.DataFrame) -> str:
    """Say how many cases were left out, why, and which are the first."""
    parts = []
    for reason, group in exclusions.groupby("reason", sort=False):
        first = ", ".join(group["image_id"][:3])
        more = ", ..." if len(group) > 3 else ""
        parts.append(f"{len(group)} with {reason} ({first}{more})")
    return f"{len(exclusions)} cases are left out and listed in exclusions.csv: {'; '.join(parts)}."
