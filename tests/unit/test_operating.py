"""Operating points: chosen on validation alone, applied to test, written into the run."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from benchmark.config import EvaluationConfig, load_config
from benchmark.evaluation.documents import called_from, draw_patients
from benchmark.evaluation.measures import RATES, measure
from benchmark.evaluation.operating import (
    ValidationScores,
    choose,
    evaluate_at,
    measure_calls,
    operating_documents,
)
from benchmark.evaluation.points import Rule, parse_rule
from cxr import metrics
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from tests.score_tables import make_cases, make_logits

EDEMA = OBSERVATIONS.index("Edema")
SETTINGS = EvaluationConfig(replicates=200)
RULES = ("youden", "max-f1", "sensitivity>=0.9", "specificity>=0.8")


@pytest.fixture(scope="module")
def cases() -> pd.DataFrame:
    cases = make_cases(patients=240)
    patient = cases["patient_id"].rank(method="dense")
    return cases.assign(split=np.where(patient <= 120, "validate", "test"))


@pytest.fixture(scope="module")
def logits(cases: pd.DataFrame) -> np.ndarray:
    return make_logits(cases).astype(float)


def _validation(cases: pd.DataFrame, logits: np.ndarray) -> ValidationScores:
    table = pd.DataFrame(logits, columns=list(OBSERVATIONS))
    return ValidationScores.of(cases, pd.concat([cases[["image_id", "split"]], table], axis=1))


def _rates(validation: ValidationScores, cut: float) -> dict[str, float]:
    rows = validation.key.counted[:, EDEMA]
    table = metrics.confusion(
        validation.key.present[rows, EDEMA], validation.logits[rows, EDEMA] >= cut
    )
    return {
        "recall": metrics.recall_score(table),
        "specificity": metrics.specificity_score(table),
        "f1": metrics.f1_score(table),
    }


@pytest.mark.parametrize("text", RULES)
def test_a_rule_finds_what_trying_every_threshold_finds(cases, logits, text: str) -> None:
    """The chosen threshold is the best of all scores, by brute force."""
    validation = _validation(cases, logits)
    rule = parse_rule(text)
    chosen = choose(validation, rule, least=10)[EDEMA]
    tried = [_rates(validation, cut) for cut in np.unique(validation.logits[:, EDEMA])]
    found = _rates(validation, chosen.logit)
    worth = {
        "youden": lambda r: r["recall"] + r["specificity"],
        "max-f1": lambda r: r["f1"],
        "sensitivity": lambda r: r["specificity"] if r["recall"] >= 0.9 else -1,
        "specificity": lambda r: r["recall"] if r["specificity"] >= 0.8 else -1,
    }[rule.kind]
    assert worth(found) == max(worth(one) for one in tried)
    assert (chosen.recall, chosen.specificity, chosen.f1) == tuple(found.values())


def test_thresholds_see_no_test_case(cases, logits) -> None:
    """Whatever the test cases score or are, the thresholds stay; validation cases move them."""
    test = (cases["split"] == "test").to_numpy()
    before = choose(_validation(cases, logits), Rule("youden"), least=10)[EDEMA]
    other, labels = logits.copy(), cases.copy()
    other[test] = -other[test]
    labels.loc[test, "label:Edema"] = 1.0
    assert choose(_validation(labels, other), Rule("youden"), least=10)[EDEMA] == before
    moved = logits.copy()
    moved[~test] += 1
    after = choose(_validation(cases, moved), Rule("youden"), least=10)[EDEMA]
    assert after.logit == pytest.approx(before.logit + 1)


def test_too_few_validation_patients_choose_nothing(cases, logits) -> None:
    """With few positive patients on validation there is no threshold but the reason."""
    chosen = choose(_validation(cases, logits), Rule("youden"), least=10)
    rare = chosen[OBSERVATIONS.index("Pleural Other")]
    assert math.isnan(rare.logit)
    assert rare.reason is not None
    assert rare.reason.startswith("on validation ")
    none = choose(_validation(cases.assign(split="test"), logits), Rule("youden"), least=1)
    assert {one.reason for one in none} == {"there are no validation cases"}
    unscored = logits.copy()
    unscored[:, EDEMA] = np.nan
    lost = choose(_validation(cases, unscored), Rule("youden"), least=1)[EDEMA]
    assert lost.reason == "the network has no scores for it"


def test_a_rate_that_no_threshold_reaches(cases, logits) -> None:
    """Where the highest score is a negative's, a specificity of 1 can't be had."""
    absent = ~cases["label:Edema"].isin((1.0, -1.0)) & (cases["split"] == "validate")
    other = logits.copy()
    other[np.flatnonzero(absent)[0], EDEMA] = 99.0
    validation = _validation(cases, other)
    chosen = choose(validation, Rule("specificity", 1.0), least=10)[EDEMA]
    assert chosen.reason == "no threshold reaches specificity>=1 on validation"


def test_calls_measure_as_scores_do(cases, logits) -> None:
    """Yes-or-no answers give the numbers and intervals that scores with that threshold give."""
    draws = draw_patients(cases, SETTINGS)
    present = cases["truth:Edema"].to_numpy(bool)
    cut = called_from(SETTINGS)
    expected = measure(present, logits[:, EDEMA], draws, cut)
    found = measure_calls(present, logits[:, EDEMA] >= cut, draws)
    assert found.table == expected.table
    for name in RATES:
        assert found.estimates[name] == expected.estimates[name]
        np.testing.assert_allclose(found.replicates[name], expected.replicates[name], atol=1e-12)


def test_the_documents_of_a_run(cases, logits) -> None:
    """thresholds.json tells each rule's thresholds; each rule has a metrics document on test."""
    test = (cases["split"] == "test").to_numpy()
    settings = EvaluationConfig(replicates=200, operating_points=RULES)
    documents = operating_documents(
        _validation(cases, logits),
        cases[test],
        logits[test],
        network="a",
        seed=1,
        settings=settings,
    )
    assert list(documents) == [
        "thresholds.json",
        "operating-points/youden.json",
        "operating-points/max-f1.json",
        "operating-points/sensitivity-0-9.json",
        "operating-points/specificity-0-8.json",
        "operating-points/fixed.json",
    ]
    thresholds = documents["thresholds.json"]
    assert (thresholds["chosen_on"], thresholds["cases"]) == ("validate", int((~test).sum()))
    edema = thresholds["rules"]["youden"]["observations"]["Edema"]
    youden = documents["operating-points/youden.json"]
    assert youden["observations"]["Edema"]["threshold"] == edema["threshold"]
    assert youden["operating_point"] == "youden"
    called = logits[test, EDEMA] >= edema["logit"]
    present = cases.loc[test, "label:Edema"].isin((1.0, -1.0)).to_numpy()
    assert youden["observations"]["Edema"]["confusion"] == {
        "tp": int((called & present).sum()),
        "fp": int((called & ~present).sum()),
        "fn": int((~called & present).sum()),
        "tn": int((~called & ~present).sum()),
    }
    rare = youden["observations"]["Pleural Other"]
    assert (rare["confusion"], rare["f1"]["estimate"]) == (None, None)
    known = [o["f1"]["estimate"] for o in youden["observations"].values() if o["confusion"]]
    assert youden["macro"]["f1"]["estimate"] == pytest.approx(np.mean(known))
    json.dumps(documents, allow_nan=False)
    fixed = documents["operating-points/fixed.json"]
    assert (fixed["operating_point"], fixed["macro"]["f1"]["over"]) == ("0.5", len(known))
    assert fixed["observations"]["Edema"]["threshold"] == 0.5
    none = EvaluationConfig(replicates=200, operating_points=())
    told = {"network": "a", "seed": 1, "settings": none}
    validation = _validation(cases, logits)
    assert list(operating_documents(validation, cases[test], logits[test], **told)) == [
        "thresholds.json"
    ]


