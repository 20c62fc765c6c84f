"""The state of one pass over a sentence, and what a trigger may do to it."""

from dataclasses import dataclass, field

from cxr.labeling.lists import Mention, Value, doubt_alternatives, joined, read_link
from cxr.labeling.scopes import MEANINGS, Scope
from cxr.labeling.shapes import FAR, finding_follows, noun_follows, or_follows

_AFTER: dict[str, tuple[Value, str]] = {
    "q": (0.0, "C11"),
    "Q": (0.0, "C11"),
    "H": (-1.0, "C10"),
    "z": (0.0, "C7"),
    "E": (None, "C12"),
}
"""Trigger that acts backward -> what it says, and the convention."""
_FORWARD = {"q": "n", "Q": "n", "H": "h", "z": "r", "E": "e"}
"""The same, where nothing stands before it -> the scope that it opens."""


@dataclass(slots=True)
class Reading:
    """One pass over a shape.

    Attributes:
        shape: the sentence.
        mentions: findings and silhouettes so far, in order.
        scope: the negation or hedge that is open.
        gap: letters since the last mention.
        barrier: mentions before this one are out of reach ("except for").
        tip: whether the tip of a device was spoken of.
        prior: whether the sentence began with another film.
        differing: whether a differential diagnosis was announced.
    """

    shape: str
    mentions: list[Mention] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)
    gap: str = ""
    barrier: int = 0
    tip: bool = False
    prior: bool = False
    differing: bool = False

    def meet(self, place: int, letter: str) -> None:
        """Take in the finding or silhouette at `place`."""
        scope = self.scope
        qualified = self._is_qualified()
        if scope.kind and self._leaves_scope(place, letter, qualified):
            scope.close()
        if letter == "9":
            scope.close()
        value, convention = MEANINGS[scope.kind]
        link = (
            "" if len(self.mentions) == self.barrier else "+" if qualified else read_link(self.gap)
        )
        trigger = scope.trigger if scope.kind else -1
        mention = Mention(place, letter, value, trigger, convention, link, bool(scope.kind))
        if letter == "9":
            mention.value, mention.link = (1.0 if self._is_told_of(place) else None), ""
        self.mentions.append(mention)
        if not scope.kind and letter not in "SD":
            if link in ("|", "y"):
                doubt_alternatives(self.shape, self.mentions, since=self.barrier)
            elif "y" in self.gap:  # "scar versus tumor", where the other is no finding
                mention.decide(-1.0, self.shape.rfind("y", 0, place), "C10")
        scope.used, scope.since, self.gap = True, "", ""

    def _leaves_scope(self, place: int, letter: str, qualified: bool) -> bool:
        if letter == "D" and self.scope.kind == "n" and self._spares_device(place):
            return True
        return not qualified and self.scope.ends_before(self.shape, place)

    def _spares_device(self, place: int) -> bool:
        """Whether a negation is of something else: "no kink of the tube", "no effusion, PICC"."""
        since = self.scope.since
        if not self.scope.used:
            return "d" in since and "c" not in since  # "no evidence of the tube" is of the tube
        listed = self.mentions[-1].letter == "D" or or_follows(self.shape, place)
        return "," in since and not listed

    def _is_qualified(self) -> bool:
        """Whether the mention before is an adjective of the one at hand: "hazy left opacity"."""
        return bool(self.mentions) and self.mentions[-1].letter == "J" and not self.gap.strip("xMA")

    def _is_told_of(self, place: int) -> bool:
        """Whether "the left is ..." goes on to say that the finding is there."""
        after = self.shape[place + 1 : place + 3]
        return after[:1] in ("", *",&T;CsM^kYL") or after in ("xC", "x^", "xs", "xM")

    def restate(self, place: int) -> None:
        """Take a finding of a former film for present, where it is spoken of again (C7)."""
        if (
            self.mentions
            and self.mentions[-1].convention == "C12"
            and not noun_follows(self.shape, place)
        ):
            spoken_of = any(letter in self.gap for letter in ";T")
            if spoken_of and self.mentions[-1].value is None:
                self.mentions[-1].decide(1.0, place, "C7")

    def act_backward(self, place: int, letter: str) -> None:
        """Apply a trigger to what precedes it; to what follows, where nothing precedes."""
        if len(self.mentions) == self.barrier:
            # "the lungs have cleared, small effusion": the lungs have, not the effusion
            told_of_anatomy = letter == "z" and "A" in self.gap
            if self.barrier == 0 and not told_of_anatomy and finding_follows(self.shape, place):
                self.scope.open(_FORWARD[letter], place)
            return
        last = self.mentions[-1]
        if (last.letter == "D" and self.tip and letter in "qQH") or self._speaks_of_anatomy():
            return
        value, convention = _AFTER[letter]
        links = "|&/y" if letter == "H" else "|&/ycW"
        for mention in joined(self.mentions, links, since=self.barrier, of_a_kind=letter == "H"):
            if ";" in self.gap:  # of "it", only that it is gone contradicts what was said
                silent = letter == "E" or (letter != "z" and mention.value is not None)
            else:
                former = mention.value is None and mention.convention == "C12"
                silent = former and letter != "z"
            if not silent and not (letter in "qQ" and mention.value == 0.0):
                mention.decide(value, place, convention)
                mention.scoped = True

    def _speaks_of_anatomy(self) -> bool:
        """Whether a trigger has another subject: "edema, the lungs have cleared"."""
        place = self.gap.rfind("A")
        return place >= 0 and self.gap[:place].rstrip("dxM")[-1:] in tuple(",&T:V1z")

    def note(self, place: int, letter: str) -> None:
        """Note a letter that is no finding."""
        self.scope.pass_letter(place, letter)
        self.gap = self.gap[-FAR:] + letter
