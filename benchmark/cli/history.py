"""`cxr-bench history`: metrics over the runs of a protocol."""

from pathlib import Path

import click

from benchmark.evaluation.measures import METRICS


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="An HTML page to write: a table, and a line for each observation with its intervals.",
)
@click.option(
    "--metric",
    type=click.Choice(METRICS),
    default="auroc",
    show_default=True,
    help="What is followed.",
)
def command(results: Path, output: Path | None, metric: str) -> None:
    """Show how a metric moved over the finished runs below the folder RESULTS.

    Runs of one protocol (the same test cases, labels and definitions) share a history, in the
    order in which they were finished; runs of another protocol stand apart.

    \b
    Examples:
      cxr-bench history results
      cxr-bench history results -o history.html
      cxr-bench history results -o history.html --metric average_precision
    """
    from benchmark.history.page import terminal_table, write_histories
    from benchmark.history.series import read_histories

    histories, left_out = read_histories(results, metric=metric)
    for sentence in left_out:
        click.echo(sentence, err=True)
    click.echo(terminal_table(histories, metric=metric))
    if output is not None:
        write_histories(output, histories, metric=metric)
        click.echo(f"{output} shows every observation.", err=True)
