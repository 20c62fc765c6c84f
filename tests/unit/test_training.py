"""The training loop: reproducible, resumable, and clear about what can't be learnt."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import benchmark.training.loop
from benchmark.config import TrainingConfig
from benchmark.events import Silent
from benchmark.training.loop import TrainingData, train_network
from cxr.errors import InputError
from cxr.networks import NETWORKS, Network, build_network

SETTINGS = TrainingConfig(
    networks=("tiny",), weights="none", epochs=3, batch_size=4, learning_rate=0.01, device="cpu"
)


class Tiny(nn.Module):
    """A network with the parts that make resuming hard: batch norm and dropout."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU())
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(4, 1000)

    def forward(self, images):
        return self.head(self.dropout(self.body(images).mean(dim=(2, 3))))


class Recorder(Silent):
    """Events that remember epochs, and can interrupt after one."""

    def __init__(self, stop_after: int = 0):
        self.rows = []
        self.advanced = 0
        self.totals = []
        self.stop_after = stop_after

    def stage(self, name, total=None, unit=""):
        self.totals.append(total)

    def advance(self, count=1, **values):
        self.advanced += count
        if self.stop_after and len(self.rows) == self.stop_after:
            raise KeyboardInterrupt

    def epoch(self, network, seed, row):
        self.rows.append(dict(row))


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(NETWORKS, "tiny", Network(Tiny, "body", "head"))
    torch.set_num_threads(1)


@pytest.fixture
def data():
    """24 images whose brightness tells the first observation."""
    random = np.random.default_rng(5)
    targets = (random.random((24, 14)) < 0.5).astype(np.float32)
    light = 60 + 120 * targets[:, 0]
    pixels = random.normal(light[:, None, None], 20, (24, 10, 10)).clip(0, 255).astype(np.uint8)
    return TrainingData(
        pixels=pixels,
        train_rows=np.arange(17),
        validate_rows=np.arange(17, 24),
        targets=targets,
        counted=np.ones((24, 14), bool),
        image_ids=[f"image{k}" for k in range(24)],
    )


def train(data, folder, settings=SETTINGS, seed=0, events=None):
    return train_network(
        "tiny", data, settings, seed=seed, folder=folder, events=events or Silent()
    )


def lasting_files(folder):
    """What equal trainings have to the byte: everything but the times."""
    names = ("training.json", "history.csv", "checkpoint.safetensors")
    return [(folder / name).read_bytes() for name in names]


def test_finished_folder_holds_what_is_documented(data, tmp_path):
    """A finished training leaves checkpoint, history, facts and times, and no resume state."""
    result = train(data, tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint.safetensors",
        "history.csv",
        "timing.json",
        "training.json",
    ]
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert list(rows[0]) == list(benchmark.training.loop.HISTORY)
    best = max(rows, key=lambda row: float(row["validation_auroc"]))
    assert result.facts["best_epoch"] == int(best["epoch"])
    assert result.facts["best_validation_auroc"] == float(best["validation_auroc"])
    assert result.facts["parameters"] == 3 * 4 * 9 + 4 + 8 + 4 * 14 + 14
    assert result.seconds_per_epoch > 0
    timing = json.loads((tmp_path / "run" / "timing.json").read_text())
    assert len(timing["epochs"]) == 3


def test_network_learns(data, tmp_path):
    """A loss that training lowers: the loop trains."""
    result = train(data, tmp_path, replace(SETTINGS, epochs=12, schedule="constant"))
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"]) - 0.02
    assert result.facts["epochs"] == 12


def test_one_seed_gives_one_network(data, tmp_path):
    """Two runs with one seed end with equal weights and equal files; another seed does not."""
    first = train(data, tmp_path / "a")
    train(data, tmp_path / "b")
    assert lasting_files(tmp_path / "a") == lasting_files(tmp_path / "b")
    other = train(data, tmp_path / "c", seed=1)
    assert other.facts["weights_sha256"] != first.facts["weights_sha256"]


def test_training_leaves_global_random_state_alone(data, tmp_path):
    """The caller's torch random state and determinism switch are as before."""
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    train(data, tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("schedule", "optimizer", "loss"),
    [
        ("plateau", "adam", "bce"),
        ("one-cycle", "adamw", "weighted"),
        ("cosine", "sgd", "focal"),
        ("constant", "adam", "class-balanced"),
    ],
)
def test_interrupted_training_ends_the_same(data, tmp_path, schedule, optimizer, loss):
    """Ctrl-C keeps the finished epochs; going on ends with the same weights to the bit."""
    settings = replace(SETTINGS, schedule=schedule, optimizer=optimizer, loss=loss)
    train(data, tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "cut", settings, events=Recorder(stop_after=1))
    assert (tmp_path / "cut" / "resume.pt").exists()
    assert not (tmp_path / "cut" / "training.json").exists()
    again = Recorder()
    train(data, tmp_path / "cut", settings, events=again)
    assert [row["epoch"] for row in again.rows] == [2, 3]
    assert lasting_files(tmp_path / "cut") == lasting_files(tmp_path / "whole")


