"""Metrics documents: support, variants, averages, and refusals."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from benchmark.config import Config, EvaluationConfig
from benchmark.evaluation.documents import (
    METRICS,
    NO_SCORES,
    dump_document,
    evaluate,
    protocol_of,
)
from benchmark.evaluation.measures import UNBOUNDED
from benchmark.evaluation.variants import evaluate_variants, subgroups
from cxr import metrics
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from tests.score_tables import QUICK, make_cases, make_logits


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    return make_cases()


@pytest.fixture(scope="module")
def logits(cases: pd.DataFrame) -> np.ndarray:
    return make_logits(cases)


@pytest.fixture(scope="module")
def documents(cases: pd.DataFrame, logits: np.ndarray) -> dict[str, dict]:
    return evaluate_variants(cases, logits, network="densenet121", seed=3, settings=QUICK)


def test_every_metric_of_every_observation(documents: dict[str, dict]) -> None:
    """Each variant and group has all 14 observations with all metrics, and three averages."""
    assert list(documents) == [
        "metrics.json",
        "metrics.uncertain-excluded.json",
        "metrics.truth.json",
        "metrics.study.json",
        "metrics.sex-F.json",
        "metrics.sex-M.json",
    ]
    for document in documents.values():
        assert set(document["observations"]) == set(OBSERVATIONS)
        for values in document["observations"].values():
            assert set(METRICS) <= set(values)
        for average in ("macro", "micro", "weighted"):
            assert set(METRICS) <= set(document[average])


def test_an_observation_with_too_few_patients_has_a_reason(documents: dict[str, dict]) -> None:
    """Too few positive patients: no number at all, and the sentence says how many there were."""
    rare = documents["metrics.json"]["observations"]["Pleural Other"]
    assert rare["positive_patients"] < QUICK.min_patients
    for name in METRICS:
        assert rare[name]["estimate"] is None
        assert rare[name]["low"] is None
        assert f"{rare['positive_patients']} positive patients" in rare[name]["reason"]
    assert rare["confusion"]["tp"] + rare["confusion"]["fn"] == rare["positives"]


def test_replicates_without_both_classes_are_counted(documents: dict[str, dict]) -> None:
    """A resample that drew no positive patient is left out of the observation, and counted."""
    found = documents["metrics.json"]["observations"]
    assert found["Pleural Other"]["replicates_left_out"] > 0
    assert found["Edema"]["replicates_left_out"] == 0


def test_intervals_hold_their_estimate(documents: dict[str, dict]) -> None:
    """Every interval lies in the metric's range and encloses the estimate."""
    for document in documents.values():
        blocks = [*document["observations"].values(), document["macro"], document["micro"]]
        for values in blocks:
            for name in METRICS:
                entry = values[name]
                if entry["estimate"] is None:
                    continue
                assert entry["low"] <= entry["estimate"] <= entry["high"], (name, entry)
                assert entry["method"]
                assert name in UNBOUNDED or entry["high"] <= 1
                assert entry["low"] >= (-1 if name == "mcc" else 0)


def test_support_is_counted_in_images_and_patients(
    cases: pd.DataFrame, documents: dict[str, dict]
) -> None:
    """Positives are the stated and the hedged; patients with one positive image count once."""
    label = cases["label:Edema"]
    positive = label.isin((1.0, -1.0))
    found = documents["metrics.json"]["observations"]["Edema"]
    assert found["positives"] == positive.sum()
    assert found["negatives"] == (~positive).sum()
    assert found["stated"] == (label == 1).sum()
    assert found["hedged"] == (label == -1).sum() > 0
    assert found["positive_patients"] == cases.loc[positive, "patient_id"].nunique()
    assert found["negative_patients"] == cases.loc[~positive, "patient_id"].nunique()


