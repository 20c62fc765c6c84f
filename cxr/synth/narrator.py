"""Reports told from the truth: what is said, left out, hedged and imagined, and what is meant.

The narrator knows the truth and shares nothing else with renderer or labeler. What a report
means is gathered from the sentences that it was built of (`cxr.synth.phrases`), never read from
its text, under the conventions of the labels: a stated presence wins over a hedge, a hedge over
a negation; No Finding where nothing but devices is stated or hedged and no other pathology is.

Noise, by a finding's subtlety s (0 plain, 1 barely there):

    omitted:  OMIT_BASE + OMIT_SUBTLE * s^3         0.01 + 0.40 s^3
    hedged:   HEDGE_BASE + HEDGE_SUBTLE * s         0.02 + 0.17 s      (not devices)

and IMAGINED of the reports speak of one finding that is not there, half of them in a hedge. A
report may go on to deny what it omitted ("No pleural effusion"), as in life. Besides, sentences
that are usual in life hedge what nobody has found: a silhouette called stable without a state,
a pneumonia that an opacity raises, heart failure where only edema is seen; each in about one
report of a hundred. MISTYPED of the reports (`cxr.synth.paper`) have one slip of the keys.
"""

import itertools
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from cxr.observations import (
    BLANK,
    NEGATIVE,
    NO_FINDING,
    OBSERVATIONS,
    POSITIVE,
    SUPPORT_DEVICES,
    UNCERTAIN,
)
from cxr.synth.composing import (
    AIRSPACE,
    Account,
    compose_body,
    compose_impression,
    compose_wet_reading,
)
from cxr.synth.paper import Parts, write_report
from cxr.synth.phrases import Choice
from cxr.synth.slots import finding_words
from cxr.synth.truth import Finding, Side, Study, Zone
from cxr.synth.wording import DEVICES, Said, Told, tell

OMIT_BASE: Final = 0.01
OMIT_SUBTLE: Final = 0.40
HEDGE_BASE: Final = 0.02
HEDGE_SUBTLE: Final = 0.17
IMAGINED: Final = 0.05
WET_READ: Final = 0.05
ADDENDUM: Final = 0.015

_FIXED = frozenset(
    {"cardiomegaly", "widened_mediastinum", "pleural_thickening", "rib_fracture", "sternal_wires"}
)
"""What is never told as new, better or worse."""

_RESOLVES = frozenset(
    {
        "edema",
        "pneumonia",
        "consolidation",
        "opacity",
        "atelectasis",
        "pneumothorax",
        "effusion",
        "endotracheal_tube",
        "central_line",
        "enteric_tube",
        "chest_tube",
    }
)
_IMAGINABLE: Choice[tuple[str, Side, Zone]] = Choice(
    [
        (("cardiomegaly", "none", "none"), 5),
        (("edema", "both", "all"), 4),
        (("atelectasis", "left", "lower"), 3),
        (("atelectasis", "both", "lower"), 3),
        (("pneumonia", "right", "lower"), 2),
        (("opacity", "right", "lower"), 2),
        (("opacity", "left", "lower"), 2),
        (("effusion", "left", "lower"), 2),
        (("effusion", "right", "lower"), 2),
        (("consolidation", "left", "lower"), 2),
        (("widened_mediastinum", "none", "none"), 2),
        (("nodule", "right", "upper"), 1.5),
        (("pneumothorax", "left", "upper"), 1.5),
        (("rib_fracture", "right", "middle"), 1),
        (("pleural_thickening", "both", "upper"), 0.6),
    ]
)
"""What a report may imagine, and how often against the others."""

_STYLES: Choice[str] = Choice(
    [("full", 0.68), ("impression", 0.12), ("title", 0.12), ("bare", 0.08)]
)
_HAS_IMPRESSION = {"full": 0.94, "impression": 0.0, "title": 0.5, "bare": 0.5}


class Narration(NamedTuple):
    """A report and what it means: observation -> 1, 0, -1 or NaN (not mentioned)."""

    text: str
    meant: dict[str, float]


