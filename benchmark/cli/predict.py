"""`cxr-bench predict`: scores of new files."""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV to write.  [default: standard output]",
)
@click.option(
    "--network",
    "--model",
    "names",
    multiple=True,
    help="One of the run's networks; may be repeated.",
)
@click.option("--seed", type=int, help="Networks trained with this seed alone.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
def command(
    run: Path,
    files: tuple[Path, ...],
    output: Path | None,
    names: tuple[str, ...],
    seed: int | None,
    device: str,
) -> None:
    """Score image files (DICOM, PNG, JPEG) with the networks of RUN, as CSV.

    A row for each file and network: 14 probabilities, the operating point, what is called at it,
    the cohort that the network comes from, and what it is not for. A file that can't be read has
    a row with the reason. A machine writes this: it is not for clinical use.

    \b
    Exit codes: 0 every file was scored, 1 some could not be read, 2 none could or wrong usage.

    \b
    Examples:
      cxr-bench predict results/synthetic-91fb0a6e/RUN chest.dcm
      cxr-bench predict RUN cohort/files/p10/*/*/*.dcm -o scores.csv
      cxr-bench predict RUN *.png --model densenet121 --seed 0
    """
    from benchmark.console import open_console
    from benchmark.inference.new_images import open_trained, score_files  # torch loads with it
    from benchmark.runs import read_run, write_text

    with open_console() as events:
        networks = open_trained(read_run(run), names=names, seed=seed, device=device)
        table = score_files(files, networks, events)
    text = table.to_csv(index=False, float_format="%.6g")
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
    failed = table.loc[table["error"] != "", "error"].unique()
    for reason in failed:
        click.echo(f"Not read: {reason}", err=True)
    if len(failed):
        sys.exit(2 if (table["error"] != "").all() else 1)
