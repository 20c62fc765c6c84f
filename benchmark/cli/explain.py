"""`cxr-bench explain`: new images put to the networks of a run."""

from pathlib import Path

import click

from benchmark.cli.numbers import Finite
from benchmark.console import open_console


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument(
    "images", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("explained"),
    show_default=True,
    help="Folder for the page, the JSON and the pictures.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="NAME",
    help="Ask this one only; may be repeated.",
)
@click.option(
    "--point",
    metavar="SCORE|RULE",
    help="Operating point: one score for all, or a rule to choose one each on the run's "
    "validation images (youden, max-f1, sensitivity>=0.9, specificity>=0.9).  "
    "[default: the run's threshold]",
)
@click.option(
    "--doubt",
    type=Finite(1),
    default=1.25,
    show_default=True,
    help="A score whose odds are within this factor of its operating point's is called possible.",
)
@click.option(
    "--dicom", is_flag=True, help="Write each map as DICOM Secondary Capture too, for DICOM images."
)
@click.option(
    "--anyway",
    is_flag=True,
    help="Answer for images unlike those that the networks were trained on; every picture says so.",
)
@click.option(
    "--include-restricted",
    is_flag=True,
    help="Show image and file name although the run's source is restricted.",
)
def command(
    run: Path,
    images: tuple[Path, ...],
    output: Path,
    networks: tuple[str, ...],
    point: str | None,
    doubt: float,
    dicom: bool,
    anyway: bool,
    include_restricted: bool,
) -> None:
    """Say what the networks of RUN see in new images (DICOM, PNG or JPEG), and where.

    For each image: scores with their operating points, heatmaps over the image at its own
    resolution, the places in words, and a findings text. Written as explain.html, explain.json
    and PNG. A machine writes this: it is not for clinical use. Networks trained on the synthetic
    cohort refuse real images unless told --anyway.

    \b
    Examples:
      cxr-bench explain results/synthetic-91fb0a6e/RUN cohort/files/p10/*/*/*.dcm
      cxr-bench explain RUN chest.dcm -o answer --network densenet121 --point youden
      cxr-bench explain RUN chest.png -o answer --anyway
    """
    from benchmark.asking.job import explain_images

    with open_console() as events:
        page = explain_images(
            run,
            images,
            output,
            networks=networks,
            point=point,
            doubt=doubt,
            dicom=dicom,
            anyway=anyway,
            include_restricted=include_restricted,
            events=events,
        )
    click.echo(page)