def test_interrupt_before_the_first_epoch_ends_starts_over(data, tmp_path):
    """An interrupt within the first epoch loses that epoch alone."""

    class Early(Recorder):
        def advance(self, count=1, **values):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "cut", events=Early())
    train(data, tmp_path / "cut")
    train(data, tmp_path / "whole")
    assert lasting_files(tmp_path / "cut") == lasting_files(tmp_path / "whole")


@pytest.mark.parametrize("save_steps", [1, 2, 3])
def test_training_cut_within_an_epoch_ends_the_same(data, tmp_path, save_steps):
    """With save_steps an epoch goes on from its middle, and ends alike to the bit."""

    class Cut(Recorder):
        def advance(self, count=1, **values):
            self.advanced += count
            if self.advanced > 24 + 12:  # in the second epoch, after its third batch
                raise KeyboardInterrupt

    settings = replace(SETTINGS, save_steps=save_steps, schedule="one-cycle")
    train(data, tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "cut", settings, events=Cut())
    again = Recorder()
    train(data, tmp_path / "cut", settings, events=again)
    assert lasting_files(tmp_path / "cut") == lasting_files(tmp_path / "whole")
    assert again.advanced == 2 * 24 - (12 // (4 * save_steps)) * 4 * save_steps


def test_saving_more_often_changes_nothing(data, tmp_path):
    """save_steps is about safety alone: a finished training is the same with and without."""
    train(data, tmp_path / "a")
    train(data, tmp_path / "b", replace(SETTINGS, save_steps=2))
    assert lasting_files(tmp_path / "a") == lasting_files(tmp_path / "b")


class Plain(nn.Module):
    """A network whose images don't meet each other, so that pieces add up exactly."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3, stride=2)
        self.head = nn.Linear(4, 1000)

    def forward(self, images):
        return self.head(self.body(images).relu().mean(dim=(2, 3)))


def losses_of(folder):
    return [float(row["train_loss"]) for row in csv.DictReader((folder / "history.csv").open())]


@pytest.mark.parametrize("loss", ["bce", "weighted", "asymmetric"])
def test_pieces_make_the_same_steps(data, tmp_path, monkeypatch, loss):
    """accumulate computes a batch in pieces and takes the same steps, uncounted targets or not."""
    monkeypatch.setitem(NETWORKS, "tiny", Network(Plain, "body", "head"))
    gaps = replace(data, counted=np.random.default_rng(0).random((24, 14)) < 0.6)
    settings = replace(SETTINGS, batch_size=8, loss=loss)
    train(gaps, tmp_path / "whole", settings)
    train(gaps, tmp_path / "pieces", replace(settings, accumulate=3))
    assert losses_of(tmp_path / "pieces") == pytest.approx(losses_of(tmp_path / "whole"), rel=1e-5)
    whole, pieces = (
        build_network("tiny", weights=tmp_path / name / "checkpoint.safetensors").state_dict()
        for name in ("whole", "pieces")
    )
    for key, tensor in whole.items():
        torch.testing.assert_close(pieces[key], tensor, rtol=1e-4, atol=1e-5)


def test_pieces_of_one_image_are_refused(data, tmp_path):
    """A batch cut so small that batch norm can't train names the least size."""
    with pytest.raises(InputError, match=r"batch_size is 4.*3 pieces.*at least 6"):
        train(data, tmp_path, replace(SETTINGS, accumulate=3))


def test_clipping_holds_steps_back(data, tmp_path):
    """With plain gradient descent, a step moves the weights by at most rate times clip."""
    for clip in (0.0, 1e-3):
        settings = replace(
            SETTINGS, optimizer="sgd", schedule="constant", learning_rate=1.0, clip=clip, epochs=1
        )
        train(data, tmp_path / str(clip), settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        start = dict(build_network("tiny").named_parameters())
    moved = {}
    for clip in (0.0, 1e-3):
        end = build_network("tiny", weights=tmp_path / str(clip) / "checkpoint.safetensors")
        parts = [
            (end.get_parameter(key) - value).detach().flatten() for key, value in start.items()
        ]
        moved[clip] = float(torch.cat(parts).norm())
    assert moved[1e-3] <= 1e-3 * 4 + 1e-6  # four batches
    assert moved[0.0] > 0.01


def test_early_stop_ends_after_epochs_that_did_not_help(data, tmp_path):
    """Training ends once so many epochs brought no better AUROC, and a resume knows it."""
    settings = replace(SETTINGS, epochs=30, learning_rate=1e-9, early_stop=2)
    result = train(data, tmp_path / "run", settings)
    assert result.facts["epochs"] == result.facts["best_epoch"] + 2 < 30
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "cut", settings, events=Recorder(stop_after=2))
    train(data, tmp_path / "cut", settings)
    assert lasting_files(tmp_path / "cut") == lasting_files(tmp_path / "run")


def test_one_channel_trains_and_loads(data, tmp_path):
    """With one channel the first convolution has a third of the weights, and stays so."""
    result = train(data, tmp_path, replace(SETTINGS, channels=1))
    assert result.facts["parameters"] == 1 * 4 * 9 + 4 + 8 + 4 * 14 + 14
    model = build_network("tiny", weights=result.checkpoint, channels=1)
    assert model.body[0].weight.shape == (4, 1, 3, 3)


def test_recomputing_needs_a_network_that_can(data, tmp_path):
    """A network without gradient checkpointing says so."""
    with pytest.raises(InputError, match="'tiny' can't recompute"):
        train(data, tmp_path, replace(SETTINGS, recompute=True))


def test_uncertain_as_a_class_trains_and_leaves_a_plain_network(data, tmp_path):
    """Targets of a third class train, resume, and end as a checkpoint of 14 outputs."""
    targets = data.targets.copy()
    targets[::5, :3] = -1
    hedged = replace(data, targets=targets)
    settings = replace(SETTINGS, prior_bias=True)
    result = train(hedged, tmp_path / "whole", settings)
    assert result.facts["parameters"] == 3 * 4 * 9 + 4 + 8 + 4 * 14 + 14
    with pytest.raises(KeyboardInterrupt):
        train(hedged, tmp_path / "cut", settings, events=Recorder(stop_after=1))
    train(hedged, tmp_path / "cut", settings)
    assert lasting_files(tmp_path / "cut") == lasting_files(tmp_path / "whole")
    rows = losses_of(tmp_path / "whole")
    assert rows[-1] < rows[0]
    with pytest.raises(InputError, match=r'"class", which brings its loss.*"focal"'):
        train(hedged, tmp_path / "focal", replace(settings, loss="focal"))


def test_finished_training_is_not_repeated(data, tmp_path):
    """Asking again for a finished training returns it without an epoch."""
    first = train(data, tmp_path)
    events = Recorder()
    again = train(data, tmp_path, events=events)
    assert again == first
    assert events.rows == []


def test_changed_data_stop_a_resume(data, tmp_path):
    """An unfinished training whose data changed underneath says so."""
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path, events=Recorder(stop_after=1))
    changed = replace(data, targets=1 - data.targets)
    with pytest.raises(InputError, match="unfinished training on other data, settings or weights"):
        train(changed, tmp_path)


