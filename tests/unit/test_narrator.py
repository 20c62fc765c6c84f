"""narrate: reports that read like reports, and a meaning that is known, not read."""

import math
import random
import re
from collections import defaultdict

import numpy as np
import pytest

from cxr.observations import OBSERVATIONS
from cxr.synth.composing import Account, compose_body, compose_impression
from cxr.synth.narrator import Narration, hedge_probability, narrate, omission_probability
from cxr.synth.paper import mistype
from cxr.synth.phrases import expand, stock
from cxr.synth.sampling import sample_cohort
from cxr.synth.slots import finding_words
from cxr.synth.truth import KINDS, Finding, Image, Patient, Study, true_observations
from cxr.synth.wording import Told

COMMON = tuple(name for name in OBSERVATIONS if name != "No Finding")


def make_study(*findings: Finding, seed: int = 1, number: int = 0, history=()) -> Study:
    patient = Patient("10000032", "F", 60, 0.0, seed=1)
    images = (Image("0" * 8 + "-" + "-".join(["1" * 8] * 4), "AP", seed=2),)
    return Study("50414267", patient, findings, images, tuple(history), number, seed)


def make_finding(kind: str, *, side="left", zone="lower", severity=0.5, subtlety=0.3) -> Finding:
    return Finding(kind, side, zone, severity, subtlety, seed=5)


@pytest.fixture(scope="module")
def cohort() -> list[Study]:
    return sample_cohort(6000, seed=21)


@pytest.fixture(scope="module")
def narrations(cohort) -> list[Narration]:
    return [narrate(study) for study in cohort]


@pytest.fixture(scope="module")
def truth(cohort) -> np.ndarray:
    return np.array(
        [[true_observations(study.findings)[name] for name in OBSERVATIONS] for study in cohort]
    )


@pytest.fixture(scope="module")
def meant(narrations) -> np.ndarray:
    return np.array([[report.meant[name] for name in OBSERVATIONS] for report in narrations])


@pytest.fixture(scope="module")
def subtlety(cohort) -> np.ndarray:
    """The least subtle finding's subtlety of each observation; NaN where there is none."""
    table = np.full((len(cohort), len(OBSERVATIONS)), np.nan)
    for row, study in enumerate(cohort):
        for finding in study.findings:
            for name in KINDS[finding.kind]:
                column = OBSERVATIONS.index(name)
                table[row, column] = np.fmin(table[row, column], finding.subtlety)
    return table


# ---- noise of the stated kind and size -------------------------------------------------------


@pytest.mark.parametrize("name", COMMON)
def test_plain_findings_are_stated(truth, meant, subtlety, name):
    """At least 85 % of the findings that are not subtle (below 0.5) are stated present."""
    column = OBSERVATIONS.index(name)
    rows = truth[:, column] & (subtlety[:, column] < 0.5)
    stated = np.mean(meant[rows, column] == 1)
    assert stated >= 0.85 - 2 * np.sqrt(0.85 * 0.15 / rows.sum())


def test_findings_of_middle_and_high_subtlety_are_hedged_now_and_then(truth, meant, subtlety):
    """Between 8 and 14 % of them are hedged, over all observations but devices."""
    columns = [OBSERVATIONS.index(name) for name in COMMON if name != "Support Devices"]
    rows = truth[:, columns] & (subtlety[:, columns] >= 0.3)
    assert 0.08 <= np.mean(meant[:, columns][rows] == -1) <= 0.14


@pytest.mark.parametrize("name", COMMON)
def test_reports_seldom_speak_of_what_is_not_there(truth, meant, name):
    """Of the studies without it, under 2 % state an observation and under 2 % hedge it."""
    column = OBSERVATIONS.index(name)
    absent = ~truth[:, column]
    assert np.mean(meant[absent, column] == 1) < 0.02
    assert np.mean(meant[absent, column] == -1) < 0.02


def test_devices_are_never_imagined(truth, meant):
    """A report names a device as present only where one is."""
    column = OBSERVATIONS.index("Support Devices")
    assert not np.any(meant[~truth[:, column], column] == 1)


def test_omission_follows_the_formula():
    """Over many reports, a finding goes unmentioned or denied as often as its subtlety says."""
    for subtlety in (0.2, 0.9):
        study = make_finding("effusion", subtlety=subtlety)
        values = [narrate(make_study(study, seed=seed)).meant for seed in range(2000)]
        omitted = np.mean(
            [
                value["Pleural Effusion"] in (0,) or math.isnan(value["Pleural Effusion"])
                for value in values
            ]
        )
        hedged = np.mean([value["Pleural Effusion"] == -1 for value in values])
        assert abs(omitted - omission_probability(subtlety)) < 0.03
        assert abs(hedged - hedge_probability(subtlety)) < 0.03


