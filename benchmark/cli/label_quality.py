"""`cxr-bench label-quality`: labels against a gold standard."""

import csv
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import click

from benchmark.labels.inputs import open_reports
from benchmark.labels.outputs import check_outputs
from benchmark.labels.quality import (
    Disagreement,
    LabelQuality,
    ObservationQuality,
    as_json,
    compare_labels,
    read_labels,
)
from benchmark.runs import replacing, write_json
from cxr.estimates import Estimate

SHOWN = ("mention", "negation", "uncertainty", "positive")
"""Questions that fit a terminal; all of them are in the JSON."""

Column = Callable[[ObservationQuality], str]


@click.command()
@click.argument("predicted", type=click.Path(path_type=Path))
@click.argument("gold", type=click.Path(path_type=Path))
@click.option("--id-column", help="Column of ids in both.  [default: study_id, uid, image_id, id]")
@click.option(
    "--reports",
    "source",
    type=click.Path(path_type=Path),
    help="The reports that were labeled, to show the text of disagreements.",
)
@click.option(
    "--disagreements",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV to write: every difference, with the text where --reports is given.",
)
@click.option(
    "--json",
    "document",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all figures with their intervals.",
)
@click.option("--resamples", type=click.IntRange(min=0), default=1000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def command(
    predicted: Path,
    gold: Path,
    id_column: str | None,
    source: Path | None,
    disagreements: Path | None,
    document: Path | None,
    resamples: int,
    seed: int,
) -> None:
    """Compare the labels in PREDICTED with those in GOLD, two CSVs with the same ids.

    For each observation: precision, recall and F1 of mention, negation and uncertainty, as in
    the CheXpert paper, of positives alone (for gold without doubt), and Cohen's kappa; with
    95 % intervals by bootstrap over reports. Where GOLD says only 1 or 0, only positives are
    compared, and what PREDICTED leaves blank is a no. This says how well reports were read, not
    whether they tell the truth.

    \b
    Example:
      cxr-bench label-quality labels.csv experts.csv --reports reports.csv --disagreements d.csv
    """
    check_outputs(None, [disagreements, document])
    quality = compare_labels(
        read_labels(predicted, id_column=id_column),
        read_labels(gold, id_column=id_column),
        resamples=resamples,
        seed=seed,
    )
    click.echo(_table(quality))
    if document:
        write_json(document, as_json(quality))
    if disagreements:
        texts = _texts(source, id_column) if source else {}
        _write_disagreements(disagreements, quality.disagreements, texts)


def _table(quality: LabelQuality) -> str:
    columns = _yes_or_no_columns() if quality.yes_or_no else _columns()
    rows = [(name, [show(o) for show in columns.values()]) for name, o in _rows(quality)]
    width = max(len(name) for name, _ in rows) + 1
    widths = [
        max(len(title), *(len(cells[k]) for _, cells in rows)) + 3
        for k, title in enumerate(columns)
    ]

    def line(name: str, cells: Iterable[str]) -> str:
        joined = "".join(f"{cell:>{w}}" for cell, w in zip(cells, widths, strict=True))
        return f"{name:<{width}}{joined}".rstrip()

    counts = f"{quality.reports:,} reports in both; {quality.unmatched:,} ids in one table only."
    asked = (
        "The gold standard says only present or absent: positives are compared, with 95 % "
        "intervals (number in the gold standard)"
        if quality.yes_or_no
        else "F1 with 95 % interval (number in the gold standard)"
    )
    return "\n".join([counts, asked, "", line("", columns), *(line(*row) for row in rows)])


def _rows(quality: LabelQuality) -> list[tuple[str, ObservationQuality]]:
    """Return the observations, and their mean as one more."""
    scores = {q: {"f1": estimate} for q, estimate in quality.macro.items()}
    mean = ObservationQuality({}, scores, Estimate.missing("no mean of kappas"))
    return [*quality.observations.items(), ("macro", mean)]


def _columns() -> dict[str, Column]:
    return {question: partial(_f1, question) for question in SHOWN} | {"kappa": _kappa}


def _yes_or_no_columns() -> dict[str, Column]:
    return {
        "precision": lambda o: _show(o.scores["positive"].get("precision")),
        "recall": lambda o: _show(o.scores["positive"].get("recall")),
        "F1": partial(_f1, "positive"),
        "F1, doubt as present": lambda o: _show(o.scores["positive or in doubt"]["f1"]),
        "kappa": _kappa,
    }


def _f1(question: str, observation: ObservationQuality) -> str:
    count = observation.counts.get(question)
    return _show(observation.scores[question]["f1"]) + (
        f" {f'({count})':>7}" if count is not None else " " * 8
    )


def _kappa(observation: ObservationQuality) -> str:
    return _show(observation.kappa)


def _show(estimate: Estimate | None) -> str:
    if estimate is None or not estimate.known:
        return "-"
    if not estimate.method:
        return f"{estimate.estimate:.3f}"
    return f"{estimate.estimate:.3f} {estimate.low:.2f}-{estimate.high:.2f}"


def _texts(source: Path, id_column: str | None) -> dict[str, str]:
    reports = open_reports(source, id_columns=(id_column,) if id_column else ())
    return {report.ids[-1]: report.text for report in reports}


def _write_disagreements(path: Path, rows: list[Disagreement], texts: dict[str, str]) -> None:
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "observation", "predicted", "gold", "text"])
        for row in rows:
            writer.writerow(
                [row.id, row.observation, row.predicted, row.gold, texts.get(row.id, "")]
            )
