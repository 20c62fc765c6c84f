"""How well the labeler read the reports of this run, where it is known what they meant.

A synthetic report comes with what its narrator meant. That says how well reports are *read*;
how well they tell the *truth* is another question, answered from the truth beside the labels.
"""

from typing import Any

import numpy as np
import pandas as pd

from benchmark.labels.quality import LabelTable, as_json, compare_labels
from cxr.observations import NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN
from cxr.studies import Cohort


def reading_document(cohort: Cohort) -> dict[str, Any] | None:
    """Return labels against what was meant, a row per study; None where that is not known."""
    if cohort.meant is None or cohort.label_source != "report":
        return None
    read = cohort.table.drop_duplicates("study_id").set_index("study_id")[list(OBSERVATIONS)]
    meant = cohort.meant.loc[read.index]
    return as_json(compare_labels(_table("labels", read), _table("meant", meant)))


def _table(name: str, labels: pd.DataFrame) -> LabelTable:
    values = labels[list(OBSERVATIONS)].to_numpy(float)
    codes = np.select([values == POSITIVE, values == NEGATIVE, values == UNCERTAIN], [1, 2, 3], 0)
    columns = {place: codes[:, k].astype(np.int8) for k, place in enumerate(OBSERVATIONS)}
    return LabelTable(name, tuple(labels.index), columns)
