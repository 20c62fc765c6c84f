"""From what is to be told to the sentences of the body and of the impression, in their order."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from cxr.synth.phrases import Choice
from cxr.synth.wording import (
    DEVICES,
    Said,
    Told,
    deny,
    plain,
    tell,
    tell_gone,
    tell_pair,
)

LUNGS = ("edema", "pneumonia", "consolidation", "opacity", "nodule", "mass", "atelectasis")
PLEURA = ("effusion", "pneumothorax", "pleural_thickening")
HEART = ("cardiomegaly", "widened_mediastinum")
AIRSPACE = frozenset({"pneumonia", "consolidation", "opacity"})
"""Kinds so alike that to deny one beside another would mislead."""

_MOVABLE = frozenset({"endotracheal_tube", "central_line", "enteric_tube", "chest_tube"})
_UNREMARKED = frozenset({"cardiomegaly", "atelectasis", "pleural_thickening", "rib_fracture"})
"""What an impression may leave unmentioned beside "no acute process"."""

_IN_IMPRESSION: dict[str, float] = {
    "cardiomegaly": 0.6,
    "atelectasis": 0.6,
    "pleural_thickening": 0.4,
    "rib_fracture": 0.7,
    "widened_mediastinum": 0.8,
}
"""Kind -> how often the impression repeats it; the others nearly always."""

_DENIED: dict[str, float] = {
    "consolidation": 0.66,
    "effusion": 0.76,
    "pneumothorax": 0.76,
    "edema": 0.28,
    "pneumonia": 0.09,
    "opacity": 0.07,
    "atelectasis": 0.01,
}
"""Topic -> how often a body denies it where it speaks of nothing that contradicts."""

_PAIRS: tuple[tuple[str, str, float], ...] = (
    ("consolidation", "pneumonia", 0.7),
    ("pneumothorax", "chest_tube", 0.35),
    ("pneumothorax", "effusion", 0.15),
    ("effusion", "atelectasis", 0.45),
    ("edema", "effusion", 0.3),
    ("cardiomegaly", "edema", 0.25),
    ("cardiomegaly", "effusion", 0.15),
    ("consolidation", "effusion", 0.25),
    ("endotracheal_tube", "enteric_tube", 0.4),
    ("endotracheal_tube", "central_line", 0.3),
)
"""Findings that one sentence may tell together, and how often it does."""

_ORDERS: Choice[tuple[str, ...]] = Choice(
    [
        (("devices", "heart", "chest", "bones"), 0.35),
        (("devices", "chest", "heart", "bones"), 0.40),
        (("heart", "chest", "bones", "devices"), 0.25),
    ]
)


@dataclass(frozen=True)
class Account:
    """What a report is to tell.

    Attributes:
        told: findings that it speaks of.
        gone: kinds of the earlier study that it says are there no more.
        followed: the patient had an earlier study.
    """

    told: tuple[Told, ...]
    gone: tuple[str, ...]
    followed: bool

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the findings told."""
        return frozenset(item.kind for item in self.told)

    def of(self, kinds: Sequence[str] | frozenset[str]) -> list[Told]:
        """Return the findings told that are of these kinds."""
        return [item for item in self.told if item.kind in kinds]

    def may_deny(self, topic: str) -> bool:
        """Return whether the report speaks of nothing that contradicts a denial of the topic."""
        spoken = self.kinds | set(self.gone)
        if topic == "opacity":
            return not spoken & set(LUNGS)
        if topic in AIRSPACE:
            return not spoken & AIRSPACE
        return topic not in spoken


def compose_body(account: Account, rng: random.Random, *, brief: bool) -> list[list[Said]]:
    """Return paragraphs of sentences; a brief body leaves most of what is normal out."""
    areas = {
        "devices": _devices(account, rng),
        "heart": _heart(account, rng, brief=brief),
        "chest": _chest(account, rng, brief=brief),
        "bones": _bones(account, rng, brief=brief),
    }
    order = _ORDERS.pick(rng)
    paragraphs = [areas[name] for name in order if areas[name]]
    if not paragraphs:
        return [[plain("impression_normal", rng)]]
    if rng.random() < 0.8:
        return [[said for paragraph in paragraphs for said in paragraph]]
    return paragraphs


