"""`cxr-bench export`: a trained network as a file for other programs."""

from pathlib import Path

import click


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--network", "--model", "name", required=True, help="One of the run's networks.")
@click.option("--seed", type=int, help="The seed it was trained with.  [default: the first]")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["onnx", "torch"]),
    default="onnx",
    show_default=True,
    help="ONNX, or torch's exported program (.pt2).",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.",
)
def command(run: Path, name: str, seed: int | None, format_: str, output: Path) -> None:
    """Write a network of RUN to one file, preprocessing and operating points in its metadata.

    The file takes a batch of any number of images as `cxr.read_radiograph` reads them and gives
    14 probabilities for each, equal to the run's scores up to rounding. ONNX needs
    `pip install 'cxr-bench[export]'`.

    \b
    Examples:
      cxr-bench export results/synthetic-91fb0a6e/RUN --model densenet121 -o densenet.onnx
      cxr-bench export RUN --model resnet50 --seed 1 --format torch -o resnet.pt2
    """
    from benchmark.inference.exporting import export_network  # torch loads with it
    from benchmark.inference.new_images import open_trained
    from benchmark.runs import read_run

    network = open_trained(read_run(run), names=[name], seed=seed, device="cpu")[0]
    export_network(network, format_, output)
    click.echo(f"{output}: {network.name} (seed {network.seed}) of {run.name}; {network.note}")
