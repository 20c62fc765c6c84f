"""Which cases readers are asked to read, and how many cases each of them stands for.

One image of a patient, so that no two cases know of each other. Among those, a case is the
likelier drawn the rarer its labels are: each observation's cases with and without it get half of
the draws each, so that forty cases hold enough of every finding that is asked. The chance that a
case had is known exactly, and its inverse is the case's weight (Horvitz & Thompson 1952, JASA
47:663): with it, what readers said speaks for all test images and not for the enriched few.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WORDS = (
    "one image of a patient, findings enriched; each case is weighted by the inverse of its "
    "chance to be drawn"
)


def sample_cases(
    cases: pd.DataFrame, observations: Sequence[str], *, count: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw cases to be read.

    Args:
        cases: image_id, patient_id and "label:<observation>" of the images to draw from.
        observations: what will be asked.
        count: how many; all patients' where there are fewer.
        rng: decides.

    Returns:
        Columns image_id, patient_id and weight, in the order in which they are to be read.
    """
    one_each, images = _one_each(cases.sort_values("image_id"), rng)
    chance = inclusion_chances(_sizes(one_each, observations), count)
    chosen = systematic_draw(chance, rng)
    drawn = one_each.iloc[chosen][["image_id", "patient_id"]]
    return drawn.assign(weight=(images / chance)[chosen]).reset_index(drop=True)


def _one_each(
    cases: pd.DataFrame, rng: np.random.Generator
) -> tuple[pd.DataFrame, NDArray[np.int_]]:
    """Return one image of each patient in random order, and how many images each has."""
    mixed = cases.iloc[rng.permutation(len(cases))]
    images = mixed.groupby("patient_id")["image_id"].transform("size")
    first = ~mixed["patient_id"].duplicated().to_numpy()
    return mixed[first], images[first].to_numpy(int)


def _sizes(cases: pd.DataFrame, observations: Sequence[str]) -> Floats:
    """Return how much each case is wanted, (cases,); both sides of a finding count the same."""
    sizes = np.zeros(len(cases))
    for name in observations:
        present = cases[f"label:{name}"].isin((1.0, -1.0)).to_numpy()
        share = present.mean()
        told_apart = 0 < share < 1
        sizes += np.where(present, 0.5 / share, 0.5 / (1 - share)) if told_apart else 1.0
    return sizes


def inclusion_chances(sizes: Floats, count: int) -> Floats:
    """Return chances proportional to size that add up to `count`, none above 1.

    Args:
        sizes: (n,) float above 0.
        count: how many are to be drawn; n where it is more.
    """
    count = min(count, len(sizes))
    chance = np.ones(len(sizes))
    certain = np.zeros(len(sizes), bool)
    while not certain.all():
        free = ~certain
        chance[free] = (count - certain.sum()) * sizes[free] / sizes[free].sum()
        beyond = free & (chance >= 1)
        chance[beyond] = 1.0
        if not beyond.any():
            break
        certain |= beyond
    return chance


def systematic_draw(chance: Floats, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the positions drawn, each with exactly its chance (Madow 1949, AMS 20:333).

    Args:
        chance: (n,) float in (0, 1]; their sum, a whole number, is how many are drawn.
        rng: gives the order of the walk, the start, and the order of the result.
    """
    walk = rng.permutation(len(chance))
    ends = np.cumsum(chance[walk])
    ends[-1] = round(ends[-1])
    start = rng.random()
    marks = np.arange(round(ends[-1])) + start
    return rng.permutation(walk[np.searchsorted(ends, marks, side="right")])
