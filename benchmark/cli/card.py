"""`cxr-bench card`: a finished run's card made anew, and two of them compared."""

from datetime import UTC, datetime
from pathlib import Path

import click


class _RunFirst(click.Group):
    """`card RUN` is short for `card make RUN`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if known or not args else ["make", *args])


@click.group(cls=_RunFirst)
def command() -> None:
    """Make a finished RUN's card anew, or compare the cards of two runs.

    \b
    Examples:
      cxr-bench card RUN                    after you wrote or changed RUN/card.toml
      cxr-bench card RUN -o out --paper letter --templates ours/
      cxr-bench card diff RUN_A RUN_B -o diff.html
    """


@command.command("make")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the card. Default: a new edition in RUN/reviews.",
)  # fmt: skip
@click.option(
    "--templates", type=click.Path(path_type=Path),
    help="Folder of your own templates; a file takes the place of ours of the same name.",
)  # fmt: skip
@click.option("--paper", type=click.Choice(("a4", "letter")), default=None, help="The PDF's paper.")
@click.option("--no-pdf", is_flag=True, help="Make no PDF.")
def make_command(
    run: Path, output: Path | None, templates: Path | None, paper: str | None, no_pdf: bool
) -> None:
    """Make RUN's card anew from its files and its card.toml; the run's own card stays.

    In a folder of templates, card.html.jinja may extend "builtin/card.html.jinja" and replace
    single blocks: summary, use, data, labels, method, results, curves, variants, comparison,
    groups, explanations, localization, ladder, reviewing, closing, own.

    \b
    Examples:
      cxr-bench card results/synthetic-1a2b3c4d/RUN
      cxr-bench card RUN -o out --templates ours/ --no-pdf
    """
    from benchmark.card import build_card
    from benchmark.card.pages import check_templates
    from benchmark.runs import read_run
    from benchmark.sharing.editions import Look, write_card_files, write_edition

    finished = read_run(run)
    if templates is not None:
        check_templates(templates)
    pdf = not no_pdf and (output is not None or (run / "card.pdf").is_file())
    look = Look(pdf=pdf, templates=templates, paper=paper or "")
    if output is None:
        output = write_edition(
            finished, ["The card was made anew."], now=datetime.now(UTC), look=look
        )
    else:
        write_card_files(build_card(finished.path), output, look)
    click.echo(output / "card.html")


@command.command("diff")
@click.argument("first", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("second", metavar="RUN_B", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
    help="Write the comparison as one HTML file too.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Show what is the same as well.")
def diff_command(first: Path, second: Path, output: Path | None, everything: bool) -> None:
    """Show what changed from RUN_A to RUN_B: data, code, protocol, settings, and the numbers.

    Numbers stand with their 95 % intervals. On the same test cases the difference of two AUROCs
    is paired and has an interval of its own; else it has none, and the two runs can't be compared
    by it.

    \b
    Examples:
      cxr-bench card diff results/synthetic-1/OLD results/synthetic-1/NEW
      cxr-bench card diff OLD NEW -o diff.html
    """
    from benchmark.card.diffing import diff_runs, render_diff, render_diff_text
    from benchmark.runs import read_run, write_text

    found = diff_runs(read_run(first).path, read_run(second).path)
    if output is not None:
        write_text(output, render_diff(found))
    click.echo(render_diff_text(found, everything=everything))
    if output is not None:
        click.echo(output)
