"""Render one image of a phantom study, with an exact mask of every finding.

Conventions: display sense is MONOCHROME2 (bone bright) in 12 bits; a frontal view shows the
patient's left on the picture's right, a lateral view shows the front on the left.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cxr.errors import InputError
from cxr.synth import devices, lesions, pleura
from cxr.synth.anatomy import build_frontal
from cxr.synth.exposure import develop, expose
from cxr.synth.lateral import build_lateral
from cxr.synth.marker import finish_picture
from cxr.synth.raster import Grid
from cxr.synth.scene import (
    Break,
    Build,
    Change,
    Pose,
    Scene,
    Shape,
    apply_change,
    pick_side,
)
from cxr.synth.truth import KINDS, Finding, Image, Study

_Draw = Callable[[Scene, Finding, float, np.random.Generator], Change]

_DRAW: dict[str, _Draw] = {
    "opacity": lesions.opacity,
    "nodule": lesions.nodule,
    "mass": lesions.mass,
    "edema": lesions.edema,
    "consolidation": lesions.consolidation,
    "pneumonia": lesions.pneumonia,
    "atelectasis": lesions.atelectasis,
    "pneumothorax": pleura.pneumothorax,
    "effusion": pleura.effusion,
    "pleural_thickening": pleura.pleural_thickening,
    "endotracheal_tube": devices.endotracheal_tube,
    "central_line": devices.central_line,
    "enteric_tube": devices.enteric_tube,
    "pacemaker": devices.pacemaker,
    "chest_tube": devices.chest_tube,
    "sternal_wires": devices.sternal_wires,
}
"""The other kinds (`cardiomegaly`, `widened_mediastinum`, `rib_fracture`) are a changed anatomy:
see `shape_of`."""

_RIBS_OF_ZONE = {"upper": (2, 4), "middle": (5, 7), "lower": (8, 10)}


@dataclass(frozen=True)
class Phantom:
    """One rendered image.

    Attributes:
        pixels: (size, size) uint16, 0 to 4095, MONOCHROME2.
        masks: observation -> (size, size) bool; the observations that are there and are seen
            in the picture. A mask is where the anatomy was changed, however faintly.
        spacing_mm: mm from pixel to pixel.
    """

    pixels: np.ndarray
    masks: dict[str, np.ndarray]
    spacing_mm: float


def render(study: Study, image: Image, *, size: int, conspicuity: float) -> Phantom:
    """Return the picture and the masks of one image of `study`.

    Args:
        study: what is true; every random detail follows from the seeds in it.
        image: one of its images.
        size: pixels a side, 32 to 4096.
        conspicuity: how visible findings are; 1 plain, 0 invisible, up to 2.

    Raises:
        InputError: size or conspicuity out of range.
    """
    check_settings(size, conspicuity)
    rng = np.random.default_rng([image.seed, 41])
    build, pose = Build.of(study.patient), Pose.of(image.view, rng)
    shape = shape_of(study.findings, conspicuity)
    grid = _grid(size, image.view, build, rng)
    make = build_lateral if image.view == "LATERAL" else build_frontal
    scene = make(grid, build, pose, shape, patient_seed=study.patient.seed)
    masks = _add_findings(scene, study.findings, conspicuity)
    pixels = develop(expose(scene, rng), scene)
    shown = finish_picture(pixels, scene, rng)
    masks = {name: mask & shown for name, mask in masks.items() if (mask & shown).any()}
    return Phantom(pixels, masks, grid.pitch * 10)


def check_settings(size: int, conspicuity: float) -> None:
    """Raise InputError where the settings of a picture are out of range."""
    if not 32 <= size <= 4096:
        raise InputError(f"size is {size}; choose 32 to 4096 pixels.")
    if not 0 <= conspicuity <= 2:
        raise InputError(f"conspicuity is {conspicuity}; choose 0 (invisible) to 2.")


def strength_of(finding: Finding, conspicuity: float) -> float:
    """Return how strongly a finding is drawn: 1 as in a textbook, 0 not at all.

    Proportional to (1 - subtlety) and to conspicuity, saturating above a textbook's.
    """
    return float(min(2.0 * (1 - finding.subtlety) * conspicuity, 1.25))


def shape_of(findings: tuple[Finding, ...], conspicuity: float) -> Shape:
    """Return what `findings` change in the anatomy before lesions are drawn in it."""
    heart, wide, filled = 1.0, 0.0, 0.0
    raised = {-1.0: 0.0, 1.0: 0.0}
    breaks: list[Break] = []
    for finding in findings:
        strength = strength_of(finding, conspicuity)
        if finding.kind == "cardiomegaly":
            heart += (0.13 + 0.21 * finding.severity) * strength
        elif finding.kind == "widened_mediastinum":
            wide += (1.5 + 2.2 * finding.severity) * strength
        elif finding.kind == "edema":
            filled += (0.4 + 0.6 * finding.severity) * strength
        elif finding.kind == "atelectasis":
            for side in lesions.side_of(finding.side):
                raised[side] += max(0.0, 3.0 * finding.severity - 0.6) * strength
        elif finding.kind == "rib_fracture" and strength > 0:
            breaks += _breaks(finding, strength)
    return Shape(heart, wide, (raised[-1.0], raised[1.0]), min(filled, 1.2), tuple(breaks))


def _breaks(finding: Finding, strength: float) -> list[Break]:
    rng = np.random.default_rng([finding.seed, 5])
    side = pick_side(finding.side, rng)
    low, high = _RIBS_OF_ZONE.get(finding.zone, (3, 9))
    first = int(rng.integers(low, high + 1))
    angle = rng.uniform(0.6, 1.15)
    return [
        Break(
            rib=rib,
            side=side,
            angle=float(angle + rng.normal(0, 0.06)),
            step_cm=float(rng.choice([-1, 1]) * (0.5 + 0.6 * finding.severity) * strength),
            gap_cm=float((0.25 + 0.35 * finding.severity) * strength),
        )
        for rib in range(first, min(first + 1 + round(3 * finding.severity), 11))
    ]


def _grid(size: int, view: str, build: Build, rng: np.random.Generator) -> Grid:
    """Return the field as a radiographer sets it: around the lungs, a little off."""
    spread = rng.normal(0, 1, 4)
    wide = 34.0 * build.width + 1.2 * build.fat_cm + 1.1 * spread[0]
    tall = 32.0 * build.height + 1.1 * spread[0]
    loose = 2.0 if view == "AP" else 0.0
    field = max(wide, tall) + loose
    tilt = (0.035 if view == "AP" else 0.015) * spread[1]
    x = 0.0 if view != "LATERAL" else 0.5
    centre = (x + 0.5 * spread[2], 11.6 * build.height + 0.6 * spread[3])
    return Grid.place(size, field_cm=field, centre=centre, tilt=tilt)


def _add_findings(
    scene: Scene, findings: tuple[Finding, ...], conspicuity: float
) -> dict[str, np.ndarray]:
    """Draw the findings into `scene` and return observation -> mask."""
    masks: dict[str, np.ndarray] = {}
    for finding in findings:
        strength = strength_of(finding, conspicuity)
        if finding.kind in _DRAW:
            rng = np.random.default_rng([finding.seed, 3])
            change = _DRAW[finding.kind](scene, finding, strength, rng)
            apply_change(scene, change)
            mask = change.mask
        else:
            mask = _anatomy_mask(scene, finding.kind)
        if strength == 0 or not mask.any():
            continue
        for name in KINDS[finding.kind]:
            masks[name] = masks[name] | mask if name in masks else mask
    return masks


def _anatomy_mask(scene: Scene, kind: str) -> np.ndarray:
    if kind == "cardiomegaly":
        return scene.heart
    if kind == "widened_mediastinum":
        return scene.heart | scene.mediastinum
    mask = np.zeros(scene.lung.shape, bool)
    for x, y in scene.landmarks.breaks:
        mask |= (scene.grid.x - x) ** 2 + (scene.grid.y - y) ** 2 < 1.3**2
    return mask
