"""How many cases a test set needs, observation by observation, before they are collected."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.runs import read_json, read_run
from cxr.errors import InputError
from cxr.statistics import Sampling, expected_cases, patients_for_difference, patients_for_width


@dataclass(frozen=True)
class Finding:
    """What is known of a finding beforehand.

    Attributes:
        name: an observation, or how often it is.
        auroc: what a network is expected to reach.
        sampling: how cases come.
    """

    name: str
    auroc: float
    sampling: Sampling


@dataclass(frozen=True)
class Aim:
    """What is to be shown: an interval at most so wide, or a difference.

    Attributes:
        width: of a 95 % interval; None where a difference is to be seen.
        difference: by how much another AUROC on the same cases is lower; None where an interval
            is asked for.
        power: chance of seeing the difference.
        between: correlation of the two networks' scores of one image, given the truth.
        tests: how many differences are tested and adjusted for.
    """

    width: float | None = None
    difference: float | None = None
    power: float = 0.8
    between: float = 0.7
    tests: int = 1

    @property
    def words(self) -> str:
        """The aim in words."""
        if self.width is not None:
            return f"for a 95 % interval of the AUROC at most {self.width:g} wide"
        adjusted = f" after adjusting for {self.tests} tests" if self.tests > 1 else ""
        return (
            f"to see that another AUROC on the same cases is lower by {self.difference:g}, in "
            f"{100 * self.power:g} of 100 tries, at 5 % two-sided{adjusted}"
        )


@dataclass(frozen=True)
class Need:
    """How many cases one finding asks for; None where ten million patients are not enough."""

    finding: Finding
    patients: int | None
    images: int | None
    positives: int | None
    positive_patients: int | None


def plan(findings: Sequence[Finding], aim: Aim) -> tuple[Need, ...]:
    """Return what each finding asks for.

    Raises:
        InputError: the numbers make no sense together.
    """
    return tuple(_need(finding, aim) for finding in findings)


def _need(finding: Finding, aim: Aim) -> Need:
    if aim.difference is not None and finding.auroc <= aim.difference:
        raise InputError(
            f"{finding.name}: {aim.difference:g} below {finding.auroc:.3g} is no AUROC; ask for a "
            "smaller difference."
        )
    try:
        if aim.width is not None:
            patients = patients_for_width(aim.width, finding.auroc, finding.sampling)
        else:
            patients = patients_for_difference(
                finding.auroc,
                -float(aim.difference or 0.0),
                finding.sampling,
                power=aim.power,
                between=aim.between,
                tests=aim.tests,
            )
    except ValueError as error:
        raise InputError(f"{finding.name}: {error}") from error
    if patients is None:
        return Need(finding, None, None, None, None)
    found = expected_cases(patients, finding.sampling)
    counts = (round(found.images), round(found.positives), round(found.positive_patients))
    return Need(finding, patients, *counts)


def findings_of_run(path: Path, *, correlation: float) -> tuple[Finding, ...]:
    """Return what a finished run tells of each observation that it could estimate.

    Args:
        path: a run folder; its first network's AUROCs and the support in its test cases.
        correlation: of the scores of two images of one patient, which no run tells.

    Raises:
        InputError: no finished run, or no estimable observation in it.
    """
    run = read_run(path)
    networks = run.read()["networks"]
    document = read_json(run.path / networks[0]["folder"] / "metrics.json") if networks else {}
    findings = [
        Finding(name, float(entry["auroc"]["estimate"]), _sampling(document, entry, correlation))
        for name, entry in document.get("observations", {}).items()
        if entry["auroc"]["estimate"] is not None and 0 < entry["auroc"]["estimate"] < 1
    ]
    if not findings:
        raise InputError(f"{path} has no observation with an AUROC to plan from.")
    return tuple(findings)


def _sampling(document: dict[str, Any], entry: dict[str, Any], correlation: float) -> Sampling:
    images = max(1.0, document["cases"] / document["patients"])
    each = max(1.0, entry["positives"] / entry["positive_patients"])
    persistence = min(1.0, (each - 1) / (images - 1)) if images > 1 else 0.0
    return Sampling(entry["positives"] / document["cases"], images, correlation, persistence)


def plan_table(needs: Sequence[Need], aim: Aim) -> str:
    """Return the needs as text: the aim, a row for each finding, and what was assumed."""
    rows: list[tuple[str, ...]] = [
        ("", "AUROC", "patients", "images", "positive images", "positive patients")
    ]
    rows += [(need.finding.name, f"{need.finding.auroc:.3g}", *_counts(need)) for need in needs]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]
    return "\n".join([f"Needed {aim.words}:", "", *lines, "", _assumed(needs, aim)])


def _counts(need: Need) -> tuple[str, ...]:
    if need.patients is None:
        return ("> 10,000,000", "", "", "")
    counts = (need.patients, need.images, need.positives, need.positive_patients)
    return tuple(f"{count:,}" for count in counts)


def _assumed(needs: Sequence[Need], aim: Aim) -> str:
    sampling = needs[0].finding.sampling
    alike = []
    if sampling.images_per_patient > 1:
        alike.append(f"scores of two images of a patient correlate by {sampling.correlation:g}")
    if aim.difference is not None:
        alike.append(f"scores of two networks for one image correlate by {aim.between:g}")
    count = f"{sampling.images_per_patient:.3g} images"
    return "; ".join(
        [
            f"Assumed: {'one image' if sampling.images_per_patient == 1 else count} a patient",
            *(f"{words}, given the truth" for words in alike),
            "scores are normal in either class",
            "patients come as they come, without choosing positives.",
        ]
    )