# ---- meaning ---------------------------------------------------------------------------------


def test_no_finding_is_one_or_blank(narrations):
    """No Finding is 1 only where nothing but devices is stated or hedged; never 0 or -1."""
    for report in narrations:
        ill = any(report.meant[n] in (1, -1) for n in COMMON if n != "Support Devices")
        value = report.meant["No Finding"]
        assert math.isnan(value) or (value == 1 and not ill)


def test_pathology_outside_the_fourteen_rules_out_no_finding():
    """A healthy chest with a hiatal hernia has no No Finding."""
    reports = [narrate(make_study(seed=seed)) for seed in range(3000)]
    strange = [report for report in reports if "hiatal hernia" in report.text]
    assert strange
    assert all(math.isnan(report.meant["No Finding"]) for report in strange)


def test_congestion_alone_is_a_hedge_of_edema():
    """A frame that states vascular congestion and no edema gives Edema -1; if gone, 0."""
    for (about, *_), choice in stock().frames.items():
        for frame in choice.items:
            text = frame.text.lower()
            if "vascular congestion" in text and "interstitial edema" not in text:
                assert dict(frame.says)["Edema"] == (0 if about.startswith("gone") else -1)


def test_heart_failure_brings_a_hedge_of_cardiomegaly():
    """A frame that speaks of heart failure values Edema, and Cardiomegaly -1 beside it."""
    seen = 0
    for (about, *_), choice in stock().frames.items():
        for frame in choice.items if not about.startswith("gone") else ():
            if re.search(r"\bCHF\b|heart failure", frame.text):
                seen += 1
                assert dict(frame.says)["Edema"] in (1, -1)
                assert dict(frame.says)["Cardiomegaly"] == -1
    assert seen


@pytest.mark.parametrize(
    ("about", "name", "value"),
    [
        ("silhouette_stable", "Enlarged Cardiomediastinum", -1),
        ("heart_stable", "Cardiomegaly", -1),
        ("heart_hidden", "Cardiomegaly", -1),
        ("both_stable_normal", "Cardiomegaly", 0),
        ("heart_normal", "Cardiomegaly", 0),
        ("no_fracture", "Fracture", 0),
    ],
)
def test_normal_and_stable_states_take_their_values(about, name, value):
    """Stable without a state is a hedge; normal, or stable and normal, is a negation."""
    frames = stock().frames[about, "stated", "findings", "one"].items
    assert frames
    assert all(dict(frame.says)[name] == value for frame in frames)


def test_no_new_is_a_hedge():
    """ "No new consolidation" leaves open whether the old one is there."""
    choice = stock().frames["no_new", "stated", "findings", "one"]
    assert {frame.value for frame in choice.items} == {-1}


def test_every_value_of_the_stock_is_one_of_the_labels():
    """Frames, nouns and terms name observations and values as they are spelled elsewhere."""
    shelf = stock()
    frames = [f for c in (*shelf.frames.values(), *shelf.carriers.values()) for f in c.items]
    says = [pair for frame in frames for pair in frame.says]
    assert {name for name, _ in says} <= set(COMMON)
    assert {value for _, value in says} <= {1.0, 0.0, -1.0}
    nouns = [n for c in (*shelf.nouns.values(), *shelf.terms.values()) for n in c.items]
    assert {name for noun in nouns for name in noun.names} <= set(COMMON)
    assert len({frame.text for frame in frames}) > 500


def test_removed_and_remaining_devices_are_present():
    """One device gone and another there is Support Devices 1; the only one gone is 0."""
    line = make_finding("central_line", zone="none", subtlety=0.0)
    remaining = [
        narrate(make_study(line, seed=seed, number=1, history=("central_line", "chest_tube")))
        for seed in range(300)
    ]
    spoken = [r for r in remaining if "chest tube" in r.text.split("COMPARISON")[-1]]
    assert any(report.meant["Support Devices"] == 1 for report in spoken)
    gone = [
        narrate(make_study(seed=seed, number=1, history=("chest_tube",))) for seed in range(300)
    ]
    values = {report.meant["Support Devices"] for report in gone}
    assert 0.0 in values
    assert 1.0 not in values


# ---- text ------------------------------------------------------------------------------------