def test_changed_weights_file_stops_a_resume(data, tmp_path):
    """A weights file that changed since training began stops the resume."""
    path = tmp_path / "start.pt"
    torch.save(build_network("tiny").state_dict(), path)
    settings = replace(SETTINGS, weights=str(path))
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "run", settings, events=Recorder(stop_after=1))
    torch.save(build_network("tiny").state_dict(), path)
    with pytest.raises(InputError, match="other data, settings or weights"):
        train(data, tmp_path / "run", settings)


def test_changed_settings_do_not_pass_as_finished(data, tmp_path):
    """A finished training with other settings is not taken for this one."""
    train(data, tmp_path)
    with pytest.raises(InputError, match="other data or settings; start a new run"):
        train(data, tmp_path, replace(SETTINGS, learning_rate=0.5))


def test_other_networks_and_seeds_do_not_matter_to_this_one(data, tmp_path):
    """Adding a network or a seed to the config leaves a finished training valid."""
    first = train(data, tmp_path)
    wider = replace(SETTINGS, networks=("tiny", "resnet50"), seeds=(0, 1))
    assert train(data, tmp_path, wider) == first


def test_progress_counts_every_image(data, tmp_path):
    """The bar's total is what is then counted: training and validation images per epoch."""
    events = Recorder()
    train(data, tmp_path, events=events)
    assert events.totals == [3 * 24]
    assert events.advanced == 3 * 24
    assert [set(row) for row in events.rows] == [set(benchmark.training.loop.HISTORY)] * 3


