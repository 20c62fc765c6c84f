"""What a run tells, on standard error: progress bars in a terminal, plain lines elsewhere.

with open_console() as events:
    events.stage("Decoding", total=800, unit="images")
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
)
from rich.table import Column
from rich.text import Text

from benchmark.events import Events

LINE_SECONDS = 15.0
"""Plain lines: the least time between two lines about one stage."""


@contextmanager
def open_console(stream: TextIO | None = None) -> Iterator[Events]:
    """Give events that write to `stream` (standard error), bars where it is a terminal."""
    stream = stream or sys.stderr
    console = Console(file=stream, highlight=False)
    events = BarEvents(console) if console.is_terminal else LineEvents(stream)
    try:
        yield events
    except BaseException:
        events.close(finished=False)
        raise
    events.close()


class BarEvents:
    """One progress bar for the current stage; a finished one stays above as a line."""

    def __init__(self, console: Console):
        self._progress = Progress(
            SpinnerColumn(),
            _Name(table_column=Column()),  # the one that shrinks in a narrow terminal
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            _Share(table_column=Column(no_wrap=True, min_width=5)),
            _Rate(table_column=Column(no_wrap=True)),
            _Values(table_column=Column(no_wrap=True)),
            _TimeLeft(table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
            refresh_per_second=4,
        )
        self._task: Task | None = None

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Finish the bar before and start one."""
        self._finish()
        self._progress.start()
        self._progress.add_task(name, total=total, unit=unit, values={})
        self._task = self._progress.tasks[-1]

    def advance(self, count: int = 1, **values: float) -> None:
        """Move the bar and show `values` beside it."""
        if self._task is not None:
            merged = {**self._task.fields["values"], **values}
            self._progress.update(self._task.id, advance=count, values=merged)

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self._progress.console.print(text, markup=False, soft_wrap=True)

    def epoch(self, network: str, seed: int, row: Mapping[str, float]) -> None:
        """Print the epoch's line above the bar."""
        self.say("  " + epoch_line(network, seed, row))

    def close(self, *, finished: bool = True) -> None:
        """Leave the terminal as it was; an unfinished stage keeps its bar."""
        if finished:
            self._finish()
        self._progress.stop()

    def _finish(self) -> None:
        if self._task is not None:
            spent = seconds_text(self._task.elapsed or 0.0)
            self._progress.remove_task(self._task.id)
            line = Text.assemble(("✓ ", "green"), f"{self._task.description} ", (spent, "cyan"))
            self._progress.console.print(line)
            self._task = None


class LineEvents:
    """Plain lines, for logs: when a stage starts and ends, and now and then between."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic):
        self._stream = stream
        self._clock = clock
        self._name = ""
        self._total: int | None = None
        self._unit = ""
        self._done = 0
        self._values: dict[str, float] = {}
        self._started = self._last = clock()

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Say that the stage before is done and this one begins."""
        self.close()
        self._name, self._total, self._unit = name, total, unit
        self._done, self._values = 0, {}
        self._started = self._last = self._clock()
        self.say(f"{name}: {total} {unit}".rstrip() if total else name)

    def advance(self, count: int = 1, **values: float) -> None:
        """Count; write a line where the last one is `LINE_SECONDS` old."""
        self._done += count
        self._values.update(values)
        if self._clock() - self._last >= LINE_SECONDS:
            self._last = self._clock()
            self.say(self._line())

    def say(self, text: str) -> None:
        """Write one line."""
        print(text, file=self._stream, flush=True)

    def epoch(self, network: str, seed: int, row: Mapping[str, float]) -> None:
        """Write the epoch's line."""
        self._last = self._clock()
        self.say("  " + epoch_line(network, seed, row))

    def close(self, *, finished: bool = True) -> None:
        """Say that the current stage is done, where it is."""
        if self._name and finished:
            self.say(f"{self._name}: done in {seconds_text(self._clock() - self._started)}")
            self._name = ""

    def _line(self) -> str:
        spent = self._clock() - self._started
        rate = self._done / spent
        counted = f"{self._done}/{self._total}" if self._total else str(self._done)
        parts = [f"{self._name}: {counted} {self._unit}".rstrip(), f"{rate_text(rate)}/s"]
        if self._total and rate > 0:
            parts.append(f"{seconds_text((self._total - self._done) / rate)} left")
        parts += [value_text(name, value) for name, value in self._values.items()]
        return ", ".join(parts)


def epoch_line(network: str, seed: int, row: Mapping[str, float]) -> str:
    """Return one line about an epoch; `row` as in history.csv."""
    return (
        f"{network} (seed {seed}) epoch {int(row['epoch'])}: "
        f"loss {row['train_loss']:.4f}, validation loss {row['validation_loss']:.4f}, "
        f"validation AUROC {row['validation_auroc']:.4f}, "
        f"learning rate {row['learning_rate']:.2g}"
    )


def value_text(name: str, value: float) -> str:
    """Return "loss 0.312" or "AUROC 0.831"."""
    return f"{'AUROC' if name == 'auroc' else name} {value:.3f}"


def rate_text(rate: float) -> str:
    """Return a rate with one decimal below 10."""
    return f"{rate:.1f}" if rate < 10 else f"{rate:.0f}"


def seconds_text(seconds: float) -> str:
    """Return a duration for people: "4 s", "2 min 05 s", "1 h 12 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class _Name(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.description, no_wrap=True, overflow="ellipsis")


class _Share(ProgressColumn):
    """How much is done: in percent, or as a count where the total is unknown."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(f"{task.completed:.0f}" if task.completed else "")
        return Text(f"{task.percentage:3.0f} %")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        if not task.speed:
            return Text("")
        return Text(f"{rate_text(task.speed)} {task.fields['unit']}".rstrip() + "/s", style="cyan")


class _Values(ProgressColumn):
    def render(self, task: Task) -> Text:
        values = task.fields["values"].items()
        return Text(" ".join(value_text(name, value) for name, value in values))


class _TimeLeft(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.finished or task.time_remaining is None:
            return Text("")
        return Text(f"{seconds_text(task.time_remaining)} left", style="magenta")
