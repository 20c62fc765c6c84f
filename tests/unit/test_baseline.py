"""Against a baseline: pass, fail, inconclusive, or a comparison that can't be made."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.config import EvaluationConfig
from benchmark.gate import check_baseline, render, write_baseline
from benchmark.gate.verdict import Check
from benchmark.runs import read_json, write_json
from benchmark.sharing.publishing import KEY_NOTE
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from tests.score_tables import compare, make_cases, make_logits, write_run

TOLD = {
    "protocol": {"version": 1, "threshold": 0.5, "name": "synthetic-1"},
    "config": {
        "data": {"source": "synthetic", "views": ["PA"]},
        "training": {"loss": "bce", "epochs": 7, "networks": ["resnet50"]},
        "evaluation": {"replicates": 200, "not yet known": 1},
    },
    "cohort": {"name": "Made up", "notes": {"conspicuity": "1.0", "studies": "70"}},
    "labels": {"source": "report", "labeler_version": "1-a"},
}


QUICK = {"whole": False, **TOLD}


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return make_cases(patients=300)


@pytest.fixture(scope="module")
def logits(cases: pd.DataFrame) -> np.ndarray:
    return make_logits(cases)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory, cases: pd.DataFrame, logits: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("baseline")
    return write_run(folder, cases, {"resnet50": logits}, run_id="base", **QUICK)


def _candidate(folder: Path, baseline: Path, scores: np.ndarray) -> Path:
    """The baseline's folder with other scores."""
    shutil.copytree(baseline, folder)
    path = folder / "resnet50" / "seed-0" / "scores.parquet"
    table = pd.read_parquet(path)
    table[list(OBSERVATIONS)] = scores
    table.to_parquet(path, index=False)
    return folder


def _tell(run: Path, **changes: object) -> Path:
    """Change what run.json tells."""
    write_json(run / "run.json", read_json(run / "run.json") | changes)
    return run


def test_the_same_scores_pass(tmp_path: Path, baseline: Path, logits: np.ndarray) -> None:
    """A run with the baseline's scores passes at any margin, though rare findings tell nothing."""
    run = _candidate(tmp_path / "run", baseline, logits)
    verdict = check_baseline(run, baseline, margin=0.01)
    assert (verdict.word, verdict.exit_code) == ("pass", 0)
    (rare,) = [check for check in verdict.checks if check.observation == "Pleural Other"]
    assert rare.verdict == "inconclusive"
    assert "inconclusive (not deciding)" in render(verdict, "table")
    assert verdict.recipe == ()
    assert verdict.notes == (
        "Both runs are of the same 785 test cases: the test is paired.",
        "resnet50 ranks the cases as the baseline does.",
    )


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
    assert "would fail in 80 of 100 tries" in verdict.notes[1]


def test_what_can_not_be_told_is_inconclusive(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame
) -> None:
    """An interval that spans the margin neither passes nor fails; the file may allow that."""
    run = _candidate(tmp_path / "run", baseline, make_logits(cases, strength=1.3, seed=4))
    verdict = check_baseline(run, baseline, margin=0.03)
    assert (verdict.word, verdict.exit_code) == ("inconclusive", 1)
    found = verdict.checks[0].found
    assert found.low < -0.03 < found.high
    allowed = check_baseline(run, baseline, margin=0.03, allow_inconclusive=True)
    assert (allowed.word, allowed.exit_code) == ("inconclusive", 0)
    assert "inconclusive where the thresholds allow it" in render(allowed, "table")


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


