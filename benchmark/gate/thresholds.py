"""Floors and ceilings from a TOML file.

[[threshold]]
network = "densenet121"     # or "*": every network of the run
metric = "auroc"            # or any of metrics.json, or hit_rate, iou, dice of localization
observation = "macro"       # or micro, weighted, an observation, or "*": each of them
group = "all"               # or a subgroup that the run evaluated
labels = "report"           # or "truth", where the truth is known
level = "image"             # or "study", where the run has studies of several images
operating_point = ""        # the fixed threshold; or a rule, such as "youden", of the run's config
among = "present"           # localization: every image with the finding, or those "correct"
min = 0.75                  # a floor; or max, a ceiling; or both
on = "estimate"             # or "low", "high": the end of the interval that is tested
allow_inconclusive = false  # whether "not estimable" lets the gate pass

[baseline]                  # where the gate is given a baseline
margin = 0.05               # how much lower than the baseline's an AUROC may be
allow_inconclusive = false  # whether a macro mean that can't be told lets the gate pass
"""

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.evaluation.documents import AGGREGATES
from benchmark.evaluation.measures import METRICS, RATES
from benchmark.evaluation.points import parse_rule
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

LOCALIZATION: tuple[str, ...] = ("hit_rate", "iou", "dice")
SUBSET = "subset_accuracy"
EVERY = "*"
_CHOICES: dict[str, tuple[str, ...]] = {
    "metric": (*METRICS, SUBSET, *LOCALIZATION),
    "observation": (EVERY, *AGGREGATES, *OBSERVATIONS),
    "labels": ("report", "truth"),
    "level": ("image", "study"),
    "among": ("present", "correct"),
    "on": ("estimate", "low", "high"),
}
_RANGES = {
    "mcc": (-1.0, 1.0),
    "log_loss": (0.0, math.inf),
    "average_precision_lift": (0.0, math.inf),
}


@dataclass(frozen=True)
class Threshold:
    """One demand; see the module for the meaning of each key."""

    metric: str
    network: str = EVERY
    observation: str = "macro"
    group: str = "all"
    labels: str = "report"
    level: str = "image"
    operating_point: str = ""
    among: str = "present"
    min: float | None = None
    max: float | None = None
    on: str = "estimate"
    allow_inconclusive: bool = False

    @property
    def words(self) -> str:
        """The demand as one short text, such as "low >= 0.75"."""
        what = "" if self.on == "estimate" else f"{self.on} "
        parts = [f"{what}>= {self.min:g}"] if self.min is not None else []
        parts += [f"{what}<= {self.max:g}"] if self.max is not None else []
        return " and ".join(parts)


@dataclass(frozen=True)
class BaselineDemand:
    """What is asked of a run beside a baseline; see the module for the meaning of each key."""

    margin: float = 0.05
    allow_inconclusive: bool = False


@dataclass(frozen=True)
class Demands:
    """Everything that a thresholds file asks."""

    thresholds: tuple[Threshold, ...] = ()
    baseline: BaselineDemand = BaselineDemand()


