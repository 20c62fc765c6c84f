"""`cxr-bench bundle`: one zip of a finished run, to be passed on."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from benchmark.sharing.bundling import Share


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="The zip.",
)  # fmt: skip
@click.option(
    "--share",
    type=click.Choice(("shareable", "full", "anonymous")),
    default="shareable",
    show_default=True,
    help="What goes in.",
)
@click.option(
    "--accept-identifiers", is_flag=True,
    help="What looks like an identifier has been looked at and may be shared.",
)  # fmt: skip
@click.option(
    "--without", multiple=True, metavar="PATTERN",
    help="Leave out files besides, as '*.png'; may be repeated.",
)  # fmt: skip
@click.option(
    "--sign", "key", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sign with this SSH key; the signature lies beside the zip as .sig.",
)  # fmt: skip
def command(
    run: Path,
    output: Path,
    share: "Share",
    accept_identifiers: bool,
    without: tuple[str, ...],
    key: Path | None,
) -> None:
    """Pack a finished RUN: card, metrics, scores where they may be shared, and every digest.

    shareable leaves out checkpoints, readers' own words and, of a restricted source, everything
    about single cases; anonymous also who made it, with what and where, for blind review; full
    leaves out nothing. Before anything is packed, all texts are searched for what looks like a
    path, an e-mail address, a UID or a patient's id. Equal runs give equal bytes.

    \b
    Examples:
      cxr-bench bundle results/synthetic-1a2b3c4d/RUN -o run.zip
      cxr-bench bundle RUN -o review.zip --share anonymous
      cxr-bench bundle RUN -o run.zip --sign ~/.ssh/id_ed25519
    """
    from benchmark.runs import read_run
    from benchmark.sharing.bundling import sign, write_bundle

    made = write_bundle(
        read_run(run),
        output,
        share=share,
        accept_identifiers=accept_identifiers,
        without=without,
    )
    for reason in dict.fromkeys(made.left_out.values()):
        count = sum(each == reason for each in made.left_out.values())
        click.echo(f"left out: {count} {'file' if count == 1 else 'files'} ({reason})", err=True)
    if key is not None:
        click.echo(f"signed: {sign(output, key)}", err=True)
    size = output.stat().st_size / 1e6
    click.echo(f"{output}: {made.files} files, {size:.1f} MB, {share}")
