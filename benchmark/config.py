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

from benchmark.evaluation.points import parse_rule
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.policy import Blank, Uncertain
from cxr.sources import SOURCES


@dataclass(frozen=True)
class DataConfig:
    """Where the images and reports are, and which of them count."""

    source: Literal[
        "synthetic",
        "mimic-cxr",
        "mimic-cxr-jpg",
        "chexpert",
        "nih",
        "vindr",
        "padchest",
        "openi",
        "manifest",
    ] = "synthetic"
    path: str = ""  # root folder, or CSV file (manifest); the synthetic cohort needs none
    reports: str = ""  # MIMIC, Open-i: root of the reports, where they are not under `path`
    tables: str = ""  # folder of the set's tables, where they are not under `path`
    patients: str = ""  # MIMIC-IV's patients.csv(.gz), for sex and age
    views: tuple[str, ...] = ("PA", "AP")  # laterals look different and are not what is asked
    # Where a source has no reports, what it has is the default: the set's "own" annotations.
    labels: Literal["report", "chexpert", "negbio", "columns", "own"] = "report"
    max_excluded: float = 0.2  # a larger share of unreadable images stops the run
    restricted: bool | None = None  # None: as the source says (MIMIC is, NIH is not)
    masks: str = ""  # experts' outlines or boxes, that localization is measured against


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

    uncertain: Uncertain = "positive"  # the study: U-Ones
    blank: Blank = "negative"
    per_observation: Mapping[str, Uncertain] = field(default_factory=dict)  # {Edema = "negative"}
    hierarchy: bool = False  # a positive Edema makes Lung Opacity positive, and so on


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
    batch_size: int = 16  # images a step learns from, on however many processes
    accumulate: int = 1  # pieces that a batch is computed in: less memory, the same steps
    loss: Literal["bce", "weighted", "class-balanced", "focal", "asymmetric"] = "bce"
    prior_bias: bool = False  # start the head's bias at the log-odds of the training targets
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    schedule: Literal["plateau", "one-cycle", "cosine", "constant"] = "plateau"
    patience: int = 2  # plateau: epochs without a better validation loss
    factor: float = 0.5  # plateau: what the rate is multiplied with
    warmup: float = 0.0  # share of all steps over which the rate rises; the study has none
    clip: float = 0.0  # largest norm of a step's gradient; 0: as it comes, as in the study
    early_stop: int = 0  # end after so many epochs without a better validation AUROC; 0: never
    save_steps: int = 0  # keep the state each so many batches too; 0: after each epoch alone
    channels: Literal[3, 1] = 3  # 1 sums the first convolution: grey images, ImageNet's weights
    recompute: bool = False  # compute activations twice to save memory, where a network can
    ensemble: bool = False  # the mean of a network's seeds counts as a network of its own
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
    margin: float = 0.05  # a smaller difference between two networks doesn't matter
    study: Literal["mean", "max"] = "mean"  # a study's score from those of its images
    operating_points: tuple[str, ...] = (  # chosen on validation, shown beside `threshold`
        "youden",
        "max-f1",
        "sensitivity>=0.9",
        "specificity>=0.9",
    )
    scaling: tuple[str, ...] = ("temperature", "platt")  # fitted on validation, beside the scores


@dataclass(frozen=True)
class ExplanationConfig:
    """How maps are made, how fine they are, and the examples shown."""

    method: Literal[
        "gradcam", "gradcam++", "hirescam", "xgradcam", "layercam", "eigencam", "scorecam"
    ] = "gradcam"  # exact for all 14 in one pass; the others go through pytorch-grad-cam, slower
    examples: int = 1  # of each kind (TP, FP, FN) per observation
    stride: int = 16  # pixels between a map's cells, from the same weights; the networks' own: 32
    enlarge: float = 1.5  # images are explained at so many times their size: finer, hits more
    contrast: bool = True  # gradcam: show what is more than usual on the validation images


