"""`cxr-bench external`: a run's networks on another collection."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Root folder, or manifest (CSV), of the other collection: short for data.path.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="A setting of the other collection, as data.source=nih; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder for results; the test gets a run folder of its own below it.",
)
@click.option("--no-pdf", is_flag=True, help="Write the card as HTML and Markdown only.")
def command(
    run: Path, data: Path | None, overrides: tuple[str, ...], output: Path, no_pdf: bool
) -> None:
    """Test the networks of a finished RUN on another collection of radiographs.

    Every image of it is tested: nothing is trained or chosen there, and patients whom the
    networks were trained on are left out. The new run folder has metrics and a card as any run,
    and what each AUROC loses against RUN's own test, with intervals for two independent samples
    of patients.

    \b
    Examples:
      cxr-bench external RUN --set data.source=chexpert --data /data/CheXpert-v1.0-small
      cxr-bench external RUN --set data.source=manifest --set data.labels=columns --data other.csv
      cxr-bench external RUN --set synth.seed=11 --set synth.conspicuity=0.7
    """
    from benchmark.console import open_console
    from benchmark.external_run import external_config, run_external
    from benchmark.runs import read_run
    from benchmark.summary import summary

    chosen = list(overrides)
    if data is not None:
        chosen.append(f"data.path={data}")
    if no_pdf:
        chosen.append("card.pdf=false")
    config = external_config(read_run(run), chosen)
    with open_console() as events:
        finished = run_external(run, config, results=output, events=events)
    click.echo(summary(finished))