def test_nothing_chosen_is_a_document_without_numbers(cases, logits) -> None:
    """With no threshold at all every number has its reason, the averages too."""
    chosen = choose(_validation(cases.assign(split="test"), logits), Rule("youden"), least=1)
    found = evaluate_at(
        cases, logits, chosen, operating_point="youden", network="a", seed=0, settings=SETTINGS
    )
    assert found["macro"]["f1"]["reason"] == "no observation is estimable"
    assert found["micro"]["f1"]["over"] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yuden", "operating point 'yuden' is unknown; did you mean 'youden'"),
        ("0.4", "is unknown; known are youden, max-f1, sensitivity>=0.9"),
        ("sensitivity", "is no rule; write it as 'sensitivity>=0.9'"),
        ("youden>=0.9", "is no rule; write it as 'youden'"),
        ("specificity>=90", "asks for '90'; a specificity is above 0 and at most 1"),
        ("specificity>=x", "asks for 'x'"),
    ],
)
def test_a_rule_that_makes_no_sense(text: str, message: str) -> None:
    """Each mistake in the config is one sentence, before anything is run."""
    with pytest.raises(InputError, match=message):
        load_config(overrides=[f'evaluation.operating_points=["{text}"]'])


def test_an_unknown_scaling_is_refused() -> None:
    """Ways of scaling are temperature and platt."""
    with pytest.raises(InputError, match=r"evaluation\.scaling is .*isotonic"):
        load_config(overrides=['evaluation.scaling=["isotonic"]'])


def test_rules_have_names_words_and_files() -> None:
    """A rule reads back as it was written."""
    for text in RULES:
        assert parse_rule(text).name == text
    assert "at least 0.9 of the positives" in parse_rule("sensitivity >= 0.90").meaning
    assert parse_rule("sensitivity>=0.95").slug == "sensitivity-0-95"
