"""The gate: what passes, fails, is inconclusive, and what it refuses to judge."""

import json
import math
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmark.gate import (
    FORMATS,
    BaselineDemand,
    Threshold,
    Verdict,
    check_run,
    merge,
    read_demands,
    render,
)
from benchmark.gate.verdict import judge
from benchmark.runs import write_json
from cxr.errors import InputError
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS
from tests.score_tables import make_cases, make_logits, write_run

FOUND = Estimate(0.8, 0.7, 0.9, "a method")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cases = make_cases()
    logits = {
        "densenet121": make_logits(cases, strength=2.0),
        "resnet50": make_logits(cases, strength=1.0),
    }
    folder = write_run(tmp_path_factory.mktemp("run"), cases, logits)
    found = {"images": 9, "patients": 8, "hit_rate": FOUND.as_json(), "iou": FOUND.as_json()}
    nothing = found | {"hit_rate": Estimate.missing("2 patients; at least 5 are needed").as_json()}
    write_json(
        folder / "densenet121" / "seed-0" / "localization.json",
        {"observations": {"Edema": {"present": found, "correct": nothing}}},
    )
    return folder


@pytest.mark.parametrize(
    ("demand", "verdict"),
    [
        (Threshold("auroc", min=0.8), "pass"),
        (Threshold("auroc", min=0.81), "fail"),
        (Threshold("auroc", max=0.8), "pass"),
        (Threshold("auroc", max=0.79), "fail"),
        (Threshold("auroc", min=0.75, on="low"), "fail"),
        (Threshold("auroc", min=0.7, on="low"), "pass"),
        (Threshold("auroc", max=0.9, on="high"), "pass"),
        (Threshold("auroc", max=0.85, on="high"), "fail"),
        (Threshold("auroc", min=0.5, max=0.6), "fail"),
    ],
)
def test_a_bound_is_on_the_number_that_it_names(demand: Threshold, verdict: str) -> None:
    """A floor or ceiling, itself allowed, tests the estimate or the named end of the interval."""
    assert judge(FOUND, demand) == verdict


@pytest.mark.parametrize("on", ["estimate", "low", "high"])
def test_a_missing_number_is_inconclusive(on: str) -> None:
    """What is not estimable never passes and never fails, whatever the bound."""
    for demand in (Threshold("auroc", min=0.0, on=on), Threshold("auroc", max=0.0, on=on)):
        assert judge(Estimate.missing("too few"), demand) == "inconclusive"


def test_a_missing_interval_is_inconclusive_for_its_ends_alone() -> None:
    """An estimate without an interval still meets a demand on the estimate."""
    lone = Estimate(0.9, math.nan, math.nan, reason="one patient")
    assert judge(lone, Threshold("auroc", min=0.8)) == "pass"
    assert judge(lone, Threshold("auroc", min=0.8, on="low")) == "inconclusive"


def test_the_worst_check_is_the_verdict(run: Path) -> None:
    """One failure fails the gate; inconclusive is its own word and exits 1 unless allowed."""
    good = Threshold("auroc", min=0.5)
    bad = Threshold("auroc", min=1.0)
    rare = Threshold("auroc", observation="Pleural Other", min=0.5)
    allowed = Threshold("auroc", observation="Pleural Other", min=0.5, allow_inconclusive=True)
    cases = {
        (good,): ("pass", 0),
        (good, bad): ("fail", 1),
        (good, rare): ("inconclusive", 1),
        (good, allowed): ("inconclusive", 0),
        (allowed, rare): ("inconclusive", 1),
        (allowed, bad): ("fail", 1),
    }
    for demands, (word, code) in cases.items():
        verdict = check_run(run, demands)
        assert (verdict.word, verdict.exit_code) == (word, code), demands


def test_a_star_means_each(run: Path) -> None:
    """A star for the network or the observation is one check for each of them."""
    verdict = check_run(run, [Threshold("auroc", observation="*", min=0.5)])
    assert [(check.network, check.observation) for check in verdict.checks] == [
        (network, name) for network in ("densenet121", "resnet50") for name in OBSERVATIONS
    ]
    single = check_run(run, [Threshold("auroc", network="resnet50", min=0.5)])
    assert [check.network for check in single.checks] == ["resnet50"]


def test_labels_choose_the_document(run: Path) -> None:
    """A demand on truth reads the truth's metrics, one on the report the report's."""
    found = {
        labels: check_run(run, [Threshold("auroc", labels=labels, min=0.5)]).checks[0].found
        for labels in ("report", "truth")
    }
    folder = run / "densenet121" / "seed-0"
    for labels, name in (("report", "metrics.json"), ("truth", "metrics.truth.json")):
        document = json.loads((folder / name).read_text())
        assert found[labels] == Estimate.from_json(document["macro"]["auroc"])
    assert found["report"] != found["truth"]


