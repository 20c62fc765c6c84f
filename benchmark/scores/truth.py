"""The table of right answers as people have it: labels by image or by study, and who they are of.

Column names are read generously (`cxr.column_names`), meanings strictly: a label of another value,
a row that stands twice and an unknown patient are refused with the place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.scores.tables import Given, column_list, read_any, read_ids, refuse_repeats
from cxr.column_names import LABEL_WORDS, TRAITS, find_column, observation_columns
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.sources.schemes import read_scheme
from cxr.sources.tables import read_labels

MIMIC_IMAGE = "[0-9a-f]{8}(-[0-9a-f]{8}){4}"
"""How MIMIC-CXR names its images, whatever the column is called."""
MOST_GROUPS = 12
"""More values than these make no subgroups, but a number or an id."""


@dataclass(frozen=True)
class Truth:
    """The right answers.

    Attributes:
        file: the file's name, without its folder.
        table: image_id, study_id, patient_id, the traits that it has (sex, age, view, split),
            "label:<observation>" for each, "truth:<observation>" where given, "group:<column>".
        by_study: whether a row is a study, to be given to each of its images.
        restricted: whether its ids are MIMIC-CXR's, which may not be passed on.
        annotated: the observations that it has a column for.
        columns: the table's columns.
        unused: those that were not read.
    """

    file: str
    table: pd.DataFrame
    by_study: bool
    restricted: bool
    annotated: tuple[str, ...]
    columns: tuple[str, ...]
    unused: tuple[str, ...]


def read_truth(
    path: Path,
    *,
    patients: str = "",
    groups: Sequence[str] = (),
    given: Given = (),
    id_column: str = "",
) -> Truth:
    """Read the table of labels.

    Args:
        path: .csv, .csv.gz or .parquet; a row per image or per study.
        patients: the column that tells the patient, where its name doesn't.
        groups: columns that make subgroups beside sex, age and view; these may be named too, and
            then have to be there.
        given: which columns tell which observations, where their names don't.
        id_column: the column of the image ids, where its name doesn't tell.

    Raises:
        InputError: no ids, no patients, no observation, a label that is not 1, 0, -1 or blank,
            a row twice, a group that is not there.
    """
    table = read_any(path)
    where, header = str(path), column_list(table)
    if table.empty:
        raise InputError(f"{where}: it lists no cases; add a row for each.")
    if patients and patients not in table:
        raise InputError(f"{where}: there is no column '{patients}'; it has {', '.join(header)}.")
    ids, id_columns = read_ids(table, where, id_column)
    if patients:
        ids["patient_id"] = table[patients].str.strip()
    by_study = not ids["image_id"].any()
    refuse_repeats(ids, where)
    own = [column for column in header if column.startswith("label:")]
    columns = observation_columns(own or header, aside=LABEL_WORDS, given=given, where=where)
    listed = find_column(header, ["findinglabels"])
    if not columns and listed is None:
        raise InputError(
            f"{where}: no column is named like one of the 14 observations (such as "
            f"'Cardiomegaly'); it has {', '.join(header)}. Say which is which with --column."
        )
    found = _renamed(table, columns) if columns else _listed(table[str(listed)], where)
    labels = read_labels(found, where=where).add_prefix("label:")
    known = {name: f"truth:{name}" for name in OBSERVATIONS if f"truth:{name}" in table}
    truth = read_labels(_truth_text(table, known), where=where).add_prefix("truth:") == 1
    traits, trait_columns = _traits(table, ids)
    grouped = _groups(table, traits, groups, where)
    used = {*id_columns, *trait_columns, *columns.values(), *known.values(), *groups}
    used |= {patients, "" if columns else str(listed)}
    return Truth(
        file=path.name,
        table=pd.concat(
            [ids, traits, labels, *([truth] if len(known) == 14 else []), grouped], axis=1
        ),
        by_study=by_study,
        restricted={"subject_id", "study_id"} <= {column.lower() for column in header}
        or bool(ids["image_id"].str.fullmatch(MIMIC_IMAGE).any()),
        annotated=tuple(column_list(found)),
        columns=tuple(header),
        unused=tuple(column for column in header if column not in used),
    )


def _listed(column: pd.Series, where: str) -> pd.DataFrame:
    """Return NIH's lists of findings, as "Effusion|Mass", as columns of label text."""
    scheme = read_scheme("nih")
    lists = [[part.strip() for part in cell.split("|")] for cell in column]
    labels = scheme.labels(scheme.listed(lists, where=where)).drop(columns=list(scheme.unannotated))
    return labels.map(lambda value: "" if np.isnan(value) else f"{value:g}")


def _renamed(table: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: table[column] for name, column in columns.items()})


def _truth_text(table: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    words = {"True": "1", "true": "1", "False": "0", "false": "0"}
    return _renamed(table, columns).replace(words)


def _traits(table: pd.DataFrame, ids: pd.DataFrame) -> tuple[pd.DataFrame, set[str]]:
    """Return sex, age, view and split as text, empty where not told; and their columns."""
    names = column_list(table)
    columns = {trait: find_column(names, known) for trait, known in TRAITS.items()}
    blank = pd.Series("", index=table.index, dtype=str)
    traits = pd.DataFrame(
        {
            trait: blank if column is None else table[column].str.strip()
            for trait, column in columns.items()
        }
    )
    side = find_column(names, ["frontallateral"])  # CheXpert tells laterals in a column of its own
    if side is not None:
        lateral = table[side].str.strip().str.lower() == "lateral"
        traits["view"] = traits["view"].where(~lateral, "LATERAL")
    return traits, {column for column in (*columns.values(), side) if column}


def _groups(
    table: pd.DataFrame, traits: pd.DataFrame, groups: Sequence[str], where: str
) -> pd.DataFrame:
    """Return the columns that make subgroups beside sex, age and view."""
    header, found = column_list(table), {}
    for name in groups:
        if name in ("sex", "age", "view"):
            if not traits[name].any():
                raise InputError(
                    f"{where}: no column tells the {name}, so it makes no groups; it has "
                    f"{', '.join(header)}."
                )
            continue
        if name not in table:
            raise InputError(f"{where}: there is no column '{name}'; it has {', '.join(header)}.")
        values = table[name].str.strip()
        if values.nunique() > MOST_GROUPS:
            raise InputError(
                f"{where}: '{name}' has {values.nunique()} different values, more than "
                f"{MOST_GROUPS} groups; put them into bands first."
            )
        found[f"group:{name}"] = values
    return pd.DataFrame(found, index=table.index)
