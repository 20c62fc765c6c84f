"""The configuration: one frozen dataclass per concern, every default visible with its reason.

TOML over dataclass defaults; precedence is command line over file over preset, in `load_config`.
Unknown keys are refused with the nearest known one.
"""

import dataclasses
import difflib
import hashlib
import json
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from cxr.errors import InputError


@dataclass(frozen=True)
class DataConfig:
    """Where the images and reports are, and which of them count."""

    source: Literal["synthetic", "mimic-cxr", "manifest"] = "synthetic"
    path: str = ""  # root folder (MIMIC) or CSV file (manifest); the synthetic cohort needs none
    reports: str = ""  # MIMIC: root of the reports, where they are not under `path`
    tables: str = ""  # MIMIC: folder of the metadata, split and label tables
    patients: str = ""  # MIMIC-IV's patients.csv(.gz), for sex and age
    views: tuple[str, ...] = ("PA", "AP")  # laterals look different and are not what is asked
    labels: Literal["report", "chexpert", "negbio", "columns"] = "report"
    max_excluded: float = 0.2  # a larger share of unreadable images stops the run
    restricted: bool | None = None  # None: as the source says (MIMIC is)


@dataclass(frozen=True)
class SynthConfig:
    """The synthetic cohort; read only where `data.source` is "synthetic"."""

    studies: int = 1000
    seed: int = 7
    size: int = 256  # pixels a side
    conspicuity: float = 1.0  # how visible findings are: 1 plain, 0 invisible


@dataclass(frozen=True)
class LimitConfig:
    """Use less than everything."""

    patients: int = 0  # sample so many patients by seeded hash, before the split; 0: all


@dataclass(frozen=True)
class SplitConfig:
    """Who trains, who chooses, who tests; always whole patients."""

    method: Literal["seeded", "official"] = "seeded"
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)  # train, validate, test
    seed: int = 0
    min_test_patients: int = 50  # the official split with fewer than these is refused


@dataclass(frozen=True)
class LabelConfig:
    """How -1 and blank become targets."""

    uncertain: Literal["positive", "negative", "ignore"] = "positive"  # the study: U-Ones
    blank: Literal["negative", "ignore"] = "negative"


@dataclass(frozen=True)
class ImageConfig:
    """From DICOM to tensor."""

    size: int = 224
    fit: Literal["squash", "letterbox"] = "squash"  # the study squashes


@dataclass(frozen=True)
class TrainingConfig:
    """The study's protocol; a preset may shorten it and the card says so."""

    networks: tuple[str, ...] = ("densenet121", "resnet50")
    weights: str = "imagenet"  # "imagenet", "none", or a file (safetensors or weights-only .pt)
    seeds: tuple[int, ...] = (0,)
    epochs: int = 10
    batch_size: int = 16
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    schedule: Literal["plateau", "one-cycle", "constant"] = "plateau"
    patience: int = 2  # plateau: epochs without a better validation loss
    factor: float = 0.5  # plateau: what the rate is multiplied with
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = True  # the same numbers up to rounding, faster on CPU and on CUDA
    deterministic: bool = True


@dataclass(frozen=True)
class EvaluationConfig:
    """Metrics, intervals and when a number is not given at all."""

    threshold: float = 0.5
    replicates: int = 2000
    seed: int = 0
    min_patients: int = 10  # fewer positive (or negative) patients: not estimable


@dataclass(frozen=True)
class ExplanationConfig:
    """Grad-CAM and where the maps point."""

    method: Literal["gradcam"] = "gradcam"
    examples: int = 1  # of each kind (TP, FP, FN) per observation


@dataclass(frozen=True)
class CardConfig:
    """The card."""

    pdf: bool = True
    include_restricted: bool = False  # images, texts and ids of a restricted source in the card


@dataclass(frozen=True)
class Config:
    """Everything a run is told; saved resolved beside its results."""

    preset: str = "synthetic"
    data: DataConfig = field(default_factory=DataConfig)
    synth: SynthConfig = field(default_factory=SynthConfig)
    limit: LimitConfig = field(default_factory=LimitConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    labels: LabelConfig = field(default_factory=LabelConfig)
    image: ImageConfig = field(default_factory=ImageConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    explanation: ExplanationConfig = field(default_factory=ExplanationConfig)
    card: CardConfig = field(default_factory=CardConfig)

    def as_json(self) -> dict[str, Any]:
        """Return the resolved config as plain values."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def digest(self) -> str:
        """Return 8 hexadecimal digits that name this config."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]
