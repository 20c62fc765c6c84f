"""Against a baseline: pass, fail, inconclusive, or a comparison that can't be made."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.gate import check_baseline, render
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from tests.score_tables import make_cases, make_logits, write_run


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return make_cases(patients=300)


@pytest.fixture(scope="module")
def logits(cases: pd.DataFrame) -> np.ndarray:
    return make_logits(cases)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory, cases: pd.DataFrame, logits: np.ndarray) -> Path:
    return write_run(tmp_path_factory.mktemp("baseline"), cases, {"resnet50": logits})


def _candidate(folder: Path, baseline: Path, scores: np.ndarray) -> Path:
    """The baseline's folder with other scores."""
    shutil.copytree(baseline, folder)
    path = folder / "resnet50" / "seed-0" / "scores.parquet"
    table = pd.read_parquet(path)
    table[list(OBSERVATIONS)] = scores
    table.to_parquet(path, index=False)
    return folder


def test_the_same_scores_pass(tmp_path: Path, baseline: Path, logits: np.ndarray) -> None:
    """A run with the baseline's scores passes at any margin, though rare findings tell nothing."""
    run = _candidate(tmp_path / "run", baseline, logits)
    verdict = check_baseline(run, baseline, margin=0.01)
    assert (verdict.word, verdict.exit_code) == ("pass", 0)
    (rare,) = [check for check in verdict.checks if check.observation == "Pleural Other"]
    assert rare.verdict == "inconclusive"
    assert "inconclusive (not deciding)" in render(verdict, "table")


def test_a_better_run_passes(tmp_path: Path, baseline: Path, cases: pd.DataFrame) -> None:
    """Better than the baseline is no worse."""
    run = _candidate(tmp_path / "run", baseline, make_logits(cases, strength=3.0, seed=4))
    assert check_baseline(run, baseline, margin=0.01).word == "pass"


def test_a_clear_drop_fails(tmp_path: Path, baseline: Path, cases: pd.DataFrame) -> None:
    """A drop far beyond the margin fails, and the sentence says by how much it could tell."""
    run = _candidate(tmp_path / "run", baseline, make_logits(cases, strength=0.3, seed=4))
    verdict = check_baseline(run, baseline, margin=0.05)
    assert (verdict.word, verdict.exit_code) == ("fail", 1)
    assert verdict.checks[0].observation == "macro"
    assert "would fail in 80 of 100 tries" in verdict.notes[0]


def test_what_can_not_be_told_is_inconclusive(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame
) -> None:
    """An interval that spans the margin neither passes nor fails, and exits with 1."""
    run = _candidate(tmp_path / "run", baseline, make_logits(cases, strength=1.3, seed=4))
    verdict = check_baseline(run, baseline, margin=0.03)
    assert (verdict.word, verdict.exit_code) == ("inconclusive", 1)
    found = verdict.checks[0].found
    assert found.low < -0.03 < found.high


def test_one_lost_observation_fails(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """One observation at chance fails the gate though the macro mean stays within the margin."""
    scores = logits.copy()
    place = OBSERVATIONS.index("Support Devices")
    scores[:, place] = np.random.default_rng(0).normal(size=len(scores))
    run = _candidate(tmp_path / "run", baseline, scores)
    verdict = check_baseline(run, baseline, margin=0.1)
    assert [check.observation for check in verdict.checks if check.verdict == "fail"] == [
        "Support Devices"
    ]
    assert (verdict.checks[0].verdict, verdict.word, verdict.exit_code) == ("pass", "fail", 1)


def test_other_cases_can_not_be_compared(tmp_path: Path, baseline: Path) -> None:
    """Other test cases are refused with how many differ, and never read as a pass."""
    cases = make_cases(patients=300)[5:]
    run = write_run(tmp_path / "run", cases, {"resnet50": make_logits(cases)})
    with pytest.raises(InputError, match="cannot compare: of the test cases 0 are in the run"):
        check_baseline(run, baseline, margin=0.05)


def test_other_labels_need_a_choice(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """Where the labeler changed, both runs can be scored against either's labels."""
    run = _candidate(tmp_path / "run", baseline, logits)
    changed = cases.copy()
    changed["label:Edema"] = np.where(np.arange(len(cases)) % 3, 0.0, 1.0)
    changed.to_parquet(run / "cases.parquet", index=False)
    with pytest.raises(InputError, match=r"cannot compare: \d+ report labels .* --labels candid"):
        check_baseline(run, baseline, margin=0.05)
    for labels in ("candidate", "baseline"):
        assert check_baseline(run, baseline, margin=0.05, labels=labels).word == "pass"


def test_no_network_in_common(tmp_path: Path, baseline: Path, cases, logits) -> None:
    """Two runs of different networks have nothing to compare."""
    run = write_run(tmp_path / "run", cases, {"densenet121": logits})
    with pytest.raises(InputError, match="have no network and seed in common"):
        check_baseline(run, baseline, margin=0.05)


def test_the_verdict_is_json(tmp_path: Path, baseline: Path, logits: np.ndarray) -> None:
    """The differences and the smallest drop that could be seen are in the JSON verdict."""
    run = _candidate(tmp_path / "run", baseline, logits)
    content = json.loads(render(check_baseline(run, baseline, margin=0.05), "json"))
    assert content["checks"][0]["metric"] == "auroc - baseline"
    assert content["checks"][0]["found"]["estimate"] == 0
    assert content["notes"]
