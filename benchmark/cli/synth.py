"""`cxr-bench synth`: a synthetic cohort on disk."""

from pathlib import Path

import click

from benchmark.cli.numbers import Finite
from benchmark.console import open_console


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--studies",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="How many studies.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="The same seed gives the same bytes.",
)
@click.option(
    "--size", type=click.IntRange(32, 4096), default=256, show_default=True, help="Pixels a side."
)
@click.option(
    "--conspicuity",
    type=Finite(0, 2),
    default=1.0,
    show_default=True,
    help="How visible findings are: 1 plain, 0 invisible.",
)
@click.option(
    "--shortcut",
    metavar="NAME",
    default="",
    help="Plant a mark that goes with a finding and is none of it: marker (an ICU plate in a "
    "corner, with atelectasis), to see whether a report on heatmaps tells.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    show_default="every core",
    help="Processes.",
)
@click.option("--reports-only", is_flag=True, help="Write reports and what they mean, no images.")
def command(
    folder: Path,
    studies: int,
    seed: int,
    size: int,
    conspicuity: float,
    shortcut: str,
    jobs: int | None,
    reports_only: bool,
) -> None:
    """Write a synthetic cohort to DIR, in the layout of MIMIC-CXR.

    Real DICOM files of phantom chests, reports narrated from the same truth, MIMIC-CXR's tables,
    and beside them the truth with a mask of every finding. No patient is in it. An interrupted
    job goes on when the same command is given again.

    \b
    Examples:
      cxr-bench synth cohort --studies 200 --size 512
      cxr-bench synth hard --conspicuity 0.5
      cxr-bench synth planted --studies 800 --shortcut marker
      cxr-bench synth reports --studies 100000 --reports-only
    """
    # the renderer compiles its kernels when imported, which `--help` need not wait for
    from cxr.synth.cohort import write_cohort, write_reports

    if shortcut and reports_only:
        raise click.UsageError("--shortcut marks images, and --reports-only writes none.")
    with open_console() as events:
        if reports_only:
            events.stage("Writing reports", studies, "reports")
            write_reports(folder, studies=studies, seed=seed, progress=events.advance)
        else:
            events.stage("Rendering the synthetic cohort", studies, "studies")
            write_cohort(
                folder,
                studies=studies,
                seed=seed,
                size=size,
                conspicuity=conspicuity,
                shortcut=shortcut,
                jobs=jobs or -1,
                progress=events.advance,
            )
    click.echo(folder)
