import pandas as pd
import pytest

from cxr.errors import InputError
from cxr.splits import check_split, limit_patients, split_patients

PATIENTS = pd.Series([f"p{number}" for number in range(3000)])


def test_the_shares_come_out_near_the_fractions():
    """Of 3,000 patients about 80, 10 and 10 percent train, validate and test."""
    shares = split_patients(PATIENTS).value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.8, abs=0.03)
    assert shares["validate"] == pytest.approx(0.1, abs=0.03)
    assert shares["test"] == pytest.approx(0.1, abs=0.03)


def test_a_split_is_fixed_for_all_time():
    """The hash behind a split never changes between versions."""
    ids = pd.Series(["10000032", "10000764", "10000898", "10000935", "10000980", "10001038"])
    placed = split_patients(ids, seed=7, fractions=(0.4, 0.3, 0.3)).tolist()
    assert placed == ["train", "validate", "train", "test", "test", "train"]


def test_all_images_of_a_patient_are_on_one_side():
    """A patient's rows share one split, whatever their order, and the index stays."""
    ids = pd.Series(["a", "b", "a", "c", "b"], index=[9, 8, 7, 6, 5])
    places = split_patients(ids, fractions=(0.4, 0.3, 0.3))
    assert places.groupby(ids).nunique().max() == 1
    assert places.index.tolist() == [9, 8, 7, 6, 5]


def test_another_seed_gives_another_split():
    """The seed decides who goes where."""
    assert (split_patients(PATIENTS, seed=0) != split_patients(PATIENTS, seed=1)).any()


@pytest.mark.parametrize(
    ("fractions", "only"),
    [((1, 0, 0), "train"), ((0, 1, 0), "validate"), ((0, 0, 1), "test")],
)
def test_a_share_of_nothing_gets_nobody(fractions, only):
    """A fraction of 0 leaves its split empty."""
    assert set(split_patients(PATIENTS, fractions=fractions)) == {only}


@pytest.mark.parametrize(
    "fractions", [(0.8, 0.1), (0.8, 0.1, 0.2), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)]
)
def test_fractions_that_are_no_shares_are_refused(fractions):
    """Fractions must be three shares that sum to 1."""
    with pytest.raises(InputError, match="sum to 1"):
        split_patients(PATIENTS, fractions=fractions)


def test_a_leak_stops_with_the_patients_name():
    """A patient in two splits is an error that names patient and splits."""
    table = pd.DataFrame({"patient_id": ["a", "b", "b"], "split": ["train", "train", "test"]})
    with pytest.raises(InputError, match=r"patient 'b' .*\(test, train\)"):
        check_split(table)


@pytest.mark.parametrize("split", ["", "training"])
def test_a_row_without_a_split_stops(split):
    """Every row must be in one of the three splits."""
    with pytest.raises(InputError, match="patient 'a'"):
        check_split(pd.DataFrame({"patient_id": ["a"], "split": [split]}))


def test_a_clean_split_passes():
    """A split without a leak raises nothing."""
    check_split(pd.DataFrame({"patient_id": PATIENTS, "split": split_patients(PATIENTS)}))


def test_a_limit_samples_whole_patients():
    """A limit keeps every row of as many patients as it says, in their order."""
    table = pd.DataFrame({"patient_id": list("abcabcabc"), "row": range(9)})
    limited = limit_patients(table, 2, seed=0)
    assert limited["patient_id"].nunique() == 2
    assert len(limited) == 6
    assert limited["row"].is_monotonic_increasing
    assert limited.index.tolist() == list(range(6))


def test_a_smaller_limit_lies_inside_a_larger_one():
    """Samples of one seed are nested."""
    table = PATIENTS.to_frame("patient_id")
    small = set(limit_patients(table, 100, seed=3)["patient_id"])
    large = set(limit_patients(table, 500, seed=3)["patient_id"])
    assert small < large
    assert small != set(limit_patients(table, 100, seed=4)["patient_id"])


def test_a_limit_does_not_favour_a_split():
    """Who is sampled does not depend on who trains."""
    limited = limit_patients(PATIENTS.to_frame("patient_id"), 1000, seed=0)
    shares = split_patients(limited["patient_id"], seed=0).value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("patients", [0, 3, 99])
def test_no_limit_returns_every_row(patients):
    """A limit of 0, or of all patients and more, keeps everything."""
    table = pd.DataFrame({"patient_id": list("aabc")})
    assert limit_patients(table, patients, seed=0).equals(table)
