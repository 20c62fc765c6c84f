"""Where the numbers that a demand is about stand in a run folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.evaluation.documents import AGGREGATES
from benchmark.evaluation.operating import FOLDER
from benchmark.evaluation.points import parse_rule
from benchmark.gate.thresholds import EVERY, LOCALIZATION, Threshold, nearest
from benchmark.runs import read_json
from cxr.errors import InputError
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS


def metric_words(demand: Threshold) -> str:
    """Return which metric a demand is about, with what sets it apart from the usual one."""
    parts = [demand.metric, f"by {demand.level}" if demand.level != "image" else ""]
    parts.append(f"at {demand.operating_point}" if demand.operating_point else "")
    parts.append("vs truth" if demand.labels == "truth" else "")
    parts.append(f"among {demand.among}" if demand.metric in LOCALIZATION else "")
    return " ".join(part for part in parts if part)


def read_numbers(folder: Path, demand: Threshold) -> Iterator[tuple[str, Estimate]]:
    """Yield each observation (or aggregate) that `demand` is about, with its number.

    Args:
        folder: of one network and seed.
        demand: what is asked.

    Raises:
        InputError: the run has no such number (the nearest name is given), or a file is broken.
    """
    table, where = (_localization if demand.metric in LOCALIZATION else _metrics)(folder, demand)
    wanted = [demand.observation]
    if demand.observation == EVERY:
        wanted = [name for name in OBSERVATIONS if name in table]
        if not wanted:
            raise InputError(f"{where} has no observation with {demand.metric} to test.")
    for observation in wanted:
        if observation not in table:
            raise InputError(f"{where} has no '{observation}'{nearest(observation, table)}")
        values = table[observation]
        if demand.metric not in values:
            raise InputError(
                f"{where} has no metric '{demand.metric}'; was it written by an older version?"
            )
        yield observation, Estimate.from_json(values[demand.metric])


def _localization(folder: Path, demand: Threshold) -> tuple[dict[str, Any], Path]:
    path = folder / "localization.json"
    if not path.is_file():
        raise InputError(
            f"{path} is not there, so {demand.metric} can't be tested; the run's data has no "
            "lesion outlines."
        )
    table = {
        name: values[demand.among]
        for name, values in _document(path, "observations")["observations"].items()
        if demand.among in values
    }
    return table, path


def _metrics(folder: Path, demand: Threshold) -> tuple[dict[str, Any], Path]:
    """The numbers of a group at a level, at the fixed threshold, or at a rule's thresholds."""
    if demand.operating_point:
        return _at_rule(folder, demand)
    if not (folder / "metrics.json").is_file():
        raise InputError(f"{folder} has no metrics.json; was the run finished?")
    told = ("labels", "level", "uncertain", "operating_point", "group")
    main = _document(folder / "metrics.json", *told)
    wanted = main | {"labels": demand.labels, "level": demand.level}
    groups: dict[str, Path] = {}
    for path in sorted(folder.glob("metrics*.json")):
        document = _document(path, *told)
        if all(document[name] == wanted[name] for name in told[:-1]):
            groups[document["group"]] = path
    if not groups:
        level = "" if demand.level == "image" else f" by {demand.level}"
        raise InputError(f"{folder} has no metrics{level} against labels '{demand.labels}'.")
    if demand.group not in groups:
        raise InputError(
            f"{folder} has no metrics of group '{demand.group}'{nearest(demand.group, groups)}"
        )
    return _rows(groups[demand.group]), groups[demand.group]


def _at_rule(folder: Path, demand: Threshold) -> tuple[dict[str, Any], Path]:
    path = folder / FOLDER / f"{parse_rule(demand.operating_point).slug}.json"
    if not path.is_file():
        raise InputError(
            f"{path} is not there; the run chose no thresholds by {demand.operating_point} "
            "(evaluation.operating_points tells which)."
        )
    return _rows(path), path


def _rows(path: Path) -> dict[str, Any]:
    document = _document(path, "observations", *AGGREGATES)
    return {**document["observations"], **{name: document[name] for name in AGGREGATES}}


def _document(path: Path, *keys: str) -> dict[str, Any]:
    """A JSON file that holds these keys."""
    document = read_json(path)
    for key in keys:
        if key not in document:
            raise InputError(f"{path} lacks '{key}'; restore the file or evaluate again.")
    return document
