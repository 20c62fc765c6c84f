"""What is true of a phantom patient: the one description that renderer and narrator share.

The renderer turns it into pixels and masks, the narrator into a report; neither sees the other.
"""

from dataclasses import dataclass
from typing import Literal

from cxr.observations import NO_FINDING, OBSERVATIONS, SUPPORT_DEVICES

Side = Literal["left", "right", "both", "none"]
Zone = Literal["upper", "middle", "lower", "all", "none"]

KINDS: dict[str, tuple[str, ...]] = {
    "widened_mediastinum": ("Enlarged Cardiomediastinum",),
    "cardiomegaly": ("Cardiomegaly",),
    "opacity": ("Lung Opacity",),
    "nodule": ("Lung Lesion",),
    "mass": ("Lung Lesion",),
    "edema": ("Edema",),
    "consolidation": ("Consolidation",),
    "pneumonia": ("Pneumonia", "Lung Opacity"),
    "atelectasis": ("Atelectasis",),
    "pneumothorax": ("Pneumothorax",),
    "effusion": ("Pleural Effusion",),
    "pleural_thickening": ("Pleural Other",),
    "rib_fracture": ("Fracture",),
    "endotracheal_tube": ("Support Devices",),
    "central_line": ("Support Devices",),
    "enteric_tube": ("Support Devices",),
    "pacemaker": ("Support Devices",),
    "chest_tube": ("Support Devices",),
    "sternal_wires": ("Support Devices",),
}
"""Kind of finding -> the observations that are true where it is there."""


@dataclass(frozen=True)
class Finding:
    """One thing that is there, in a place, of a size.

    Attributes:
        kind: a key of `KINDS`.
        side: the patient's side ("left" is on the right of the picture).
        zone: height in the lung; "none" where the kind has its own place (heart, devices).
        severity: 0 to 1; how large or dense.
        subtlety: 0 to 1; how hard to see, before the cohort's conspicuity setting. The narrator
            omits and hedges subtle findings more often, the renderer draws them fainter.
        seed: fixes the geometry's details.
    """

    kind: str
    side: Side
    zone: Zone
    severity: float
    subtlety: float
    seed: int


@dataclass(frozen=True)
class Patient:
    """A phantom patient; ids are MIMIC-like ("10000032")."""

    patient_id: str
    sex: Literal["F", "M"]
    age: int  # years
    habitus: float  # -1 slim to 1 stout
    seed: int  # fixes the anatomy, equal in all studies of the patient


@dataclass(frozen=True)
class Image:
    """One exposure of a study."""

    image_id: str
    view: Literal["PA", "AP", "LATERAL"]
    seed: int  # position, exposure, noise


@dataclass(frozen=True)
class Study:
    """A phantom study: a patient, what is there, and the images taken."""

    study_id: str
    patient: Patient
    findings: tuple[Finding, ...]
    images: tuple[Image, ...]
    history: tuple[str, ...]  # kinds seen on the patient's earlier study, for comparison phrases
    number: int  # 0 for the patient's first study
    seed: int  # for the narrator


def true_observations(findings: tuple[Finding, ...]) -> dict[str, bool]:
    """Return the 14 observations' truth; No Finding where nothing but devices is there."""
    present = {name for finding in findings for name in KINDS[finding.kind]}
    truth = {name: name in present for name in OBSERVATIONS}
    truth[NO_FINDING] = not (present - {SUPPORT_DEVICES})
    return truth
