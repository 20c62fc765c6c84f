"""Sources: where each value of a run folder stands, and what is not there."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.evidence import Evidence, key, where
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from tests.score_tables import make_cases, make_logits, write_run


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    values = {
        "data": {"exclusions": {"no pixels in a.dcm": 2, "view LATERAL": 3}, "images": 15},
        "networks": [{"name": "a"}, {"name": "b"}],
    }
    (tmp_path / "run.json").write_text(json.dumps(values))
    pd.DataFrame(
        {
            "image_id": ["1", "2", "3", "4"],
            "patient_id": ["p", "p", "q", "r"],
            "split": ["test", "test", "train", "test"],
            "label:Edema": [1.0, -1.0, 1.0, None],
            "truth:Edema": [True, False, True, False],
            "note": ["a & b=c", "", None, ""],
        }
    ).to_parquet(tmp_path / "cases.parquet")
    return Evidence(tmp_path)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("run.json#data.images", 15),
        ("run.json#networks.1.name", "b"),
        ("run.json#data.exclusions.*", 5),
        ("run.json#data.images + run.json#data.exclusions.*", 20),
        ("run.json#data.exclusions.* / run.json#data.images", 1 / 3),
        (f"run.json#data.exclusions.{key('no pixels in a.dcm')}", 2),
        (where("cases.parquet", "images", split="test"), 3),
        (where("cases.parquet", "patients", split="test"), 2),
        (where("cases.parquet", "images", **{"split": "test", "label:Edema": -1}), 1),
        (where("cases.parquet", "images", **{"label:Edema": ""}), 1),
        (where("cases.parquet", "images", **{"truth:Edema": True}), 2),
        (where("cases.parquet", "images", note="a & b=c"), 1),
    ],
)
def test_a_source_leads_to_its_value(evidence: Evidence, source: str, value: object) -> None:
    """Paths, sums, shares and counts are read as the source says."""
    assert evidence.value(source) == value


@pytest.mark.parametrize(
    "source",
    [
        "metrics.json#macro",
        "run.json#data.nothing",
        "run.json#networks.7.name",
        "run.json#networks.name",
        "run.json#data.images + run.json#data.nothing",
        "run.json#data.images / run.json#data.nothing",
        "cases.parquet#images?nothing=1",
        "cases.parquet#studies",
        "exclusions.csv#images",
        "../run.json#data.images",
    ],
)
def test_what_is_not_there_is_none(evidence: Evidence, source: str) -> None:
    """Missing files, keys and columns give no value, and no error."""
    assert evidence.value(source) is None


def test_scores_that_miss_a_test_case_are_not_used(evidence: Evidence) -> None:
    """Without a score for each test case there are no curves to draw."""
    assert evidence.scored_cases("a") is None


def test_what_a_network_does_not_tell_hides_nothing_else(tmp_path: Path) -> None:
    """A column without scores stays one; a single missing score makes the table useless."""
    cases = make_cases(patients=20)
    fewer = np.where(np.arange(14) == 5, np.nan, make_logits(cases))
    write_run(tmp_path, cases, {"a": fewer})
    found = Evidence(tmp_path).scored_cases("a/seed-0")
    assert found is not None
    assert np.isnan(found[1][:, 5]).all()
    assert not np.isnan(np.delete(found[1], 5, axis=1)).any()
    table = pd.read_parquet(tmp_path / "a/seed-0/scores.parquet")
    table.loc[3, OBSERVATIONS[2]] = np.nan
    table.to_parquet(tmp_path / "a/seed-0/scores.parquet")
    assert Evidence(tmp_path).scored_cases("a/seed-0") is None


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    """A table that can't be read is named, with what to do."""
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "cases.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"cases\.parquet is no table .*restore it or run again"):
        Evidence(tmp_path).table("cases.parquet")
