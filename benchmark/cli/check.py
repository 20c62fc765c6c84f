"""`cxr-bench check`: the gate for CI."""

import sys
from pathlib import Path

import click

from benchmark.gate import FORMATS, check_baseline, check_run, merge, read_thresholds, render


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--thresholds",
    "file",
    type=click.Path(path_type=Path),
    help="A TOML file with [[threshold]] tables.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="A run folder on the same test cases that RUN must not be worse than.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="How much lower than the baseline's an AUROC may be.",
)
@click.option(
    "--labels",
    type=click.Choice(("candidate", "baseline")),
    help="Whose report labels count where those of RUN and baseline differ.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(FORMATS)),
    default="table",
    show_default=True,
    help="How the verdict is printed.",
)
def command(
    run: Path,
    file: Path | None,
    baseline: Path | None,
    margin: float,
    labels: str | None,
    form: str,
) -> None:
    """Test a finished RUN folder against floors and ceilings, or against a baseline.

    Exit code 0: passed. 1: failed, or inconclusive where that is not allowed. 2: the runs can't
    be compared, or the file names something that does not exist.

    \b
    Examples:
      cxr-bench check results/synthetic-1a2b3c4d/RUN --thresholds thresholds.toml
      cxr-bench check RUN --thresholds thresholds.toml --format junit > gate.xml
      cxr-bench check RUN --baseline results/synthetic-1/BASELINE --margin 0.03

    \b
    A thresholds file:
      [[threshold]]
      network = "*"             # or one network
      metric = "auroc"          # any metric of metrics.json; hit_rate, iou, dice of localization
      observation = "macro"     # micro, weighted, an observation, or "*" for each
      min = 0.75                # a floor; max = 0.2 is a ceiling
      on = "estimate"           # or "low", "high": the interval's end
      allow_inconclusive = false
    """
    if file is None and baseline is None:
        raise click.UsageError("give --thresholds FILE, --baseline RUN, or both.")
    verdicts = []
    if file is not None:
        verdicts.append(check_run(run, read_thresholds(file)))
    if baseline is not None:
        verdicts.append(check_baseline(run, baseline, margin=margin, labels=labels))
    verdict = merge(verdicts)
    click.echo(render(verdict, form))
    sys.exit(verdict.exit_code)
