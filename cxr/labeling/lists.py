"""Findings named together: how each is joined to the one before, and what holds for all of them."""

from dataclasses import dataclass

from cxr.labeling.shapes import FAR

Value = float | None


_PARTS = frozenset("TXVYvIa1:;knqzHRhpimerEP")
"""Between two findings these mean that they are no list."""


@dataclass(slots=True)
class Mention:
    """A finding or silhouette met in a sentence, with what is known of it so far.

    Attributes:
        element: index into the shape.
        letter: its letter there.
        value: 1.0, 0.0 or -1.0; None for no mention.
        trigger: index of the element that decided, or -1.
        convention: such as "C11".
        link: how it is joined to the mention before: "|", "y" (versus), "&", ",", "/", "W"
            (with), "c" (consistent with), "+" (an adjective before it), or "" for not at all.
        scoped: whether a trigger decided.
    """

    element: int
    letter: str
    value: Value
    trigger: int
    convention: str
    link: str
    scoped: bool

    def decide(self, value: Value, trigger: int, convention: str) -> None:
        """Set what a trigger decided."""
        self.value, self.trigger, self.convention = value, trigger, convention


def read_link(gap: str) -> str:
    """Return how a mention is joined to the one before, from the letters between them."""
    if not gap or not _PARTS.isdisjoint(gap):
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


def joined(
    mentions: list[Mention], links: str, *, since: int = 0, of_a_kind: bool = False
) -> list[Mention]:
    """Return the last mention and those before it in one list with it.

    Args:
        mentions: those of the sentence so far.
        links: what joins; a comma does where another of them stands in the list.
        since: the first mention that may belong.
        of_a_kind: a comma does not join shadows and what they may be: "opacity, atelectasis
            or scar".
    """
    place = len(mentions) - 1
    found = [mentions[place]]
    while place > since and len(found) < FAR:
        link = mentions[place].link
        listed = any(mention.link in tuple(links) for mention in found)
        if not link or link not in (links + "+," if listed else links + "+"):
            break
        if of_a_kind and link == "," and _shadow(mentions[place - 1]) != _shadow(found[0]):
            break
        place -= 1
        found.append(mentions[place])
    return found


def _shadow(mention: Mention) -> bool:
    return mention.letter in "fJ"


def doubt_alternatives(shape: str, mentions: list[Mention], *, since: int) -> None:
    """Make "A or B" and "A versus B", where B was just met, doubtful, each of them (C10)."""
    last, previous = mentions[-1], mentions[-2]
    if previous.scoped or previous.value == 0.0 or previous.letter == "S":
        return
    trigger = last.element - 1
    while trigger > previous.element and shape[trigger] not in "|y":
        trigger -= 1
    done = previous.value == -1.0
    alternatives = [last] if done else joined(mentions, "|y/", since=since, of_a_kind=True)
    for mention in alternatives:
        if mention.letter not in "DS" and mention.value == 1.0:
            mention.decide(-1.0, trigger, "C10")