def narrate(study: Study) -> Narration:
    """Return the report of a study and what it means.

    Pure: the same study gives the same report. Nothing of the indication, the technique or the
    other sections around the body counts for the meaning.
    """
    rng = random.Random(study.seed)
    told = _decide(study, rng)
    account = Account(told, _decide_gone(study, told, rng), followed=study.number > 0)
    style = _STYLES.pick(rng)
    body = compose_body(account, rng, brief=style == "impression")
    impression: list[Said] = []
    if rng.random() < _HAS_IMPRESSION[style]:
        strange = any(said.other for paragraph in body for said in paragraph)
        normal = not (account.told or account.gone or strange)
        impression = compose_impression(account, rng, normal=normal)
    wet = compose_wet_reading(account, rng) if rng.random() < WET_READ else []
    told_late = rng.random() < ADDENDUM and account.told
    addendum = [tell(account.told[-1], "findings", rng)] if told_late else []
    parts = Parts(
        body=[[said.text for said in paragraph] for paragraph in body],
        impression=[said.text for said in impression],
        wet=[said.text for said in wet],
        addendum=[said.text for said in addendum],
        style=style,
        remarkable=bool(account.kinds - DEVICES),
    )
    said = itertools.chain(*body, impression, wet, addendum)
    return Narration(write_report(study, parts, rng), _mean(said))


def omission_probability(subtlety: float) -> float:
    """Return how likely a report leaves a finding of this subtlety out."""
    return OMIT_BASE + OMIT_SUBTLE * subtlety**3


def hedge_probability(subtlety: float) -> float:
    """Return how likely a report hedges a finding of this subtlety."""
    return HEDGE_BASE + HEDGE_SUBTLE * subtlety


def _decide(study: Study, rng: random.Random) -> tuple[Told, ...]:
    """Return what the report speaks of, and how."""
    views = {image.view for image in study.images}
    told: list[Told] = []
    for finding in study.findings:
        draw = rng.random() - omission_probability(finding.subtlety)
        if draw < 0:
            continue
        hedged = finding.kind not in DEVICES and draw < hedge_probability(finding.subtlety)
        stance = "hedged" if hedged else _draw_time(study, finding.kind, rng)
        shown = replace(finding, severity=min(finding.severity, 0.4)) if hedged else finding
        told.append(Told(shown, stance, finding_words(shown, rng, views)))
    if rng.random() < IMAGINED:
        kinds = {finding.kind for finding in study.findings}
        finding = _imagine(rng)
        if finding.kind not in kinds:
            stance = "hedged" if rng.random() < 0.5 else "stated"
            told.append(Told(finding, stance, finding_words(finding, rng, views)))
    return tuple(told)


def _draw_time(study: Study, kind: str, rng: random.Random) -> str:
    """Return whether a finding is told as new, as before, better, worse, or as it is."""
    draw = rng.random()
    lasting = kind in _FIXED or kind in DEVICES
    if kind in study.history:
        if draw < 0.3:
            return "stated"
        return "same" if lasting or draw < 0.7 else "better" if draw < 0.86 else "worse"
    return "new" if study.number and draw < 0.5 and kind not in _FIXED else "stated"


def _imagine(rng: random.Random) -> Finding:
    kind, side, zone = _IMAGINABLE.pick(rng)
    return Finding(kind, side, zone, severity=0.2 * rng.random(), subtlety=0.8, seed=0)


def _decide_gone(study: Study, told: tuple[Told, ...], rng: random.Random) -> tuple[str, ...]:
    """Return kinds of the earlier study that the report says are there no more."""
    still = {finding.kind for finding in study.findings} | {item.kind for item in told}
    if still & AIRSPACE:  # "the opacity has resolved" beside another one would mislead
        still |= AIRSPACE
    return tuple(
        kind
        for kind in study.history
        if kind in _RESOLVES and kind not in still and rng.random() < 0.5
    )


_STRENGTH = {NEGATIVE: 1, UNCERTAIN: 2, POSITIVE: 3}


def _mean(said: Iterable[Said]) -> dict[str, float]:
    """Return the 14 values that the sentences add up to."""
    meant: dict[str, float] = {}
    other = False
    for sentence in said:
        other = other or sentence.other
        for name, value in sentence.says:
            if _STRENGTH[value] > _STRENGTH.get(meant.get(name, BLANK), 0):
                meant[name] = value
    ill = any(value != NEGATIVE and name != SUPPORT_DEVICES for name, value in meant.items())
    meant[NO_FINDING] = BLANK if ill or other else POSITIVE
    return {name: meant.get(name, BLANK) for name in OBSERVATIONS}