def compose_impression(account: Account, rng: random.Random, *, normal: bool) -> list[Said]:
    """Return the items of the impression; `normal`: the body told nothing but normal states."""
    told = [item for item in account.told if item.kind not in DEVICES]
    chosen = [item for item in told if rng.random() < _IN_IMPRESSION.get(item.kind, 0.93)]
    if not chosen and any(item.kind not in _UNREMARKED for item in told):
        chosen = told
    if [item.kind for item in account.told] == ["cardiomegaly"] and chosen and rng.random() < 0.3:
        return [tell(chosen[0], "impression", rng, about="cardiomegaly_alone")]
    result = _tell_all(chosen, "impression", rng)
    result += [tell_gone(kind, "impression", rng) for kind in account.gone if rng.random() < 0.5]
    if rng.random() < 0.15:
        result += _tell_all(account.of(DEVICES), "impression", rng)
    if not chosen:
        if normal and not result and rng.random() < 0.12:
            return [plain("normal_chest", rng)]
        if account.may_deny("pneumonia") and rng.random() < 0.12:
            return [*result, deny("no_impression", ["pneumonia"], rng)]
        return [*result, plain("impression_normal", rng)]
    moved = bool(_MOVABLE & (account.kinds | set(account.gone)))
    topic = "pneumothorax" if moved else "pneumonia"
    if account.may_deny(topic) and rng.random() < (0.3 if moved else 0.12):
        result.append(deny("no_impression", [topic], rng))
    if account.followed and _all_the_same(account) and rng.random() < 0.2:
        result.append(plain("no_change", rng))
    return result


def compose_wet_reading(account: Account, rng: random.Random) -> list[Said]:
    """Return a preliminary reading: what is there, in few words."""
    result = [tell(item, "wet", rng) for item in account.told]
    topics = [t for t in ("effusion", "pneumothorax") if account.may_deny(t)]
    if topics and rng.random() < 0.6:
        result.append(deny("no_wet", topics, rng))
    return result or [plain("impression_normal", rng)]


def _all_the_same(account: Account) -> bool:
    return not account.gone and all(item.stance == "same" for item in account.told)


def _devices(account: Account, rng: random.Random) -> list[Said]:
    told = account.of(DEVICES)
    movable = [item for item in told if item.kind in _MOVABLE]
    result: list[Said] = []
    if len(movable) > 1 and all(i.stance == "same" for i in movable) and rng.random() < 0.3:
        result.append(plain("devices_unchanged", rng))
        told = [item for item in told if item.kind not in _MOVABLE]
    result += _tell_all(told, "findings", rng)
    return result + [tell_gone(k, "findings", rng) for k in account.gone if k in DEVICES]


def _heart(account: Account, rng: random.Random, *, brief: bool) -> list[Said]:
    told = account.of(HEART)
    result = _tell_all(told, "findings", rng)
    if brief and rng.random() < 0.6:
        return result
    if not told:
        return _heart_unremarkable(account, rng)
    if len(told) == 1 and rng.random() < 0.5:
        large = told[0].kind == "cardiomegaly"
        result.append(plain("mediastinum_normal" if large else "heart_normal", rng))
    return result


def _heart_unremarkable(account: Account, rng: random.Random) -> list[Said]:
    flooded = any(
        item.finding.severity > 0.8 and item.stance != "hedged"
        for item in account.of(("effusion",))
    )
    if flooded and rng.random() < 0.15:
        return [plain("heart_hidden", rng)]
    if account.followed:
        draw = rng.random()
        if draw < 0.03:
            return [plain("silhouette_stable", rng)]
        if draw < 0.045:
            return [plain("heart_stable", rng)]
        if draw < 0.16:
            return [plain("both_stable_normal", rng)]
    draw = rng.random()
    if draw < 0.48:
        return [plain("both_normal", rng)]
    if draw < 0.66:
        return [plain("heart_normal", rng)]
    return [plain("silhouette_normal", rng)] if draw < 0.94 else []


