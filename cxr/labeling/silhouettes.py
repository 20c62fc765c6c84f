"""Reads what is said of the heart and the mediastinum: normal, enlarged, borderline, unchanged.

These are subjects and no findings: they take a value only from a state (C8). The shape is that
of `cxr.labeling.shapes`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from cxr.labeling.shapes import FAR, MENTIONS, STATES

_FEW = 8
"""States before a subject that are carried to it, so that the pass stays linear."""


class State(NamedTuple):
    """The state of one subject.

    Attributes:
        element: index of the subject in the shape.
        value: 1.0 enlarged, 0.0 normal, -1.0 in doubt; None where nothing is said of it.
        trigger: index of the state that decided, or -1.
    """

    element: int
    value: float | None
    trigger: int


def read_states(shape: str) -> list[State]:
    """Return the state of every subject ("S") of `shape`, landmarks left out."""
    reader = _Reader(shape)
    for place, letter in enumerate(shape):
        reader.read(place, letter)
    return [_weigh(subject, said) for subject, said in reader.said.items()]


def _weigh(subject: int, said: list[tuple[str, int]]) -> State:
    """Weigh all that is said of one subject: enlarged over borderline over normal over stable."""
    for states, value in (("+", 1.0), ("?B", -1.0), ("0", 0.0), ("Ks", -1.0)):
        for state, place in said:
            if state in states:
                return State(subject, value, place)
    return State(subject, None, -1)


@dataclass(slots=True)
class _Reader:
    shape: str
    said: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    group: list[int] = field(default_factory=list)
    """Subjects that the next state is said of; -1 stands for other anatomy."""
    carried: list[tuple[str, int]] = field(default_factory=list)
    pending: list[tuple[str, int]] = field(default_factory=list)
    stated: bool = False
    since: str = ""
    negated: int = -1
    doubted: int = -1

    def read(self, place: int, letter: str) -> None:
        if letter in "SA":
            self._subject(place, letter)
        elif letter in STATES:
            self._state(place, letter)
        elif letter in MENTIONS:
            self.pending = []
            self.negated = self.doubted = -1
            if not any(c in self.since for c in "LPo"):
                self.group = []
            self.since = ""
        else:
            self._other(place, letter)

    def _other(self, place: int, letter: str) -> None:
        if letter == "n":
            self.negated = place
        elif letter in "hpm":
            self.doubted = place
        elif letter in "T,&":
            self.negated = self.doubted = -1
            if "x" in self.since:
                self.pending = []
        elif letter == ";":
            self.negated = self.doubted = -1
            self.pending = []
        elif letter in "V1":
            self.pending = []
        elif letter == "W" and self.stated:
            self.group = []
        elif letter == "%":
            self._say("K", place)
            letter = "L"
        self.since = self.since[-FAR:] + letter

    def _subject(self, place: int, letter: str) -> None:
        before = self.since.rstrip("dxM")
        if (
            letter == "S"
            and before[-1:]
            and (before[-1] == "L" or (before[-1] == "o" and not self.pending))
        ):
            return
        joined = (
            bool(self.group)
            and not self.since.strip(",&|/dx")
            and any(c in self.since for c in ",&|/")
        )
        if self.pending:
            self.group, self.carried, self.stated = [], self.pending, True
        elif joined and (self.carried or not self.stated):
            pass
        else:
            self.group, self.carried, self.stated = [], [], False
        self.group.append(place if letter == "S" else -1)
        if letter == "S":
            self.said[place] = list(self.carried)
        self.pending = []
        self.since = ""

    def _state(self, place: int, letter: str) -> None:
        former = self.since.rstrip("x")[-1:] == "~"
        state = "" if former or self._is_of_a_finding(place, letter) else self._judge(letter)
        if state:
            apart = not self.group or self.stated or any(c in self.since for c in ",&")
            if apart and self._subject_follows(place):
                self.pending = [*self.pending[-_FEW:], (state, place)]
            else:
                self._say(state, place)
        self.since = self.since[-FAR:] + "."

    def _say(self, state: str, place: int) -> None:
        for subject in self.group[-FAR:]:
            if subject >= 0:
                self.said[subject].append((state, place))
        if self.group:
            self.stated = True
            self.carried = []

    def _judge(self, letter: str) -> str:
        """Return the state that `letter` means here: "+", "0", "B", "K", "s", or "?" in doubt."""
        negated, doubted = self.negated >= 0, self.doubted >= 0
        state = {"^": "+", "C": "s", "N": "s", "k": "s", "H": "K"}.get(letter, letter)
        if negated and letter in "+":
            return "0"
        if negated and letter in "^N":
            return "s"
        if negated and letter == "0":
            return "+"
        if letter == "N" and not negated:
            return "s"
        return "?" if doubted and state in "+0" else state

    def _is_of_a_finding(self, place: int, letter: str) -> bool:
        """Whether a size is a finding's: "cannot be assessed because of the large effusion"."""
        return (
            letter in "+^"
            and self.stated
            and self.shape[place + 1 : place + 4].lstrip("xM")[:1] in tuple(MENTIONS)
        )

    def _subject_follows(self, place: int) -> bool:
        for letter in self.shape[place + 1 : place + 7]:
            if letter in "SA":
                return True
            if letter not in "x0+BsMod^&,=":
                return False
        return False
