"""How often each interval covered the truth in simulation: the published table.

`coverage.csv` is made by `tests/slow/coverage_model.py`, which states the model; a test there
draws new data and checks the table.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Coverage:
    """One method for one metric at one support.

    Attributes:
        scenario: "binormal", or "missed": 30 % of sick patients score like healthy ones.
        metric: such as "auroc".
        method: how the interval is made.
        chosen: whether it is the method that the product uses.
        truth: the true value.
        positive_patients: exactly so many for AUROC and its difference; expected for the rest.
        patients: in all.
        sets: simulated test sets that gave an interval.
        coverage: share of intervals that hold the truth; 0.95 is meant.
        truth_below, truth_above: shares of intervals that miss it on either side.
        width: mean width.
    """

    scenario: str
    metric: str
    method: str
    chosen: bool
    truth: float
    positive_patients: int
    patients: int
    sets: int
    coverage: float
    truth_below: float
    truth_above: float
    width: float


@cache
def coverage_table() -> tuple[Coverage, ...]:
    """Return the table, in the order of the file.

    Example:
        >>> low = [row for row in coverage_table() if row.chosen and row.coverage < 0.93]
        >>> sorted({(row.metric, row.positive_patients) for row in low})
        [('auroc difference', 3)]
    """
    text = resources.files("cxr.statistics").joinpath("coverage.csv").read_text("utf-8")
    return tuple(
        Coverage(
            scenario=row["scenario"],
            metric=row["metric"],
            method=row["method"],
            chosen=row["chosen"] == "True",
            truth=float(row["truth"]),
            positive_patients=int(row["positive_patients"]),
            patients=int(row["patients"]),
            sets=int(row["sets"]),
            coverage=float(row["coverage"]),
            truth_below=float(row["truth_below"]),
            truth_above=float(row["truth_above"]),
            width=float(row["width"]),
        )
        for row in csv.DictReader(text.splitlines())
    )
