"""sample_cohort: who comes, what is true of them, and that nothing depends on the cohort's size."""

import itertools
import re

import numpy as np
import pytest

from cxr.observations import OBSERVATIONS
from cxr.synth.sampling import sample_cohort
from cxr.synth.truth import KINDS, Study, true_observations

# observation -> (least, most) share of studies; around what MIMIC-CXR's reports state, a little
# above it, because reports omit.
EXPECTED_SHARES = {
    "No Finding": (0.28, 0.38),
    "Enlarged Cardiomediastinum": (0.03, 0.07),
    "Cardiomegaly": (0.16, 0.25),
    "Lung Opacity": (0.20, 0.29),
    "Lung Lesion": (0.02, 0.06),
    "Edema": (0.11, 0.18),
    "Consolidation": (0.04, 0.08),
    "Pneumonia": (0.07, 0.13),
    "Atelectasis": (0.18, 0.27),
    "Pneumothorax": (0.035, 0.07),
    "Pleural Effusion": (0.21, 0.30),
    "Pleural Other": (0.006, 0.022),
    "Fracture": (0.015, 0.04),
    "Support Devices": (0.25, 0.36),
}


@pytest.fixture(scope="module")
def cohort() -> list[Study]:
    return sample_cohort(5000, seed=11)


@pytest.fixture(scope="module")
def truth(cohort: list[Study]) -> np.ndarray:
    return np.array(
        [[true_observations(study.findings)[name] for name in OBSERVATIONS] for study in cohort]
    )


def test_the_first_studies_of_a_larger_cohort_are_the_smaller_cohort(cohort):
    """A cohort grows at its end: nothing that was there changes."""
    for count in (0, 1, 2, 7, 100):
        assert sample_cohort(count, seed=11) == cohort[:count]


def test_another_seed_gives_other_patients(cohort):
    """The seed decides everything, so two seeds share no image."""
    other = sample_cohort(200, seed=12)
    images = {image.image_id for study in cohort for image in study.images}
    assert not images & {image.image_id for study in other for image in study.images}
    assert [s.findings for s in other] != [s.findings for s in cohort[:200]]


def test_ids_are_unique_and_look_like_mimics(cohort):
    """Patients are 1 and seven digits, studies 5 and seven, images five groups of eight hex."""
    studies = [study.study_id for study in cohort]
    images = [image.image_id for study in cohort for image in study.images]
    assert len(set(studies)) == len(studies)
    assert len(set(images)) == len(images)
    assert all(re.fullmatch(r"5\d{7}", name) for name in studies)
    assert all(re.fullmatch(r"1\d{7}", study.patient.patient_id) for study in cohort)
    assert all(re.fullmatch(r"([0-9a-f]{8}-){4}[0-9a-f]{8}", name) for name in images)


def test_a_patients_studies_stand_together_in_order_of_time(cohort):
    """Studies of one patient are neighbours, numbered from 0, of one and the same patient."""
    seen: set[str] = set()
    for before, study in zip([None, *cohort[:-1]], cohort, strict=True):
        if study.number == 0:
            assert study.patient.patient_id not in seen
            assert study.history == ()
            seen.add(study.patient.patient_id)
        else:
            assert before is not None
            assert study.patient == before.patient
            assert study.number == before.number + 1
            assert set(study.history) == {finding.kind for finding in before.findings}


def test_a_finding_that_stays_stays_in_its_place(cohort):
    """The same finding on the next study has the same side, zone and geometry."""
    kept = 0
    for before, study in itertools.pairwise(cohort):
        if study.number == 0:
            continue
        earlier = {finding.kind: finding for finding in before.findings}
        for finding in study.findings:
            if finding.kind in earlier:
                kept += 1
                old = earlier[finding.kind]
                place = (finding.side, finding.zone, finding.seed)
                assert place == (old.side, old.zone, old.seed)
    assert kept > 500


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_prevalences_are_near_those_of_mimic(truth, name):
    """Each observation is about as common as MIMIC-CXR's reports make it; rare ones are rare."""
    least, most = EXPECTED_SHARES[name]
    assert least <= truth[:, OBSERVATIONS.index(name)].mean() <= most


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Edema", "Cardiomegaly"),
        ("Edema", "Pleural Effusion"),
        ("Atelectasis", "Pleural Effusion"),
        ("Pneumothorax", "Support Devices"),
    ],
)
def test_findings_that_go_together_do(truth, first, second):
    """The second is at least 1.5 times as common where the first is there."""
    one, two = truth[:, OBSERVATIONS.index(first)], truth[:, OBSERVATIONS.index(second)]
    assert two[one].mean() > 1.5 * two[~one].mean()


def test_the_sick_are_taken_at_the_bed(cohort, truth):
    """AP studies have more devices and fewer normals than PA studies."""
    portable = np.array([study.images[0].view == "AP" for study in cohort])
    assert 0.35 < portable.mean() < 0.65
    devices, normal = truth[:, OBSERVATIONS.index("Support Devices")], truth[:, 0]
    assert devices[portable].mean() > 2 * devices[~portable].mean()
    assert normal[~portable].mean() > 2 * normal[portable].mean()


def test_a_study_has_one_to_three_images_and_a_frontal_first(cohort):
    """Every study can be used by a reader of frontal views."""
    for study in cohort:
        assert 1 <= len(study.images) <= 3
        assert study.images[0].view in ("PA", "AP")


def test_the_intubated_lie_on_their_back(cohort):
    """A patient with an endotracheal tube has AP views alone."""
    tubed = [s for s in cohort if any(f.kind == "endotracheal_tube" for f in s.findings)]
    assert len(tubed) > 100
    assert {image.view for study in tubed for image in study.images} == {"AP"}


def test_values_stay_in_their_ranges(cohort):
    """Severity, subtlety, habitus and age keep what truth.py promises; one finding a kind."""
    for study in cohort:
        assert 18 <= study.patient.age <= 91
        assert -1 <= study.patient.habitus <= 1
        kinds = [finding.kind for finding in study.findings]
        assert kinds == [kind for kind in KINDS if kind in kinds]
        assert all(0 <= f.severity <= 1 and 0 <= f.subtlety <= 1 for f in study.findings)


def test_most_findings_are_of_a_middle_subtlety(cohort):
    """Half of the findings lie between 0.25 and 0.65, and both ends occur."""
    subtlety = np.array([finding.subtlety for study in cohort for finding in study.findings])
    assert np.mean((subtlety > 0.25) & (subtlety < 0.65)) > 0.5
    assert np.mean(subtlety < 0.15) > 0.01
    assert np.mean(subtlety > 0.75) > 0.03


def test_a_negative_count_is_refused():
    """A cohort has no fewer than zero studies."""
    with pytest.raises(ValueError, match="studies is -1; expected 0 to"):
        sample_cohort(-1, seed=0)
