"""`cxr-bench check`: the gate for CI."""

import sys
from pathlib import Path

import click

from benchmark.cli.numbers import Finite
from benchmark.gate import (
    FORMATS,
    SUFFIXES,
    BaselineDemand,
    Demands,
    Verdict,
    check_baseline,
    check_run,
    merge,
    read_demands,
    render,
    write_baseline,
)
from benchmark.runs import write_text
from cxr.errors import InputError


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
    help="What RUN must not be worse than: a run folder, or a file of --update-baseline.",
)
@click.option(
    "--margin",
    type=Finite(0, 1),
    help="How much lower than the baseline's an AUROC may be; else the file's, else "
    f"{BaselineDemand().margin:g}.",
)
@click.option(
    "--labels",
    type=click.Choice(("candidate", "baseline")),
    help="Whose report labels count where those of RUN and baseline differ.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="NAME[=BASELINE'S]",
    help="Hold this network of RUN against that of the baseline; by default those of one name.",
)
@click.option(
    "--update-baseline",
    "updated",
    type=click.Path(path_type=Path),
    help="Write RUN as a small baseline file; where something is tested, only if the gate passes.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(FORMATS)),
    default="table",
    show_default=True,
    help="How the verdict is printed.",
)
@click.option(
    "--save",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Save the verdict, too; the suffix tells the format (.md, .json, .xml for JUnit, .txt).",
)
def command(
    run: Path,
    file: Path | None,
    baseline: Path | None,
    margin: float | None,
    labels: str | None,
    networks: tuple[str, ...],
    updated: Path | None,
    form: str,
    files: tuple[Path, ...],
) -> None:
    """Test a finished RUN folder against floors and ceilings, or against a baseline.

    The verdict is one of four, and so is the exit code: pass 0; fail 1; inconclusive 1, or 0
    where the file allows it; cannot compare 2 (other cases, labels or definitions). A mistake in
    the command or in a file is 2, too.

    Against a baseline, each network's macro AUROC has to be no lower by more than the margin with
    its whole 95 % interval, and fails with its whole interval below. An observation fails by
    itself where it is lower by more than the margin (one-sided p below 2.5 % after Holm's
    adjustment over all of them). On the same test cases the test is paired, else unpaired;
    patients are the unit.

    \b
    Examples:
      cxr-bench check results/synthetic-1a2b3c4d/RUN --thresholds thresholds.toml
      cxr-bench check RUN --thresholds thresholds.toml --format github --save gate.md
      cxr-bench check RUN --update-baseline baseline.json
      cxr-bench check RUN --baseline baseline.json --margin 0.03
      cxr-bench check RUN --baseline baseline.json --network densenet169=densenet121

    \b
    A thresholds file:
      [[threshold]]
      network = "*"             # or one network
      metric = "auroc"          # any metric of metrics.json; hit_rate, iou, dice of localization
      observation = "macro"     # micro, weighted, an observation, or "*" for each
      group = "all"             # or a subgroup, as "sex=F"
      min = 0.75                # a floor; max = 0.2 is a ceiling
      on = "estimate"           # or "low", "high": the interval's end
      operating_point = ""      # the fixed threshold; or a rule, as "youden", "sensitivity>=0.9"
      labels = "report"         # or "truth"; level = "study" for studies in place of images
      allow_inconclusive = false
      [baseline]
      margin = 0.05
      allow_inconclusive = false
    """
    if file is None and baseline is None and updated is None:
        raise click.UsageError("give --thresholds, --baseline or --update-baseline.")
    for path in files:
        if path.suffix not in SUFFIXES:
            raise click.UsageError(f"--save {path}: the suffix is none of {', '.join(SUFFIXES)}.")
    demands = read_demands(file) if file else Demands()
    verdicts = [check_run(run, demands.thresholds)] if demands.thresholds else []
    if baseline is not None:
        verdicts.append(
            check_baseline(
                run,
                baseline,
                margin=demands.baseline.margin if margin is None else margin,
                labels=labels,
                networks=[_pair(text) for text in networks],
                allow_inconclusive=demands.baseline.allow_inconclusive,
            )
        )
    elif not verdicts and updated is None:
        raise InputError(f"{file} holds no [[threshold]], and no --baseline is given.")
    code = _tell(merge(verdicts), form, files) if verdicts else 0
    if updated is not None:
        _update(run, updated, passed=code == 0)
    sys.exit(code)


def _pair(text: str) -> tuple[str, str]:
    name, _, other = text.partition("=")
    return name, other or name


def _tell(verdict: Verdict, form: str, files: tuple[Path, ...]) -> int:
    """Print and save the verdict; why there is none goes to standard error."""
    for path in files:
        write_text(path, render(verdict, SUFFIXES[path.suffix]) + "\n")
    if verdict.checks or form != "table":
        click.echo(render(verdict, form))
    if verdict.obstacle:
        raise InputError(verdict.obstacle)
    return verdict.exit_code


def _update(run: Path, file: Path, *, passed: bool) -> None:
    if not passed:
        click.echo(f"{file} stays as it is, since the gate did not pass.", err=True)
        return
    write_baseline(run, file)
    click.echo(f"{file} holds the baseline ({file.stat().st_size / 1000:.0f} kB).", err=True)