def test_point_estimates_are_the_metrics(
    cases: pd.DataFrame, logits: np.ndarray, documents: dict[str, dict]
) -> None:
    """The numbers are those of cxr.metrics; hedged is left out where the variant says so."""
    place = OBSERVATIONS.index("Edema")
    label, score = cases["label:Edema"].to_numpy(), logits[:, place].astype(float)
    kept = label != -1
    answers = {
        "metrics.json": (np.isin(label, (1, -1)), np.full(len(label), True)),
        "metrics.uncertain-excluded.json": (label == 1, kept),
        "metrics.truth.json": (cases["truth:Edema"].to_numpy(), np.full(len(label), True)),
    }
    for name, (present, rows) in answers.items():
        found = documents[name]["observations"]["Edema"]
        table = metrics.confusion(present[rows], score[rows] >= 0)
        assert found["auroc"]["estimate"] == metrics.auroc_score(present[rows], score[rows])
        assert found["f1"]["estimate"] == metrics.f1_score(table)
        lift = metrics.average_precision_lift_score(present[rows], score[rows])
        assert found["average_precision_lift"]["estimate"] == lift
        partial = metrics.partial_auroc_score(present[rows], score[rows], max_fpr=0.2)
        assert found["partial_auroc"]["estimate"] == partial
        assert found["confusion"]["tp"] == table.tp
    assert documents["metrics.uncertain-excluded.json"]["observations"]["Edema"]["hedged"] == 0


def test_what_a_constant_answer_would_get(documents: dict[str, dict]) -> None:
    """Beside accuracy and F1 stands what always saying no, or yes, would get."""
    found = documents["metrics.json"]["observations"]["Edema"]
    share = found["positives"] / (found["positives"] + found["negatives"])
    assert found["always_negative"] == {"accuracy": pytest.approx(1 - share), "f1": 0}
    assert found["always_positive"]["accuracy"] == pytest.approx(share)
    assert found["always_positive"]["f1"] == pytest.approx(2 * share / (1 + share))


def test_averages_say_over_how_many(documents: dict[str, dict]) -> None:
    """The macro mean is over the estimable observations, and says how many; weighted likewise."""
    document = documents["metrics.json"]
    known = [
        values for values in document["observations"].values() if values["auroc"]["reason"] is None
    ]
    areas = [values["auroc"]["estimate"] for values in known]
    support = [values["positives"] for values in known]
    assert document["macro"]["auroc"]["over"] == len(known) < 14
    assert document["macro"]["auroc"]["estimate"] == pytest.approx(np.mean(areas))
    weighted = np.average(areas, weights=support)
    assert document["weighted"]["auroc"]["estimate"] == pytest.approx(weighted)


def test_micro_pools_all_labels(
    cases: pd.DataFrame, logits: np.ndarray, documents: dict[str, dict]
) -> None:
    """Micro takes all labels as one column; subset accuracy wants all 14 right."""
    present = cases[[f"label:{name}" for name in OBSERVATIONS]].isin((1.0, -1.0)).to_numpy()
    micro = documents["metrics.json"]["micro"]
    expected = metrics.auroc_score(present.ravel(), logits.ravel().astype(float))
    assert micro["auroc"]["estimate"] == pytest.approx(expected, abs=1e-12)
    assert micro["accuracy"]["estimate"] == pytest.approx((present == (logits >= 0)).mean())
    subset = metrics.subset_accuracy_score(present, logits >= 0)
    assert micro["subset_accuracy"]["estimate"] == pytest.approx(subset)


def test_equal_input_gives_equal_bytes(
    cases: pd.DataFrame, logits: np.ndarray, documents: dict[str, dict]
) -> None:
    """The same cases, scores and settings give the same file, whatever the order of rows."""
    turned = evaluate(cases[::-1], logits[::-1], network="densenet121", seed=3, settings=QUICK)
    text = dump_document(documents["metrics.json"])
    assert dump_document(turned) == text
    assert json.loads(text) == documents["metrics.json"]


