"""`cxr-bench check`: the gate for CI."""

import sys
from pathlib import Path

import click

from benchmark.gate import FORMATS, check_run, read_thresholds, render


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--thresholds",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    help="A TOML file with [[threshold]] tables.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(FORMATS)),
    default="table",
    show_default=True,
    help="How the verdict is printed.",
)
def command(run: Path, file: Path, form: str) -> None:
    """Test a finished RUN folder against floors and ceilings.

    Exit code 0: passed. 1: failed, or inconclusive where the file does not allow it. 2: the
    file or the run can't be used, such as a metric that does not exist.

    \b
    Examples:
      cxr-bench check results/synthetic-1a2b3c4d/RUN --thresholds thresholds.toml
      cxr-bench check RUN --thresholds thresholds.toml --format junit > gate.xml

    \b
    A thresholds file:
      [[threshold]]
      network = "*"             # or one network
      metric = "auroc"          # any metric of metrics.json; hit_rate, iou of localization
      observation = "macro"     # micro, weighted, an observation, or "*" for each
      min = 0.75                # a floor; max = 0.2 is a ceiling
      on = "estimate"           # or "low", "high": the interval's end
      allow_inconclusive = false
    """
    verdict = check_run(run, read_thresholds(file))
    click.echo(render(verdict, form))
    sys.exit(verdict.exit_code)
