"""Sentence shapes, and what lies ahead in one.

A sentence comes as its *shape*: one letter for each phrase of the vocabulary or the triggers in
it, "x" for a run of other words (letters: `cxr.labeling.vocabulary`). "No pneumothorax, small
effusion" is "nF,MF". Looking ahead goes a fixed way, so that reading stays linear.
"""

MENTIONS = frozenset("FfJGUDOZ9")
"""Findings and devices; "9" is one spoken of again: "the left has resolved"."""
NOUNS = MENTIONS | {"S"}
"""These and the silhouettes, which take a value only from a state (C8)."""
CHANGES = frozenset("C^sN")
"""Words of change and stability: a doubt about these is none about presence (C10)."""
STATES = frozenset("+^0BKsCNkH")
"""What may be said of a silhouette."""
OPENERS = frozenset("djMC^s")
"""After a comma or "and" these start a phrase of its own, that a negation does not reach."""
FAR = 48
"""Letters, or mentions of one list, that a decision looks back over: keeps the pass linear."""


def next_letter(shape: str, place: int, skip: str) -> str:
    """Return the next letter after `place` that is not in `skip`; empty at the end or far off."""
    for letter in shape[place + 1 : place + 8]:
        if letter not in skip:
            return letter
    return ""


def noun_follows(shape: str, place: int) -> bool:
    """Whether a trigger that can act both ways acts forward."""
    return next_letter(shape, place, "xMdjowC^sp|+0BcgA") in NOUNS


def finding_follows(shape: str, place: int) -> bool:
    """Whether a finding or silhouette comes at all."""
    return not NOUNS.isdisjoint(shape[place + 1 : place + 30])


def verb_follows(shape: str, place: int) -> bool:
    """Whether the noun at `place` is the subject of a clause of its own."""
    if shape[place] == "S" and next_letter(shape, place, "xM") in STATES:
        return True
    for letter in shape[place + 1 : place + 4]:
        if letter in "VzvHk1":
            return True
        if letter not in "xM":
            return False
    return False


def or_follows(shape: str, place: int) -> bool:
    """Whether the list that the noun at `place` stands in goes on to an "or"."""
    for letter in shape[place + 1 : place + 40]:
        if letter == "|":
            return True
        if letter in "TXIVvzHWPn":
            return False
    return False