def test_the_threshold_moves_the_calls_alone(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """A higher operating point calls less and leaves AUROC as it was."""
    strict = evaluate(
        cases,
        logits,
        network="n",
        seed=0,
        settings=EvaluationConfig(threshold=0.8, replicates=100),
    )
    usual = evaluate(cases, logits, network="n", seed=0, settings=EvaluationConfig(replicates=100))
    assert strict["operating_point"] == "0.8"
    for name in ("Edema", "Cardiomegaly"):
        one, other = strict["observations"][name], usual["observations"][name]
        assert one["auroc"] == other["auroc"]
        assert one["recall"]["estimate"] < other["recall"]["estimate"]


def test_a_network_that_calls_nothing(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """No positive call: precision is not estimable and says so; recall and F1 are 0."""
    silent = evaluate(cases, logits - 100, network="n", seed=0, settings=QUICK)
    found = silent["observations"]["Edema"]
    assert found["precision"]["reason"] == "undefined: no case was called positive"
    assert found["recall"]["estimate"] == found["f1"]["estimate"] == 0
    assert silent["macro"]["precision"] == {
        "estimate": None,
        "low": None,
        "high": None,
        "method": "",
        "over": 0,
        "reason": "no observation is estimable",
    }


def test_no_observation_is_estimable() -> None:
    """A handful of patients gives a document of reasons, not an error."""
    cases = make_cases(patients=5)
    document = evaluate(cases, make_logits(cases), network="n", seed=0, settings=QUICK)
    assert document["macro"]["auroc"]["reason"] == "no observation is estimable"
    assert document["micro"]["accuracy"]["estimate"] is not None


def test_an_observation_that_is_always_hedged(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """Hedges left out may leave nothing of an observation; that is a reason, not an error."""
    table = cases.assign(**{"label:Edema": -1.0})
    document = evaluate(table, logits, network="n", seed=0, settings=QUICK, uncertain="excluded")
    found = document["observations"]["Edema"]
    assert found["positives"] == found["negatives"] == 0
    assert found["auroc"]["reason"] == "no case has a label that counts"
    assert found["always_negative"] == {"accuracy": None, "f1": None}
    assert document["micro"]["auroc"]["over"] == 13


def test_an_observation_that_the_network_does_not_tell(
    cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """A column of NaN is no output: a reason in its place, and averages go without it."""
    fewer = np.where(np.arange(14) == 5, np.nan, logits)
    document = evaluate(cases, fewer, network="n", seed=0, settings=QUICK)
    whole = evaluate(cases, logits, network="n", seed=0, settings=QUICK)
    found = document["observations"]["Edema"]
    assert {found[name]["reason"] for name in METRICS} == {NO_SCORES}
    assert (found["confusion"], found["positives"] > 0) == (None, True)
    assert document["macro"]["auroc"]["over"] == whole["macro"]["auroc"]["over"] - 1
    assert document["micro"]["auroc"]["over"] == 13
    present = cases[[f"label:{name}" for name in OBSERVATIONS]].isin((1.0, -1.0)).to_numpy()
    kept = np.arange(14) != 5
    right = (present == (logits >= 0))[:, kept].all(axis=1).mean()
    assert document["micro"]["subset_accuracy"]["estimate"] == pytest.approx(right)
    assert document["observations"]["Pneumonia"] == whole["observations"]["Pneumonia"]


def test_an_observation_that_nobody_annotated(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """Blank in every case is not annotated, so it is no string of negatives in the micro mean."""
    table = cases.assign(**{"label:Edema": np.nan})
    document = evaluate(table, logits, network="n", seed=0, settings=QUICK)
    found = document["observations"]["Edema"]
    assert found["positives"] == found["negatives"] == 0
    assert found["auroc"]["reason"] == "no case has a label that counts"
    assert document["micro"]["auroc"]["over"] == 13


def test_a_single_case() -> None:
    """One image alone still makes a document that can be written."""
    one = make_cases(patients=3)[:1]
    document = evaluate(one, make_logits(one), network="n", seed=0, settings=QUICK)
    assert json.loads(dump_document(document))["cases"] == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c, x: (c[:0], x[:0]), "no test cases"),
        (lambda c, x: (c, x[:, :13]), r"densenet121 have shape .*13\); expected"),
        (
            lambda c, x: (c, np.where(np.eye(len(x), 14, 2) == 1, np.nan, x)),
            "'Cardiomegaly' in row 1 is nan",
        ),
        (lambda c, x: (c, np.full_like(x, np.nan)), "'No Finding' in row 1 is nan"),
        (lambda c, x: (c.drop(columns="label:Edema"), x), "'label:Edema' is missing"),
        (lambda c, x: (c.assign(**{"label:Edema": 2.0}), x), "the label of 'Edema' is 2"),
    ],
)
def test_scores_that_do_not_fit_are_refused(cases, logits, spoil, message: str) -> None:
    """Scores or cases that can't be evaluated are refused in one sentence."""
    table, scores = spoil(cases, logits)
    with pytest.raises(InputError, match=message):
        evaluate(table, scores, network="densenet121", seed=0, settings=QUICK)


def test_without_truth_there_is_no_truth_variant(cases: pd.DataFrame, logits: np.ndarray) -> None:
    """Real data brings no truth, and then no document claims one."""
    hidden = [name for name in cases if name.startswith("truth:")]
    table = cases.drop(columns=[*hidden, "sex"])
    found = evaluate_variants(table, logits, network="n", seed=0, settings=QUICK)
    variants = {"metrics.json", "metrics.uncertain-excluded.json", "metrics.study.json"}
    assert set(found) == variants


def test_subgroups_share_out_the_cases(cases: pd.DataFrame, documents: dict[str, dict]) -> None:
    """Women and men are evaluated apart, on their own images; a blank is in neither."""
    women, men = documents["metrics.sex-F.json"], documents["metrics.sex-M.json"]
    assert (women["group"], men["group"]) == ("sex=F", "sex=M")
    assert women["cases"] + men["cases"] == len(cases)
    ages = cases.assign(age_band=np.where(np.arange(len(cases)) % 3, "<40", "80+"), sex="")
    found = subgroups(ages)
    assert list(found) == ["age=80+", "age=<40"]
    assert sum(rows.sum() for rows in found.values()) == len(cases)


def test_a_group_that_lacks_an_observation_still_answers_for_it(
    cases: pd.DataFrame, logits: np.ndarray
) -> None:
    """Where no report of one sex mentions Edema, its cases count as negatives in micro averages."""
    women = cases["sex"] == "F"
    cases = cases.assign(**{"label:Edema": cases["label:Edema"].where(~women)})
    assert cases["label:Edema"].notna().any()
    found = evaluate_variants(cases, logits, network="a", seed=0, settings=QUICK)
    document = found["metrics.sex-F.json"]
    assert document["observations"]["Edema"]["negatives"] == women.sum() == document["cases"]
    assert document["micro"]["auroc"]["over"] == len(OBSERVATIONS)


def test_the_protocol_is_the_test_cases_labels_and_definitions(cases: pd.DataFrame) -> None:
    """The protocol ignores row order and training cases, and changes with a label or a case."""
    config = Config()
    protocol = protocol_of(cases, config)
    more = pd.concat([cases, cases[:5].assign(split="train", image_id="other")])
    assert protocol_of(more[::-1], config) == protocol
    assert protocol["name"] == f"synthetic-{protocol['digest'][:8]}"
    relabeled = cases.copy()
    relabeled.loc[0, "label:Edema"] = 1.0 if relabeled.loc[0, "label:Edema"] != 1 else math.nan
    other = protocol_of(relabeled, config)
    assert (other["cases"], other["digest"] != protocol["digest"]) == (protocol["cases"], True)
    assert protocol_of(cases[1:], config)["cases"] != protocol["cases"]
