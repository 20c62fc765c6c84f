import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from cxr.splits import check_split, limit_patients, split_patients

PATIENT_IDS = st.lists(st.text("0123456789ab", min_size=1, max_size=4), min_size=1, max_size=60)
SEEDS = st.integers(0, 2**31)


@given(ids=PATIENT_IDS, more=PATIENT_IDS, seed=SEEDS)
def test_more_patients_move_nobody(ids, more, seed):
    """A patient's split does not depend on who else is there."""
    alone = split_patients(pd.Series(ids), seed=seed, fractions=(0.5, 0.25, 0.25))
    together = split_patients(pd.Series(more + ids), seed=seed, fractions=(0.5, 0.25, 0.25))
    assert together.iloc[len(more) :].tolist() == alone.tolist()


@given(ids=PATIENT_IDS, seed=SEEDS)
def test_no_split_leaks(ids, seed):
    """Every split that we make passes the check for leaks."""
    patients = pd.Series(ids)
    check_split(pd.DataFrame({"patient_id": ids, "split": split_patients(patients, seed=seed)}))


@given(ids=PATIENT_IDS, seed=SEEDS, count=st.integers(1, 70))
def test_a_limit_keeps_whole_patients(ids, seed, count):
    """A limit keeps all rows of min(limit, all) patients and changes none."""
    table = pd.DataFrame({"patient_id": ids})
    limited = limit_patients(table, count, seed)
    kept = limited["patient_id"]
    assert kept.nunique() == min(count, len(set(ids)))
    assert kept.tolist() == [patient for patient in ids if patient in set(kept)]
