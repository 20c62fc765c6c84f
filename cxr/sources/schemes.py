"""From other data sets' classes to the 14 observations, by the tables of `schemes.toml`.

A class either *is* an observation (its absence is the observation's absence), *implies* one (its
absence says nothing, because the observation is wider), *doubts* one (its presence leaves the
observation uncertain), or has no counterpart. An observation that no class is stays blank where
nothing implies it: not annotated is not absent.
"""

import functools
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd

from cxr.errors import InputError
from cxr.observations import BLANK, NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN

RELATIONS = ("is", "implies", "doubts")


@dataclass(frozen=True)
class Scheme:
    """What a data set annotates.

    Attributes:
        name: the section in `schemes.toml`.
        vocabulary: "closed" where an unknown class is a mistake; "open" where it is merely
            without a counterpart.
        classes: class -> relation -> observations.
    """

    name: str
    vocabulary: str
    classes: dict[str, dict[str, tuple[str, ...]]]

    def related(self, observation: str, *relations: str) -> list[str]:
        """Return the classes that stand in one of these relations to an observation."""
        return [
            name
            for name, targets in self.classes.items()
            if any(observation in targets.get(relation, ()) for relation in relations)
        ]

    @property
    def unannotated(self) -> tuple[str, ...]:
        """Observations that no class touches: blank on every image."""
        return tuple(name for name in OBSERVATIONS if not self.related(name, *RELATIONS))

    def listed(self, names: Sequence[Collection[str]], *, where: str) -> pd.DataFrame:
        """Return what lists of present classes say: 1 where a class is named, else 0.

        Args:
            names: for each image the classes that it shows.
            where: the file to name in a message.

        Returns:
            (images x classes) float.

        Raises:
            InputError: a closed scheme is given a class that it does not know.
        """
        places = {name: place for place, name in enumerate(self.classes)}
        values = np.zeros((len(names), len(places)))
        for row, present in enumerate(names):
            for name in present:
                place = places.get(name)
                if place is not None:
                    values[row, place] = 1
                elif self.vocabulary == "closed":
                    raise InputError(
                        f"{where}, row {row + 1}: the class '{name}' is unknown; expected "
                        f"{', '.join(places)}. Correct the cell."
                    )
        return pd.DataFrame(values, columns=list(places))

    def labels(self, values: pd.DataFrame) -> pd.DataFrame:
        """Return the 14 observations.

        Args:
            values: (images x classes) float: 1 present, 0 absent, -1 uncertain, NaN not annotated.
                A class without a column was not annotated.

        Returns:
            (images x 14) float: 1, else -1, else 0, else NaN.
        """
        columns = {name: self._observation(values, name) for name in OBSERVATIONS}
        return pd.DataFrame(columns, index=values.index)

    def _observation(self, values: pd.DataFrame, observation: str) -> np.ndarray:
        telling = self._columns(values, self.related(observation, "is", "implies"))
        deciding = self._columns(values, self.related(observation, "is"))
        doubting = self._columns(values, self.related(observation, "doubts"))
        absent = (deciding == NEGATIVE).all(axis=1) & (deciding.shape[1] > 0)
        doubted = (telling == UNCERTAIN).any(axis=1) | np.isin(doubting, (POSITIVE, UNCERTAIN)).any(
            axis=1
        )
        present = (telling == POSITIVE).any(axis=1)
        return np.select([present, doubted, absent], [POSITIVE, UNCERTAIN, NEGATIVE], BLANK)

    def _columns(self, values: pd.DataFrame, names: list[str]) -> np.ndarray:
        return values.reindex(columns=names).to_numpy(float)


@functools.cache
def read_scheme(name: str) -> Scheme:
    """Return a scheme of `schemes.toml`."""
    text = resources.files("cxr.sources").joinpath("schemes.toml").read_text("utf-8")
    section = tomllib.loads(text)[name]
    classes = {
        label: {relation: _names(target) for relation, target in relations.items()}
        for label, relations in section["classes"].items()
    }
    return Scheme(name, section["vocabulary"], classes)


def _names(target: str | list[str]) -> tuple[str, ...]:
    return (target,) if isinstance(target, str) else tuple(target)
