"""`cxr-bench export`: networks for other programs."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit

from cxr import read_radiograph
from cxr.observations import OBSERVATIONS
from tests.tiny_run import command


@pytest.fixture(scope="module")
def scored(tiny_run, cache):
    """Three test images as read, and the run's scores of them."""
    table = pd.read_parquet(tiny_run.folder / "resnet50/seed-0/scores.parquet")
    table = table[table["split"] == "test"].iloc[:3]
    files = {path.stem: path for path in cache.rglob("files/**/*.dcm")}
    images = np.stack([read_radiograph(files[i], size=32) for i in table["image_id"]])
    return images, expit(table[list(OBSERVATIONS)].to_numpy())


def check_metadata(text, tiny_run):
    """What the file tells is what the run tells."""
    about = json.loads(text)
    facts = json.loads((tiny_run.folder / "resnet50/seed-0/training.json").read_text())
    assert about["weights_sha256"] == facts["weights_sha256"]
    assert about["run_id"] == tiny_run.folder.name
    assert about["observations"] == list(OBSERVATIONS)
    points = about["operating_points"]
    assert points.pop("0.5") == dict.fromkeys(OBSERVATIONS, 0.5)
    chosen = json.loads((tiny_run.folder / "resnet50/seed-0/thresholds.json").read_text())
    assert set(points) == set(chosen["rules"])
    assert len(points) > 0
    for rule, told in chosen["rules"].items():
        expected = {name: told["observations"][name]["threshold"] for name in OBSERVATIONS}
        assert points[rule] == expected
    assert about["input"]["size"] == 32
    assert about["input"]["fit"] == "squash"
    assert about["synthetic"] is True
    assert about["note"].startswith("not for real images")


def test_torch_program_scores_as_the_run(tiny_run, scored, tmp_path):
    """Torch's exported program gives the run's scores to 1e-4, for any number of images."""
    file = tmp_path / "network.pt2"
    ended = command(
        "export", tiny_run.folder, "--model", "resnet50", "--format", "torch", "-o", file
    )
    assert ended.code == 0, ended.err
    assert ended.out.startswith(f"{file}: resnet50 (seed 0) of ")
    assert "not for real images" in ended.out
    extra = {"cxr-bench": ""}
    program = torch.export.load(file, extra_files=extra).module()
    check_metadata(extra["cxr-bench"], tiny_run)
    images, expected = scored
    for count in (1, 3):
        with torch.inference_mode():
            scores = program(torch.from_numpy(images[:count])).numpy()
        np.testing.assert_allclose(scores, expected[:count], atol=1e-4)


def test_onnx_scores_as_the_run(tiny_run, scored, tmp_path):
    """onnxruntime gives the run's scores to 1e-4, for any number of images."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    file = tmp_path / "network.onnx"
    ended = command("export", tiny_run.folder, "--model", "resnet50", "-o", file)
    assert ended.code == 0, ended.err
    assert ended.err == ""
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    check_metadata(session.get_modelmeta().custom_metadata_map["cxr-bench"], tiny_run)
    images, expected = scored
    for count in (1, 3):
        (scores,) = session.run(["probability"], {"image": images[:count]})
        np.testing.assert_allclose(scores, expected[:count], atol=1e-4)


def test_onnx_that_is_not_installed_is_named(tiny_run, tmp_path, monkeypatch):
    """Without ONNX's packages the command says what to install, or which format needs none."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    file = tmp_path / "network.onnx"
    ended = command("export", tiny_run.folder, "--model", "resnet50", "-o", file)
    assert ended.code == 2
    assert "pip install 'cxr-bench[export]'" in ended.err
    assert "--format torch" in ended.err
    assert not file.exists()


def test_a_network_that_is_not_there_is_named(tiny_run, tmp_path):
    """A network that the run has not is answered with those it has."""
    ended = command("export", tiny_run.folder, "--model", "vgg11", "-o", tmp_path / "x.onnx")
    assert ended.code == 2
    assert "has no network 'vgg11'; it has densenet121, resnet50" in ended.err
