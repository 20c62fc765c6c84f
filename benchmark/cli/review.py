"""`cxr-bench review`: forms for readers, and their answers back into the card."""

from datetime import UTC, datetime
from pathlib import Path

import click


@click.group()
def command() -> None:
    """Let readers judge a finished RUN, blind first, and put what they say into its card.

    \b
    Three steps:
      cxr-bench review export RUN --stage blind -o blind.html --cases 40 --seed 7
      cxr-bench review import RUN answers-blind-*.json
      cxr-bench review export RUN --stage maps -o maps.html

    Readers open the form in any browser and send back the JSON file that it saves.
    """


@command.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--stage", type=click.Choice(("blind", "maps")), required=True, help="What is asked.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="The form: one HTML file.",
)  # fmt: skip
@click.option(
    "--cases", "count", type=click.IntRange(1), default=40, show_default=True,
    help="Blind: how many cases, one a patient, findings enriched.",
)  # fmt: skip
@click.option(
    "--each", type=click.IntRange(1), default=10, show_default=True,
    help="Maps: how many of each network and finding, at most.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Which cases are drawn.")
@click.option(
    "--observation", "observations", multiple=True,
    help="Blind: ask this one; may be repeated. Default: CheXpert's five.",
)  # fmt: skip
@click.option(
    "--of", "digest", default="", metavar="DIGEST",
    help="Maps: which blind form, where several were answered.",
)  # fmt: skip
@click.option(
    "--size", type=click.IntRange(128, 4096), default=1024, show_default=True,
    help="Pixels of a radiograph's longer side, at most.",
)  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), help="Where the data lies now.")
@click.option(
    "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE",
    help="Override a setting of the run, such as data.reports.",
)  # fmt: skip
@click.option(
    "--include-restricted", is_flag=True,
    help="The source is restricted, and the form's readers may see its images.",
)  # fmt: skip
def export_command(
    run: Path,
    stage: str,
    output: Path,
    count: int,
    each: int,
    seed: int,
    observations: tuple[str, ...],
    digest: str,
    size: int,
    data: Path | None,
    overrides: tuple[str, ...],
    include_restricted: bool,
) -> None:
    """Write a form for readers.

    The blind form holds radiographs and questions, no label, score, map or id. The form for maps
    comes after blind answers were imported: is each map on the finding, is the score believable?
    Which cases were drawn is kept in RUN/reviews; the run's own files stay as they are.

    \b
    Examples:
      cxr-bench review export RUN --stage blind -o blind.html --cases 40 --seed 7
      cxr-bench review export RUN --stage blind -o blind.html --observation Edema
      cxr-bench review export RUN --stage maps -o maps.html --each 5
    """
    from benchmark.console import open_console
    from benchmark.reviewing.stages import Wanted, export_blind, export_maps
    from benchmark.runs import read_run

    chosen = [*([f"data.path={data}"] if data else []), *overrides]
    wanted = Wanted(output, seed, size, tuple(chosen), include_restricted)
    with open_console() as events:
        if stage == "blind":
            made = export_blind(read_run(run), wanted, count, observations, events)
        else:
            made = export_maps(read_run(run), wanted, each, digest, events)
    what = "radiographs" if stage == "blind" else "maps"
    click.echo(f"{output}: {len(made.cases)} {what}, cases {made.digest[:8]}")


@command.command("import")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--no-pdf", is_flag=True, help="Make the new edition without a PDF.")
def import_command(run: Path, files: tuple[Path, ...], no_pdf: bool) -> None:
    """Check readers' FILES and put what they say into a new edition of RUN's card.

    The run's own files stay as they are; answers, figures and the new card lie in its folder
    reviews/, with a manifest of their own. A reader's later file takes the place of the earlier.
    Nothing is kept where one file is wrong (exit code 2).

    \b
    Examples:
      cxr-bench review import RUN answers-blind-1a2b3c4d-ab.json
      cxr-bench review import RUN answers-*.json --no-pdf
    """
    from benchmark.reviewing.importing import import_answers
    from benchmark.runs import read_run

    checked = read_run(run)
    pdf = not no_pdf and (run / "card.pdf").is_file()
    for line in import_answers(checked, files, now=datetime.now(UTC), pdf=pdf):
        click.echo(line)
    click.echo(f"{run / 'reviews' / 'card.html'}")


@command.command("sign")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Who signs.")
@click.option("--role", default="", help="As what.")
@click.option(
    "--decision",
    required=True,
    type=click.Choice(("accepted", "accepted with limits", "rejected")),
)
@click.option("--remarks", default="", help="Under which conditions, or why not.")
@click.option("--no-pdf", is_flag=True, help="Make the new edition without a PDF.")
def sign_command(
    run: Path, name: str, role: str, decision: str, remarks: str, no_pdf: bool
) -> None:
    """Sign RUN's card off, dated today, in a new edition of it.

    \b
    Example:
      cxr-bench review sign RUN --name "A. Reader" --role "Head of radiology" \\
        --decision "accepted with limits" --remarks "Research only."
    """
    from benchmark.reviewing.importing import sign_off
    from benchmark.runs import read_run

    checked = read_run(run)
    values = {"name": name, "role": role, "decision": decision, "remarks": remarks}
    pdf = not no_pdf and (run / "card.pdf").is_file()
    click.echo(sign_off(checked, values, now=datetime.now(UTC), pdf=pdf))
    click.echo(f"{run / 'reviews' / 'card.html'}")
