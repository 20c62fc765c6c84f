"""`cxr-bench compare`: which of several networks is better, on the same patients."""

from pathlib import Path

import click

from benchmark.cli.numbers import Finite


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--network",
    "networks",
    multiple=True,
    help="Compare these networks alone; may be repeated.",
)
@click.option(
    "--margin",
    type=Finite(0, 1, min_open=True, max_open=True),
    help="A difference smaller than this doesn't matter; else the first run's.",
)
@click.option("--first-labels", is_flag=True, help="Where labels differ, take the first run's.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", "markdown")),
    default="table",
    show_default=True,
    help="How the comparison is printed.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write an HTML page there as well.",
)
def command(
    runs: tuple[Path, ...],
    networks: tuple[str, ...],
    margin: float | None,
    first_labels: bool,
    form: str,
    output: Path | None,
) -> None:
    """Compare the networks of finished RUN folders, paired on the same test cases.

    One run: all its networks. Several: those of all, if their test cases and labels are the same.
    Two networks are set side by side; three and more are ranked, with the groups that are not
    shown to differ. Where every network has several seeds, means over seeds are compared and the
    intervals hold the spread over seeds.

    Exit code 0: compared, whatever came out. 2: the runs can't be compared; the sentence says why.

    \b
    Examples:
      cxr-bench compare results/synthetic-1a2b3c4d/RUN
      cxr-bench compare RUN_A RUN_B --network densenet121 --margin 0.02
      cxr-bench compare RUN_A RUN_B RUN_C --format markdown -o comparison.html
    """
    from benchmark.evaluation.across_runs import compare_runs
    from benchmark.evaluation.comparison_texts import comparison_page, render_comparison
    from benchmark.runs import write_text

    document = compare_runs(runs, margin=margin, networks=networks, first_labels=first_labels)
    if output is not None:
        write_text(output, comparison_page(document))
    click.echo(render_comparison(document, form))
