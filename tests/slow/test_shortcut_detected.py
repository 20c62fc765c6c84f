"""A planted shortcut is told by where the maps look; without it nothing is told."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from benchmark.config import EvaluationConfig
from benchmark.explanation.elsewhere import elsewhere_document
from cxr.dicom import quantize, read_radiograph
from cxr.faithfulness import impute
from cxr.masks import decode_mask
from cxr.observations import OBSERVATIONS
from cxr.saliency import Explainer
from cxr.synth.cohort import write_cohort
from cxr.synth.shortcut import SHORTCUTS
from cxr.tensors import to_input

SIZE = 64
PLANTED = SHORTCUTS["marker"].observation


class Cohort:
    """The frontal images of a synthetic cohort, half of its patients for training."""

    def __init__(self, root: Path, shortcut: str) -> None:
        write_cohort(root, studies=400, seed=7, size=SIZE, conspicuity=1.0, shortcut=shortcut)
        truth = pd.read_csv(root / "truth" / "truth.csv").set_index("image_id")
        views = pd.read_csv(root / "mimic-cxr-2.0.0-metadata.csv").set_index("dicom_id")
        files = {path.stem: path for path in root.rglob("*.dcm")}
        self.ids = [i for i in truth.index if views["ViewPosition"][i] in ("PA", "AP")]
        pixels = np.stack([quantize(read_radiograph(files[i], size=SIZE)) for i in self.ids])
        self.images = to_input(torch.from_numpy(pixels))
        self.truth = truth.loc[self.ids, list(OBSERVATIONS)].to_numpy(float)
        self.patients = [files[i].parts[-3] for i in self.ids]
        self.train = np.array([int(patient[1:]) % 2 == 0 for patient in self.patients])
        path = root / "truth" / "marks.json"
        runs = json.loads(path.read_text()) if path.is_file() else {}
        self.marks = {i: {"mark": decode_mask(found["mark"])} for i, found in runs.items()}


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cohort]:
    """The same patients with the mark planted, and without it."""
    root = tmp_path_factory.mktemp("cohorts")
    return {"marker": Cohort(root / "planted", "marker"), "": Cohort(root / "plain", "")}


def trained(cohort: Cohort) -> nn.Module:
    """A small network trained for seconds on the cohort's training half."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs)]
        layers.append(nn.ReLU())
    network = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(OBSERVATIONS))
    )
    images, truth = (
        cohort.images[cohort.train],
        torch.from_numpy(cohort.truth[cohort.train]).float(),
    )
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(15):
        for some in torch.randperm(len(images)).split(32):
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(images[some]), truth[some]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def told(network: nn.Module, shown: Cohort) -> dict:
    """What elsewhere.json says of the network on the test half of `shown`."""
    with torch.no_grad():
        scores = torch.sigmoid(network(shown.images)).numpy()
    called = scores >= np.quantile(scores[~shown.train], 0.7, axis=0)
    cases = pd.DataFrame(
        {
            "image_id": shown.ids,
            "patient_id": shown.patients,
            "split": np.where(shown.train, "train", "test"),
        }
    )
    explainer = Explainer(network, shown.images[:1])
    explainer.contrast_with([shown.images[shown.train][:32]], len(OBSERVATIONS))

    def maps(rows: np.ndarray) -> np.ndarray:
        images: Tensor = shown.images[rows]
        return explainer.maps(images, range(len(OBSERVATIONS)))

    def falls(rows: np.ndarray, lost: np.ndarray) -> np.ndarray:
        images: Tensor = shown.images[rows]
        with torch.no_grad():
            filled = impute(images, lost, rng=np.random.default_rng(0))
            return (network(images) - network(filled)).double().numpy()

    document = elsewhere_document(
        cases,
        called,
        shown.marks,
        maps,
        explainer.resize,
        EvaluationConfig(replicates=500),
        spacing=explainer.spacing / SIZE,
        falls_of=falls,
        field=(SIZE, SIZE),
    )
    return document[PLANTED]


def test_a_network_that_learned_the_mark_is_told(cohorts):
    """Trained where the mark goes with the finding, it has far more evidence on it than due."""
    found = told(trained(cohorts["marker"]), cohorts["marker"])
    assert found["words"].startswith("the maps look at the mark and the score falls without")
    assert found["on_marks"]["estimate"] > 2 * found["marks_area"]


def test_a_network_that_never_saw_the_mark_is_not_accused(cohorts):
    """Trained without it and shown it, the network has no more evidence on it than due."""
    found = told(trained(cohorts[""]), cohorts["marker"])
    assert found["marked"] > 20
    assert found["words"] == "no shortcut shown"
    assert "words" not in told(trained(cohorts[""]), cohorts[""])