def test_a_subgroup_can_be_gated(run: Path) -> None:
    """A demand on a subgroup reads that group's metrics and says so in the table."""
    verdict = check_run(run, [Threshold("auroc", group="sex=F", min=0.5)])
    document = json.loads((run / "densenet121" / "seed-0" / "metrics.sex-F.json").read_text())
    assert verdict.checks[0].found == Estimate.from_json(document["macro"]["auroc"])
    assert "macro (sex=F)" in render(verdict, "table")


def test_localization_can_be_gated(run: Path) -> None:
    """Hit rate and overlap are tested too, over images with the finding or those called right."""
    demand = Threshold("hit_rate", network="densenet121", observation="Edema", min=0.75)
    assert check_run(run, [demand]).word == "pass"
    correct = Threshold(
        "hit_rate", network="densenet121", observation="*", among="correct", min=0.75
    )
    verdict = check_run(run, [correct])
    assert [check.observation for check in verdict.checks] == ["Edema"]
    assert verdict.word == "inconclusive"


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        (Threshold("auroc", network="densnet121", min=0.5), "did you mean 'densenet121'"),
        (Threshold("auroc", group="sex=f", min=0.5), "no metrics of group 'sex=f'; did you mean"),
        (Threshold("iou", network="resnet50", observation="*", min=0.1), "has no lesion outlines"),
        (
            Threshold("iou", network="densenet121", observation="Fracture", min=0.1),
            "has no 'Fracture'; known are Edema",
        ),
    ],
)
def test_what_the_run_does_not_have(run: Path, demand: Threshold, message: str) -> None:
    """A demand on something that the run lacks is refused with the nearest name, never passed."""
    with pytest.raises(InputError, match=message):
        check_run(run, [demand])


def test_nothing_to_test_is_no_pass(run: Path, tmp_path: Path) -> None:
    """A demand that meets no number at all is refused: no checks would read as a pass."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    path = folder / "densenet121" / "seed-0" / "localization.json"
    write_json(path, {"observations": {}})
    demand = Threshold("iou", network="densenet121", observation="*", min=0.1)
    with pytest.raises(InputError, match="has no observation with iou to test"):
        check_run(folder, [demand])
    write_json(folder / "run.json", json.loads((run / "run.json").read_text()) | {"networks": []})
    with pytest.raises(InputError, match="holds no network"):
        check_run(folder, [Threshold("auroc", min=0.5)])


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    """A folder without run.json can't be judged."""
    with pytest.raises(InputError, match=r"holds no run\.json"):
        check_run(tmp_path, [Threshold("auroc", min=0.5)])


def _read(tmp_path: Path, text: str) -> tuple[Threshold, ...]:
    path = tmp_path / "t.toml"
    path.write_text(text)
    return read_demands(path).thresholds


