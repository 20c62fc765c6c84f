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
    "run": "benchmark.cli.run",
    "inspect": "benchmark.cli.inspect",
    "cache": "benchmark.cli.cache",
    "predict": "benchmark.cli.predict",
    "export": "benchmark.cli.export",
    "synth": "benchmark.cli.synth",
    "label": "benchmark.cli.label",
    "label-quality": "benchmark.cli.label_quality",
    "evaluate": "benchmark.cli.evaluate",
    "compare": "benchmark.cli.compare",
    "compare": "benchmark.cli.compare",
    "check": "benchmark.cli.check",
    "history": "benchmark.cli.history",
    "plan": "benchmark.cli.plan",
    "explain": "benchmark.cli.explain",
    "review": "benchmark.cli.review",
    "card": "benchmark.cli.card",
    "bundle": "benchmark.cli.bundle",
    "verify": "benchmark.cli.verify",
}
"""Command name -> module with a click command `command`; imported when used, so that `--help`
and the labeler do not wait for torch."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[name]).command
        return command


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
            "another folder with -o or CXR_BENCH_CACHE.",
            err=True,
        )
        code = 2
    sys.exit(code if isinstance(code, int) else 0)
