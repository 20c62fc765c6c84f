"""`cxr-bench inspect`: what is in a data set, before anything is trained on it."""

from pathlib import Path

import click

from benchmark.console import open_console
from cxr.sources import SOURCES

LOOKS = 2000


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--source",
    type=click.Choice([*(name for name in SOURCES if name != "synthetic"), "folder"]),
    help="The layout.  [default: told by what is there]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Page to write.",
)
@click.option(
    "--looks",
    type=click.IntRange(min=0),
    default=LOOKS,
    show_default=True,
    help="Images whose pixels are looked at; headers are read of all.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="data.KEY=VALUE",
    help="Where tables or reports lie elsewhere; may be repeated.",
)
@click.option(
    "--include-restricted",
    is_flag=True,
    help="Show pictures and ids of a restricted source. Don't share such a page.",
)
def command(
    data: Path,
    source: str | None,
    output: Path | None,
    looks: int,
    overrides: tuple[str, ...],
    include_restricted: bool,
) -> None:
    """Look over DATA: a folder in any known layout, a manifest, or any folder of images.

    Counts of patients, views and labels, what the files are, what would be left out, pictures
    that occur twice, and images that look like a mistake. Headers are read of every file, pixels
    of a sample; a look that was interrupted goes on when the same command is given again.

    \b
    Examples:
      cxr-bench inspect /data/mimic-cxr -o inspect.html
      cxr-bench inspect /data/chexpert --source chexpert
      cxr-bench inspect images.csv --looks 100000
      cxr-bench inspect /archive/2024 --include-restricted -o mine.html
    """
    from benchmark.inspection.building import inspect_cohort  # decoders load with it
    from benchmark.inspection.reading import read_everything
    from benchmark.inspection.showing import as_html, as_text
    from benchmark.runs import write_text

    with open_console() as events:
        cohort, words = read_everything(data, source or "", overrides, events)
        inspection = inspect_cohort(
            cohort,
            title=cohort.name,
            source=words,
            looks=looks,
            include_restricted=include_restricted,
            events=events,
        )
    click.echo(as_text(inspection))
    if output is not None:
        write_text(output, as_html(inspection))
        click.echo(f"\n{output}")
