"""Is a run no worse than a baseline: a non-inferiority test, paired where the cases are the same.

With d the candidate's AUROC less the baseline's: passed where d's 95 % interval lies above
-margin, failed where it lies below, else inconclusive. The macro mean of each network decides; a
single observation can fail the gate but can't hold it up, for rare ones will always be
inconclusive, unless the run has lost its scores altogether. Failing asks for a one-sided p below
2.5 % after Holm's adjustment, over the networks for the macro means, over all observations of all
networks for the rest: a gate without a drop beyond the margin fails in at most 5 % of tries.
Passing needs no adjustment, since every macro mean has to pass.
"""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from scipy.special import stdtr

from benchmark.config import EvaluationConfig
from benchmark.gate.files import read_side
from benchmark.gate.noninferiority import LOST, MACRO, Sides, smallest_drop
from benchmark.gate.pairing import CannotCompare, Matched, match
from benchmark.gate.scored import Network, key_of, read_scored
from benchmark.gate.verdict import FAIL, INCONCLUSIVE, PASS, Check, Verdict
from benchmark.runs import read_run
from cxr.estimates import Estimate
from cxr.statistics import AreaDifference, holm

METRIC = "auroc - baseline"
LEVEL = 0.025
PAIRED = "paired DeLong, clustered by patient, t"
UNPAIRED = "unpaired DeLong, clustered by patient, t"
RESAMPLED = "one bootstrap over the patients of both runs, t"


def check_baseline(
    path: Path,
    baseline: Path,
    *,
    margin: float,
    labels: str | None = None,
    networks: Sequence[tuple[str, str]] = (),
    allow_inconclusive: bool = False,
) -> Verdict:
    """Return the verdict on `path` against `baseline`.

    Args:
        path: the candidate's run folder.
        baseline: the baseline's run folder, or a file that `write_baseline` wrote.
        margin: how much lower an AUROC may be.
        labels: whose report labels count, "candidate" or "baseline"; None where they agree.
        networks: names in the candidate and in the baseline to hold against each other; by
            default those of one name.
        allow_inconclusive: whether a macro mean that can't be told lets the gate pass.

    Returns:
        The verdict; "cannot compare" where definitions, cases or labels differ.

    Raises:
        InputError: no finished run in a folder, no baseline in a file, or broken scores.
    """
    reference = read_side(baseline)
    candidate = read_scored(path, key=key_of(reference.run_id))
    try:
        matched = match(candidate, reference, labels=labels, networks=networks)
    except CannotCompare as error:
        return Verdict(candidate.run_id, obstacle=f"cannot compare with {baseline}: {error}")
    found = found_differences(matched, evaluation_of(path))
    checks = checks_of(found, margin, paired=matched.paired)
    checks = [dataclasses.replace(c, allowed=c.allowed or allow_inconclusive) for c in checks]
    notes = (*matched.words, *_notes(checks))
    return Verdict(candidate.run_id, tuple(checks), notes, matched.recipe)


def evaluation_of(path: Path) -> EvaluationConfig:
    """Return the evaluation settings that a run was made with, as far as this version has them."""
    told = read_run(path).read().get("config", {}).get("evaluation", {})
    known = {item.name for item in dataclasses.fields(EvaluationConfig)}
    return EvaluationConfig(**{key: value for key, value in told.items() if key in known})


def found_differences(
    matched: Matched, settings: EvaluationConfig
) -> dict[Network, dict[str, AreaDifference | str]]:
    """Return the candidate's network -> "macro" and observation -> difference, or why none."""
    sides = Sides(matched, settings)
    return {ours: sides.differences(theirs, ours) for ours, theirs in matched.networks}


def checks_of(
    found: dict[Network, dict[str, AreaDifference | str]], margin: float, *, paired: bool
) -> list[Check]:
    """Return the checks on every difference, decided as the module tells.

    Args:
        found: candidate's network -> "macro" and observation -> difference, or why none.
        margin: how much lower an AUROC may be.
        paired: whether both runs were tested on the same cases, for the words.
    """
    rows = [(network, name, one) for network, group in found.items() for name, one in group.items()]
    adjusted: dict[tuple[Network, str], tuple[float, float]] = {}
    for family in (
        [row for row in rows if row[1] == MACRO],
        [row for row in rows if row[1] != MACRO],
    ):
        tested = holm([_p_worse(one, margin) for *_, one in family])
        known = sum(not math.isnan(p) for p in tested)
        adjusted |= {
            (row[0], row[1]): (float(p), LEVEL / max(known, 1))
            for row, p in zip(family, tested, strict=True)
        }
    return [
        _check(network, name, one, margin, *adjusted[network, name], paired=paired)
        for network, name, one in rows
    ]


def _check(
    network: Network,
    name: str,
    found: AreaDifference | str,
    margin: float,
    p: float,
    level: float,
    *,
    paired: bool,
) -> Check:
    decides = name == MACRO or found == LOST
    return Check(
        network=network[0],
        seed=network[1],
        group="all",
        observation=name,
        metric=METRIC,
        demand=f"> -{margin:g}",
        found=_estimate(found, RESAMPLED if name == MACRO else PAIRED if paired else UNPAIRED),
        verdict=FAIL if p < LEVEL else _passed(found, margin),
        allowed=not decides,
        decides=decides,
        smallest_drop=_drop(found, margin, level),
    )


def _estimate(found: AreaDifference | str, method: str) -> Estimate:
    if isinstance(found, str):
        return Estimate.missing(found)
    if math.isnan(found.error):
        return Estimate.missing("undefined: fewer than two patients of a class")
    return Estimate(found.value, found.interval.low, found.interval.high, method)


def _drop(found: AreaDifference | str, margin: float, level: float) -> float | None:
    if isinstance(found, AreaDifference) and found.error > 0:
        return smallest_drop(found, margin, level)
    return None


def _passed(found: AreaDifference | str, margin: float) -> str:
    above = isinstance(found, AreaDifference) and found.interval.low > -margin
    return PASS if above else INCONCLUSIVE


def _p_worse(found: AreaDifference | str, margin: float) -> float:
    """One-sided p against "not worse by more than the margin"."""
    if isinstance(found, str) or math.isnan(found.error):
        return math.nan
    excess = found.value + margin
    if found.error == 0:
        return float(excess >= 0)
    return float(stdtr(found.freedom, excess / found.error))


def _notes(checks: Sequence[Check]) -> list[str]:
    return [_note(check) for check in checks if check.observation == MACRO and check.found.known]


def _note(check: Check) -> str:
    if check.smallest_drop is None:
        return f"{_called(check)} ranks the cases as the baseline does."
    half = (check.found.high - check.found.low) / 2
    return (
        f"{_called(check)}: macro AUROC's difference is known to +-{half:.3f} here; a true drop "
        f"of {check.smallest_drop:.3f} would fail in 80 of 100 tries. That is the chance of other "
        "patients; what another training seed would change is not in it."
    )


def _called(check: Check) -> str:
    return check.network if check.seed == 0 else f"{check.network} seed {check.seed}"
