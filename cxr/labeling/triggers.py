"""What each kind of trigger does to a reading; their words stand in triggers.txt."""

from collections.abc import Callable

from cxr.labeling.reading import Reading
from cxr.labeling.shapes import (
    CHANGES,
    MENTIONS,
    NOUNS,
    finding_follows,
    next_letter,
    noun_follows,
    or_follows,
)

# ---------------------------------------------------------------------- negations


def _absent_before(reading: Reading, place: int, letter: str) -> None:
    scope = reading.scope
    if scope.kind == "e" and not scope.used:
        return
    if scope.kind == "p" and not scope.used and not scope.since:  # "probably no pneumothorax"
        return
    if place == len(reading.shape) - 1 and reading.gap[-1:] == ",":  # "effusion, no"
        reading.act_backward(place, "q")
        return
    no_change_in = next_letter(reading.shape, place, "xMdwC^sjp") == "N"
    scope.open("k" if no_change_in else "n", place)


def _absent_either(reading: Reading, place: int, letter: str) -> None:
    if noun_follows(reading.shape, place):
        reading.scope.open("n", place)
    else:
        reading.act_backward(place, "q")


def _or(reading: Reading, place: int, letter: str) -> None:
    """Go on denying after "nodules are not seen, nor ..."."""
    denied = bool(reading.mentions) and reading.mentions[-1].value == 0.0
    if denied and "q" in reading.gap and not reading.scope.kind:
        reading.scope.open("n", place)


def _new(reading: Reading, place: int, letter: str) -> None:
    """Turn "no" into "no new" (C9), or end the "no" before a new finding that is there."""
    scope = reading.scope
    if scope.kind != "n":
        return
    if scope.used:
        if any(c in scope.since for c in ",&"):
            goes_on = "|" in scope.since or or_follows(reading.shape, place)
        else:
            goes_on = any(c in scope.since for c in "|/")
        if not goes_on:
            scope.close()
            return
    scope.kind, scope.used, scope.since = "w", False, ""


def _gone_before(reading: Reading, place: int, letter: str) -> None:
    if reading.scope.kind not in ("h", "p", "e") or reading.scope.used:
        reading.scope.open("r", place)


def _gone_either(reading: Reading, place: int, letter: str) -> None:
    if reading.scope.kind in ("h", "p", "e") and not reading.scope.used:
        return
    if noun_follows(reading.shape, place):
        reading.scope.open("r", place)
    else:
        doubtful = reading.gap and reading.gap.rstrip("x")[-1:] in ("p", "m", "h")
        reading.act_backward(place, "H" if doubtful else "z")


def _kept(reading: Reading, place: int, letter: str) -> None:
    if finding_follows(reading.shape, place) and not reading.gap.strip("xdMj"):
        reading.scope.open("k", place)
    else:
        reading.scope.close()
        reading.restate(place)


# ---------------------------------------------------------------------- hedges


def _possible_before(reading: Reading, place: int, letter: str) -> None:
    scope = reading.scope
    if scope.kind in ("n", "e") and not scope.used and "x" not in scope.since:
        return
    if next_letter(reading.shape, place, "xVMd") not in CHANGES and finding_follows(
        reading.shape, place
    ):
        scope.open("h", place)


def _possible_either(reading: Reading, place: int, letter: str) -> None:
    scope = reading.scope
    if scope.kind in ("n", "e", "w") and not scope.used:
        return
    if next_letter(reading.shape, place, "xMdj") in CHANGES:
        return
    if noun_follows(reading.shape, place) or next_letter(reading.shape, place, "") == "n":
        scope.open("p" if scope.kind != "h" or scope.used else "h", place)
    else:
        reading.act_backward(place, "H")


def _modal(reading: Reading, place: int, letter: str) -> None:
    if next_letter(reading.shape, place, "xM") in CHANGES or reading.scope.kind == "n":
        return
    if next_letter(reading.shape, place, "xMdjoRrAwc") in NOUNS:
        reading.scope.open("h", place)


def _suggests(reading: Reading, place: int, letter: str) -> None:
    if reading.scope.kind not in ("n", "w", "e") and finding_follows(reading.shape, place):
        reading.scope.open("h", place)


def _borderline(reading: Reading, place: int, letter: str) -> None:
    if next_letter(reading.shape, place, "xM") in MENTIONS:
        reading.scope.open("p", place)


