"""What a phantom is made of before it is exposed, and how a finding changes it.

Path lengths along the beam in cm. The lung is air and tissue mixed: a cm of healthy lung weighs
`LUNG_DENSITY` cm of water. `aeration` says how much of its air each pixel's lung still has: 1
healthy, 0 airless (consolidated, flooded), `PURE_AIR` where there is no lung tissue at all.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cxr.synth.raster import Field, Grid, smooth_step
from cxr.synth.truth import Patient, Side

LUNG_DENSITY = 0.26  # of water; Hounsfield about -740
PURE_AIR = 1 / (1 - LUNG_DENSITY)

PATIENT_LEFT = 1.0
PATIENT_RIGHT = -1.0


@dataclass(frozen=True)
class Build:
    """A patient's anatomy, equal on all images; drawn from the patient's seed.

    Attributes:
        width, height: of the thorax, 1 is average.
        depth: of the body, 1 is average.
        fat_cm: thickness of the fat under the skin.
        heart: the heart's width, 1 is average.
        lie: how the heart lies; below 0 upright, above 0 across.
        dome: how high the diaphragm's domes are, 1 is average.
        aorta: how prominent arch and descending aorta are, 1 is average.
        bone: mineral, 1 is young and healthy.
        breast_cm: thickness of the breasts.
        rib_drop: how steeply ribs fall, 1 is average.
        scoliosis_cm: sideways swing of the spine.
        calcified_arch: whether the aortic arch shows a rim of calcium.
    """

    width: float
    height: float
    depth: float
    fat_cm: float
    heart: float
    lie: float
    dome: float
    aorta: float
    bone: float
    breast_cm: float
    rib_drop: float
    scoliosis_cm: float
    calcified_arch: bool

    @classmethod
    def of(cls, patient: Patient) -> "Build":
        """Return the build of `patient`."""
        rng = np.random.default_rng([patient.seed, 11])
        stout, female = patient.habitus, patient.sex == "F"
        aged = float(np.clip((patient.age - 40) / 45, 0, 1))
        spread = rng.normal(0, 1, 10)
        return cls(
            width=(0.95 if female else 1.0) * (1 + 0.03 * stout + 0.025 * spread[0]),
            height=(0.94 if female else 1.0) * (1 - 0.04 * stout + 0.035 * spread[1]),
            depth=(0.93 if female else 1.0) * (1 + 0.14 * stout + 0.04 * spread[2]),
            fat_cm=max(0.4, 1.5 + 1.4 * stout + 0.2 * spread[3]),
            heart=1 + 0.05 * aged + 0.05 * stout + 0.035 * spread[4],
            lie=0.7 * stout + 0.6 * spread[8],
            dome=float(np.clip(1 + 0.13 * spread[9], 0.6, 1.4)),
            aorta=1 + 0.25 * aged + 0.08 * spread[5],
            bone=(0.9 if female else 1.0) * (1 - 0.3 * aged) * (1 + 0.06 * spread[6]),
            breast_cm=max(1.2, 3.2 + 2.2 * stout + 0.9 * spread[7]) if female else 0.0,
            rib_drop=float(1 + 0.12 * rng.normal()),
            scoliosis_cm=float(0.35 * rng.normal()),
            calcified_arch=bool(rng.random() < 0.6 * aged),
        )


@dataclass(frozen=True)
class Pose:
    """How the patient stands or lies on one image, and how the beam is set.

    Attributes:
        view: PA, AP (portable: supine or sitting) or LATERAL.
        raised_cm: how much the diaphragm stands higher than at full inspiration.
        rotation_cm: how far front structures are projected sideways (+ to the patient's left).
        clavicle_cm: how far the clavicles are projected upwards.
        scapula_cm: how far the scapulae lie over the lungs.
        scatter: scattered over primary radiation behind air.
        quanta: X-ray quanta in a pixel of 1 mm^2 behind air, in thousands.
        energy: the beam's hardness, 1 is 120 kVp; less makes bone stand out.
        contrast: the display's gradient, 1 is average.
        brightness: the display's shift.
        sharpen: strength of the display's edge enhancement.
    """

    view: Literal["PA", "AP", "LATERAL"]
    raised_cm: float
    rotation_cm: float
    clavicle_cm: float
    scapula_cm: float
    scatter: float
    quanta: float
    energy: float
    contrast: float
    brightness: float
    sharpen: float

    @classmethod
    def of(cls, view: Literal["PA", "AP", "LATERAL"], rng: np.random.Generator) -> "Pose":
        """Return a pose drawn for `view`."""
        portable = view == "AP"
        spread = rng.normal(0, 1, 6)
        return cls(
            view=view,
            raised_cm=float(rng.uniform(0.8, 4.2) if portable else rng.uniform(-0.8, 1.8)),
            rotation_cm=float((0.7 if portable else 0.25) * spread[0]),
            clavicle_cm=float(1.6 + 0.8 * spread[1] if portable else 0.2 + 0.5 * spread[1]),
            scapula_cm=float(2.2 + 0.8 * spread[2] if portable else max(-0.5, 0.4 * spread[2])),
            scatter=float(rng.uniform(0.55, 0.95) if portable else rng.uniform(0.25, 0.55)),
            quanta=float(rng.uniform(60, 160) if portable else rng.uniform(120, 300)),
            energy=float(rng.uniform(0.8, 1.0) if portable else rng.uniform(0.9, 1.1)),
            contrast=float((0.88 if portable else 1.0) * np.exp(0.14 * spread[3])),
            brightness=float(0.05 * spread[4]),
            sharpen=float(rng.uniform(0.1, 0.8)),
        )


@dataclass(frozen=True)
class Shape:
    """What findings change in the anatomy itself, before anything is drawn.

    Attributes:
        heart: factor on the heart's size.
        mediastinum_cm: added to the mediastinum's half width.
        raised_cm: how far each hemidiaphragm is pulled up, (right, left).
        cephalization: 0 to 1, how far upper-lobe vessels are filled.
        breaks: fractured ribs.
    """

    heart: float = 1.0
    mediastinum_cm: float = 0.0
    raised_cm: tuple[float, float] = (0.0, 0.0)
    cephalization: float = 0.0
    breaks: tuple["Break", ...] = ()


@dataclass(frozen=True)
class Break:
    """One broken rib.

    Attributes:
        rib: 1 to 12.
        side: PATIENT_LEFT or PATIENT_RIGHT.
        angle: radians along the rib; 0 at the spine, pi/2 at the side.
        step_cm: how far the fragments stand apart, along the picture's height.
        gap_cm: width of the lucent line between them.
    """

    rib: int
    side: float
    angle: float
    step_cm: float
    gap_cm: float


@dataclass(frozen=True)
class Landmarks:
    """Where findings and devices find their places; lines are (n, 2) in cm."""

    trachea: np.ndarray  # downwards, ends at the carina
    bronchi: dict[float, np.ndarray]  # side -> line outwards from the carina
    cava: np.ndarray  # superior vena cava, downwards, ends in the right atrium
    ventricle: np.ndarray  # from the right atrium to the apex of the right ventricle
    oesophagus: np.ndarray  # downwards, ends in the stomach
    hila: dict[float, tuple[float, float]]  # side -> centre
    sternum: np.ndarray  # downwards
    pocket: dict[float, tuple[float, float]]  # side -> where a pacemaker lies
    neck: dict[float, tuple[float, float]]  # side -> internal jugular vein at the upper edge
    arm: dict[float, np.ndarray]  # side -> subclavian vein, inwards, ends in the cava
    breaks: tuple[tuple[float, float], ...] = ()  # centre of each fracture


@dataclass
class Scene:
    """The anatomy of one image as path lengths; see the module's first words.

    Attributes:
        grid, pose, build, landmarks: where and how.
        body: soft tissue and everything else in the skin, lungs included.
        lung: lung along the beam.
        vessels: vessels in the lung.
        bone: dense bone.
        metal: attenuation of what is no tissue (no unit).
        wall: cm inwards from the inner chest wall; negative outside.
        above: cm above the diaphragm; negative below its dome.
        base_cm: side -> y of the dome; the lungs' top is the origin.
        heart, mediastinum: (size, size) bool.
        aeration: see the module's first words.
    """

    grid: Grid
    pose: Pose
    build: Build
    landmarks: Landmarks
    body: Field
    lung: Field
    vessels: Field
    bone: Field
    metal: Field
    wall: Field
    above: Field
    base_cm: dict[float, float]
    heart: np.ndarray
    mediastinum: np.ndarray
    aeration: Field = field(init=False)

    def __post_init__(self) -> None:
        self.aeration = np.ones_like(self.lung)

    def on_side(self, side: float) -> Field:
        """Return how far each pixel is lung of that side, 0 to 1.

        The sides meet softly behind the spine, where lung is seen through the heart. A lateral
        view sees both sides as one.
        """
        inside = ((self.wall > 0) & (self.lung > 0.2)).astype(np.float32)
        if self.pose.view == "LATERAL":
            return inside
        return inside * smooth_step(self.grid.x * np.float32(side / 3) + np.float32(0.4))


@dataclass(frozen=True)
class Change:
    """What one finding does to the scene, and where.

    Attributes:
        mask: (size, size) bool; where the finding is.
        aeration: factor on the air, or None.
        vessels: factor on the vessels, or None.
        body: soft tissue added outside the lungs' air, cm, or None.
        bone: bone added, cm, or None.
        metal: attenuation added, or None.
    """

    mask: np.ndarray
    aeration: Field | None = None
    vessels: Field | None = None
    body: Field | None = None
    bone: Field | None = None
    metal: Field | None = None


def apply_change(scene: Scene, change: Change) -> None:
    """Write `change` into `scene`'s fields."""
    if change.aeration is not None:
        scene.aeration *= change.aeration
    if change.vessels is not None:
        scene.vessels *= change.vessels
    if change.body is not None:
        scene.body += change.body
    if change.bone is not None:
        scene.bone += change.bone
    if change.metal is not None:
        scene.metal += change.metal


def pick_side(side: Side, rng: np.random.Generator) -> float:
    """Return the side as a sign; drawn where a finding names none, or both."""
    if side == "left":
        return PATIENT_LEFT
    if side == "right":
        return PATIENT_RIGHT
    return PATIENT_LEFT if rng.random() < 0.5 else PATIENT_RIGHT


def pick_sides(side: Side, rng: np.random.Generator) -> tuple[float, ...]:
    """Return one sign, or two where the finding is on both sides."""
    if side == "both":
        return (PATIENT_RIGHT, PATIENT_LEFT)
    return (pick_side(side, rng),)
