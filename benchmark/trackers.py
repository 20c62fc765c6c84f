"""Events that go to several receivers, and TensorBoard as one of them.

Another tracker is another class with the methods of `benchmark.events.Events`.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.events import Events, Silent
from cxr.errors import InputError


class Several:
    """Tells everything to each of several receivers, in their order."""

    def __init__(self, *receivers: Events) -> None:
        self._receivers = receivers

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Tell that a stage starts."""
        for receiver in self._receivers:
            receiver.stage(name, total, unit)

    def advance(self, count: int = 1, **values: float) -> None:
        """Tell that units are done."""
        for receiver in self._receivers:
            receiver.advance(count, **values)

    def say(self, text: str) -> None:
        """Tell one sentence."""
        for receiver in self._receivers:
            receiver.say(text)

    def epoch(self, network: str, seed: int, row: Mapping[str, float]) -> None:
        """Tell an epoch."""
        for receiver in self._receivers:
            receiver.epoch(network, seed, row)


class TensorBoard(Silent):
    """Writes each epoch's row under <folder>/<network>/seed-<n>, one curve for each column."""

    def __init__(self, folder: Path, writer: Any) -> None:
        self._folder = folder
        self._writer = writer

    def epoch(self, network: str, seed: int, row: Mapping[str, float]) -> None:
        """Write the row; closed at once, so that what is told is on disk."""
        place = self._folder / network.replace(":", "_") / f"seed-{seed}"
        with self._writer(log_dir=str(place)) as curves:
            for name, value in row.items():
                if name != "epoch":
                    curves.add_scalar(name, value, int(row["epoch"]))


def add_tensorboard(events: Events, folder: Path) -> Events:
    """Return events that go to `events` and to TensorBoard's files under `folder`.

    Raises:
        InputError: TensorBoard is not installed.
    """
    try:
        writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError as error:
        raise InputError(
            "--tensorboard needs TensorBoard; install it with `pip install "
            "'cxr-bench[tensorboard]'`."
        ) from error
    return Several(events, TensorBoard(folder, writer))