def test_prior_bias_starts_at_the_prevalence(data, tmp_path):
    """With prior_bias, the first epoch's loss is below that of a network that starts at 1/2."""
    rare = replace(data, targets=(data.targets * (np.arange(24) % 4 == 0)[:, None]))
    losses = {}
    for prior in (False, True):
        settings = replace(SETTINGS, epochs=1, learning_rate=1e-5, prior_bias=prior)
        train(rare, tmp_path / str(prior), settings)
        row = next(csv.DictReader((tmp_path / str(prior) / "history.csv").open()))
        losses[prior] = float(row["train_loss"])
    assert losses[True] < losses[False] - 0.1


def test_uncounted_targets_do_not_train(data, tmp_path):
    """What a target says where it does not count has no influence."""
    counted = data.counted.copy()
    counted[:, 3] = False
    flipped = data.targets.copy()
    flipped[:, 3] = 1 - flipped[:, 3]
    one = train(replace(data, counted=counted), tmp_path / "a")
    two = train(replace(data, counted=counted, targets=flipped), tmp_path / "b")
    assert one.facts["weights_sha256"] == two.facts["weights_sha256"]


def test_diverged_loss_names_the_images(data, tmp_path):
    """A loss that is not finite stops with the ids of the batch."""
    settings = replace(SETTINGS, optimizer="sgd", learning_rate=1e38, schedule="constant")
    with pytest.raises(InputError, match=r"loss became (nan|inf).*image\d+, .*lower"):
        train(data, tmp_path, settings)


def test_nan_in_the_network_is_caught_in_the_first_batch(data, tmp_path, monkeypatch):
    """NaN weights stop the first batch, with its four images."""

    def broken():
        model = Tiny()
        model.body[0].bias.data[:] = torch.nan
        return model

    monkeypatch.setitem(NETWORKS, "tiny", Network(broken, "body", "head"))
    with pytest.raises(InputError) as caught:
        train(data, tmp_path)
    assert str(caught.value).count("image") == 4 + 2  # four ids, "on the images", "these images"


def test_too_little_memory_names_what_fits(data, tmp_path, monkeypatch):
    """A GPU that runs out of memory is answered with the pieces in which the batch fits."""
    most = [3]

    class Hungry(Tiny):
        def forward(self, images):
            if self.training and len(images) > most[0]:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return super().forward(images)

    monkeypatch.setitem(NETWORKS, "tiny", Network(Hungry, "body", "head"))
    sixteen = replace(SETTINGS, batch_size=16)
    with pytest.raises(InputError, match=r"16 images at a time; 2 at a time fit: .* to 8, for"):
        train(data, tmp_path / "sixteen", sixteen)
    train(data, tmp_path / "mended", replace(sixteen, accumulate=8, epochs=1))
    most[0] = 0
    with pytest.raises(InputError, match=r"4 images at a time; use smaller images"):
        train(data, tmp_path / "none")


def test_validation_without_both_classes_stops_before_training(data, tmp_path):
    """A validation split in which no observation has both classes stops before any epoch."""
    targets = data.targets.copy()
    targets[17:] = 0
    events = Recorder()
    with pytest.raises(InputError, match=r"validation split .* no observation has both"):
        train(replace(data, targets=targets), tmp_path / "run", events=events)
    assert events.totals == []
    assert not (tmp_path / "run").exists()


def test_both_classes_must_count(data, tmp_path):
    """Cases that do not count can't choose the best epoch."""
    counted = data.counted & (data.targets > 0.5)
    with pytest.raises(InputError, match="no observation has both"):
        train(replace(data, counted=counted), tmp_path)


def test_too_few_training_images_stop(data, tmp_path):
    """One training image is too few."""
    with pytest.raises(InputError, match=r"training split has 1 image\(s\)"):
        train(replace(data, train_rows=np.array([0])), tmp_path)


def test_device_that_is_not_there_is_named(data, tmp_path):
    """A device that this machine lacks is answered with those it has."""
    if torch.backends.mps.is_available():
        pytest.skip("this machine has MPS")
    with pytest.raises(InputError, match=r"'mps' is not available here; use .*cpu"):
        train(data, tmp_path, replace(SETTINGS, device="mps"))


def test_fp16_needs_a_gpu(data, tmp_path):
    """fp16 on the CPU is refused with the alternatives."""
    with pytest.raises(InputError, match='"fp16" needs a GPU'):
        train(data, tmp_path, replace(SETTINGS, precision="fp16"))


def test_bf16_trains_on_the_cpu(data, tmp_path):
    """bf16 autocast trains, and leaves fp32 weights."""
    result = train(data, tmp_path, replace(SETTINGS, precision="bf16"))
    assert result.facts["checkpoint_mb"] < 0.01
    assert result.facts["settings"]["precision"] == "bf16"
