import io
import json
import typing

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from benchmark.config import EvaluationConfig, ExplanationConfig
from benchmark.events import Silent
from benchmark.explanation.examples import (
    choose_examples,
    explain_run,
    finest_explainer,
    recall_usual,
)
from benchmark.explanation.overlays import (
    PICTURE,
    blend,
    grey_png,
    overlay_png,
    schematic_chest,
    stamp,
)
from benchmark.explanation.pointing import find_pairs, gain_words, margin_words
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS
from cxr.saliency import METHODS
from cxr.tensors import to_input

SIDE = 32
LESION = "Lung Lesion"
HEART = "Cardiomegaly"


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Bright(nn.Module):
    """Calls Lung Lesion where the picture is bright; has evidence against all the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 1, 4, stride=4), nn.ReLU())
        self.fc = nn.Linear(1, 14)
        with torch.no_grad():
            self.body[0].weight.fill_(1 / 48)
            self.body[0].bias.zero_()
            self.fc.weight.fill_(-1.0)
            self.fc.weight[OBSERVATIONS.index(LESION)] = 1.0
            self.fc.bias.zero_()

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.body(images).mean((2, 3)))


@pytest.fixture
def inputs(tmp_path) -> dict:
    """Forty test and twenty validation images, each with one bright spot, half of them called."""
    rng = np.random.default_rng(0)
    count = 60
    pixels = np.full((count, SIDE, SIDE), 90, np.uint8)
    masks = {}
    for row in range(count):
        down, across = rng.integers(0, SIDE // 4, size=2) * 4
        pixels[row, down : down + 4, across : across + 4] = 255
        mask = np.zeros((SIDE, SIDE), bool)
        mask[down : down + 4, across : across + 4] = True
        masks[f"image-{row}"] = {LESION: mask}
    cases = pd.DataFrame(
        {
            "image_id": [f"image-{row}" for row in range(count)],
            "patient_id": [f"patient-{row // 2}" for row in range(count)],
            "split": ["test"] * 40 + ["validate"] * 20,
        }
    )
    for name in OBSERVATIONS:
        cases[f"label:{name}"] = 1.0 if name == LESION else np.nan
    cases.loc[:9, f"label:{LESION}"] = np.nan
    logits = np.full((count, 14), -3.0)
    logits[:, OBSERVATIONS.index(LESION)] = np.where(np.arange(count) % 2, -1.0, 2.0)
    return {
        "network": "bright",
        "seed": 4,
        "model": Bright(),
        "pixels": pixels,
        "cases": cases,
        "logits": logits,
        "masks": masks,
        "train_masks": masks,
        "settings": ExplanationConfig(contrast=False),
        "evaluation": EvaluationConfig(replicates=100),
        "folder": tmp_path / "bright",
        "restricted": False,
        "device": torch.device("cpu"),
        "events": Silent(),
    }


def read(inputs: dict, name: str):
    return json.loads((inputs["folder"] / name).read_text())


def test_localization_counts_misses_and_beats_the_baselines(inputs):
    """Maps of a network that looks at the lesion hit every time, called or not, and say so."""
    explain_run(**inputs)
    document = read(inputs, "localization.json")
    assert (document["network"], document["seed"], document["schema"]) == ("bright", 4, 1)
    assert document["target"] == "body"
    entry = document["observations"][LESION]
    assert list(document["observations"]) == [LESION]
    assert (entry["present"]["images"], entry["present"]["patients"]) == (40, 20)
    assert entry["correct"]["images"] == 20
    assert entry["present"]["hit_rate"]["estimate"] == 1.0
    assert entry["present"]["hit_rate"]["method"] == "exact binomial, patients"
    assert entry["present"]["iou"]["estimate"] > 0.4
    assert entry["baselines"]["random"]["estimate"] == pytest.approx(16 / SIDE**2)
    assert entry["baselines"]["centre"]["estimate"] < 0.2
    assert entry["margins"]["mean_lesion"]["low"] > 0
    assert entry["words"] == "hits more often than all three baselines"
    assert entry["blank"] == 0.0
    assert entry["tuned_on"] == 20


def test_a_blank_map_counts_as_a_miss(inputs):
    """Where the network has evidence against a finding that is there, the share is in blank."""
    inputs["masks"] = {image: {HEART: m[LESION]} for image, m in inputs["masks"].items()}
    explain_run(**inputs)
    entry = read(inputs, "localization.json")["observations"][HEART]
    assert entry["blank"] == 1.0
    assert entry["present"]["hit_rate"]["estimate"] == 0.0
    assert entry["correct"]["images"] == 0
    assert entry["correct"]["hit_rate"]["estimate"] is None
    assert entry["correct"]["hit_rate"]["reason"] == "0 patients; at least 10 are needed"


def test_the_index_names_rule_outcome_and_pictures(inputs):
    """Each example states its rule, and its pictures are small PNGs that exist."""
    explain_run(**inputs)
    entries = read(inputs, "explanations/index.json")
    assert [(e["observation"], e["outcome"]) for e in entries] == [
        (LESION, "TP"),
        (LESION, "FP"),
        (LESION, "FN"),
    ]
    assert entries[0]["rule"] == "the highest score among images whose report states it"
    assert entries[1]["label"] is None
    assert all(entry["outlined"] and not entry["blank"] for entry in entries)
    for entry in entries:
        overlay = Image.open(inputs["folder"] / entry["overlay"])
        assert overlay.size == (PICTURE, PICTURE)
        assert Image.open(inputs["folder"] / entry["image"]).size == (SIDE, SIDE)


def test_equal_input_gives_equal_bytes(inputs, tmp_path):
    """Two runs of the stage write the same files."""
    explain_run(**inputs)
    first = {p.name: p.read_bytes() for p in inputs["folder"].rglob("*") if p.is_file()}
    inputs["folder"] = tmp_path / "again"
    explain_run(**inputs)
    again = {p.name: p.read_bytes() for p in inputs["folder"].rglob("*") if p.is_file()}
    assert first == again


def test_a_restricted_cohort_shows_no_image_and_no_outline(inputs):
    """For a restricted cohort the pictures do not depend on the radiograph or the lesion."""
    inputs["restricted"] = True
    explain_run(**inputs)
    entries = read(inputs, "explanations/index.json")
    assert all(entry["image"] is None and not entry["outlined"] for entry in entries)
    names = sorted(path.name for path in (inputs["folder"] / "explanations").iterdir())
    assert names == [
        "index.json",
        "lung-lesion-fn-1.png",
        "lung-lesion-fp-1.png",
        "lung-lesion-tp-1.png",
    ]
    shown = np.asarray(Image.open(inputs["folder"] / entries[0]["overlay"]).convert("RGB"))
    plain = overlay_png(None, np.zeros((PICTURE, PICTURE)), None)
    drawn = np.asarray(Image.open(io.BytesIO(plain)).convert("RGB"))
    calm = np.abs(shown.astype(int) - drawn).max(-1) < 12
    assert 0.3 < calm.mean() < 1, "most of the drawn chest stands, and the map is on it"


def test_without_masks_there_are_examples_and_no_localization(inputs):
    """Real cohorts without masks get their gallery; localization.json says nothing."""
    inputs["masks"] = inputs["train_masks"] = None
    explain_run(**inputs)
    assert read(inputs, "localization.json")["observations"] == {}
    assert [entry["outlined"] for entry in read(inputs, "explanations/index.json")] == [False] * 3


def test_examples_are_chosen_by_score_alone():
    """Most confident first; hedged labels and other splits are no examples."""
    cases = pd.DataFrame({"split": ["test"] * 7 + ["validate"]})
    for name in OBSERVATIONS:
        cases[f"label:{name}"] = np.nan
    cases[f"label:{HEART}"] = [1.0, 1.0, 0.0, np.nan, 1.0, 1.0, -1.0, 1.0]
    scores = np.zeros((8, 14))
    scores[:, OBSERVATIONS.index(HEART)] = [0.6, 0.9, 0.7, 0.8, 0.4, 0.1, 0.99, 0.95]
    found = choose_examples(cases, scores, threshold=0.5, count=2)
    assert [(e.outcome, e.row, e.rank) for e in found] == [
        ("TP", 1, 1),
        ("TP", 0, 2),
        ("FP", 3, 1),
        ("FP", 2, 2),
        ("FN", 5, 1),
        ("FN", 4, 2),
    ]


def test_pairs_need_truth_and_a_mask():
    """A mask on an image where the observation is not true, or an empty mask, makes no pair."""
    mask = np.ones((2, 2), bool)
    cases = pd.DataFrame({"image_id": ["a", "b", "c"], f"truth:{HEART}": [True, False, True]})
    masks = {"a": {HEART: mask, LESION: mask}, "b": {HEART: mask}, "c": {HEART: ~mask}}
    assert find_pairs(cases, masks) == [(0, HEART), (0, LESION)]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.1, 0.3, "hits more often than all three baselines"),
        (-0.1, 0.3, "not shown to hit more often than the middle of the picture"),
        (-0.3, -0.1, "hits less often than the middle of the picture"),
    ],
)
def test_the_comparison_with_the_baselines_in_words(low, high, words):
    """The words follow the interval of the paired difference."""
    better = Estimate(0.4, 0.3, 0.5)
    margins = {"random": better, "centre": Estimate(0.0, low, high), "mean_lesion": better}
    assert margin_words(margins) == words
    assert margin_words(margins | {"random": Estimate.missing("few")}) == "too few patients to tell"


def test_a_missed_finding_does_not_look_like_much(inputs):
    """A missed example's heat is on the scale of the called ones, not stretched to its own."""
    explain_run(**inputs)
    entries = {e["outcome"]: e for e in read(inputs, "explanations/index.json")}
    assert entries["FN"]["scale"] == max(entries["TP"]["peak"], entries["FP"]["peak"])


