"""Events for several receivers, and TensorBoard."""

import sys

import pytest

from benchmark.events import Silent
from benchmark.trackers import Several, add_tensorboard
from cxr.errors import InputError

ROW = {"epoch": 2, "train_loss": 0.5, "validation_auroc": 0.75}


class Recorder:
    """Remembers what it is told."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        return lambda *given, **named: self.told.append((name, *given, named))


def test_everyone_is_told_everything():
    """Each receiver hears every event, in order."""
    one, two = Recorder(), Recorder()
    both = Several(one, two)
    both.stage("Training", 5, "images")
    both.advance(2, loss=0.5)
    both.say("Look.")
    both.epoch("net", 0, ROW)
    assert one.told == two.told
    assert [event[0] for event in one.told] == ["stage", "advance", "say", "epoch"]
    assert one.told[1] == ("advance", 2, {"loss": 0.5})


def test_tensorboard_reads_what_was_told(tmp_path):
    """TensorBoard finds each column of the history as a curve of the network and seed."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = add_tensorboard(Silent(), tmp_path)
    for epoch in (1, 2):
        events.epoch("timm:net", 3, {**ROW, "epoch": epoch, "train_loss": 1 / epoch})
    found = EventAccumulator(str(tmp_path / "timm_net" / "seed-3")).Reload()
    assert set(found.Tags()["scalars"]) == {"train_loss", "validation_auroc"}
    assert [(e.step, e.value) for e in found.Scalars("train_loss")] == [(1, 1.0), (2, 0.5)]


def test_tensorboard_that_is_not_installed_is_named(tmp_path, monkeypatch):
    """Without the package the option says what to install."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'cxr-bench\[tensorboard\]'"):
        add_tensorboard(Silent(), tmp_path)
