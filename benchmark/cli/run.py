"""`cxr-bench run`: the main job."""

from pathlib import Path

import click

from benchmark.config import PRESETS, load_config


@click.command()
@click.option("--preset", type=click.Choice(PRESETS), help="The settings to start from.")
@click.option(
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file over the preset.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Root folder of the collection that data.source names, or a manifest (CSV).",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Override one setting; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder for results; the run gets a folder of its own below it.",
)
@click.option("--no-pdf", is_flag=True, help="Write the card as HTML and Markdown only.")
@click.option(
    "--include-restricted",
    is_flag=True,
    help="Put images of a restricted source into the card. Don't share such a card.",
)
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each epoch for TensorBoard into this folder too.",
)
@click.option("--show-config", is_flag=True, help="Print the resolved settings and stop.")
def command(
    preset: str | None,
    file: Path | None,
    data: Path | None,
    overrides: tuple[str, ...],
    output: Path,
    no_pdf: bool,
    include_restricted: bool,
    tensorboard: Path | None,
    show_config: bool,
) -> None:
    """Train, evaluate and explain two CNNs, and write a card about them.

    Without options it runs on a synthetic cohort that it renders itself. A run that was
    interrupted goes on when the same command is given again.

    \b
    Examples:
      cxr-bench run
      cxr-bench run --preset mimic-cxr --data /data/mimic-cxr
      cxr-bench run --set data.source=manifest --data images.csv --set training.epochs=3
      torchrun --nproc-per-node 4 -m benchmark run --preset mimic-cxr --data /data/mimic-cxr
    """
    chosen = list(overrides)
    if data is not None:
        chosen.insert(0, f"data.path={data}")
    if no_pdf:
        chosen.append("card.pdf=false")
    if include_restricted:
        chosen.append("card.include_restricted=true")
    config = load_config(preset=preset, file=file, overrides=chosen)
    if show_config:
        click.echo(config.as_toml())
        return

    from benchmark.console import open_console  # torch loads with the pipeline, not with --help
    from benchmark.pipeline import follow, run
    from benchmark.summary import summary
    from benchmark.trackers import add_tensorboard
    from benchmark.training.devices import resolve_device, settle
    from benchmark.training.distribution import open_ranks

    with open_ranks(resolve_device(config.training.device)) as ranks:
        where = settle(config.training)
        if not ranks.first:
            follow(config)
            return
        with open_console() as console:
            events = add_tensorboard(console, tensorboard) if tensorboard else console
            events.say(where)
            finished = run(config, results=output, events=events)
    click.echo(summary(finished))