def test_baselines_are_listed_in_words():
    """Several baselines that were not beaten are named in one readable list."""
    level = Estimate(0.0, -0.1, 0.1)
    assert margin_words({"random": level, "centre": level, "mean_lesion": level}) == (
        "not shown to hit more often than a random point, the middle of the picture and the "
        "place where the lesion usually is"
    )


def test_pictures_are_small():
    """A noisy radiograph and its overlay stay within the card's allowance."""
    noisy = np.random.default_rng(0).normal(128, 12, (96, 96)).clip(0, 255).astype(np.uint8)
    heat = np.linspace(0, 1, PICTURE)[:, None] * np.ones(PICTURE)
    assert len(grey_png(noisy)) < 12_000
    assert len(overlay_png(noisy, heat, np.eye(96, dtype=bool))) < 28_000


def test_the_outline_is_drawn_in_a_colour_of_its_own():
    """The lesion's outline is cold on a warm map, and the radiograph stays grey elsewhere."""
    mask = np.zeros((96, 96), bool)
    mask[30:60, 30:60] = True
    grey = np.full((96, 96), 100, np.uint8)
    content = overlay_png(grey, np.zeros((PICTURE, PICTURE)), mask)
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    blue = picture[..., 2] - picture[..., 0] > 60
    assert 150 < blue.sum() < 400
    assert np.ptp(picture[0, 0]) == 0


