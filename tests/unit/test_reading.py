"""How well reports were read: labels against what their narrator meant."""

import dataclasses

import numpy as np
import pandas as pd

from benchmark.labels.reading import reading_document
from cxr.observations import OBSERVATIONS
from cxr.studies import Cohort, empty_exclusions


def _cohort(labels: np.ndarray, meant: np.ndarray) -> Cohort:
    studies = [f"s{number}" for number in range(len(labels))]
    table = pd.DataFrame(labels, columns=list(OBSERVATIONS)).assign(study_id=studies)
    twice = pd.concat([table, table[:2]], ignore_index=True)
    gold = pd.DataFrame(meant, index=studies, columns=list(OBSERVATIONS))
    return Cohort("x", twice, empty_exclusions(), label_source="report", meant=gold[::-1])


def test_each_study_counts_once() -> None:
    """Studies are matched by id, and one with two images is one report."""
    labels = np.full((4, 14), np.nan)
    labels[:, 5] = [1, 0, -1, np.nan]
    meant = labels.copy()
    meant[3, 5] = 1
    document = reading_document(_cohort(labels, meant))
    assert document is not None
    edema = document["observations"]["Edema"]
    assert document["reports"] == 4
    assert edema["positive"]["recall"]["estimate"] == 0.5
    assert edema["negation"]["f1"]["estimate"] == 1.0
    assert edema["uncertainty"]["f1"]["estimate"] == 1.0


def test_nothing_to_say_without_a_narrator() -> None:
    """Labels that were brought, and cohorts without meant values, have no such document."""
    cohort = _cohort(np.zeros((2, 14)), np.zeros((2, 14)))
    assert reading_document(dataclasses.replace(cohort, meant=None)) is None
    assert reading_document(dataclasses.replace(cohort, label_source="chexpert")) is None
