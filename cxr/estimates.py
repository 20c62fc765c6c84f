"""The shape of every number that is reported: an estimate with its interval, or a reason."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, or the reason why there is none.

    Attributes:
        estimate: the point estimate; NaN where it can't be estimated.
        low, high: ends of the interval; NaN where there is none.
        method: how the interval was made, such as "bootstrap, patients"; empty without one.
        reason: why there is no estimate, or no interval; None where both stand.
    """

    estimate: float
    low: float = math.nan
    high: float = math.nan
    method: str = ""
    reason: str | None = None

    @classmethod
    def missing(cls, reason: str) -> "Estimate":
        """Return an estimate that is not estimable, for `reason`."""
        return cls(math.nan, reason=reason)

    @property
    def known(self) -> bool:
        """Whether there is a point estimate."""
        return not math.isnan(self.estimate)

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON, with None in place of NaN."""
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Estimate":
        """Return the estimate that `as_json` wrote."""
        numbers = {
            key: math.nan if values.get(key) is None else float(values[key])
            for key in ("estimate", "low", "high")
        }
        return cls(**numbers, method=values.get("method") or "", reason=values.get("reason"))