def _setting(reading: Reading, place: int, letter: str) -> None:
    """Doubt what stands before "in the appropriate setting", or after, where it was put in."""
    inserted = reading.gap.rstrip("x")[-1:] in tuple(",T") and finding_follows(reading.shape, place)
    if inserted or len(reading.mentions) == reading.barrier:
        reading.scope.open("h", place)
    else:
        reading.act_backward(place, "H")


def _differential(reading: Reading, place: int, letter: str) -> None:
    if finding_follows(reading.shape, place):
        reading.scope.open("u", place)
    else:
        reading.act_backward(place, "H")


def _differential_for(reading: Reading, place: int, letter: str) -> None:
    reading.differing = True


def _includes(reading: Reading, place: int, letter: str) -> None:
    if reading.differing:
        reading.scope.open("u", place)


# ---------------------------------------------------------------------- former times


def _history(reading: Reading, place: int, letter: str) -> None:
    if reading.scope.kind != "n" or reading.scope.used:
        reading.scope.open("i", place)


def _earlier(reading: Reading, place: int, letter: str) -> None:
    reading.scope.open("e", place)


def _prior_study(reading: Reading, place: int, letter: str) -> None:
    reading.prior = not reading.mentions


def _was(reading: Reading, place: int, letter: str) -> None:
    """Take what a former film showed for no mention (C12): before the verb and after it."""
    if not reading.prior:
        _verb(reading, place, letter)
        return
    for mention in reading.mentions:
        mention.decide(None, place, "C12")
    reading.prior = False
    reading.scope.open("e", place)


def _there_was(reading: Reading, place: int, letter: str) -> None:
    if reading.prior:
        reading.scope.open("e", place)
    else:
        _there_is(reading, place, letter)


# ---------------------------------------------------------------------- grammar


def _contrast(reading: Reading, place: int, letter: str) -> None:
    reading.scope.close()
    reading.prior = False


def _except(reading: Reading, place: int, letter: str) -> None:
    reading.scope.close()
    reading.barrier = len(reading.mentions)


def _with(reading: Reading, place: int, letter: str) -> None:
    if not reading.scope.used and "x" in reading.scope.since:
        reading.scope.close()


def _verb(reading: Reading, place: int, letter: str) -> None:
    scope = reading.scope
    if scope.used or (scope.kind in ("n", "i") and "x" in scope.since):
        scope.close()


def _show(reading: Reading, place: int, letter: str) -> None:
    if reading.scope.used:
        reading.scope.close()


def _there_is(reading: Reading, place: int, letter: str) -> None:
    scope = reading.scope
    if scope.used or scope.since or scope.kind not in ("h", "p"):
        scope.close()


def _go_on(reading: Reading, place: int, letter: str) -> None:
    """Begin a sentence that goes on about the last finding: "It has resolved"."""
    reading.scope.close()
    reading.prior = reading.tip = reading.differing = False


def _change(reading: Reading, place: int, letter: str) -> None:
    reading.restate(place)


def _tip(reading: Reading, place: int, letter: str) -> None:
    reading.tip = True


def _normal(reading: Reading, place: int, letter: str) -> None:
    """Take "vascular engorgement is within normal limits" for none (C6)."""
    if reading.mentions and reading.mentions[-1].letter == "G" and "V" in reading.gap:
        reading.mentions[-1].decide(0.0, place, "C6")


STEPS: dict[str, Callable[[Reading, int, str], None]] = {
    "n": _absent_before,
    "Q": _absent_either,
    "w": _new,
    "|": _or,
    "r": _gone_before,
    "R": _gone_either,
    "k": _kept,
    "h": _possible_before,
    "p": _possible_either,
    "m": _modal,
    "g": _suggests,
    "B": _borderline,
    "?": _setting,
    "u": _differential,
    "5": _differential_for,
    "6": _includes,
    "i": _history,
    "e": _earlier,
    "b": _prior_study,
    "1": _was,
    "a": _there_was,
    "T": _contrast,
    "P": _contrast,
    "X": _except,
    "W": _with,
    "V": _verb,
    "v": _show,
    ":": _show,
    "I": _there_is,
    "t": _tip,
    "0": _normal,
    ";": _go_on,
    "C": _change,
    "^": _change,
    "s": _change,
    "M": _change,
    "q": Reading.act_backward,
    "z": Reading.act_backward,
    "H": Reading.act_backward,
    "E": Reading.act_backward,
}
"""Letter of a trigger -> what it does; letters that are not here only stand between."""
