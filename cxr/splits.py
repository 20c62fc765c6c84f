"""Who trains, who chooses, who tests: splits of whole patients, stable as the data grows.

A patient's place is a hash of seed and patient id, so adding or removing patients moves nobody.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxr.errors import InputError
from cxr.studies import SPLITS


def split_patients(
    patient_ids: pd.Series,
    *,
    seed: int = 0,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
) -> pd.Series:
    """Return "train", "validate" or "test" for each row, the same for all rows of a patient.

    Args:
        patient_ids: one id per image.
        seed: another seed gives another, independent split.
        fractions: expected shares of patients in train, validate and test; they sum to 1. What
            comes out is random around them, as each patient is drawn alone.

    Raises:
        InputError: the fractions are not three shares that sum to 1.
    """
    shares = np.asarray(fractions, dtype=float)
    # Written so that NaN fails too.
    if shares.shape != (3,) or not (shares >= 0).all() or not abs(shares.sum() - 1) < 1e-9:
        raise InputError(
            f"split.fractions is {list(fractions)}; give three shares (train, validate, test) "
            "from 0 to 1 that sum to 1, such as [0.8, 0.1, 0.1]."
        )
    # The last edge is where the last share above 0 ends: rounding must not open a fourth part.
    edges = np.cumsum(shares)[:2] + np.where(np.cumsum(shares)[:2] > 1 - 1e-9, 1.0, 0.0)
    codes, unique = pd.factorize(patient_ids.astype(str))
    draws = np.array([_draw("split", seed, patient) for patient in unique], dtype=float)
    places = np.array(SPLITS, dtype=object)[np.searchsorted(edges, draws, side="right")]
    return pd.Series(places[codes], index=patient_ids.index, name="split")


def check_split(table: pd.DataFrame) -> None:
    """Raise where a patient, or a row, is not in exactly one of train, validate and test.

    Args:
        table: with patient_id and split.

    Raises:
        InputError: names the first patient that is in two splits, or the first row without one.
    """
    outside = ~table["split"].isin(SPLITS)
    if outside.any():
        row = table.loc[outside].iloc[0]
        raise InputError(
            f"patient '{row['patient_id']}' has split {row['split']!r}; every image belongs to "
            f"one of {', '.join(SPLITS)}. Correct the split table, or use split.method 'seeded'."
        )
    places = table[["patient_id", "split"]].drop_duplicates()
    leaks = places["patient_id"].duplicated()
    if leaks.any():
        patient = places.loc[leaks, "patient_id"].iloc[0]
        found = ", ".join(sorted(places.loc[places["patient_id"] == patient, "split"]))
        raise InputError(
            f"patient '{patient}' is in more than one split ({found}); a patient must be in one "
            "only. Correct the split table, or use split.method 'seeded'."
        )


def limit_patients(table: pd.DataFrame, patients: int, seed: int) -> pd.DataFrame:
    """Return the rows of `patients` patients, sampled by a seeded hash of their ids.

    Smaller samples of the same seed lie inside larger ones. Independent of `split_patients`.

    Args:
        table: with patient_id.
        patients: how many; 0, or as many as there are, returns every row.
        seed: another seed samples other patients.
    """
    unique = table["patient_id"].unique()
    if patients <= 0 or patients >= len(unique):
        return table
    chosen = sorted(unique, key=lambda patient: (_draw("limit", seed, patient), patient))
    return table[table["patient_id"].isin(chosen[:patients])].reset_index(drop=True)


def _draw(purpose: str, seed: int, patient: str) -> float:
    """Return a number in [0, 1) that only the three arguments decide."""
    digest = hashlib.sha256(f"{purpose}:{seed}:{patient}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