def test_the_drawn_chest_is_symmetric_in_its_lungs():
    """The schematic has two lungs, drawn darker than the body, and fits the picture."""
    chest = schematic_chest()
    assert chest.shape == (PICTURE, PICTURE)
    middle = PICTURE // 2
    assert chest[middle, PICTURE // 4] < chest[PICTURE - 2, middle]
    assert chest[middle, 3 * PICTURE // 4] < chest[PICTURE - 2, middle]


def test_maps_say_how_they_were_made_and_what_that_gained(inputs):
    """The document tells target, spacing and contrast, and compares with plain Grad-CAM."""
    inputs["settings"] = ExplanationConfig(enlarge=2.0)
    explain_run(**inputs)
    document = read(inputs, "localization.json")
    assert document["contrast"] == 20
    assert document["spacing"] == 2.0
    assert document["words"] == (
        "Grad-CAM at body, a cell every 2 pixels of the image as the network saw it, less the "
        "mean map of 20 validation images"
    )
    gain = document["gain"]
    assert gain["pairs"] == 40
    assert gain["plain"]["hit_rate"]["estimate"] == 1.0
    gained = gain["finer"]["iou"]["estimate"] - gain["plain"]["iou"]["estimate"]
    assert gain["difference"]["iou"]["estimate"] == pytest.approx(gained)
    assert "finer maps" in gain["words"]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.03, "the finer maps overlap lesions more than plain Grad-CAM's"),
        (-0.03, -0.01, "the finer maps overlap lesions less than plain Grad-CAM's"),
        (
            -0.01,
            0.01,
            "the finer maps are not shown to overlap lesions more than plain Grad-CAM's",
        ),
    ],
)
def test_the_gain_in_words(low, high, words):
    """The words about finer maps follow the interval of the paired difference."""
    assert gain_words(Estimate((low + high) / 2, low, high)) == words


