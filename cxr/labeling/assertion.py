"""Decides for every finding of a sentence: present, absent, in doubt, or no mention.

One pass over the sentence's shape (`cxr.labeling.shapes`) from left to right, linear in its
length. Triggers open and close scopes (`cxr.labeling.scopes`) or act on the list of findings
before them (`cxr.labeling.lists`); what each does stands in `cxr.labeling.triggers`. Conventions
C1 to C17 are those of the labeler's documentation.
"""

from functools import lru_cache
from typing import NamedTuple

from cxr.labeling.lists import Mention, Value
from cxr.labeling.reading import Reading
from cxr.labeling.shapes import NOUNS
from cxr.labeling.silhouettes import State, read_states
from cxr.labeling.triggers import STEPS


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


@lru_cache(maxsize=1 << 16)
def decide(shape: str) -> tuple[Decision, ...]:
    """Return the decisions for the findings and the silhouettes of `shape`, in order."""
    mentions = _read(shape)
    decisions = [
        Decision(m.element, m.value, m.trigger, m.convention) for m in mentions if m.letter != "S"
    ]
    scopes = {m.element: m for m in mentions if m.letter == "S"}
    if scopes:
        decisions += [_decide_state(state, scopes[state.element]) for state in read_states(shape)]
        decisions.sort()
    return tuple(decisions)


def _read(shape: str) -> list[Mention]:
    reading = Reading(shape)
    for place, letter in enumerate(shape):
        if letter in NOUNS:
            reading.meet(place, letter)
            continue
        step = STEPS.get(letter)
        if step is not None:
            step(reading, place, letter)
        reading.note(place, letter)
    return reading.mentions


def _decide_state(state: State, mention: Mention) -> Decision:
    """Let the scope that a silhouette lies in deny or doubt the state said of it."""
    value, trigger = state.value, state.trigger
    if mention.convention == "C12":
        return Decision(mention.element, None, mention.trigger, "C12")
    if mention.value == 0.0 and value == 1.0:
        value, trigger = 0.0, mention.trigger
    elif mention.value == -1.0 and value is not None:
        value, trigger = -1.0, mention.trigger
    return Decision(mention.element, value, trigger, "C8")
