"""Ten networks of torchvision and timm train, go on after an interrupt, score and export."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit

from benchmark.config import TrainingConfig
from benchmark.events import Silent
from benchmark.inference.exporting import FORMATS, WithPreprocessing
from benchmark.inference.prediction import predict
from benchmark.training.devices import place
from benchmark.training.loop import TrainingData, train_network
from cxr.networks import build_network, target_layer

CPU = torch.device("cpu")
NAMES = (
    "densenet121",
    "resnet50",
    "convnext_tiny",
    "efficientnet_b0",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "shufflenet_v2_x0_5",
    "timm:convnext_atto",
    "timm:resnet10t",
    "timm:ghostnet_100",
)


class Interrupter(Silent):
    """Interrupts in the second epoch."""

    def __init__(self):
        self.epochs = 0

    def epoch(self, network, seed, row):
        self.epochs += 1

    def advance(self, count=1, **values):
        if self.epochs:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(1)
    return TrainingData(
        pixels=random.integers(0, 256, (12, 64, 64), dtype=np.uint8),
        train_rows=np.arange(8),
        validate_rows=np.arange(8, 12),
        targets=(np.arange(12 * 14).reshape(12, 14) % 3 == 0).astype(np.float32),
        counted=np.ones((12, 14), bool),
        image_ids=[str(k) for k in range(12)],
    )


@pytest.mark.parametrize("name", NAMES)
def test_network_trains_resumes_and_scores(name, data, tmp_path):
    """By name alone a network trains, resumes to the bit, scores, and shows Grad-CAM a layer."""
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    torch.set_num_threads(1)
    settings = TrainingConfig(weights="none", epochs=2, batch_size=4, device="cpu")

    def train(folder, events, settings=settings):
        return train_network(name, data, settings, seed=0, folder=folder, events=events)

    whole = train(tmp_path / "whole", Silent())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", Interrupter())
    assert train(tmp_path / "cut", Silent()).facts == whole.facts
    again = replace(settings, weights=str(whole.checkpoint), epochs=1)
    train(tmp_path / "again", Silent(), again)
    model = place(build_network(name, weights=whole.checkpoint), CPU, channels_last=True)
    scores = predict(model, data.pixels, data.validate_rows, batch_size=4, device=CPU)
    assert np.isfinite(scores).all()
    maps = []
    target_layer(name, model).register_forward_hook(lambda _m, _i, out: maps.append(out.shape))
    model(torch.zeros(1, 3, 64, 64))
    assert maps[0][-1] > 1


ALSO_ONNX = ("densenet121", "mobilenet_v3_small", "timm:convnext_atto")
"""Exporting takes ONNX some ten seconds each; torch's program, of which it is made, one."""


@pytest.mark.parametrize("name", NAMES)
def test_network_is_exported(name, data, tmp_path):
    """By name alone a network is exported, and the file scores any number of images alike."""
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build_network(name).eval()
    rows = np.arange(3)
    expected = expit(predict(model, data.pixels, rows, batch_size=4, device=CPU))
    images = torch.from_numpy(data.pixels[rows].astype(np.float32) / 255)
    module = WithPreprocessing(model)
    FORMATS["torch"](module, torch.zeros(2, 64, 64), {}, tmp_path / "network.pt2")
    program = torch.export.load(tmp_path / "network.pt2").module()
    np.testing.assert_allclose(program(images).detach(), expected, atol=1e-4)
    if name in ALSO_ONNX:
        runtime = pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
        FORMATS["onnx"](module, torch.zeros(2, 64, 64), {}, tmp_path / "network.onnx")
        session = runtime.InferenceSession(tmp_path / "network.onnx")
        (scores,) = session.run(["probability"], {"image": images.numpy()})
        np.testing.assert_allclose(scores, expected, atol=1e-4)