@dataclass(frozen=True)
class CardConfig:
    """The card."""

    pdf: bool = True
    paper: Literal["a4", "letter"] = "a4"  # what the PDF is laid out for
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

    def as_toml(self) -> str:
        """Return the resolved config as TOML, one section per concern."""
        lines = [f'preset = "{self.preset}"']
        for name, section in self.as_json().items():
            if name == "preset":
                continue
            lines.append(f"\n[{name}]")
            for key, value in section.items():
                comment = "# " if value is None else ""
                lines.append(f"{comment}{key} = {_toml(value)}")
        return "\n".join(lines)

    def digest(self) -> str:
        """Return 8 hexadecimal digits that name this config."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(k)} = {json.dumps(v)}' for k, v in value.items())}}}"
    return json.dumps(value)


PRESETS: tuple[str, ...] = ("synthetic", "mimic-cxr", "study")


def load_config(
    *,
    preset: str | None = None,
    file: Path | None = None,
    overrides: Sequence[str] = (),
) -> Config:
    """Return the resolved config: `overrides` over `file` over `preset` over the defaults.

    Args:
        preset: a name in `PRESETS`; None takes the file's `preset` key, else "synthetic".
        file: a TOML file of the same shape as the presets.
        overrides: "section.key=value" items; the value is TOML, or a bare word for text.

    Raises:
        InputError: no such preset or file, a file that is not TOML, an unknown section or key
            (the nearest known one is named), a value of the wrong type or outside its choices.
    """
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if file is not None:
        layers.append((str(file), _read_toml(file)))
    name = preset or (layers[0][1].get("preset") if layers else None) or "synthetic"
    if name not in PRESETS:
        raise InputError(f"preset {name!r} is unknown{_nearest(str(name), PRESETS)}")
    layers.insert(0, (f"preset {name}", _read_preset(name)))
    layers.extend((f"--set {item}", _parse_override(item)) for item in overrides)
    config = dataclasses.replace(Config(), preset=name)
    for where, values in layers:
        config = _merge(config, values, where)
    if not any("labels" in values.get("data", {}) for _, values in layers):
        usual = SOURCES[config.data.source].labels[0]
        config = _merge(config, {"data": {"labels": usual}}, "data.source")
    return _check(config)


def stored_config(
    values: Mapping[str, Any], *, where: str, overrides: Sequence[str] = ()
) -> Config:
    """Return the config that a run wrote down, with `overrides` over it.

    Args:
        values: as `Config.as_json` gives them; what an older version did not know is default.
        where: the file to name in a message.
        overrides: "section.key=value" items.

    Raises:
        InputError: as `load_config`.
    """
    config = _merge(dataclasses.replace(Config(), preset=str(values.get("preset"))), values, where)
    for item in overrides:
        config = _merge(config, _parse_override(item), f"--set {item}")
    return _check(config)


def _read_toml(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"config file {file}: {error.strerror}; check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"config file {file} is not TOML: {error}.") from error


def _read_preset(name: str) -> Mapping[str, Any]:
    text = resources.files("benchmark").joinpath("presets", f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def _parse_override(item: str) -> Mapping[str, Any]:
    key, equals, text = item.partition("=")
    section, dot, name = key.strip().partition(".")
    if not (equals and dot and name):
        raise InputError(f"--set {item!r}: expected section.key=value, as training.epochs=4.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    return {section: {name: value}}


def _merge(config: Config, values: Mapping[str, Any], where: str) -> Config:
    sections = {item.name: getattr(config, item.name) for item in dataclasses.fields(config)}
    changed: dict[str, Any] = {}
    for name, content in values.items():
        if name == "preset":
            continue
        if name not in sections:
            raise InputError(f"{where}: unknown section [{name}]{_nearest(name, sections)}")
        if not isinstance(content, Mapping):
            raise InputError(f"{where}: {name} is a section; write [{name}] and keys below it.")
        changed[name] = _merge_section(sections[name], content, f"{where}: {name}")
    return dataclasses.replace(config, **changed)


def _merge_section(section: Any, content: Mapping[str, Any], where: str) -> Any:
    types_of = typing.get_type_hints(type(section))
    for key in content:
        if key not in types_of:
            raise InputError(f"{where}.{key} is unknown{_nearest(key, types_of)}")
    return dataclasses.replace(
        section,
        **{key: _typed(value, types_of[key], f"{where}.{key}") for key, value in content.items()},
    )


def _typed(value: Any, wanted: Any, where: str) -> Any:
    """Return `value` as the annotation `wanted` asks, or raise InputError naming the choices."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is Literal:
        if value not in arguments:
            choices = ", ".join(map(str, arguments))
            near = difflib.get_close_matches(str(value), map(str, arguments), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise InputError(f"{where} is {value!r}; expected one of {choices}{hint}")
        return value
    if origin is types.UnionType:
        return None if value is None else _typed(value, arguments[0], where)
    if origin is tuple:
        return _typed_tuple(value, arguments, where)
    if origin is Mapping:
        return _typed_table(value, arguments[1], where)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise InputError(f"{where} is {value!r}; expected {_TYPE_WORDS[wanted]}.")
    return value


_TYPE_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _typed_tuple(value: Any, arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if isinstance(value, str) and arguments[0] is str:
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, list | tuple):
        raise InputError(f"{where} is {value!r}; expected a list, as [1, 2].")
    if Ellipsis not in arguments and len(value) != len(arguments):
        raise InputError(f"{where} is {value!r}; expected {len(arguments)} values.")
    return tuple(_typed(item, arguments[0], where) for item in value)


def _typed_table(value: Any, wanted: Any, where: str) -> dict[str, Any]:
    """Return a table by observation."""
    if not isinstance(value, Mapping):
        raise InputError(f'{where} is {value!r}; expected a table, as {{Edema = "negative"}}.')
    for name in value:
        if name not in OBSERVATIONS:
            raise InputError(f"{where}: {name!r} is no observation{_nearest(name, OBSERVATIONS)}")
    return {name: _typed(item, wanted, f"{where}.{name}") for name, item in value.items()}


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are {', '.join(sorted(known))}."


def _check(config: Config) -> Config:
    """Return `config` if its values make sense together."""
    fractions = config.split.fractions
    if abs(sum(fractions) - 1) > 1e-9 or min(fractions) <= 0:
        raise InputError(f"split.fractions are {list(fractions)}; each above 0, in all 1.")
    checks = [
        (config.training.epochs >= 1, "training.epochs", "at least 1"),
        (config.training.batch_size >= 2, "training.batch_size", "at least 2"),
        (config.training.learning_rate > 0, "training.learning_rate", "above 0"),
        (config.training.accumulate >= 1, "training.accumulate", "at least 1"),
        (0 <= config.training.warmup < 1, "training.warmup", "a share of the steps, below 1"),
        (config.training.clip >= 0, "training.clip", "0 (none) or more"),
        (config.training.early_stop >= 0, "training.early_stop", "0 (never) or more"),
        (config.training.save_steps >= 0, "training.save_steps", "0 (each epoch) or more"),
        (len(config.training.networks) > 0, "training.networks", "at least one network"),
        (config.image.size >= 32, "image.size", "at least 32 pixels"),
        (config.synth.size >= 64, "synth.size", "at least 64 pixels"),
        (config.synth.studies >= 1, "synth.studies", "at least 1"),
        (0 <= config.synth.conspicuity <= 2, "synth.conspicuity", "between 0 and 2"),
        (0 < config.evaluation.threshold < 1, "evaluation.threshold", "between 0 and 1"),
        (
            set(config.evaluation.scaling) <= {"temperature", "platt"},
            "evaluation.scaling",
            'of "temperature" and "platt"',
        ),
        (config.evaluation.replicates >= 100, "evaluation.replicates", "at least 100"),
        (0 < config.evaluation.margin < 1, "evaluation.margin", "between 0 and 1"),
        (0 <= config.data.max_excluded <= 1, "data.max_excluded", "a share between 0 and 1"),
        (config.limit.patients >= 0, "limit.patients", "0 (all) or more"),
    ]
    for rule in config.evaluation.operating_points:
        parse_rule(rule)
    for holds, key, allowed in checks:
        if not holds:
            section, _, name = key.partition(".")
            value = getattr(getattr(config, section), name)
            raise InputError(f"{key} is {value!r}; it must be {allowed}.")
    if config.training.ensemble and len(config.training.seeds) < 2:
        raise InputError(
            "training.ensemble is the mean of several seeds, and training.seeds has one; name "
            "more, as [0, 1, 2]."
        )
    if config.training.warmup and config.training.schedule == "one-cycle":
        raise InputError(
            'training.warmup is set, and training.schedule "one-cycle" has its own warm-up; set it '
            "to 0, or choose another schedule."
        )
    for name, values in (("networks", config.training.networks), ("seeds", config.training.seeds)):
        if len(set(values)) != len(values):
            raise InputError(f"training.{name} names one twice: {list(values)}.")
    source = SOURCES[config.data.source]
    if config.data.labels not in source.labels:
        known = ", ".join(f'"{kind}"' for kind in source.labels)
        raise InputError(
            f'data.labels is "{config.data.labels}"; the labels of {source.title} are {known}.'
        )
    if config.split.method == "official" and not source.official_split:
        raise InputError(
            f'split.method is "official"; {source.title} has no split of its own. Use "seeded".'
        )
    if config.data.source != "synthetic" and not config.data.path:
        raise InputError(
            f"data.path is empty; say where the {config.data.source} data is, as "
            "--data FOLDER or --set data.path=FOLDER."
        )
    return config