def test_a_network_whose_strides_stay_is_explained_at_its_own_cells(inputs):
    """Where finer maps can't be had the stage goes on with the network's own cells."""
    model = Bright()
    model.body = nn.Sequential(model.body, nn.MaxPool2d(8, stride=8))
    inputs["model"] = model
    explain_run(**inputs)
    assert read(inputs, "localization.json")["spacing"] == pytest.approx(32 / 1.5, abs=0.01)


def test_the_mean_map_is_kept_for_new_images(inputs):
    """An explainer that recalls the run's mean map gives the maps that the run's gave."""
    settings = ExplanationConfig(contrast=True)
    explain_run(**inputs | {"settings": settings})
    images = torch.rand(3, 3, SIDE, SIDE)
    recalled = finest_explainer(inputs["model"], images[:1], settings)
    recall_usual(inputs["folder"], recalled)
    assert recalled.reference == 20
    again = finest_explainer(inputs["model"], images[:1], settings)
    validation = inputs["pixels"][inputs["cases"]["split"] == "validate"]
    again.contrast_with([to_input(torch.from_numpy(validation))], len(OBSERVATIONS))
    np.testing.assert_allclose(
        recalled.maps(images, range(14)), again.maps(images, range(14)), atol=1e-6
    )


def test_blended_pictures_keep_grey_where_there_is_no_heat():
    """Without heat the picture stays grey, and a stamp adds a band below it."""
    ground = np.tile(np.arange(60, dtype=np.uint8), (40, 1))
    heat = np.zeros((40, 60))
    heat[:, 30:] = 2
    picture = blend(ground, heat)
    np.testing.assert_array_equal(picture[:, :30], np.repeat(ground[:, :30, None], 3, axis=2))
    assert (picture[:, 30:].max(-1) > picture[:, 30:].min(-1)).all()
    stamped = stamp(picture, "not for clinical use, and several words more")
    np.testing.assert_array_equal(stamped[:40], picture)
    assert stamped.shape[1] == 60
    assert len(stamped) > 40 + 2 * 12  # more than one line
    assert stamped[40:].min() < 100  # there is ink on it


def test_boxes_ranking_and_strata_are_measured(inputs):
    """A map that marks the lesion alone has every box right, and every pixel ranked right."""
    explain_run(**inputs)
    document = read(inputs, "localization.json")
    present = document["observations"][LESION]["present"]
    assert list(present["boxes"]) == ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]
    shares = [estimate["estimate"] for estimate in present["boxes"].values()]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1
    assert present["wrong_boxes"]["estimate"] == 0
    assert present["pixel_precision"]["estimate"] > 0.8
    strata = {entry["words"]: entry for entry in document["strata"]}
    # a lesion of 4 x 4 pixels in 32 x 32 is 1.6 % of the picture, in one part
    assert strata["1 % to 5 %"]["pairs"] == strata["one part"]["pairs"] == 40
    assert strata["1 % to 5 %"]["random"]["estimate"] == pytest.approx(16 / 1024)
    assert strata["5 % or more"]["pairs"] == 0
    assert strata["5 % or more"]["hit_rate"]["estimate"] is None


def test_every_method_of_the_library_can_be_named():
    """The config takes the methods that maps can be made by, and no other."""
    hints = typing.get_type_hints(ExplanationConfig)
    assert typing.get_args(hints["method"]) == tuple(METHODS)


@pytest.mark.parametrize("method", ["layercam", "eigencam"])
def test_another_method_makes_the_maps(inputs, method):
    """The run's documents name the method, and no contrast is claimed where it has none."""
    settings = ExplanationConfig(method=method, stride=4, enlarge=1.0)
    explain_run(**inputs | {"settings": settings})
    document = read(inputs, "localization.json")
    assert document["words"].startswith(f"{METHODS[method]} at ")
    assert "less the mean map" not in document["words"]
    hits = document["observations"][LESION]["present"]["hit_rate"]["estimate"]
    assert hits == 1  # this network's only evidence is the bright spot
    assert not (inputs["folder"] / "explanations" / "usual.safetensors").exists()