def read_demands(path: Path) -> Demands:
    """Return the demands of a thresholds file.

    Raises:
        InputError: the file can't be read or is not TOML; it asks nothing; an unknown table, key,
            metric or choice (the nearest known one is named); no bound, one outside the metric's
            range, or a floor above its ceiling; a margin outside 0 to 1.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"thresholds file {path}: {error.strerror}; check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"thresholds file {path} is not TOML: {error}.") from error
    for key in content:
        if key not in ("threshold", "baseline"):
            known = ("threshold", "baseline")
            raise InputError(f"{path}: unknown table '{key}'{nearest(key, known)}")
    tables = content.get("threshold", [])
    if not isinstance(tables, list) or not (tables or "baseline" in content):
        raise InputError(f"{path}: there is no [[threshold]]; a gate needs at least one.")
    thresholds = tuple(
        _threshold(table, f"{path}, threshold {number}") for number, table in enumerate(tables, 1)
    )
    return Demands(thresholds, _baseline(content.get("baseline", {}), f"{path}, [baseline]"))


def _baseline(table: Any, where: str) -> BaselineDemand:
    _check_keys(table, BaselineDemand, where, "[baseline]")
    demand = BaselineDemand(**table)
    if not 0 <= demand.margin <= 1:
        raise InputError(f"{where}: margin is {demand.margin:g}; it must lie in 0 to 1.")
    return demand


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name: what was probably meant."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), [one.lower() for one in names], n=1)
    if close:
        meant = next(one for one in names if one.lower() == close[0])
        return f"; did you mean '{meant}'?"
    return f"; known are {', '.join(names)}." if names else "; there are none."


def _threshold(table: Mapping[str, Any], where: str) -> Threshold:
    _check_keys(table, Threshold, where, "[[threshold]]")
    if "metric" not in table:
        raise InputError(f'{where}: no metric is named; add one, as metric = "auroc".')
    bounds = {key: float(table[key]) for key in ("min", "max") if key in table}
    demand = Threshold(**{**table, **bounds})
    _check_sense(demand, where)
    return demand


def _check_keys(table: Any, kind: type[Any], where: str, header: str) -> None:
    if not isinstance(table, Mapping):
        raise InputError(f"{where} is {table!r}; write {header} and keys below it.")
    known = [item.name for item in dataclasses.fields(kind)]
    for key, value in table.items():
        if key not in known:
            raise InputError(f"{where}: key '{key}' is unknown{nearest(key, known)}")
        _check_type(key, value, where)
        if key in _CHOICES and value not in _CHOICES[key]:
            raise InputError(f"{where}: {key} '{value}' is unknown{nearest(value, _CHOICES[key])}")


def _check_type(key: str, value: Any, where: str) -> None:
    wanted: tuple[Any, str] = (str, "text")
    if key in ("min", "max", "margin"):
        wanted = ((int, float), "a number")
    if key == "allow_inconclusive":
        wanted = (bool, "true or false")
    boolean = isinstance(value, bool) and wanted[0] is not bool
    if boolean or not isinstance(value, wanted[0]):
        raise InputError(f"{where}: {key} is {value!r}; expected {wanted[1]}.")


def _check_point(demand: Threshold, where: str) -> None:
    try:
        parse_rule(demand.operating_point)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    if demand.metric not in RATES:
        raise InputError(
            f"{where}: {demand.metric} depends on no threshold; leave operating_point out."
        )
    if (demand.group, demand.labels, demand.level) != ("all", "report", "image"):
        raise InputError(
            f"{where}: at {demand.operating_point} the run measures all images against report "
            "labels alone; leave group, labels and level out."
        )


def _check_sense(demand: Threshold, where: str) -> None:
    low, high = _RANGES.get(demand.metric, (0.0, 1.0))
    bounds = {"min": demand.min, "max": demand.max}
    if demand.min is None and demand.max is None:
        raise InputError(f"{where}: there is no bound; add min or max.")
    for key, value in bounds.items():
        if value is not None and not low <= value <= high:
            raise InputError(
                f"{where}: {key} is {value:g}, but {demand.metric} lies in {low:g} to {high:g}."
            )
    if demand.min is not None and demand.max is not None and demand.min > demand.max:
        raise InputError(f"{where}: min {demand.min:g} is above max {demand.max:g}.")
    if demand.operating_point:
        _check_point(demand, where)
    if demand.metric == SUBSET and demand.observation != "micro":
        raise InputError(f'{where}: {SUBSET} is over all labels; set observation = "micro".')
    if demand.metric in LOCALIZATION and demand.observation in AGGREGATES:
        raise InputError(
            f"{where}: {demand.metric} has no {demand.observation} value; name an observation, "
            'or "*" for each.'
        )
