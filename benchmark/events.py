"""What a run tells while it runs: one interface for progress bars, plain logs and trackers."""

from collections.abc import Mapping
from typing import Protocol


class Events(Protocol):
    """Receives what happens. Implementations never raise and never change the run."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """A stage starts; `total` units of work where that is known. Ends the one before."""

    def advance(self, count: int = 1, **values: float) -> None:
        """`count` units of the current stage are done; `values` (loss=...) stand beside the bar."""

    def say(self, text: str) -> None:
        """One sentence that the user should read."""

    def epoch(self, network: str, seed: int, row: Mapping[str, float]) -> None:
        """An epoch of training ended; `row` as in history.csv."""


class Silent:
    """Events that go nowhere, for tests and for use as a library."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> None:
        """Ignore."""

    def advance(self, count: int = 1, **values: float) -> None:
        """Ignore."""

    def say(self, text: str) -> None:
        """Ignore."""

    def epoch(self, network: str, seed: int, row: Mapping[str, float]) -> None:
        """Ignore."""
