"""Demands against a run: each is passed, failed or inconclusive, and so is the whole.

What is not estimable is inconclusive, never a pass; a comparison that could not be made is a
verdict of its own. A demand on something that the run does not have is a mistake in the file and
raises.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.gate.numbers import metric_words, read_numbers
from benchmark.gate.thresholds import EVERY, Threshold, nearest
from benchmark.runs import Run, read_run
from cxr.errors import InputError
from cxr.estimates import Estimate

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
CANNOT_COMPARE = "cannot compare"


@dataclass(frozen=True)
class Check:
    """One demand on one number.

    Attributes:
        network, seed, group, observation, metric: which number.
        demand: in words, such as "low >= 0.75".
        found: the number with its interval, or why there is none.
        verdict: "pass", "fail" or "inconclusive".
        allowed: whether an inconclusive verdict lets the gate pass.
        decides: whether being inconclusive makes the gate so; a failure always fails it.
        smallest_drop: the true drop that would have failed in 80 of 100 tries, where the check
            is against a baseline and that is known.
    """

    network: str
    seed: int
    group: str
    observation: str
    metric: str
    demand: str
    found: Estimate
    verdict: str
    allowed: bool = False
    decides: bool = True
    smallest_drop: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What the gate decides about a run.

    Attributes:
        run: the run's id.
        checks: every demand on every number it meets, in the order of the file.
        notes: whole sentences to print beside the table.
        recipe: how the run was made otherwise than the baseline: (what, baseline's, run's).
        obstacle: why the run could not be compared with the baseline; empty where it was.
    """

    run: str
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    recipe: tuple[tuple[str, str, str], ...] = ()
    obstacle: str = ""

    @property
    def word(self) -> str:
        """The whole in one of four words: the worst of its checks, or that it can't be told."""
        if self.obstacle:
            return CANNOT_COMPARE
        found = {check.verdict for check in self.checks if check.decides or check.verdict == FAIL}
        return FAIL if FAIL in found else INCONCLUSIVE if INCONCLUSIVE in found else PASS

    @property
    def exit_code(self) -> int:
        """0 where nothing failed and what is inconclusive is allowed, 2 without a comparison."""
        if self.obstacle:
            return 2
        return int(
            any(
                check.verdict == FAIL or (check.verdict == INCONCLUSIVE and not check.allowed)
                for check in self.checks
            )
        )


def merge(verdicts: Sequence[Verdict]) -> Verdict:
    """Return several verdicts on one run as one."""
    return Verdict(
        verdicts[0].run,
        tuple(check for verdict in verdicts for check in verdict.checks),
        tuple(note for verdict in verdicts for note in verdict.notes),
        tuple(row for verdict in verdicts for row in verdict.recipe),
        " ".join(verdict.obstacle for verdict in verdicts if verdict.obstacle),
    )


def check_run(path: Path, thresholds: Sequence[Threshold]) -> Verdict:
    """Return the verdict on the run folder `path`.

    Raises:
        InputError: no finished run there; a network, observation, group, label variant or
            metric that the run does not have (the nearest name is given).
    """
    run = read_run(path)
    checks = [check for demand in thresholds for check in _checks(run, demand)]
    return Verdict(str(run.read()["run_id"]), tuple(checks))


def judge(found: Estimate, demand: Threshold) -> str:
    """Return whether `found` meets `demand`; inconclusive where the tested number is missing."""
    value = float(getattr(found, demand.on))
    if math.isnan(value):
        return INCONCLUSIVE
    low = -math.inf if demand.min is None else demand.min
    high = math.inf if demand.max is None else demand.max
    return PASS if low <= value <= high else FAIL


def _checks(run: Run, demand: Threshold) -> Iterator[Check]:
    entries = run.read()["networks"]
    if not entries:
        raise InputError(f"{run.path} holds no network; there is nothing to test.")
    names = {entry["name"] for entry in entries}
    if demand.network != EVERY and demand.network not in names:
        raise InputError(
            f"{run.path} has no network '{demand.network}'{nearest(demand.network, names)}"
        )
    for entry in entries:
        if demand.network not in (EVERY, entry["name"]):
            continue
        folder = run.path / entry["folder"]
        for observation, found in read_numbers(folder, demand):
            yield Check(
                network=entry["name"],
                seed=int(entry["seed"]),
                group=demand.group,
                observation=observation,
                metric=metric_words(demand),
                demand=demand.words,
                found=found,
                verdict=judge(found, demand),
                allowed=demand.allow_inconclusive,
            )
