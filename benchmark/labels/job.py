"""Labeling many reports: streamed through all cores, in order, going on after a stop."""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.events import Events
from benchmark.labels.inputs import Report, Reports
from benchmark.labels.outputs import LabelFiles, format_evidence, format_header, format_row
from cxr.labeling import Evidence, ReportLabels, label_report, labeler_version
from cxr.observations import OBSERVATIONS
from cxr.parallel import stream_parallel

CHUNK = 1000
"""Reports that a process labels at a time."""


class LabelingError(RuntimeError):
    """The labeler failed on one report: an error of ours, and never a label."""


@dataclass(frozen=True)
class LabelSettings:
    """How to label; every field is one option of `label_report`."""

    sections: str = "all"
    compat: str = ""


DEFAULTS = LabelSettings()


@dataclass(frozen=True)
class Summary:
    """What a job did.

    Attributes:
        reports: how many the input holds.
        blank: how many of those labeled now had no text.
        resumed: how many an earlier, interrupted job had labeled.
        seconds: wall time of this job.
    """

    reports: int
    blank: int
    resumed: int
    seconds: float

    def __str__(self) -> str:
        labeled = self.reports - self.resumed
        speed = f", {labeled / self.seconds:,.0f}/s" if labeled > 1 and self.seconds > 0.05 else ""
        parts = [f"{labeled:,} report{'s' * (labeled != 1)} in {self.seconds:.1f} s{speed}"]
        if self.resumed:
            parts.append(f"{self.resumed:,} were done before")
        parts.append(f"{self.blank:,} blank")
        return "; ".join([*parts, f"labeler {labeler_version()}"]) + "."


def label_one(report: Report, id_names: Sequence[str], settings: LabelSettings) -> ReportLabels:
    """Label one report.

    Raises:
        LabelingError: the labeler failed; names the report.
    """
    try:
        return label_report(report.text, sections=settings.sections, compat=settings.compat)
    except Exception as error:
        named = ", ".join(f"{n} {v}" for n, v in zip(id_names, report.ids, strict=True))
        raise LabelingError(
            f"The labeler failed on the report with {named} ({type(error).__name__}: {error}); "
            "no label was written for it. This is our mistake, please report it."
        ) from error


def label_to_files(
    reports: Reports,
    table: Path,
    *,
    evidence: Path | None = None,
    settings: LabelSettings = DEFAULTS,
    jobs: int = 1,
    events: Events,
) -> Summary:
    """Label `reports` into `table`, and what each label rests on into `evidence`.

    Memory does not grow with the input. A job that was stopped goes on where it was.

    Args:
        reports: the input.
        table: CSV to write: the ids, then the 14 labels.
        evidence: JSON lines to write, one a report.
        settings: how to label.
        jobs: processes; -1 is every core.
        events: told of the progress.
    """
    version = labeler_version()
    started = time.monotonic()
    job = {
        "input": reports.digest,
        "labeler": version,
        "sections": settings.sections,
        "compat": settings.compat,
    }
    files = LabelFiles(table, evidence, job=job, header=format_header(reports.id_names))
    resumed = files.done
    events.stage("Labeling", reports.count, "reports")
    events.advance(resumed)
    waiting = itertools.islice(reports, resumed, None)
    work = ((chunk, reports.id_names, settings, evidence is not None) for chunk in _chunks(waiting))
    blank = 0
    small = reports.count - resumed < 4 * CHUNK  # then starting processes takes longer
    for rows, lines, count, empty in stream_parallel(_label_chunk, work, jobs=1 if small else jobs):
        files.append([rows, lines], count)
        blank += empty
        events.advance(count)
    files.finish()
    return Summary(reports.count, blank, resumed, time.monotonic() - started)


def label_to_text(
    reports: Reports, *, settings: LabelSettings
) -> Iterator[tuple[Report, ReportLabels]]:
    """Yield every report with its labels, one after the other."""
    for report in reports:
        yield report, label_one(report, reports.id_names, settings)


def _chunks(reports: Iterable[Report]) -> Iterator[list[Report]]:
    stream = iter(reports)
    while chunk := list(itertools.islice(stream, CHUNK)):
        yield chunk


def _label_chunk(
    work: tuple[list[Report], tuple[str, ...], LabelSettings, bool],
) -> tuple[str, str, int, int]:
    """Return lines of the table, lines of evidence, how many reports, and how many were blank."""
    chunk, id_names, settings, explain = work
    rows: list[str] = []
    lines: list[str] = []
    for report in chunk:
        labels = label_one(report, id_names, settings)
        rows.append(format_row(report.ids, labels.values))
        if explain:
            lines.append(format_evidence(id_names, report.ids, labels.values, labels.evidence))
    blank = sum(not report.text.strip() for report in chunk)
    return "".join(rows), "".join(lines), len(chunk), blank


def explain(report: Report, labels: ReportLabels, id_names: Sequence[str]) -> str:
    """Return the labels of one report and what each rests on, as lines to read."""
    words = {1.0: "present", 0.0: "absent", -1.0: "in doubt"}
    lines = [", ".join(f"{n} {v}" for n, v in zip(id_names, report.ids, strict=True))]
    for name, value in zip(OBSERVATIONS, labels.values, strict=True):
        if value == value:
            lines.append(f"  {name}: {words[value]}")
        for item in labels.evidence:
            if item.observation == name:
                lines.append(f"    {_explain_mention(report.text, item, words[item.value])}")
    others = [item for item in labels.evidence if item.observation == "Other"]
    if others:
        lines.append("  Other pathology (bars No Finding where present or in doubt)")
        lines += [f"    {_explain_mention(report.text, i, words[i.value])}" for i in others]
    return "\n".join(lines)


def _explain_mention(text: str, item: Evidence, word: str) -> str:
    sentence = " ".join(item.sentence.split())
    found = " ".join(text[slice(*item.span)].split())
    by = f" by '{' '.join(item.trigger.split())}'" if item.trigger else ""
    where = f" in {item.section}" if item.section else ""
    return f"'{found}' {word}{by} ({item.convention}){where}: {sentence}"
