"""Who comes for a radiograph, how often, and what is true of each study.

A patient belongs to one group (well, cardiac, infected, surgical, critical, oncologic). The
group fixes how likely each kind of finding is; findings then raise or lower each other's odds
(edema and a large heart, effusion and atelectasis, a chest tube and a pneumothorax) and persist
from one study to the next as long as such things do. Shares and tables were fitted by hand until
the studies' prevalences came near those that MIMIC-CXR's reports state (Johnson et al. 2019,
arXiv:1901.07042, Table 6), a little above them, because reports omit.

Patient i of a cohort depends on (seed, i) alone and study ids on their place in the cohort, so a
larger cohort of the same seed begins with the smaller one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from cxr.synth.truth import KINDS, Finding, Image, Patient, Side, Study, Zone

View = Literal["PA", "AP", "LATERAL"]


@dataclass(frozen=True)
class _Group:
    """One kind of patient.

    Attributes:
        share: of patients.
        more: mean number of studies after the first.
        age: mean and standard deviation in years.
        portable: share of studies taken at the bed (AP).
        percent: kind -> per cent of the group's studies that have it, before the odds of
            `_TOGETHER`.
    """

    share: float
    more: float
    age: tuple[float, float]
    portable: float
    percent: Mapping[str, float]


_GROUPS: tuple[_Group, ...] = (
    _Group(
        share=0.45,  # well: outpatients and the emergency department's worried
        more=0.20,
        age=(51, 18),
        portable=0.15,
        percent=dict(
            widened_mediastinum=1.2, cardiomegaly=5, opacity=5, nodule=1.6, mass=0.1, edema=0.7,
            consolidation=0.3, pneumonia=2, atelectasis=5, pneumothorax=0.5, effusion=2.5,
            pleural_thickening=0.6, rib_fracture=1.2, endotracheal_tube=0, central_line=1.2,
            enteric_tube=0, pacemaker=1.2, chest_tube=0, sternal_wires=2.0,
        ),
    ),
    _Group(
        share=0.17,  # cardiac: failing or operated hearts
        more=1.1,
        age=(71, 13),
        portable=0.62,
        percent=dict(
            widened_mediastinum=6, cardiomegaly=56, opacity=8, nodule=1.5, mass=0.2, edema=29,
            consolidation=3, pneumonia=4, atelectasis=15, pneumothorax=1, effusion=32,
            pleural_thickening=1, rib_fracture=1.5, endotracheal_tube=2, central_line=8,
            enteric_tube=1.5, pacemaker=20, chest_tube=1, sternal_wires=16,
        ),
    ),
    _Group(
        share=0.17,  # infected
        more=0.6,
        age=(61, 18),
        portable=0.55,
        percent=dict(
            widened_mediastinum=2.5, cardiomegaly=13, opacity=40, nodule=2, mass=0.3, edema=7,
            consolidation=14, pneumonia=36, atelectasis=15, pneumothorax=0.8, effusion=14,
            pleural_thickening=1.2, rib_fracture=1.5, endotracheal_tube=3, central_line=7,
            enteric_tube=2, pacemaker=3, chest_tube=0.8, sternal_wires=4,
        ),
    ),
    _Group(
        share=0.09,  # surgical: after thoracic or cardiac surgery, and trauma
        more=1.3,
        age=(60, 17),
        portable=0.78,
        percent=dict(
            widened_mediastinum=10, cardiomegaly=15, opacity=16, nodule=2.5, mass=0.4, edema=6,
            consolidation=3, pneumonia=2.5, atelectasis=42, pneumothorax=29, effusion=28,
            pleural_thickening=2, rib_fracture=9, endotracheal_tube=8, central_line=18,
            enteric_tube=7, pacemaker=4, chest_tube=8, sternal_wires=16,
        ),
    ),
    _Group(
        share=0.07,  # critical: the intensive care unit
        more=1.6,
        age=(63, 16),
        portable=0.97,
        percent=dict(
            widened_mediastinum=7, cardiomegaly=22, opacity=36, nodule=1, mass=0.2, edema=30,
            consolidation=13, pneumonia=13, atelectasis=34, pneumothorax=4, effusion=36,
            pleural_thickening=0.8, rib_fracture=3, endotracheal_tube=42, central_line=38,
            enteric_tube=12, pacemaker=7, chest_tube=2, sternal_wires=8,
        ),
    ),
    _Group(
        share=0.05,  # oncologic
        more=1.2,
        age=(65, 12),
        portable=0.35,
        percent=dict(
            widened_mediastinum=8, cardiomegaly=8, opacity=17, nodule=30, mass=11, edema=3,
            consolidation=4, pneumonia=6, atelectasis=19, pneumothorax=3.5, effusion=32,
            pleural_thickening=5, rib_fracture=3, endotracheal_tube=0.5, central_line=36,
            enteric_tube=1, pacemaker=3, chest_tube=1, sternal_wires=3,
        ),
    ),
)  # fmt: skip

_PERSISTENCE: dict[str, float] = dict(
    widened_mediastinum=0.8, cardiomegaly=0.9, opacity=0.5, nodule=0.92, mass=0.95, edema=0.5,
    consolidation=0.55, pneumonia=0.6, atelectasis=0.6, pneumothorax=0.6, effusion=0.72,
    pleural_thickening=0.96, rib_fracture=0.88, endotracheal_tube=0.6, central_line=0.75,
    enteric_tube=0.6, pacemaker=1.0, chest_tube=0.6, sternal_wires=1.0,
)  # fmt: skip
"""Kind -> probability that what was there is still there at the patient's next study."""

