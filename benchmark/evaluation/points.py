"""The names of operating points: how a threshold is chosen on validation cases."""

import difflib
import re
from dataclasses import dataclass

from cxr.errors import InputError

KINDS = {
    "youden": "where recall and specificity together are highest (Youden's index)",
    "max-f1": "where F1 is highest",
    "sensitivity": "the highest threshold that finds at least {least:g} of the positives",
    "specificity": "the lowest threshold that leaves out at least {least:g} of the negatives",
}
_BOUNDED = ("sensitivity", "specificity")


@dataclass(frozen=True)
class Rule:
    """One way to choose a threshold.

    Attributes:
        kind: a key of `KINDS`.
        least: the rate to reach, for sensitivity and specificity.
    """

    kind: str
    least: float | None = None

    @property
    def name(self) -> str:
        """As it is written in the config."""
        return self.kind if self.least is None else f"{self.kind}>={self.least:g}"

    @property
    def meaning(self) -> str:
        """In words."""
        return KINDS[self.kind].format(least=self.least)

    @property
    def slug(self) -> str:
        """As a file's name."""
        return re.sub("[^0-9a-z]+", "-", self.name)


def parse_rule(text: str) -> Rule:
    """Return the rule that `text` names, such as "youden" or "sensitivity>=0.9".

    Raises:
        InputError: no such rule (the nearest is named), or a rate that can't be asked for.
    """
    kind, bound, number = text.replace(" ", "").partition(">=")
    if kind not in KINDS:
        close = difflib.get_close_matches(kind, KINDS, n=1)
        known = ", ".join(f"{one}>=0.9" if one in _BOUNDED else one for one in KINDS)
        meant = f"did you mean '{close[0]}'?" if close else f"known are {known}."
        raise InputError(f"operating point '{text}' is unknown; {meant}")
    if (kind in _BOUNDED) != bool(bound):
        form = f"{kind}>=0.9" if kind in _BOUNDED else kind
        raise InputError(f"operating point '{text}' is no rule; write it as '{form}'.")
    if not bound:
        return Rule(kind)
    try:
        least = float(number)
    except ValueError:
        least = -1.0
    if not 0 < least <= 1:
        raise InputError(
            f"operating point '{text}' asks for '{number}'; a {kind} is above 0 and at most 1."
        )
    return Rule(kind, least)
