"""The configuration: precedence, types, and one sentence for each mistake."""

import json
from pathlib import Path

import pytest

from benchmark.config import PRESETS, load_config
from cxr.errors import InputError


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_load(preset: str) -> None:
    """Every shipped preset is a valid config and survives a trip through JSON."""
    config = load_config(preset=preset, overrides=["data.path=somewhere"])
    assert config.preset == preset
    assert json.loads(json.dumps(config.as_json()))["training"]["batch_size"] == 16


def test_toml_round_trip(tmp_path: Path) -> None:
    """The printed settings, read back as a file, are the same settings."""
    config = load_config(overrides=["training.epochs=3", "data.views=PA"])
    file = tmp_path / "printed.toml"
    file.write_text(config.as_toml())
    assert load_config(file=file) == config


def test_study_preset_keeps_the_study_s_protocol() -> None:
    """The study preset trains as the paper says."""
    config = load_config(preset="study", overrides=["data.path=x"])
    training = config.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (10, 16, 1e-4)
    assert (training.schedule, training.patience, training.factor) == ("plateau", 2, 0.5)
    assert (training.optimizer, training.weights) == ("adam", "imagenet")
    assert config.split.fractions == (0.8, 0.1, 0.1)
    assert config.image.size == 224
    assert config.limit.patients == 1000
    assert config.labels.uncertain == "positive"


def test_precedence(tmp_path: Path) -> None:
    """The command line wins over the file, the file over the preset."""
    file = tmp_path / "mine.toml"
    file.write_text("[training]\nepochs = 7\nbatch_size = 8\n")
    config = load_config(file=file, overrides=["training.epochs=3"])
    assert (config.training.epochs, config.training.batch_size) == (3, 8)
    assert config.training.weights == "none"


def test_file_may_name_its_preset(tmp_path: Path) -> None:
    """A file's `preset` key picks the preset below it."""
    file = tmp_path / "mine.toml"
    file.write_text('preset = "mimic-cxr"\n[data]\npath = "there"\n')
    assert load_config(file=file).data.source == "mimic-cxr"


def test_a_table_by_observation_survives_toml(tmp_path: Path) -> None:
    """A policy per observation is read, printed as TOML, and read again as it was."""
    item = 'labels.per_observation={Edema = "negative", "Pleural Effusion" = "class"}'
    config = load_config(overrides=[item])
    assert config.labels.per_observation == {"Edema": "negative", "Pleural Effusion": "class"}
    file = tmp_path / "config.toml"
    file.write_text(config.as_toml())
    assert load_config(file=file) == config


def test_digest_names_the_content() -> None:
    """Equal configs have equal digests; a changed value changes it."""
    assert load_config().digest() == load_config().digest()
    assert load_config().digest() != load_config(overrides=["split.seed=1"]).digest()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainin.epochs=3", r"unknown section \[trainin\]; did you mean 'training'"),
        ("training.epoch=3", "training.epoch is unknown; did you mean 'epochs'"),
        ("training.epochs=many", "training.epochs is 'many'; expected a whole number"),
        ("training.epochs=true", "training.epochs is True; expected a whole number"),
        ("training.epochs=0", "training.epochs is 0; it must be at least 1"),
        ("training.schedule=cosin", "expected one of plateau.*; did you mean 'cosine'"),
        ("training.loss=ftl", r"expected one of bce, .*, asymmetric\.$"),
        ("training.seeds=[0, 0]", "names one twice"),
        ("split.fractions=[0.5, 0.5]", "expected 3 values"),
        ("split.fractions=[0.5, 0.1, 0.1]", "in all 1"),
        ("data.source=mimic-cxr", "data.path is empty"),
        ("training.accumulate=0", "accumulate is 0; it must be at least 1"),
        ("training.warmup=1.0", "it must be a share of the steps, below 1"),
        ("training.ensemble=true", "mean of several seeds, and training.seeds has one"),
        ("training.warmup=0.1", "one-cycle.* has its own warm-up"),
        ("training.channels=2", "expected one of 3, 1"),
        ("labels.uncertain=positiv", "expected one of positive, negative, ignore"),
        (
            'labels.per_observation={Oedema="ignore"}',
            "'Oedema' is no observation; did you mean 'Ed",
        ),
        ('labels.per_observation={Edema="maybe"}', "Edema is 'maybe'; expected one of positive"),
        ("labels.per_observation=ignore", "expected a table"),
        ("epochs", "expected section.key=value"),
    ],
)
def test_mistakes_are_one_sentence(override: str, message: str) -> None:
    """A wrong setting is refused with what is allowed."""
    with pytest.raises(InputError, match=message) as caught:
        load_config(overrides=[override])
    assert "\n" not in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    """A missing file and one that is not TOML are named."""
    with pytest.raises(InputError, match="No such file"):
        load_config(file=tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[training\n")
    with pytest.raises(InputError, match="is not TOML"):
        load_config(file=broken)


def test_unknown_preset() -> None:
    """An unknown preset is refused with the nearest one."""
    with pytest.raises(InputError, match="did you mean 'synthetic'"):
        load_config(preset="sinthetic")