_TOGETHER: dict[tuple[str, str], float] = {
    ("cardiomegaly", "edema"): 1.9,
    ("edema", "effusion"): 2.6,
    ("cardiomegaly", "effusion"): 1.2,
    ("pneumonia", "consolidation"): 1.5,
    ("pneumonia", "opacity"): 0.3,
    ("pneumonia", "effusion"): 1.5,
    ("consolidation", "effusion"): 1.5,
    ("effusion", "atelectasis"): 2.4,
    ("nodule", "mass"): 0.1,
    ("pneumothorax", "chest_tube"): 12.0,
    ("effusion", "chest_tube"): 1.5,
    ("rib_fracture", "pneumothorax"): 2.5,
    ("endotracheal_tube", "enteric_tube"): 20.0,
    ("endotracheal_tube", "central_line"): 2.0,
}
"""(first, second) -> factor on the odds of the second where the first is there."""

_ORDER: tuple[str, ...] = (
    "widened_mediastinum", "cardiomegaly", "edema", "pneumonia", "consolidation", "opacity",
    "nodule", "mass", "rib_fracture", "pneumothorax", "effusion", "atelectasis",
    "pleural_thickening", "endotracheal_tube", "central_line", "enteric_tube", "pacemaker",
    "chest_tube", "sternal_wires",
)  # fmt: skip
"""Order of drawing: what raises another's odds comes first."""

_SIDES: dict[str, tuple[float, float, float]] = {  # left, right, both
    "opacity": (0.34, 0.40, 0.26),
    "nodule": (0.44, 0.56, 0.0),
    "mass": (0.44, 0.56, 0.0),
    "edema": (0.0, 0.0, 1.0),
    "consolidation": (0.42, 0.48, 0.10),
    "pneumonia": (0.38, 0.48, 0.14),
    "atelectasis": (0.36, 0.24, 0.40),
    "pneumothorax": (0.46, 0.54, 0.0),
    "effusion": (0.30, 0.30, 0.40),
    "pleural_thickening": (0.38, 0.38, 0.24),
    "rib_fracture": (0.5, 0.5, 0.0),
    "central_line": (0.25, 0.75, 0.0),
    "pacemaker": (0.9, 0.1, 0.0),
    "chest_tube": (0.5, 0.5, 0.0),
}
"""Kinds not named here have no side."""

