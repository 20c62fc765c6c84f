"""Scopes: how far a negation or a hedge reaches over what follows it.

In the manner of NegEx (Chapman et al. 2001, J Biomed Inform 34:301-310), with scopes that end by
grammar and not by a count of words (C11).
"""

from dataclasses import dataclass

from cxr.labeling.lists import Value
from cxr.labeling.shapes import FAR, OPENERS, or_follows, verb_follows

MEANINGS: dict[str, tuple[Value, str]] = {
    "": (1.0, "C1"),
    "n": (0.0, "C11"),
    "w": (-1.0, "C9"),
    "h": (-1.0, "C10"),
    "p": (-1.0, "C10"),
    "u": (-1.0, "C10"),
    "i": (0.0, "C12"),
    "e": (None, "C12"),
    "r": (0.0, "C7"),
    "k": (1.0, "C7"),
}
"""Kind of scope -> value of what lies in it, and the convention; "" is none."""

_JOINTS = frozenset("|ylcg")
"""Or, versus, over, consistent with, suggesting: what follows these is in the scope still."""
_WORDS = frozenset("xLMdjo")
"""Without a comma these start something else."""


@dataclass(slots=True)
class Scope:
    """The scope that is open.

    Attributes:
        kind: letter of the trigger that opened it, a key of `MEANINGS`.
        trigger: index of that trigger in the shape.
        used: whether a finding lay in it.
        since: letters since it was opened or last used.
    """

    kind: str = ""
    trigger: int = -1
    used: bool = False
    since: str = ""

    def open(self, kind: str, place: int) -> None:
        """Open a scope by the trigger at `place`."""
        self.kind, self.trigger, self.used, self.since = kind, place, False, ""

    def close(self) -> None:
        """End the scope."""
        self.kind = ""

    def pass_letter(self, place: int, letter: str) -> None:
        """Note a letter that is no finding."""
        if self.trigger != place:
            self.since = self.since[-FAR:] + letter

    def ends_before(self, shape: str, place: int) -> bool:
        """Whether it ends before the finding at `place`."""
        since = self.since
        if not self.used:
            return self.kind == "n" and self._leaves_unknown(shape, place)
        if not _JOINTS.isdisjoint(since):
            return False
        if "W" in since:
            return self.kind != "h"  # "may represent an effusion with atelectasis" is one guess
        if self.kind == "u" or (self.kind == "n" and since == "o"):  # a slip for "or"
            return False
        cut = max(since.rfind(","), since.rfind("&"), since.rfind("/"))
        if cut < 0:
            return verb_follows(shape, place) or not _WORDS.isdisjoint(since)
        if "Y" in since[:cut]:
            return True
        return _starts_anew(shape, place, since[cut + 1 :])

    def _leaves_unknown(self, shape: str, place: int) -> bool:
        """Whether a negated other thing ended: "the apex is not included, and mild edema"."""
        cut = max(self.since.rfind(","), self.since.rfind("&"))
        return cut >= 0 and "x" in self.since[:cut] and _starts_anew(shape, place, self.since[cut:])


def _starts_anew(shape: str, place: int, since_comma: str) -> bool:
    """Whether a comma or "and" began a clause of its own."""
    opens = not OPENERS.isdisjoint(since_comma)
    return (opens or verb_follows(shape, place)) and not or_follows(shape, place)