def test_thresholds_are_read_with_their_defaults(tmp_path: Path) -> None:
    """A metric and a bound are enough; the rest is every network's macro mean of all cases."""
    (demand,) = _read(tmp_path, '[[threshold]]\nmetric = "auroc"\nmin = 1\n')
    assert demand == Threshold("auroc", network="*", observation="macro", group="all", min=1.0)
    assert demand.words == ">= 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"there is no \[\[threshold\]\]"),
        ("threshold = 3", r"there is no \[\[threshold\]\]"),
        ("threshold = [3]", r"threshold 1 is 3; write \[\[threshold\]\]"),
        ("[[thresholds]]", "unknown table 'thresholds'; did you mean 'threshold'"),
        ("baseline = 3", r"\[baseline\] is 3; write \[baseline\] and keys below it"),
        ("[baseline]\nmargin = 5", "margin is 5; it must lie in 0 to 1"),
        ("[baseline]\nmargin = nan", "margin is nan; it must lie in 0 to 1"),
        ('[baseline]\nmargin = "x"', "margin is 'x'; expected a number"),
        ("[baseline]\nmargn = 0.1", "key 'margn' is unknown; did you mean 'margin'"),
        ("min = ", "is not TOML"),
        ("[[threshold]]\nmin = 0.5", "no metric is named"),
        ('[[threshold]]\nmetric = "aurok"\nmin = 0.5', "'aurok' is unknown; did you mean 'auroc'"),
        ('[[threshold]]\nmetric = "auroc"', "there is no bound"),
        ('[[threshold]]\nmetric = "auroc"\nmin = 75', "min is 75, but auroc lies in 0 to 1"),
        ('[[threshold]]\nmetric = "auroc"\nmin = "0.5"', "min is '0.5'; expected a number"),
        ('[[threshold]]\nmetric = "auroc"\nmin = true', "min is True; expected a number"),
        ('[[threshold]]\nmetric = "auroc"\nmin = nan', "min is nan, but auroc"),
        ('[[threshold]]\nmetric = "auroc"\nmin = 0.8\nmax = 0.7', "min 0.8 is above max 0.7"),
        ('[[threshold]]\nmetric = "auroc"\nmn = 0.8', "key 'mn' is unknown; did you mean 'min'"),
        (
            '[[threshold]]\nmetric = "auroc"\nobservation = "cardiomegally"\nmin = 0.8',
            "did you mean 'Cardiomegaly'",
        ),
        ('[[threshold]]\nmetric = "auroc"\non = "lower"\nmin = 0.8', "on 'lower' is unknown"),
        (
            '[[threshold]]\nmetric = "auroc"\nallow_inconclusive = 1\nmin = 0.8',
            "expected true or false",
        ),
        ('[[threshold]]\nmetric = "hit_rate"\nmin = 0.5', "hit_rate has no macro value"),
        ('[[threshold]]\nmetric = "f1"\nlevel = "studies"\nmin = 0.5', "did you mean 'study'"),
        (
            '[[threshold]]\nmetric = "f1"\noperating_point = "yuden"\nmin = 0.5',
            "threshold 1: operating point 'yuden' is unknown; did you mean 'youden'",
        ),
        (
            '[[threshold]]\nmetric = "auroc"\noperating_point = "youden"\nmin = 0.5',
            "auroc depends on no threshold; leave operating_point out",
        ),
        (
            '[[threshold]]\nmetric = "f1"\noperating_point = "youden"\ngroup = "sex=F"\nmin = 0.5',
            "measures all images against report labels alone",
        ),
        ('[[threshold]]\nmetric = "subset_accuracy"\nmin = 0.5', 'set observation = "micro"'),
    ],
)
def test_a_thresholds_file_that_makes_no_sense(tmp_path: Path, text: str, message: str) -> None:
    """Each mistake in a thresholds file is one sentence that names the file and the mend."""
    with pytest.raises(InputError, match=message):
        _read(tmp_path, text)


def test_a_file_may_ask_of_the_baseline_alone(tmp_path: Path) -> None:
    """[baseline] sets the margin and whether inconclusive is enough; without it defaults hold."""
    path = tmp_path / "t.toml"
    path.write_text("[baseline]\nmargin = 0.02\nallow_inconclusive = true\n")
    demands = read_demands(path)
    assert (demands.thresholds, demands.baseline) == ((), BaselineDemand(0.02, True))
    path.write_text('[[threshold]]\nmetric = "auroc"\nmin = 0.5\n')
    assert read_demands(path).baseline == BaselineDemand(0.05, False)