_ZONES: dict[str, tuple[float, float, float, float]] = {  # upper, middle, lower, all
    "opacity": (0.18, 0.22, 0.54, 0.06),
    "nodule": (0.42, 0.26, 0.32, 0.0),
    "mass": (0.45, 0.30, 0.25, 0.0),
    "edema": (0.0, 0.0, 0.0, 1.0),
    "consolidation": (0.20, 0.18, 0.62, 0.0),
    "pneumonia": (0.18, 0.20, 0.62, 0.0),
    "atelectasis": (0.03, 0.09, 0.88, 0.0),
    "pneumothorax": (0.88, 0.0, 0.12, 0.0),
    "effusion": (0.0, 0.0, 1.0, 0.0),
    "pleural_thickening": (0.6, 0.0, 0.4, 0.0),
    "rib_fracture": (0.15, 0.45, 0.40, 0.0),
}
"""Kinds not named here have a place of their own, not a zone."""

_FOLLOWS: tuple[tuple[str, str], ...] = (
    ("consolidation", "pneumonia"),
    ("chest_tube", "effusion"),
    ("chest_tube", "pneumothorax"),
)
"""(kind, other): the kind is new on the other's side where both are there; the last one wins."""

_STUDIES_AT_MOST = 14
_ID_SPACE = 10_000_000
_ID_STEP = 6_180_339  # coprime to the space: steps through all ids once, without visible order


def sample_cohort(studies: int, seed: int) -> list[Study]:
    """Return `studies` phantom studies of as many patients as that takes.

    Args:
        studies: 0 or more; at most ten million.
        seed: fixes everything. The first n studies of a larger cohort are the cohort of n.

    Returns:
        Studies, each patient's in order of time and next to each other. Patient, study and
        image ids are unique and look like MIMIC-CXR's.

    Raises:
        ValueError: `studies` is negative or more than there are ids.
    """
    if not 0 <= studies <= _ID_SPACE:
        raise ValueError(f"studies is {studies}; expected 0 to {_ID_SPACE}.")
    cohort: list[Study] = []
    index = 0
    while len(cohort) < studies:
        cohort.extend(_sample_patient(seed, index, first_study=len(cohort)))
        index += 1
    return cohort[:studies]


def _sample_patient(seed: int, index: int, *, first_study: int) -> list[Study]:
    """Return all studies of patient `index`; `first_study` is their place in the cohort."""
    rng = np.random.default_rng((seed % 2**64, index))
    group = _GROUPS[int(rng.choice(len(_GROUPS), p=_SHARES))]
    patient = Patient(
        patient_id=_make_id("1", seed, index),
        sex="F" if rng.random() < 0.48 else "M",
        age=int(np.clip(round(rng.normal(*group.age)), 18, 91)),  # MIMIC writes 91 for above 89
        habitus=float(np.clip(round(rng.normal(0.05, 0.42), 4), -1, 1)),
        seed=_draw_seed(rng),
    )
    count = min(int(rng.geometric(1 / (1 + group.more))), _STUDIES_AT_MOST)
    result: list[Study] = []
    before: dict[str, Finding] = {}
    for number in range(count):
        found = _sample_findings(group, before, rng, first=number == 0)
        result.append(
            Study(
                study_id=_make_id("5", seed, first_study + number),
                patient=patient,
                findings=tuple(found[kind] for kind in KINDS if kind in found),
                images=_sample_images(group, found, rng),
                history=tuple(kind for kind in KINDS if kind in before),
                number=number,
                seed=_draw_seed(rng),
            )
        )
        before = found
    return result


def _sample_findings(
    group: _Group, before: Mapping[str, Finding], rng: np.random.Generator, *, first: bool
) -> dict[str, Finding]:
    """Return kind -> finding of one study, given those of the study before."""
    found: dict[str, Finding] = {}
    for kind in _ORDER:
        probability = _probability(kind, group, found)
        stays = _PERSISTENCE[kind]
        if not first:  # keeps the share of studies with it what it was
            new = min(1.0, probability * (1 - stays) / (1 - probability))
            probability = stays if kind in before else new
        if rng.random() < probability:
            old = before.get(kind)
            found[kind] = _evolve(old, rng) if old else _sample_finding(kind, rng)
    for kind, other in _FOLLOWS:
        if kind in found and kind not in before and other in found:
            found[kind] = _put_beside(found[kind], found[other], rng)
    return found


