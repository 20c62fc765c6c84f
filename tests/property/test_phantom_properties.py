"""What holds for every patient, finding and pose."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.masks import decode_mask, encode_mask
from cxr.synth.phantom import Phantom, render
from cxr.synth.truth import KINDS, Finding, Image, Patient, Study

units = st.floats(0, 1, width=32)
seeds = st.integers(0, 2**31 - 1)
patients = st.builds(
    Patient,
    patient_id=st.just("10000032"),
    sex=st.sampled_from(["F", "M"]),
    age=st.integers(18, 91),
    habitus=st.floats(-1, 1, width=32),
    seed=seeds,
)
findings = st.builds(
    Finding,
    kind=st.sampled_from(sorted(KINDS)),
    side=st.sampled_from(["left", "right", "both", "none"]),
    zone=st.sampled_from(["upper", "middle", "lower", "all", "none"]),
    severity=units,
    subtlety=units,
    seed=seeds,
)
images = st.builds(
    Image, image_id=st.just("i"), view=st.sampled_from(["PA", "AP", "LATERAL"]), seed=seeds
)


def rendered(patient: Patient, found: list[Finding], image: Image, conspicuity: float) -> Phantom:
    study = Study("50000001", patient, tuple(found), (image,), (), 0, 0)
    return render(study, image, size=40, conspicuity=conspicuity)


@settings(max_examples=60, deadline=None)
@given(patients, st.lists(findings, max_size=5), images, st.floats(0, 2, width=32))
def test_every_study_can_be_rendered(
    patient: Patient, found: list[Finding], image: Image, conspicuity: float
) -> None:
    """Any truth gives a 12-bit picture with contrast, and masks of findings that are there."""
    phantom = rendered(patient, found, image, conspicuity)
    assert phantom.pixels.dtype == np.uint16
    assert phantom.pixels.max() <= 4095
    assert np.ptp(phantom.pixels) > 1000
    assert set(phantom.masks) <= {name for finding in found for name in KINDS[finding.kind]}
    assert all(mask.any() for mask in phantom.masks.values())


@settings(max_examples=15, deadline=None)
@given(patients, st.lists(findings, max_size=3), images)
def test_rendering_is_a_function(patient: Patient, found: list[Finding], image: Image) -> None:
    """The same truth gives the same picture."""
    first, second = (rendered(patient, found, image, 1.0) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)


@settings(max_examples=15, deadline=None)
@given(patients, findings, images)
def test_invisible_findings_leave_no_trace(
    patient: Patient, finding: Finding, image: Image
) -> None:
    """At conspicuity 0 any finding gives the healthy picture."""
    healthy = rendered(patient, [], image, 1.0)
    assert np.array_equal(rendered(patient, [finding], image, 0.0).pixels, healthy.pixels)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), seeds)
def test_masks_survive_their_encoding(height: int, width: int, seed: int) -> None:
    """Any mask decodes to itself."""
    mask = np.random.default_rng(seed).random((height, width)) < 0.4
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)