def test_a_thresholds_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is named."""
    with pytest.raises(InputError, match=r"nothing\.toml: No such file"):
        read_demands(tmp_path / "nothing.toml")


def test_the_preset_thresholds_are_valid() -> None:
    """The gate that is shipped for the embedded default can be read."""
    import benchmark

    presets = Path(benchmark.__file__).parent / "presets"
    assert len(read_demands(presets / "thresholds.synthetic.toml").thresholds) >= 3


@pytest.fixture(scope="module")
def demands() -> list[Threshold]:
    return [
        Threshold("auroc", min=0.5),
        Threshold("auroc", network="resnet50", observation="Edema", min=0.99),
        Threshold("auroc", network="resnet50", observation="Pleural Other", min=0.5),
        Threshold("f1", observation="Pleural Other", min=0.5, allow_inconclusive=True),
    ]


def test_every_format_tells_the_same(run: Path, demands: list[Threshold]) -> None:
    """Table, Markdown, JSON, JUnit and GitHub commands agree on every check."""
    verdict = check_run(run, demands)
    assert verdict.word == "fail"
    counts = "6 checks: 2 pass, 1 fail, 3 inconclusive."
    table, markdown = render(verdict, "table"), render(verdict, "markdown")
    assert counts in table
    assert counts in markdown
    for text in (table, markdown):
        assert sum("resnet50" in line or "densenet121" in line for line in text.splitlines()) == 6
    content = json.loads(render(verdict, "json"))
    assert (content["verdict"], content["exit_code"]) == ("fail", 1)
    assert [check["verdict"] for check in content["checks"]] == [
        check.verdict for check in verdict.checks
    ]
    suite = ElementTree.fromstring(render(verdict, "junit"))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "2", "2")
    assert len(suite.findall("testcase/failure")) == 2
    lines = render(verdict, "github").splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "::error",
        "::error",
        "::warning",
        "::warning",
        "::error",
    ]


def test_every_format_is_one_text(run: Path, demands: list[Threshold]) -> None:
    """No format ends in a line feed or shows NaN."""
    for form in FORMATS:
        text = render(check_run(run, demands), form)
        assert text == text.rstrip()
        assert "nan" not in text.lower()


def test_what_could_not_be_compared_is_a_verdict(run: Path) -> None:
    """Every format says that the comparison was not made, and why; it outweighs all else."""
    passed = check_run(run, [Threshold("auroc", min=0.5)])
    verdict = merge([passed, Verdict("run-1", obstacle="cannot compare with B: other | cases")])
    assert (verdict.word, verdict.exit_code) == ("cannot compare", 2)
    texts = {form: render(verdict, form) for form in FORMATS}
    assert all("passed" not in text for text in texts.values())
    assert all(
        "cannot compare with B" in text.replace("Cannot", "cannot") for text in texts.values()
    )
    assert json.loads(texts["json"])["obstacle"] == verdict.obstacle
    suite = ElementTree.fromstring(texts["junit"])
    assert (suite.get("tests"), suite.get("errors")) == ("3", "1")
    assert "other \\| cases" in texts["markdown"]


def test_another_operating_point_is_not_mistaken_for_the_main_one(
    run: Path, tmp_path: Path
) -> None:
    """Documents at another level or operating point stand aside; metrics.json is what counts."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    target = folder / "densenet121" / "seed-0"
    document = json.loads((target / "metrics.json").read_text())
    for key, value in (("operating_point", "youden"), ("level", "study")):
        other = document | {key: value, "macro": {"auroc": Estimate.missing("no").as_json()}}
        write_json(target / f"metrics.z-{value}.json", other)
    (check,) = check_run(folder, [Threshold("auroc", network="densenet121", min=0.5)]).checks
    assert check.found == Estimate.from_json(document["macro"]["auroc"])


def test_a_rule_and_the_study_level_can_be_gated(run: Path, tmp_path: Path) -> None:
    """A demand at a rule's thresholds, or by study, reads those documents and says so."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    target = folder / "densenet121" / "seed-0"
    document = json.loads((target / "metrics.json").read_text())
    at = Estimate(0.61, 0.5, 0.7, "made up").as_json()
    by = Estimate(0.91, 0.8, 0.95, "made up").as_json()
    write_json(
        target / "operating-points" / "sensitivity-0-9.json",
        document | {"operating_point": "sensitivity>=0.9", "macro": {"f1": at}},
    )
    write_json(target / "metrics.study.json", document | {"level": "study", "macro": {"f1": by}})
    demands = (
        Threshold("f1", network="densenet121", min=0.6, operating_point="sensitivity>=0.9"),
        Threshold("f1", network="densenet121", min=0.6, level="study"),
    )
    checks = check_run(folder, demands).checks
    assert [(check.metric, check.found.estimate) for check in checks] == [
        ("f1 at sensitivity>=0.9", 0.61),
        ("f1 by study", 0.91),
    ]
    with pytest.raises(InputError, match="the run chose no thresholds by youden"):
        check_run(folder, [Threshold("f1", min=0.5, operating_point="youden")])
    with pytest.raises(InputError, match="has no metrics by study against labels 'truth'"):
        check_run(folder, [Threshold("f1", min=0.5, level="study", labels="truth")])


def _edited(run: Path, folder: Path, change) -> Path:
    """A copy of the run with its first network's metrics.json changed."""
    shutil.copytree(run, folder)
    path = folder / "densenet121" / "seed-0" / "metrics.json"
    path.write_text(change(path.read_text()))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:100], r"metrics\.json is no JSON"),
        (lambda text: "{}", r"metrics\.json lacks 'labels'"),
        (lambda text: text.replace('"macro"', '"makro"'), "lacks 'macro'"),
    ],
)
def test_broken_metrics_are_one_sentence(run: Path, tmp_path: Path, change, message: str) -> None:
    """A metrics file that was cut off or edited is refused, never passed."""
    with pytest.raises(InputError, match=message):
        check_run(_edited(run, tmp_path / "run", change), [Threshold("auroc", min=0.5)])