def test_the_differences_are_those_of_the_comparison(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """On the same cases the gate finds the differences and intervals that `compare` finds."""
    scores = make_logits(cases, strength=1.2, seed=4)
    run = _candidate(tmp_path / "run", baseline, scores)
    verdict = check_baseline(run, baseline, margin=0.05)
    settings = EvaluationConfig(replicates=200)
    document = compare(cases, {"before": logits, "after": scores}, settings)
    for check in verdict.checks:
        rows = {"macro": document["macro"], **document["observations"]}
        wanted = rows[check.observation]["auroc"]["difference"]
        if wanted["estimate"] is None:
            assert not check.found.known
            continue
        near = 0.02 if check.observation == "macro" else 1e-12  # other draws of the same patients
        assert check.found.estimate == pytest.approx(wanted["estimate"], abs=1e-12)
        assert check.found.low == pytest.approx(wanted["low"], abs=near)


def test_more_networks_are_judged_as_one_family(
    tmp_path: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """A macro mean that alone would just fail does not beside a second network that is well."""
    worse = make_logits(cases, strength=1.0, seed=3)
    write_run(tmp_path / "one", cases, {"a": logits}, **QUICK)
    write_run(tmp_path / "two", cases, {"a": logits, "b": logits}, **QUICK)
    lone = _macro(check_baseline(_with(tmp_path / "1", cases, a=worse), tmp_path / "one", margin=0))
    margin = -lone.found.high - 1e-4  # the interval's end is a hair below the margin
    one = check_baseline(tmp_path / "1", tmp_path / "one", margin=margin)
    two = check_baseline(
        _with(tmp_path / "2", cases, a=worse, b=logits), tmp_path / "two", margin=margin
    )
    assert (_macro(one).verdict, _macro(two).verdict) == ("fail", "inconclusive")
    assert _macro(one).found == _macro(two).found


def _with(folder: Path, cases: pd.DataFrame, **logits: np.ndarray) -> Path:
    return write_run(folder, cases, logits, **QUICK)


def _macro(verdict) -> Check:
    return verdict.checks[0]


def test_other_cases_of_one_population_are_compared_unpaired(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame
) -> None:
    """Other test cases give an unpaired test, in words, that sees less than the paired one."""
    kept = cases[40:].reset_index(drop=True)
    run = write_run(tmp_path / "run", kept, {"resnet50": make_logits(kept, seed=5)}, **QUICK)
    verdict = check_baseline(run, baseline, margin=0.05)
    assert verdict.notes[0].startswith(
        f"The test cases differ: 0 are in the run alone, 40 in the baseline alone and {len(kept)} "
        "in both. The test is unpaired"
    )
    assert {check.found.method for check in verdict.checks[1:] if check.found.known} == {
        "unpaired DeLong, clustered by patient, t"
    }


def test_an_unpaired_test_sees_less(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """The same cases under other ids are another sample, which shows a far larger drop only."""
    near = logits + 0.2 * make_logits(cases, strength=0, seed=3)
    paired = check_baseline(_candidate(tmp_path / "one", baseline, near), baseline, margin=0.05)
    other = cases.assign(image_id="x" + cases["image_id"], patient_id="x" + cases["patient_id"])
    run = write_run(tmp_path / "two", other, {"resnet50": near}, **QUICK)
    unpaired = check_baseline(run, baseline, margin=0.05)
    assert "and 0 in both" in unpaired.notes[0]
    one, two = paired.checks[0], unpaired.checks[0]
    assert one.found.estimate == pytest.approx(two.found.estimate, abs=1e-12)
    assert two.smallest_drop - 0.05 > 3 * (one.smallest_drop - 0.05)


def test_an_observation_that_was_lost_holds_the_gate_up(
    tmp_path: Path, baseline: Path, logits: np.ndarray
) -> None:
    """A run that no longer scores what the baseline scores does not pass by the rest."""
    scores = logits.copy()
    scores[:, OBSERVATIONS.index("Edema")] = np.nan
    run = _candidate(tmp_path / "run", baseline, scores)
    verdict = check_baseline(run, baseline, margin=0.05)
    assert (verdict.checks[0].verdict, verdict.word, verdict.exit_code) == (
        "pass",
        "inconclusive",
        1,
    )
    assert "has no scores for it, but the baseline has" in render(verdict, "table")
    write_baseline(run, tmp_path / "b.json")
    assert check_baseline(baseline, tmp_path / "b.json", margin=0.05).word == "pass"


def test_ids_under_another_key_are_suspected(
    tmp_path: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """Where a restricted source shares no case with the baseline, the key of the ids is named."""
    told = QUICK | {"cohort": TOLD["cohort"] | {"restricted": True}}
    one = write_run(tmp_path / "one", cases, {"a": logits}, **told)
    renamed = cases.assign(image_id="x" + cases["image_id"], patient_id="x" + cases["patient_id"])
    two = write_run(tmp_path / "two", renamed, {"a": logits}, **told)
    assert "keyed with another $CXR_BENCH_KEY" in check_baseline(two, one, margin=0.05).notes[0]


def test_ids_known_to_be_under_another_key_can_not_be_compared(
    tmp_path: Path, baseline: Path, logits
) -> None:
    """Where both runs tell the fingerprint of their key and they differ, the key is the mend."""
    runs = []
    for name, key in (("one", "aaaa"), ("two", "bbbb"), ("three", "aaaa")):
        cohort = TOLD["cohort"] | {"notes": {KEY_NOTE: key}}
        run = _candidate(tmp_path / name, baseline, logits)
        runs.append(_tell(run, cohort=cohort))
    verdict = check_baseline(runs[1], runs[0], margin=0.05)
    assert "keyed with bbbb in the run and aaaa in the baseline; set $CXR" in verdict.obstacle
    assert check_baseline(runs[2], runs[0], margin=0.05).word == "pass"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": {"version": 2, "threshold": 0.5}}, "the metric definitions differ: version"),
        (
            {"cohort": {"name": "Made up", "notes": {"conspicuity": "0.5"}}},
            r"another kind: conspicuity is 0\.5 in the run, 1\.0 in the baseline",
        ),
    ],
)
def test_another_protocol_can_not_be_compared(
    tmp_path: Path, baseline: Path, logits, changes: dict, message: str
) -> None:
    """Other definitions, or the same ids rendered otherwise, are a verdict of their own: 2."""
    run = _tell(_candidate(tmp_path / "run", baseline, logits), **changes)
    verdict = check_baseline(run, baseline, margin=0.05)
    assert (verdict.word, verdict.exit_code, verdict.checks) == ("cannot compare", 2, ())
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(verdict.obstacle)


def test_another_collection_can_not_be_compared(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame
) -> None:
    """Other cases from another collection are not taken for another sample of the same."""
    other = cases.assign(image_id="x" + cases["image_id"], patient_id="x" + cases["patient_id"])
    told = QUICK | {"cohort": TOLD["cohort"] | {"name": "MIMIC-CXR"}}
    run = write_run(tmp_path / "run", other, {"resnet50": make_logits(other)}, **told)
    verdict = check_baseline(run, baseline, margin=0.05)
    assert "another kind: cohort is MIMIC-CXR in the run, Made up in" in verdict.obstacle


def test_a_case_of_another_patient_can_not_be_compared(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame, logits
) -> None:
    """The same image under another patient is refused: patients are the unit of the test."""
    moved = cases.copy()
    moved.loc[:2, "patient_id"] = "p9999"
    run = write_run(tmp_path / "run", moved, {"resnet50": logits}, **QUICK)
    verdict = check_baseline(run, baseline, margin=0.05)
    assert "3 test cases belong to another patient" in verdict.obstacle


def test_other_labels_need_a_choice(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """Where the labeler changed, both runs can be scored against either's labels."""
    run = _candidate(tmp_path / "run", baseline, logits)
    changed = cases.copy()
    changed["label:Edema"] = np.where(np.arange(len(cases)) % 3, 0.0, 1.0)
    changed.to_parquet(run / "cases.parquet", index=False)
    _tell(run, labels={"source": "report", "labeler_version": "2-b"})
    verdict = check_baseline(run, baseline, margin=0.05)
    assert verdict.word == "cannot compare"
    assert "report labels of the test cases differ (run: report, labeler 2-b; " in verdict.obstacle
    assert "--labels candidate or --labels baseline" in verdict.obstacle
    for labels, whose in (("candidate", "run's"), ("baseline", "baseline's")):
        verdict = check_baseline(run, baseline, margin=0.05, labels=labels)
        assert verdict.word == "pass"
        assert verdict.notes[0].endswith(f"both runs are scored against the {whose}.")
        assert verdict.recipe == (("labeler", "1-a", "2-b"),)


def test_the_chosen_labels_are_those_that_count(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """Against labels that the candidate's scores fit by half only, the candidate does worse."""
    scores = logits.copy()
    place = OBSERVATIONS.index("Edema")
    scores[:, place] *= -1
    run = _candidate(tmp_path / "run", baseline, scores)
    turned = cases.copy()
    turned["label:Edema"] = np.where(cases["label:Edema"] == 1.0, 0.0, 1.0)
    turned.to_parquet(run / "cases.parquet", index=False)
    signs = {}
    for labels in ("candidate", "baseline"):
        verdict = check_baseline(run, baseline, margin=0.05, labels=labels)
        (check,) = [check for check in verdict.checks if check.observation == "Edema"]
        signs[labels] = np.sign(check.found.estimate)
    assert signs == {"candidate": 1.0, "baseline": -1.0}


def test_other_labels_and_other_cases_are_compared_on_what_is_shared(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame
) -> None:
    """Cases of one run alone have no label of the other labeler, so they are left out."""
    kept = cases[40:].reset_index(drop=True)
    kept["label:Edema"] = np.where(np.arange(len(kept)) % 3, 0.0, 1.0)
    run = write_run(tmp_path / "run", kept, {"resnet50": make_logits(kept)}, **QUICK)
    verdict = check_baseline(run, baseline, margin=0.05, labels="baseline")
    assert verdict.notes[0].endswith(f"the baseline's, on the {len(kept)} cases that are in both.")
    apart = kept.assign(image_id="x" + kept["image_id"], patient_id="x" + kept["patient_id"])
    told = QUICK | {"labels": {"source": "chexpert", "labeler_version": None}}
    run = write_run(tmp_path / "apart", apart, {"resnet50": make_logits(apart)}, **told)
    verdict = check_baseline(run, baseline, margin=0.05, labels="baseline")
    assert "run: chexpert; baseline: report, labeler 1-a) and no test case" in verdict.obstacle


def test_another_network_needs_to_be_named(tmp_path: Path, baseline: Path, cases, logits) -> None:
    """A network that the baseline lacks is held against one of it by name, else refused."""
    run = write_run(tmp_path / "run", cases, {"densenet121": logits}, **QUICK)
    verdict = check_baseline(run, baseline, margin=0.05)
    assert "the run lacks resnet50 of the baseline and has densenet121" in verdict.obstacle
    named = check_baseline(run, baseline, margin=0.05, networks=[("densenet121", "resnet50")])
    assert named.word == "pass"
    assert named.recipe == (("densenet121 seed 0", "resnet50 seed 0", "densenet121 seed 0"),)
    for pair, message in (
        (("densnet", "resnet50"), "the run has no network 'densnet'; it has densenet121."),
        (("densenet121", "vgg"), "the baseline has no network 'vgg'; it has resnet50."),
    ):
        assert message in check_baseline(run, baseline, margin=0.05, networks=[pair]).obstacle


def test_another_seed_is_compared_and_told(tmp_path: Path, baseline: Path, cases, logits) -> None:
    """Another seed is held against the baseline's; further seeds are told, not judged."""
    run = _candidate(tmp_path / "run", baseline, logits)
    folder = run / "resnet50"
    shutil.copytree(folder / "seed-0", folder / "seed-2")
    networks = [{"name": "resnet50", "seed": n, "folder": f"resnet50/seed-{n}"} for n in (2, 0)]
    both = check_baseline(_tell(run, networks=networks), baseline, margin=0.05)
    assert both.notes[0].endswith("counterpart in the baseline: resnet50 seed 2.")
    assert {check.seed for check in both.checks} == {0}
    other = check_baseline(_tell(run, networks=networks[:1]), baseline, margin=0.05)
    assert other.word == "pass"
    assert other.recipe == (("resnet50 seed 2", "resnet50 seed 0", "resnet50 seed 2"),)


def test_what_differs_in_the_recipe_is_listed(
    tmp_path: Path, baseline: Path, logits: np.ndarray
) -> None:
    """Loss, label policy, weights and the like may differ; every format but JUnit's lists them."""
    config = TOLD["config"] | {"training": {"loss": "focal", "epochs": 7}}
    run = _tell(_candidate(tmp_path / "run", baseline, logits), config=config)
    write_json(run / "resnet50" / "seed-0" / "training.json", {"weights_sha256": "ab" * 32})
    verdict = check_baseline(run, baseline, margin=0.05)
    assert verdict.recipe == (
        ("training.loss", "bce", "focal"),
        ("resnet50 seed 0, weights", "none", "ab" * 6),
    )
    assert json.loads(render(verdict, "json"))["recipe"][0] == {
        "what": "training.loss",
        "baseline": "bce",
        "run": "focal",
    }
    assert "| training.loss | bce | focal |" in render(verdict, "markdown")
    assert "training.loss             bce       focal" in render(verdict, "table")


def test_the_verdict_is_json(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """The differences and the smallest drop that could be seen are in the JSON verdict."""
    run = _candidate(tmp_path / "run", baseline, make_logits(cases, seed=8))
    content = json.loads(render(check_baseline(run, baseline, margin=0.05), "json"))
    assert content["checks"][0]["metric"] == "auroc - baseline"
    macro, *rest = [check for check in content["checks"] if check["smallest_drop"] is not None]
    assert macro["smallest_drop"] > 0.05
    assert all(check["smallest_drop"] > macro["smallest_drop"] for check in rest)
    assert content["notes"]


def test_a_file_gives_the_verdict_of_the_folder(
    tmp_path: Path, baseline: Path, cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """The committed file judges a run as the run folder that it was written from does."""
    file = tmp_path / "baseline.json"
    write_baseline(baseline, file)
    other = cases[40:].reset_index(drop=True)
    runs = [
        _candidate(tmp_path / "paired", baseline, make_logits(cases, strength=1.2, seed=4)),
        write_run(tmp_path / "unpaired", other, {"resnet50": make_logits(other)}, **QUICK),
        _tell(_candidate(tmp_path / "not", baseline, logits), protocol={"version": 7}),
    ]
    for run in runs:
        one, two = (check_baseline(run, side, margin=0.02) for side in (baseline, file))
        assert (one.word, one.checks, one.notes, one.recipe) == (
            two.word,
            two.checks,
            two.notes,
            two.recipe,
        )
        assert one.obstacle.replace(str(baseline), str(file)) == two.obstacle


def test_a_file_is_small_and_always_the_same(tmp_path: Path) -> None:
    """500 cases of two networks take less than 200 kB, and the same run gives the same bytes."""
    cases = make_cases(patients=230)[:500]
    logits = {name: make_logits(cases, seed=k) for k, name in enumerate(("a", "b"))}
    run = write_run(tmp_path / "run", cases, logits, **QUICK)
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        write_baseline(run, file)
    assert len(cases) == 500
    assert files[0].stat().st_size < 200_000
    assert files[0].read_bytes() == files[1].read_bytes()
    text = files[0].read_text()
    assert not any(one in text for one in (*cases["image_id"], *cases["patient_id"]))


def test_scores_of_any_precision_are_kept_exactly(tmp_path: Path, cases: pd.DataFrame) -> None:
    """Double-precision scores that single precision would round are stored as they are."""
    logits = make_logits(cases).astype(float) + 1e-12
    run = write_run(tmp_path / "run", cases, {"a": logits}, **QUICK)
    write_baseline(run, tmp_path / "b.json")
    verdict = check_baseline(run, tmp_path / "b.json", margin=0.05)
    assert verdict.checks[0].found.estimate == 0
    assert read_json(tmp_path / "b.json")["networks"][0]["dtype"] == "<f8"


def _broken(file: Path, change) -> Path:
    values = read_json(file)
    change(values)
    file.write_text(json.dumps(values))
    return file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(format="x"), "is no baseline; name a run folder"),
        (lambda v: v.update(schema=9), "has schema 9; this version reads 1"),
        (lambda v: v.pop("labels"), "was cut off or changed"),
        (lambda v: v.update(cases=3), "was cut off or changed"),
        (lambda v: v["labels"].update(sha256="0"), r"changed \(a digest doesn't fit\)"),
        (lambda v: v["labels"].update(deflate="#"), "was cut off or changed"),
        (lambda v: v["networks"].append(3), "was cut off or changed"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, baseline: Path, change, message) -> None:
    """A baseline file that was cut off or edited is refused with the mend."""
    write_baseline(baseline, tmp_path / "b.json")
    with pytest.raises(InputError, match=message):
        check_baseline(baseline, _broken(tmp_path / "b.json", change), margin=0.05)


def test_no_baseline_at_all(tmp_path: Path, baseline: Path) -> None:
    """A path with nothing there, and a file that is no JSON, are named."""
    with pytest.raises(InputError, match=r"b\.json: No such file"):
        check_baseline(baseline, tmp_path / "b.json", margin=0.05)
    (tmp_path / "b.json").write_text("[[threshold]]")
    with pytest.raises(InputError, match="is no JSON"):
        check_baseline(baseline, tmp_path / "b.json", margin=0.05)
    (tmp_path / "b.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is no JSON"):
        check_baseline(baseline, tmp_path / "b.json", margin=0.05)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda t: t.assign(Edema=[np.nan, *t["Edema"][1:]]),
            "the score of resnet50 .* for 'Edema' in row \\d+ is nan",
        ),
        (lambda t: t[:-7], r"lacks 7 of \d+ test cases"),
        (lambda t: t.drop(columns="Edema"), "can't be read as a table of scores"),
    ],
)
def test_broken_scores_are_one_sentence(
    tmp_path: Path, baseline: Path, logits: np.ndarray, spoil, message: str
) -> None:
    """Scores that are NaN, cut off or of another shape are refused, never compared."""
    run = _candidate(tmp_path / "run", baseline, logits)
    path = run / "resnet50" / "seed-0" / "scores.parquet"
    spoil(pd.read_parquet(path)).to_parquet(path, index=False)
    with pytest.raises(InputError, match=message):
        check_baseline(run, baseline, margin=0.05)
    path.write_bytes(b"no table")
    with pytest.raises(InputError, match="can't be read as a table of scores"):
        check_baseline(run, baseline, margin=0.05)
