"""`cxr-bench verify`: does a bundle or a run hold what it says?"""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path), metavar="BUNDLE|RUN")
@click.option(
    "--allowed-signers", "signers", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Whose signatures count: a file as ssh-keygen -Y reads it.",
)  # fmt: skip
@click.option("--signer", help="Who must have signed: a name in that file.")
def command(path: Path, signers: Path | None, signer: str | None) -> None:
    """Check a BUNDLE (zip) or the folder of a RUN: digests, metrics, and the card's numbers.

    The metrics are computed again from the scores, each number of the card is looked up where it
    says it stands, and the card is rendered again where this version made it. A digest tells
    that a file was not changed, and only a signature tells by whom it was made.

    Exit code 0: all that could be checked holds. 1: something differs; it is named. 2: it is no
    bundle and no run.

    \b
    Examples:
      cxr-bench verify run.zip
      cxr-bench verify results/synthetic-1a2b3c4d/RUN
      cxr-bench verify run.zip --allowed-signers signers.txt --signer lab@example.org
    """
    from benchmark.sharing.verification import check_signature, verify

    if (signers is None) != (signer is None):
        raise click.UsageError("give --allowed-signers FILE and --signer NAME together.")
    verdict = verify(path)
    check_signature(path, signers, signer, verdict)
    for line in verdict.held:
        click.echo(f"holds    {line}")
    for line in verdict.skipped:
        click.echo(f"unknown  {line}")
    for line in verdict.wrong:
        click.echo(f"DIFFERS  {line}")
    click.echo(f"{path}: {'refused' if verdict.wrong else 'good'}")
    sys.exit(1 if verdict.wrong else 0)