def test_reports_differ(narrations):
    """Hardly two reports of a cohort are the same text."""
    assert len({report.text for report in narrations}) > 0.995 * len(narrations)


def test_text_is_clean(narrations):
    """No slot is left, no space stands before a stop, articles fit, lines keep to the page."""
    for report in narrations:
        text = report.text
        assert "{" not in text
        assert "[" not in text
        assert "|" not in text
        assert not re.search(r"\w [.,;]", text)
        assert not re.search(r"\b[Aa] [aeiou]", text), text
        assert not re.search(r"\ban [bcdfghjklmpqrstvwxyz]", text), text
        assert max(len(line) for line in text.splitlines()) <= 80


def test_a_report_does_not_deny_what_it_states(narrations):
    """A stated effusion, pneumothorax or fracture is not denied in the same report."""
    words = {
        "Pleural Effusion": r"\bno (large |sizable |definite )?(pleural )?effusion",
        "Pneumothorax": r"\bno (large |apical |appreciable |definite )?pneumothorax",
        "Fracture": r"\bno (acute |displaced )*(rib )?fracture",
        "Edema": r"\bno (overt |definite )?(pulmonary |interstitial )?edema",
    }
    for report in narrations:
        text = " ".join(report.text.lower().split())
        for name, pattern in words.items():
            if report.meant[name] in (1, -1) and name != "Edema":
                assert not re.search(pattern, text), report.text
            if report.meant[name] == 1:
                assert not re.search(pattern, text), report.text


def test_an_enlarged_heart_is_not_called_normal(narrations):
    """Where Cardiomegaly is stated, no sentence says that the heart is normal."""
    for report in narrations:
        if report.meant["Cardiomegaly"] == 1:
            text = " ".join(report.text.lower().split())
            assert not re.search(r"heart (size )?is normal|heart is not enlarged", text)


def test_a_first_study_is_compared_with_nothing():
    """Nothing is new, unchanged or removed where there is no earlier study."""
    change = re.compile(r"\b(unchanged|new|prior|previous|previously|interval|again|remains?)\b")
    for seed in range(400):
        rng = random.Random(seed)
        kinds = rng.sample(sorted(KINDS), 4)
        told = []
        for kind in kinds:
            finding = make_finding(kind, side="both" if kind == "edema" else "left")
            told.append(Told(finding, "stated", finding_words(finding, rng)))
        account = Account(tuple(told), (), followed=False)
        body = compose_body(account, rng, brief=False)
        said = [*(s for paragraph in body for s in paragraph)]
        said += compose_impression(account, rng, normal=False)
        for sentence in said:
            assert not change.search(sentence.text.lower()), sentence.text


def test_the_indication_does_not_count():
    """Findings named in the indication leave the meaning as it is."""
    reports = [narrate(make_study(seed=seed)) for seed in range(1500)]
    asked = [r for r in reports if re.search(r"(?i)(rule out|r/o|eval for) p\w+", r.text)]
    assert len(asked) > 50
    stated = np.mean([report.meant["Pneumonia"] == 1 for report in asked])
    assert stated < 0.02


def test_styles_of_page_all_occur(narrations):
    """Full reports, impressions alone, bodies under a view's title, wet readings: all occur."""
    seen: dict[str, int] = defaultdict(int)
    for report in narrations:
        seen["full"] += "FINDINGS:" in report.text and "IMPRESSION:" in report.text
        seen["wet"] += "WET READ:" in report.text
        seen["title"] += "CHEST RADIOGRAPH:" in report.text
        seen["recommendation"] += "RECOMMENDATION(S):" in report.text
        seen["blank"] += "___" in report.text
        seen["addendum"] += "ADDENDUM:" in report.text
        seen["numbered"] += "\n 2. " in report.text
    assert min(seen.values()) > 50


def test_a_mistyped_word_keeps_its_letters():
    """A typing mistake swaps two letters inside one long word and touches nothing else."""
    text = "There is no pneumothorax or consolidation."
    for seed in range(50):
        wrong = mistype(text, random.Random(seed))
        assert sorted(wrong) == sorted(text)
        assert sum(a != b for a, b in zip(text, wrong, strict=True)) in (0, 2)
    assert mistype("No PTX.", random.Random(0)) == "No PTX."


def test_expand_multiplies_choices():
    """Each bracket is a free choice; an empty option leaves nothing."""
    assert expand("[a|b] c[| d]") == ["a c", "a c d", "b c", "b c d"]
    assert expand("plain") == ["plain"]