def _chest(account: Account, rng: random.Random, *, brief: bool) -> list[Said]:
    """Return lungs and pleura: what is there, what is gone, what is not there."""
    topics = [t for t, share in _DENIED.items() if rng.random() < share and account.may_deny(t)]
    told = account.of((*LUNGS, *PLEURA))
    lungs = account.of(LUNGS)
    first: list[Said] = []
    if not lungs and not brief and "pneumothorax" not in account.kinds:
        if topics and rng.random() < 0.3:
            first.append(deny("clear_without", topics, rng))
            topics = []
        elif rng.random() < 0.5:
            first.append(plain("lungs_clear", rng))
    elif rng.random() < 0.08:
        first.append(plain("low_volumes", rng))
    if len(told) == 1 and told[0].stance == "stated" and rng.random() < 0.12:
        said = _contrast(told[0], topics, rng)
        if said is not None:
            return [said]
    positive = _tell_all(told, "findings", rng)
    gone = [tell_gone(kind, "findings", rng) for kind in account.gone if kind not in DEVICES]
    negative = _deny_topics(account, topics, rng)
    if rng.random() < 0.25:
        return [*first, *negative, *positive, *gone]
    return [*first, *positive, *gone, *negative]


def _contrast(told: Told, topics: list[str], rng: random.Random) -> Said | None:
    """Return one sentence that denies all but the one finding there is, where that can be said."""
    if topics:
        return deny("but", topics[:3], rng, told)
    if told.kind in ("nodule", "mass", "atelectasis", "opacity"):
        return deny("clear_except", [], rng, told)
    return None


def _deny_topics(account: Account, topics: list[str], rng: random.Random) -> list[Said]:
    result: list[Said] = []
    if account.followed and rng.random() < 0.012:
        result.append(deny("no_new", ["consolidation"], rng))
        topics = [topic for topic in topics if topic != "consolidation"]
    if not topics:
        return result
    if len(topics) > 3 or (len(topics) > 1 and rng.random() < 0.15):
        cut = 2 if len(topics) > 3 else 1
        return [*result, deny("no", topics[:cut], rng), deny("no", topics[cut:], rng)]
    each = len(topics) > 1 and rng.random() < 0.06
    return [*result, deny("no_each" if each else "no", topics, rng)]


def _bones(account: Account, rng: random.Random, *, brief: bool) -> list[Said]:
    """Return bones, abdomen, and what is said besides."""
    told = account.of(("rib_fracture",))
    result = _tell_all(told, "findings", rng)
    if brief:
        return result
    draw = rng.random()
    if not told and draw < 0.25:
        result.append(plain("bones_normal", rng))
    elif not told and draw < 0.31:
        result.append(plain("no_fracture", rng))
    if not account.kinds & {"nodule", "mass", "opacity"} and rng.random() < 0.02:
        result.append(plain("no_lesion", rng))
    ill = bool(account.kinds - DEVICES)
    draw = rng.random()
    if draw < (0.12 if ill else 0.04):
        result.append(plain("other", rng))
    elif ill and draw < 0.17:
        result.append(plain("other_only_with_findings", rng))
    if rng.random() < 0.15:
        result.append(plain("remark", rng))
    return result


def _tell_all(told: Sequence[Told], place: str, rng: random.Random) -> list[Said]:
    """Return sentences about all of `told`, some of them two at a time."""
    order = list(told)
    if len(order) > 1 and rng.random() < 0.4:
        rng.shuffle(order)
    left = {item.kind: item for item in order}
    result: list[Said] = []
    for first, second, share in _PAIRS:
        if first in left and second in left and rng.random() < share:
            one, two = left[first], left[second]
            said = tell_pair(one, two, place, rng) if _fit_together(one, two) else None
            if said is not None:
                result.append(said)
                del left[first], left[second]
    for item in left.values():
        said = tell(item, place, rng)
        if any(other.text[:7] == said.text[:7] for other in result):  # not twice the same opening
            said = tell(item, place, rng)
        result.append(said)
    return result


def _fit_together(one: Told, two: Told) -> bool:
    """Return whether both are told alike and lie where one sentence can hold them."""
    if one.stance != two.stance or one.stance == "hedged":
        return False
    sides = {one.finding.side, two.finding.side}
    if one.kind == "consolidation" and two.kind == "pneumonia":
        return len(sides) == 1 and one.finding.zone == two.finding.zone
    if one.kind == "pneumothorax":
        return len(sides) == 1
    return one.kind != "effusion" or len(sides) == 1 or "both" in sides
