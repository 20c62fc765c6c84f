"""What holds of every report, whatever is true of the study."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.observations import OBSERVATIONS
from cxr.synth.narrator import hedge_probability, narrate, omission_probability
from cxr.synth.truth import KINDS, Finding, Image, Patient, Study, true_observations

PAIRED = ("edema", "opacity", "consolidation", "pneumonia", "atelectasis", "effusion",
          "pleural_thickening")  # fmt: skip
PLACELESS = ("cardiomegaly", "widened_mediastinum", "endotracheal_tube", "enteric_tube",
             "sternal_wires")  # fmt: skip
ZONED = ("opacity", "nodule", "mass", "consolidation", "pneumonia", "atelectasis", "effusion",
         "pneumothorax", "pleural_thickening", "rib_fracture")  # fmt: skip
unit = st.floats(0, 1)


@st.composite
def findings(draw: st.DrawFn, kind: str) -> Finding:
    sides = ["left", "right", *(["both"] if kind in PAIRED else [])]
    side = "none" if kind in PLACELESS else draw(st.sampled_from(sides))
    zone = draw(st.sampled_from(["upper", "middle", "lower"])) if kind in ZONED else "none"
    if kind == "edema":
        side, zone = "both", "all"
    return Finding(kind, side, zone, draw(unit), draw(unit), draw(st.integers(0, 2**31 - 1)))


@st.composite
def studies(draw: st.DrawFn) -> Study:
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True, max_size=8))
    history = draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True, max_size=6))
    views = draw(st.sampled_from([("PA",), ("PA", "LATERAL"), ("AP",), ("AP", "AP")]))
    return Study(
        study_id="50414267",
        patient=Patient("10000032", draw(st.sampled_from("FM")), 60, 0.0, seed=1),
        findings=tuple(draw(findings(kind)) for kind in kinds),
        images=tuple(Image(f"{i}", view, seed=i) for i, view in enumerate(views)),
        history=tuple(history),
        number=1 if history else 0,
        seed=draw(st.integers(0, 2**31 - 1)),
    )


@given(studies())
@settings(max_examples=150, deadline=None)
def test_any_study_has_a_report(study):
    """Every combination of findings and history can be told; the values are labels."""
    text, meant = narrate(study)
    assert text.strip()
    assert "{" not in text
    assert tuple(meant) == OBSERVATIONS
    assert all(math.isnan(value) or value in (1, 0, -1) for value in meant.values())


@given(studies())
@settings(max_examples=60, deadline=None)
def test_the_same_study_has_the_same_report(study):
    """A report depends on its study alone."""
    first, second = narrate(study), narrate(study)
    assert first.text == second.text
    assert repr(first.meant) == repr(second.meant)


@given(studies())
@settings(max_examples=60, deadline=None)
def test_devices_are_stated_only_where_they_are(study):
    """A stated device is a true device, whatever was there before."""
    if narrate(study).meant["Support Devices"] == 1:
        assert true_observations(study.findings)["Support Devices"]


@given(unit, unit)
def test_noise_grows_with_subtlety(one, two):
    """A subtler finding is never less likely to be omitted or hedged; both stay probabilities."""
    low, high = sorted((one, two))
    assert 0 <= omission_probability(low) <= omission_probability(high) < 1
    assert 0 <= hedge_probability(low) <= hedge_probability(high)
    assert omission_probability(high) + hedge_probability(high) < 1
