"""Intervals cover what they say, on data drawn anew; the published table is what comes out."""

import math

import pytest

from benchmark.evaluation.comparison import LEAST_PATIENTS
from cxr.statistics import coverage_table
from tests.slow.coverage_model import DESIGNS, cover

SETS = 300


@pytest.mark.parametrize("positives", [5, 20])
@pytest.mark.parametrize(
    ("kind", "scenario"),
    [("area", "binormal"), ("area", "missed"), ("difference", "binormal"), ("rates", "binormal")],
)
def test_the_published_coverage_comes_out_again(positives: int, kind: str, scenario: str) -> None:
    """Fewer sets give the table's coverage within what chance allows (4 errors)."""
    published = {
        (row.metric, row.method): row
        for row in coverage_table()
        if row.positive_patients == positives
        and row.scenario == scenario
        and (row.metric != "auroc" or row.truth == 0.8)
    }
    rows = cover(SETS, positives=positives, auroc=0.8, kind=kind, scenario=scenario)
    assert rows
    for row in rows:
        expected = published[row.metric, row.method]
        share = min(max(expected.coverage, 0.02), 0.98)
        error = math.sqrt(share * (1 - share) * (1 / row.sets + 1 / expected.sets))
        assert abs(row.coverage - expected.coverage) < 4 * error, row


def test_the_chosen_intervals_cover() -> None:
    """In the table no chosen method covers less than 93 %, from 3 to 400 positive patients.

    A difference of AUROCs does from 5 on, and is given from 10 on. 2,000 sets know a coverage
    of 95 % to 1.0 percentage points.
    """
    chosen = [row for row in coverage_table() if row.chosen]
    assert {row.metric for row in chosen} == {
        "auroc",
        "auroc difference",
        "average_precision",
        "f1",
        "precision",
        "recall",
        "specificity",
    }
    assert {row.positive_patients for row in chosen} == {positives for positives, _ in DESIGNS}
    for row in chosen:
        if row.metric != "auroc difference" or row.positive_patients >= LEAST_PATIENTS:
            assert row.coverage >= 0.93, row


def test_the_chosen_intervals_are_not_needlessly_wide() -> None:
    """From 40 positive patients on no chosen method covers more than 97.5 %."""
    for row in coverage_table():
        if row.chosen and row.positive_patients >= 40:
            assert row.coverage <= 0.975, row


def test_ignoring_patients_covers_too_little() -> None:
    """Intervals that take images for independent miss too often at every support."""
    rows = [row for row in coverage_table() if row.method == "DeLong by image, Wald"]
    assert len(rows) >= 20
    assert all(row.coverage < 0.9 for row in rows)
