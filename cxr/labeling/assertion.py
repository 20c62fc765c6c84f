"""Decides for every finding of a sentence: present, absent, in doubt, or no mention.

A sentence comes as its *shape*: one letter for each phrase of the vocabulary or the triggers in
it, "x" for a run of other words (letters: `cxr.labeling.vocabulary`). "No pneumothorax, small
effusion" is "nF,MF". The reading is one pass from left to right, linear in the length, in the
manner of NegEx (Chapman et al. 2001, J Biomed Inform 34:301-310) with scopes that end by grammar
and not by a count of words. Conventions C1 to C17 are those of the labeler's documentation.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from cxr.labeling.silhouettes import STATES, State, read_states

MENTIONS = frozenset("FfJGUDOZ")
NOUNS = MENTIONS | {"S"}
CHANGES = frozenset("C^sN")
"""Letters of change and stability: a doubt about these is none about presence (C10)."""
OPENERS = frozenset("djMC^s")
"""After a comma or "and" these start a phrase of its own, that a negation does not reach."""

_FAR = 48
"""Letters, or mentions of one list, that a decision looks back over: keeps the pass linear."""

Value = float | None


class Decision(NamedTuple):
    """What was decided for one element of a shape.

    Attributes:
        element: index into the shape.
        value: 1.0, 0.0 or -1.0; None for no mention.
        trigger: index of the element that decided, or -1.
        convention: such as "C11".
    """

    element: int
    value: Value
    trigger: int
    convention: str


@dataclass
class _Mention:
    element: int
    letter: str
    value: Value
    trigger: int
    convention: str
    link: str
    scoped: bool


SCOPES: dict[str, tuple[Value, str]] = {
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
"""Scope that a trigger opens -> value of what lies in it, and the convention."""


@lru_cache(maxsize=1 << 16)
def decide(shape: str) -> tuple[Decision, ...]:
    """Return the decisions for the findings and the silhouettes of `shape`, in order."""
    reader = _Reader(shape)
    for place, letter in enumerate(shape):
        reader.read(place, letter)
    decisions = [
        Decision(m.element, m.value, m.trigger, m.convention)
        for m in reader.mentions
        if m.letter != "S"
    ]
    scopes = {m.element: m for m in reader.mentions if m.letter == "S"}
    if scopes:
        decisions += [_decide_state(state, scopes[state.element]) for state in read_states(shape)]
        decisions.sort()
    return tuple(decisions)


def _decide_state(state: State, mention: _Mention) -> Decision:
    value, trigger = state.value, state.trigger
    if mention.convention == "C12":
        return Decision(mention.element, None, mention.trigger, "C12")
    if mention.value == 0.0 and value == 1.0:
        value, trigger = 0.0, mention.trigger
    elif mention.value == -1.0 and value is not None:
        value, trigger = -1.0, mention.trigger
    return Decision(mention.element, value, trigger, "C8")


@dataclass
class _Reader:
    """The state of one pass over a shape."""

    shape: str
    mentions: list[_Mention] = field(default_factory=list)
    scope: str = ""
    trigger: int = -1
    used: bool = False
    since: str = ""
    gap: str = ""
    barrier: int = 0
    tip: bool = False
    prior: bool = False
    differing: bool = False

    def read(self, place: int, letter: str) -> None:
        if letter in NOUNS:
            self._mention(place, letter)
            return
        step = _STEPS.get(letter)
        if step is not None:
            step(self, place, letter)
        if self.trigger != place:
            self.since = self.since[-_FAR:] + letter
        self.gap = self.gap[-_FAR:] + letter

    # ------------------------------------------------------------------ mentions

    def _mention(self, place: int, letter: str) -> None:
        if self.scope and (self._ends(place) or self._spares_device(place, letter)):
            self.scope = ""
        value, convention = SCOPES[self.scope]
        mention = _Mention(
            place,
            letter,
            value,
            self.trigger if self.scope else -1,
            convention,
            self._link(),
            bool(self.scope),
        )
        self.mentions.append(mention)
        if not self.scope and letter not in "SD":
            if mention.link in ("|", "y"):
                self._doubt_alternatives()
            elif "y" in self.gap:  # "scar versus tumor", where the other is no finding
                trigger = self.shape.rfind("y", 0, place)
                mention.value, mention.trigger, mention.convention = -1.0, trigger, "C10"
        self.used = True
        self.since = self.gap = ""

    def _link(self) -> str:
        if len(self.mentions) == self.barrier:
            return ""
        return "+" if self._qualified() else _link(self.gap)

    def _spares_device(self, place: int, letter: str) -> bool:
        """Whether a negation is of something else: "no kink of the tube", "no effusion, PICC"."""
        if letter != "D" or self.scope != "n":
            return False
        if not self.used:
            return "d" in self.since
        return self.mentions[-1].letter != "D" and "," in self.since and not self._or_follows(place)

    def _ends(self, place: int) -> bool:
        """Whether the open scope ends before the mention at `place`."""
        since = self.since
        if self._qualified():
            return False
        if not self.used:
            return self.scope == "n" and self._leaves_unknown(place)
        if "|" in since or "y" in since or "l" in since or "c" in since or "g" in since:
            return False
        if "W" in since:
            return self.scope != "h"  # "may represent an effusion with atelectasis" is one guess
        if self.scope == "u" or (self.scope == "n" and since == "o"):  # a slip for "or"
            return False
        cut = max(since.rfind(","), since.rfind("&"), since.rfind("/"))
        if cut < 0:
            return self._verb_follows(place) or any(letter in since for letter in "xLMdjo")
        if "Y" in since[:cut]:
            return True
        opens = any(letter in OPENERS for letter in since[cut + 1 :])
        return (opens or self._verb_follows(place)) and not self._or_follows(place)

    def _qualified(self) -> bool:
        """Whether the mention before is an adjective of the one at hand: "hazy left opacity"."""
        return bool(self.mentions) and self.mentions[-1].letter == "J" and not self.gap.strip("xMA")

    def _leaves_unknown(self, place: int) -> bool:
        """Whether a negated other thing ended: "the apex is not included, and mild edema"."""
        cut = max(self.since.rfind(","), self.since.rfind("&"))
        if cut < 0 or "x" not in self.since[:cut]:
            return False
        opens = any(letter in OPENERS for letter in self.since[cut + 1 :])
        return (opens or self._verb_follows(place)) and not self._or_follows(place)

    def _verb_follows(self, place: int) -> bool:
        if self.shape[place] == "S" and self._next(place, "xM") in STATES:
            return True
        for letter in self.shape[place + 1 : place + 4]:
            if letter in "VzvHk1":
                return True
            if letter not in "xM":
                return False
        return False

    def _or_follows(self, place: int) -> bool:
        for letter in self.shape[place + 1 : place + 40]:
            if letter == "|":
                return True
            if letter in "TXIVvzHWPn":
                return False
        return False

    def _doubt_alternatives(self) -> None:
        """Make "A or B" and "A versus B" doubtful, each of them (C10)."""
        last = self.mentions[-1]
        previous = self.mentions[-2]
        if previous.scoped or previous.value == 0.0 or previous.letter == "S":
            return
        trigger = last.element - 1
        while trigger > previous.element and self.shape[trigger] not in "|y":
            trigger -= 1
        doubted = previous.value == -1.0  # the list before is done
        joined = [last] if doubted else self._joined(len(self.mentions) - 1, "|y/", of_a_kind=True)
        for mention in joined:
            if mention.letter not in "DS" and mention.value == 1.0:
                mention.value, mention.trigger, mention.convention = -1.0, trigger, "C10"

    def _joined(self, last: int, links: str, *, of_a_kind: bool = False) -> list[_Mention]:
        """Return the mention at `last` and those before it in one list with it."""
        found = [self.mentions[last]]
        place = last
        while place > self.barrier and len(found) < _FAR:
            link = self.mentions[place].link
            listed = any(mention.link in tuple(links) for mention in found)
            if not link or link not in (links + "+," if listed else links + "+"):
                break
            if (
                of_a_kind
                and link == ","
                and (self.mentions[place - 1].letter in "fJ") != (found[0].letter in "fJ")
            ):
                break
            place -= 1
            found.append(self.mentions[place])
        return found

    # ------------------------------------------------------------------ triggers

    def _open(self, scope: str, place: int) -> None:
        self.scope, self.trigger, self.used = scope, place, False
        self.since = ""

    def _absent_before(self, place: int, letter: str) -> None:
        if self.scope == "e" and not self.used:
            return
        if self._next(place, "xMdwC^sjp") == "N":  # no change in
            self._open("k", place)
            return
        self._open("n", place)

    def _new(self, place: int, letter: str) -> None:
        if self.scope != "n":
            return
        joined = self.used and not any(c in self.since for c in ",&")
        if self.used and not joined and "|" not in self.since and not self._or_follows(place):
            self.scope = ""
            return
        if self.used and not any(c in self.since for c in "|,&/"):
            self.scope = ""
            return
        self.scope, self.used, self.since = "w", False, ""

    def _possible_before(self, place: int, letter: str) -> None:
        if self.scope in ("n", "e") and not self.used and "x" not in self.since:
            return
        if self._next(place, "xVMd") in CHANGES:
            return
        if self._finding_follows(place):
            self._open("h", place)

    def _setting(self, place: int, letter: str) -> None:
        inserted = self.gap.rstrip("x")[-1:] in tuple(",T") and self._finding_follows(place)
        if inserted or len(self.mentions) == self.barrier:
            self._open("h", place)
        else:
            self._after(place, "H")

    def _differential(self, place: int, letter: str) -> None:
        if self._finding_follows(place):
            self._open("u", place)
        else:
            self._after(place, "H")

    def _differential_for(self, place: int, letter: str) -> None:
        self.differing = True

    def _includes(self, place: int, letter: str) -> None:
        if self.differing:
            self._open("u", place)

    def _suggests(self, place: int, letter: str) -> None:
        if self.scope in ("n", "w", "e"):
            return
        if self._finding_follows(place):
            self._open("h", place)

    def _possible_either(self, place: int, letter: str) -> None:
        if self.scope in ("n", "e", "w") and not self.used:
            return
        if self._next(place, "xMdj") in CHANGES:
            return
        if self._noun_follows(place):
            self._open("p" if self.scope != "h" or self.used else "h", place)
        else:
            self._after(place, "H")

    def _modal(self, place: int, letter: str) -> None:
        if self._next(place, "xM") in CHANGES or self.scope == "n":
            return
        if self._next(place, "xMdjoRrAwc") in NOUNS:
            self._open("h", place)

    def _gone_before(self, place: int, letter: str) -> None:
        if self.scope in ("h", "p", "e") and not self.used:
            return
        self._open("r", place)

    def _gone_either(self, place: int, letter: str) -> None:
        if self.scope in ("h", "p", "e") and not self.used:
            return
        if self._noun_follows(place):
            self._open("r", place)
        else:
            doubtful = self.gap and self.gap.rstrip("x")[-1:] in ("p", "m", "h")
            self._after(place, "H" if doubtful else "z")

    def _history(self, place: int, letter: str) -> None:
        if self.scope == "n" and not self.used:
            return
        self._open("i", place)

    def _earlier(self, place: int, letter: str) -> None:
        self._open("e", place)

    def _prior(self, place: int, letter: str) -> None:
        self.prior = not self.mentions

    def _was(self, place: int, letter: str) -> None:
        """Take what a former film showed for no mention (C12): before the verb and after it."""
        if not self.prior:
            self._verb(place, letter)
            return
        for mention in self.mentions:
            mention.value, mention.trigger, mention.convention = None, place, "C12"
        self.prior = False
        self._open("e", place)

    def _there_was(self, place: int, letter: str) -> None:
        if self.prior:
            self._open("e", place)
        else:
            self._there_is(place, letter)

    def _normal(self, place: int, letter: str) -> None:
        """Take "vascular engorgement is within normal limits" for none (C6)."""
        if self.mentions and self.mentions[-1].letter == "G" and "V" in self.gap:
            last = self.mentions[-1]
            last.value, last.trigger, last.convention = 0.0, place, "C6"

    def _kept(self, place: int, letter: str) -> None:
        if self._finding_follows(place) and not self.gap.strip("xdMj"):
            self._open("k", place)
        else:
            self.scope = ""

    def _contrast(self, place: int, letter: str) -> None:
        self.scope = ""
        self.prior = False

    def _except(self, place: int, letter: str) -> None:
        self.scope = ""
        self.barrier = len(self.mentions)

    def _with(self, place: int, letter: str) -> None:
        if self.scope and not self.used and "x" in self.since:
            self.scope = ""

    def _verb(self, place: int, letter: str) -> None:
        if self.used or (self.scope in ("n", "i") and "x" in self.since):
            self.scope = ""

    def _show(self, place: int, letter: str) -> None:
        if self.used:
            self.scope = ""

    def _there_is(self, place: int, letter: str) -> None:
        if self.used or self.since or self.scope not in ("h", "p"):
            self.scope = ""

    def _tip(self, place: int, letter: str) -> None:
        self.tip = True

    def _after_trigger(self, place: int, letter: str) -> None:
        self._after(place, letter)

    def _after(self, place: int, letter: str) -> None:
        """Apply a trigger to what precedes it; to what follows, where nothing precedes."""
        if len(self.mentions) == self.barrier:
            if self.barrier == 0 and self._finding_follows(place):
                self._open({"q": "n", "Q": "n", "H": "h", "z": "r", "E": "e"}[letter], place)
            return
        last = len(self.mentions) - 1
        if self.mentions[last].letter == "D" and self.tip and letter in "qQH":
            return
        if self._other_subject():
            return
        value, convention = _AFTER[letter]
        links = "|&/y" if letter == "H" else "|&/ycW"
        for mention in self._joined(last, links, of_a_kind=letter == "H"):
            if (mention.value is None and letter != "z") or (
                letter in "qQ" and mention.value == 0.0
            ):
                continue
            mention.value, mention.trigger, mention.convention = value, place, convention
            mention.scoped = True

    def _other_subject(self) -> bool:
        """Whether the trigger speaks of anatomy: "edema, the lungs have cleared"."""
        place = self.gap.rfind("A")
        return place >= 0 and self.gap[:place].rstrip("dxM")[-1:] in tuple(",&T:V1z")

    def _borderline(self, place: int, letter: str) -> None:
        if self._next(place, "xM") in MENTIONS:
            self._open("p", place)

    def _absent_either(self, place: int, letter: str) -> None:
        if self._noun_follows(place):
            self._open("n", place)
        else:
            self._after(place, "q")

    # ------------------------------------------------------------------ looking ahead

    def _next(self, place: int, skip: str) -> str:
        """Return the next letter that is not in `skip`; empty at the end or far off."""
        for letter in self.shape[place + 1 : place + 8]:
            if letter not in skip:
                return letter
        return ""

    def _noun_follows(self, place: int) -> bool:
        """Whether a trigger that can act both ways acts forward."""
        return self._next(place, "xMdjowC^sp|+0BcgA") in NOUNS

    def _finding_follows(self, place: int) -> bool:
        return any(letter in NOUNS for letter in self.shape[place + 1 : place + 30])


_AFTER: dict[str, tuple[Value, str]] = {
    "q": (0.0, "C11"),
    "Q": (0.0, "C11"),
    "H": (-1.0, "C10"),
    "z": (0.0, "C7"),
    "E": (None, "C12"),
}

_STEPS = {
    "n": _Reader._absent_before,
    "w": _Reader._new,
    "h": _Reader._possible_before,
    "u": _Reader._differential,
    "5": _Reader._differential_for,
    "6": _Reader._includes,
    "?": _Reader._setting,
    "g": _Reader._suggests,
    "p": _Reader._possible_either,
    "m": _Reader._modal,
    "r": _Reader._gone_before,
    "R": _Reader._gone_either,
    "Q": _Reader._absent_either,
    "i": _Reader._history,
    "e": _Reader._earlier,
    "b": _Reader._prior,
    "a": _Reader._there_was,
    "1": _Reader._was,
    "0": _Reader._normal,
    "B": _Reader._borderline,
    "k": _Reader._kept,
    "T": _Reader._contrast,
    "P": _Reader._contrast,
    "X": _Reader._except,
    "W": _Reader._with,
    "V": _Reader._verb,
    "v": _Reader._show,
    ":": _Reader._show,
    "I": _Reader._there_is,
    "t": _Reader._tip,
    "q": _Reader._after_trigger,
    "z": _Reader._after_trigger,
    "H": _Reader._after_trigger,
    "E": _Reader._after_trigger,
}


def _link(gap: str) -> str:
    """Return how a mention is joined to the one before: "|", "&", ",", "/", "y", "W", "c" or ""."""
    if any(letter in gap for letter in "TXVYvIa1:knqzHRhpimerEP"):
        return ""
    for letter in "y|":
        if letter in gap:
            tail = gap[gap.rfind(letter) + 1 :]
            return letter if not any(c in tail for c in ",&") else ""
    for letter in "&W/,":
        if letter in gap:
            tail = gap[gap.rfind(letter) + 1 :]
            if letter == "&" and any(c in tail for c in "djM"):
                return ""
            return letter
    return "c" if "c" in gap or "g" in gap else ""
