"""`cxr-bench label`: reports in, the 14 labels out."""

import codecs
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from benchmark.console import open_console
from benchmark.labels.inputs import Report, Reports, open_reports
from benchmark.labels.job import LabelSettings, explain, label_to_files, label_to_text
from benchmark.labels.outputs import check_outputs, format_evidence, format_header, format_row
from benchmark.labels.page import MOST_REPORTS, write_page
from cxr.errors import InputError
from cxr.labeling.reports import SECTION_MODES


@click.command()
@click.argument("source", metavar="INPUT")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV to write; without it, the CSV goes to standard output.",
)
@click.option(
    "--text-column", help="The CSV's column of text.  [default: text, else findings + impression]"
)
@click.option(
    "--id-column",
    "id_columns",
    multiple=True,
    help="The CSV's column of ids; may be given again.  [default: those of MIMIC-CXR that it has]",
)
@click.option("--encoding", default="utf-8", show_default=True, help="Of CSV and text files.")
@click.option(
    "--sections",
    type=click.Choice(SECTION_MODES),
    default="all",
    show_default=True,
    help="all: findings, impression and bodies; mimic: the section MIMIC-CXR-JPG's labels are of.",
)
@click.option(
    "--compat",
    type=click.Choice(["chexpert"]),
    help="Decide as the CheXpert labeler where it is known to differ on purpose.",
)
@click.option(
    "--evidence",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON lines to write: what each label rests on, with places in the text.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Page to write: reports with coloured findings (the first {MOST_REPORTS:,}).",
)
@click.option("--why", is_flag=True, help="Print what each label rests on.")
@click.option("--jobs", type=click.IntRange(min=1), show_default="every core", help="Processes.")
def command(
    source: str,
    output: Path | None,
    text_column: str | None,
    id_columns: tuple[str, ...],
    encoding: str,
    sections: str,
    compat: str | None,
    evidence: Path | None,
    html: Path | None,
    why: bool,
    jobs: int | None,
) -> None:
    """Label radiology reports of the chest with the 14 CheXpert observations.

    INPUT is a CSV, a folder of MIMIC-CXR's texts (s*.txt) or of Open-i's XML, one such file, or
    "-" for one report on standard input. Labels are MIMIC-CXR's: 1.0 present, 0.0 absent,
    -1.0 in doubt, empty not mentioned. A job that was stopped goes on when the same command is
    given again.

    \b
    Examples:
      cxr-bench label reports.csv -o labels.csv
      cxr-bench label mimic-cxr/files -o labels.csv --evidence why.jsonl
      cxr-bench label reports.csv -o labels.csv --html labels.html
      echo "No pneumothorax. Small effusion." | cxr-bench label - --why
    """
    _check_encoding_name(encoding)
    check_outputs(None if source == "-" else Path(source), [output, evidence, html])
    settings = LabelSettings(sections, compat or "")
    if source == "-":
        reports = _standard_input(encoding)
    else:
        reports = open_reports(
            Path(source), text_column=text_column, id_columns=id_columns, encoding=encoding
        )
    if output is not None:
        _write_files(reports, output, evidence, settings, jobs)
    if why or output is None:
        _print(reports, settings, why=why, evidence=None if output else evidence)
    if html is not None:
        write_page(
            html,
            label_to_text(reports, settings=settings),
            name=Path(reports.name).name,
            count=reports.count,
        )


def _write_files(
    reports: Reports,
    output: Path,
    evidence: Path | None,
    settings: LabelSettings,
    jobs: int | None,
) -> None:
    with open_console() as events:
        summary = label_to_files(
            reports, output, evidence=evidence, settings=settings, jobs=jobs or -1, events=events
        )
    click.echo(str(summary), err=True)


def _print(reports: Reports, settings: LabelSettings, *, why: bool, evidence: Path | None) -> None:
    with contextlib.ExitStack() as stack:
        lines = _open_lines(evidence, stack) if evidence else None
        if not why:
            click.echo(format_header(reports.id_names), nl=False)
        blank = 0
        for report, labels in label_to_text(reports, settings=settings):
            blank += not report.text.strip()
            if why:
                click.echo(explain(report, labels, reports.id_names))
            else:
                click.echo(format_row(report.ids, labels.values), nl=False)
            if lines:
                lines.write(
                    format_evidence(reports.id_names, report.ids, labels.values, labels.evidence)
                )
    if blank:
        click.echo(f"{blank:,} of {reports.count:,} reports are blank.", err=True)


def _open_lines(path: Path, stack: contextlib.ExitStack) -> TextIO:
    from benchmark.runs import replacing  # pandas loads with it

    part = stack.enter_context(replacing(path))
    return stack.enter_context(part.open("w", encoding="utf-8"))


def _standard_input(encoding: str) -> Reports:
    content = sys.stdin.buffer.read()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"standard input: byte {error.start + 1} (0x{content[error.start]:02x}) is not "
            f"{encoding}; name its encoding, such as --encoding cp1252."
        ) from error

    def read() -> Iterator[Report]:
        yield Report(("-",), text)

    return Reports("standard input", ("report",), 1, str(hash(text)), read)


def _check_encoding_name(encoding: str) -> None:
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise InputError(
            f"--encoding: {encoding!r} is unknown; try utf-8, cp1252 or latin-1."
        ) from error
