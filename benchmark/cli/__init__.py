"""The command line: parses, calls, prints. Each command group has a module of its own.

Results go to standard output, progress and messages to standard error. A user's mistake ends
with one sentence and exit code 2, an interrupt with 130.
"""

import importlib
import sys
from collections.abc import Sequence

import click

from cxr import __version__
from cxr.errors import InputError

COMMANDS = {
    "The benchmark": {
        "run": "benchmark.cli.run",
        "check": "benchmark.cli.check",
        "history": "benchmark.cli.history",
        "card": "benchmark.cli.card",
    },
    "Data": {
        "inspect": "benchmark.cli.inspect",
        "cache": "benchmark.cli.cache",
        "synth": "benchmark.cli.synth",
        "plan": "benchmark.cli.plan",
    },
    "Labels": {
        "label": "benchmark.cli.label",
        "label-quality": "benchmark.cli.label_quality",
    },
    "Evaluation": {
        "evaluate": "benchmark.cli.evaluate",
        "compare": "benchmark.cli.compare",
        "external": "benchmark.cli.external",
    },
    "Use of a run's networks": {
        "predict": "benchmark.cli.predict",
        "explain": "benchmark.cli.explain",
        "export": "benchmark.cli.export",
    },
    "Review and sharing": {
        "review": "benchmark.cli.review",
        "bundle": "benchmark.cli.bundle",
        "verify": "benchmark.cli.verify",
    },
}
"""Heading of `--help` -> command name -> module with a click command `command`; imported when
used, so that `--help` and the labeler do not wait for torch."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in COMMANDS.values() for name in commands]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        modules = {
            key: module for commands in COMMANDS.values() for key, module in commands.items()
        }
        if name not in modules:
            return None
        command: click.Command = importlib.import_module(modules[name]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, names in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(name, self._first_sentence(ctx, name)) for name in names], col_spacing=2
                )

    def _first_sentence(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=200) if command else ""


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cxr-bench")
@click.option(
    "--backend",
    type=click.Choice(["processes", "dask"]),
    default="processes",
    show_default=True,
    help="Where decoding, labeling and reading of headers run: here, or on a Dask cluster.",
)
@click.option("--scheduler", metavar="ADDRESS", help="The Dask scheduler, as tcp://10.0.0.1:8786.")
@click.pass_context
def group(context: click.Context, backend: str, scheduler: str | None) -> None:
    """Compare two CNNs on chest radiographs: from DICOM and reports to a reviewable card.

    
    Examples:
      cxr-bench run
      cxr-bench --backend dask --scheduler tcp://10.0.0.1:8786 cache build --data /nfs/mimic-cxr
    """
    if (backend == "dask") != bool(scheduler):
        raise click.UsageError("--backend dask and --scheduler ADDRESS go together.")
    if scheduler:
        from cxr.parallel import on_cluster

        cores = context.with_resource(on_cluster(scheduler))
        click.echo(f"{cores} cores of the Dask cluster at {scheduler}", err=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with the documented exit code."""
    try:
        code = group.main(arguments, prog_name="cxr-bench", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; give the same command again to go on.", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = 2
    except InputError as error:
        click.echo(f"Error: {error}", err=True)
        code = 2
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        click.echo(
            f"Error: {error.strerror or error}{where}; make room or rights there, or choose "
            "another place (-o; for the cache $CXR_BENCH_CACHE).",
            err=True,
        )
        code = 2
    sys.exit(code if isinstance(code, int) else 0)
