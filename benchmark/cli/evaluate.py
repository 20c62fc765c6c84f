"""`cxr-bench evaluate`: a run folder from tables of scores and labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click

from benchmark.config import load_config

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("predictions", nargs=-1, required=True, metavar="[NAME=]PREDICTIONS...")
@click.option("--truth", type=_FILE, required=True, help="The table of labels.")
@click.option("--patients", default="", metavar="COLUMN", help="Who the patient is, in TRUTH.")
@click.option(
    "--id", "id_column", default="", metavar="COLUMN", help="The id of an image, in every table."
)
@click.option(
    "--groups",
    metavar="NAMES",
    help="Subgroups beside sex, age and view: columns of TRUTH, separated by commas.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="COLUMN=OBSERVATION",
    help="Which observation a column is, where its name doesn't tell; may be repeated.",
)
@click.option(
    "--scale",
    type=click.Choice(("auto", "probability", "logit")),
    default="auto",
    show_default=True,
    help="What the scores are.",
)
@click.option("--name", default="", help="What to call the data; else TRUTH's name.")
@click.option(
    "--restricted/--open",
    default=None,
    help="Whether ids must stay out of the results; else they do where they are MIMIC-CXR's.",
)
@click.option("--synthetic", is_flag=True, help="Say everywhere that the images are phantoms.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="A setting of [evaluation] or [card], as evaluation.threshold=0.3; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=_FILE,
    default=Path("results"),
    show_default=True,
    help="Folder for results; the run gets a folder of its own below it.",
)
@click.option("--no-pdf", is_flag=True, help="Write the card as HTML and Markdown only.")
def command(
    predictions: tuple[str, ...],
    truth: Path,
    patients: str,
    id_column: str,
    groups: str | None,
    columns: tuple[str, ...],
    scale: Literal["auto", "probability", "logit"],
    name: str,
    restricted: bool | None,
    synthetic: bool,
    overrides: tuple[str, ...],
    output: Path,
    no_pdf: bool,
) -> None:
    """Evaluate any network's scores, whatever it was trained with.

    PREDICTIONS is a CSV (or Parquet) table with a row for each image: an id, and a column for
    each observation that the network tells, as probabilities or logits. TRUTH has the same ids,
    the patient, and labels: 1 present, 0 absent, -1 hedged, blank not mentioned; labels by study
    go to every image of the study. Where TRUTH has a column "split", its test cases count.

    Column names are read as CheXpert, MIMIC-CXR-JPG, NIH and torchxrayvision write them. Several
    seeds of a network are told by names such as resnet50-seed1.

    The run folder holds metrics with intervals, the comparison and the card; `cxr-bench check`
    and `cxr-bench compare` read it like any other.

    \b
    Examples:
      cxr-bench evaluate densenet.csv resnet.csv --truth labels.csv
      cxr-bench evaluate mine=out.csv --truth labels.csv --patients PatientID --groups scanner
      cxr-bench evaluate xrv.csv --truth mimic-cxr-2.0.0-chexpert.csv --column "Mass=Lung Lesion"
    """
    for item in overrides:
        if not item.startswith(("evaluation.", "card.")):
            raise click.UsageError(f"--set {item}: only [evaluation] and [card] count here.")
    chosen = [*overrides, *(["card.pdf=false"] if no_pdf else [])]
    config = load_config(overrides=chosen)
    told = [_pair(item, "--column", "COLUMN=OBSERVATION") for item in columns]
    files = [_named(item) for item in predictions]

    from benchmark.console import open_console  # pandas loads with the work, not with --help
    from benchmark.scores.given import evaluate_given, read_given
    from benchmark.summary import summary

    with open_console() as events:
        given = read_given(
            files,
            truth,
            patients=patients,
            groups=[part.strip() for part in groups.split(",")] if groups else [],
            columns=told,
            id_column=id_column,
            scale=scale,
            name=name,
            restricted=restricted,
            synthetic=synthetic,
        )
        finished = evaluate_given(given, config, results=output, events=events)
    click.echo(summary(finished))


def _named(item: str) -> tuple[str, Path]:
    """Return name and file of "NAME=FILE"; a file of such a name goes before that reading."""
    if "=" not in item or Path(item).exists():
        return "", Path(item)
    return _pair(item, "PREDICTIONS", "NAME=FILE", Path)


def _pair(item: str, what: str, form: str, kind: Callable[[str], Any] = str) -> tuple[str, Any]:
    left, equals, right = item.rpartition("=") if kind is str else item.partition("=")
    if not (equals and left.strip() and right.strip()):
        raise click.UsageError(f"{what} '{item}': expected {form}.")
    return left.strip(), kind(right.strip())
