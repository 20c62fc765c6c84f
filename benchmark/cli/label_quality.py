"""`cxr-bench label-quality`: labels against a gold standard."""

import csv
import json
from pathlib import Path

import click

from benchmark.label_inputs import open_reports
from benchmark.label_quality import (
    Disagreement,
    LabelQuality,
    as_json,
    compare_labels,
    read_labels,
)
from cxr.errors import InputError
from cxr.estimates import Estimate

SHOWN = ("mention", "negation", "uncertainty", "positive")
"""Questions that fit a terminal; all of them are in the JSON."""


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
    95 % intervals by bootstrap over reports. This says how well reports were read, not whether
    they tell the truth.

    \b
    Example:
      cxr-bench label-quality labels.csv experts.csv --reports reports.csv --disagreements d.csv
    """
    quality = compare_labels(
        read_labels(predicted, id_column=id_column),
        read_labels(gold, id_column=id_column),
        resamples=resamples,
        seed=seed,
    )
    click.echo(_table(quality))
    if document:
        document.write_text(json.dumps(as_json(quality), indent=1) + "\n", encoding="utf-8")
    if disagreements:
        texts = _texts(source, id_column) if source else {}
        _write_disagreements(disagreements, quality.disagreements, texts)


def _table(quality: LabelQuality) -> str:
    width = max(map(len, quality.observations)) + 1
    lines = [f"{quality.reports:,} reports in both; {quality.unmatched:,} ids in one table only."]
    lines += ["F1 with 95 % interval (number in the gold standard)", ""]
    lines.append(" " * width + "".join(f"{title:>23}" for title in (*SHOWN, "kappa")))
    for name, observation in quality.observations.items():
        cells = [
            f"{_show(observation.scores[q]['f1'])} {f'({observation.counts[q]})':>7}" for q in SHOWN
        ]
        cells.append(_show(observation.kappa))
        lines.append(f"{name:<{width}}" + "".join(f"{cell:>23}" for cell in cells))
    cells = [f"{_show(quality.macro[q])} {'':>7}" for q in SHOWN]
    lines.append(f"{'macro':<{width}}" + "".join(f"{cell:>23}" for cell in cells))
    return "\n".join(line.rstrip() for line in lines)


def _show(estimate: Estimate) -> str:
    if not estimate.known:
        return "-"
    if not estimate.method:
        return f"{estimate.estimate:.3f}"
    return f"{estimate.estimate:.3f} {estimate.low:.2f}-{estimate.high:.2f}"


def _texts(source: Path, id_column: str | None) -> dict[str, str]:
    reports = open_reports(source, id_columns=(id_column,) if id_column else ())
    return {report.ids[-1]: report.text for report in reports}


def _write_disagreements(path: Path, rows: list[Disagreement], texts: dict[str, str]) -> None:
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first.")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "observation", "predicted", "gold", "text"])
        for row in rows:
            writer.writerow(
                [row.id, row.observation, row.predicted, row.gold, texts.get(row.id, "")]
            )
