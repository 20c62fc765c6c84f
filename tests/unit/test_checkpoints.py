"""Checkpoints and resume files on disk."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from benchmark.training.checkpoints import (
    checkpoint_notes,
    load_resume,
    save_checkpoint,
    save_resume,
    weights_digest,
)
from cxr.errors import InputError


def test_checkpoint_comes_back_to_the_bit(tmp_path):
    """A channels-last model's checkpoint loads into a plain one with the same digest."""
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    save_checkpoint(model, tmp_path, {"network": "conv", "epoch": 2})
    other = nn.Conv2d(3, 4, 3)
    assert weights_digest(other) != weights_digest(model)
    other.load_state_dict(load_file(tmp_path / "checkpoint.safetensors"))
    assert weights_digest(other) == weights_digest(model)
    assert checkpoint_notes(tmp_path) == {"network": "conv", "epoch": 2}


def test_a_checkpoint_of_other_hands_has_no_notes(tmp_path):
    """A file without notes is read as one without."""
    save_file({"w": torch.ones(1)}, tmp_path / "checkpoint.safetensors")
    assert checkpoint_notes(tmp_path) == {}


def test_equal_models_have_equal_files(tmp_path):
    """The same tensors and notes give the same bytes every time."""
    model = nn.Conv2d(3, 4, 3)
    files = set()
    for name in "abcdefgh":
        (tmp_path / name).mkdir()
        save_checkpoint(model, tmp_path / name, {"network": "conv", "seed": 0, "epoch": 2})
        files.add((tmp_path / name / "checkpoint.safetensors").read_bytes())
    assert len(files) == 1


def test_resume_state_is_plain_tensors_and_values(tmp_path):
    """What is saved comes back, read with weights_only=True."""
    state = {"epoch": 2, "model": {"w": torch.ones(2)}, "history": [{"loss": 0.5}]}
    save_resume(state, tmp_path)
    back = load_resume(tmp_path)
    assert back is not None
    assert back["history"] == [{"loss": 0.5}]
    assert torch.equal(back["model"]["w"], torch.ones(2))


def test_no_resume_state_is_none(tmp_path):
    """Where no training is under way there is nothing to resume."""
    assert load_resume(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"noise" * 99])
def test_damaged_resume_state_is_named(tmp_path, content):
    """A damaged resume.pt says what to do."""
    (tmp_path / "resume.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"resume\.pt is damaged.*delete it"):
        load_resume(tmp_path)
