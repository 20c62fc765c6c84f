"""`cxr-bench plan`: how many patients a test set needs."""

import dataclasses
import json
from pathlib import Path

import click

from benchmark.cli.numbers import Finite
from benchmark.evaluation.planning import Aim, Finding, findings_of_run, plan, plan_table
from cxr.statistics import Sampling

PREVALENCES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
_SHARE = Finite(0, 1, min_open=True, max_open=True)


@click.command()
@click.option("--width", type=_SHARE, help="Wanted width of an AUROC's 95 % interval.")
@click.option(
    "--difference", type=_SHARE, help="By how much another AUROC is lower, which is to be seen."
)
@click.option(
    "--power", type=_SHARE, default=0.8, show_default=True, help="Chance of seeing the difference."
)
@click.option(
    "--auroc", type=_SHARE, default=0.8, show_default=True, help="AUROC that is expected."
)
@click.option(
    "--prevalence",
    "prevalences",
    type=_SHARE,
    multiple=True,
    help="Share of images with the finding; may be repeated. Default: a row for each of several.",
)
@click.option(
    "--images-per-patient",
    "images",
    type=Finite(1),
    default=1.0,
    show_default=True,
    help="Mean number of images of a patient.",
)
@click.option(
    "--within",
    type=Finite(0, 1),
    default=0.5,
    show_default=True,
    help="Correlation of the scores of two images of one patient, given the truth.",
)
@click.option(
    "--between",
    type=Finite(0, 1),
    default=0.7,
    show_default=True,
    help="Correlation of two networks' scores of one image, given the truth.",
)
@click.option(
    "--tests",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How many differences are tested at once (14 observations: 14).",
)
@click.option(
    "--from",
    "run",
    type=click.Path(path_type=Path),
    help="A finished run whose prevalences, AUROCs and images a patient are taken, by observation.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    width: float | None,
    difference: float | None,
    power: float,
    auroc: float,
    prevalences: tuple[float, ...],
    images: float,
    within: float,
    between: float,
    tests: int,
    run: Path | None,
    as_json: bool,
) -> None:
    """Say how many patients a test set needs, before it is collected.

    Either for an AUROC whose 95 % interval is at most --width wide, or to see a --difference of
    two networks on the same cases, the other one being lower. Images of one patient are alike and
    count less.

    \b
    Examples:
      cxr-bench plan --width 0.1 --auroc 0.85 --prevalence 0.05
      cxr-bench plan --difference 0.03 --power 0.9 --images-per-patient 2.5
      cxr-bench plan --difference 0.02 --tests 14 --from results/synthetic-1/RUN
    """
    if (width is None) == (difference is None):
        raise click.UsageError("give one of --width and --difference.")
    if run is not None and prevalences:
        raise click.UsageError("--from takes prevalences from the run; leave out --prevalence.")
    aim = Aim(width, difference, power, between, tests)
    if run is not None:
        findings = findings_of_run(run, correlation=within)
    else:
        findings = tuple(
            Finding(f"prevalence {share:g}", auroc, Sampling(share, images, within))
            for share in prevalences or PREVALENCES
        )
    needs = plan(findings, aim)
    if as_json:
        rows = [dataclasses.asdict(need) for need in needs]
        click.echo(json.dumps({"aim": dataclasses.asdict(aim), "needs": rows}, indent=1))
    else:
        click.echo(plan_table(needs, aim))