def _probability(kind: str, group: _Group, found: Mapping[str, Finding]) -> float:
    """Return how likely the kind is in the group beside what is already found."""
    share = group.percent[kind] / 100
    odds = share / (1 - share)
    for other in found:
        odds *= _TOGETHER.get((other, kind), 1.0)
    return odds / (1 + odds)


def _sample_finding(kind: str, rng: np.random.Generator) -> Finding:
    """Return a new finding; severe ones are seldom subtle, most are of a middle kind."""
    severity = float(rng.beta(1.9, 2.3))
    subtlety = float(np.clip(rng.beta(2.4, 2.9) + 0.25 * (0.45 - severity), 0, 1))
    sides, zones = _SIDES.get(kind), _ZONES.get(kind)
    return Finding(
        kind=kind,
        side=get_args(Side)[_pick(sides, rng)] if sides else "none",
        zone=get_args(Zone)[_pick(zones, rng)] if zones else "none",
        severity=round(severity, 4),
        subtlety=round(subtlety, 4),
        seed=_draw_seed(rng),
    )


def _evolve(finding: Finding, rng: np.random.Generator) -> Finding:
    """Return the finding some time later: the same thing, a little more or less of it."""
    return replace(
        finding,
        severity=round(float(np.clip(finding.severity + rng.normal(0, 0.12), 0.02, 1)), 4),
        subtlety=round(float(np.clip(finding.subtlety + rng.normal(0, 0.10), 0, 1)), 4),
    )


def _put_beside(finding: Finding, other: Finding, rng: np.random.Generator) -> Finding:
    """Return the finding on the side (and, if it has one, in the zone) of the other."""
    side: Side = other.side
    if side == "both" and _SIDES[finding.kind][2] == 0:
        side = "left" if rng.random() < 0.5 else "right"
    return replace(finding, side=side, zone=other.zone if finding.zone != "none" else "none")


def _sample_images(
    group: _Group, found: Mapping[str, Finding], rng: np.random.Generator
) -> tuple[Image, ...]:
    """Return the exposures: at the bed (AP) for the sick, else PA, mostly with a lateral."""
    if "endotracheal_tube" in found:
        views = _ON_BACK
    else:
        bedside = {"enteric_tube", "chest_tube"} & set(found)
        views = _AT_BED if rng.random() < (0.96 if bedside else group.portable) else _UPRIGHT
    chosen = list(views)[_pick(tuple(views.values()), rng)]
    return tuple(Image(_make_image_id(rng), view, _draw_seed(rng)) for view in chosen)


_ON_BACK: dict[tuple[View, ...], float] = {("AP",): 0.88, ("AP", "AP"): 0.12}
_AT_BED: dict[tuple[View, ...], float] = {
    ("AP",): 0.83,
    ("AP", "AP"): 0.11,
    ("AP", "LATERAL"): 0.06,
}
_UPRIGHT: dict[tuple[View, ...], float] = {
    ("PA", "LATERAL"): 0.86,
    ("PA",): 0.07,
    ("PA", "LATERAL", "LATERAL"): 0.04,
    ("PA", "PA", "LATERAL"): 0.03,
}
_SHARES = np.array([group.share for group in _GROUPS])


def _pick(weights: tuple[float, ...], rng: np.random.Generator) -> int:
    """Return an index drawn with the weights, which add up to 1."""
    return min(int(np.searchsorted(np.cumsum(weights), rng.random())), len(weights) - 1)


def _draw_seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _make_id(prefix: str, seed: int, index: int) -> str:
    """Return an id of 8 digits, unique among the indices of one seed and prefix."""
    return f"{prefix}{(seed * 7919 + 32 + index * _ID_STEP) % _ID_SPACE:07d}"


def _make_image_id(rng: np.random.Generator) -> str:
    digits = rng.bytes(20).hex()
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))
