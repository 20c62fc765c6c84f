"""New images put to a finished run, from the command line to the page."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.runs import write_manifest
from cxr.findings import NOTICE
from cxr.labeling import label_report
from cxr.observations import OBSERVATIONS
from tests.tiny_run import TinyRun, command


@pytest.fixture(scope="module")
def frontal(tiny_run: TinyRun, cache: Path) -> Path:
    """A frontal DICOM file of the synthetic cohort."""
    cases = pd.read_parquet(tiny_run.folder / "cases.parquet")
    (file,) = cache.glob(f"synthetic/*/files/*/*/*/{cases['image_id'].iloc[0]}.dcm")
    return file


def test_a_phantom_gets_scores_places_and_findings_in_words(tiny_run, frontal, tmp_path):
    """The page, the JSON and the pictures tell what each network calls, where, and for whom."""
    output = tmp_path / "answer"
    outcome = command("explain", tiny_run.folder, frontal, "-o", output)
    assert (outcome.code, outcome.out.strip()) == (0, str(output / "explain.html")), outcome.err
    answers = json.loads((output / "explain.json").read_text())
    assert answers["run"]["synthetic"]
    (image,) = answers["images"]
    assert (image["rows"], image["columns"], image["side_from"]) == (64, 64, "orientation")
    assert image["synthetic"]
    assert image["warnings"] == []
    assert [one["network"] for one in image["networks"]] == ["densenet121", "resnet50"]
    page = (output / "explain.html").read_text()
    for one in image["networks"]:
        assert list(one["observations"]) == list(OBSERVATIONS)
        assert one["text"].startswith(NOTICE)
        read = label_report(one["text"]).as_dict()
        calls = {name: found["call"] for name, found in one["observations"].items()}
        words = {1.0: "present", 0.0: "absent", -1.0: "possible"}
        assert all(calls[name] == words[read[name]] for name in OBSERVATIONS[1:])
        for name, found in one["observations"].items():
            assert ("overlay" in found) == (
                found["call"] in ("present", "possible") and name != "No Finding"
            )
            if "overlay" in found:
                with Image.open(output / found["overlay"]) as overlay:
                    assert overlay.width == 64
                    assert overlay.height > 64  # the band below it
        assert one["network"] in page


def test_scores_are_those_of_the_run(tiny_run, cache, tmp_path):
    """An image of the run's test set gets the very scores that the run gave it."""
    scores = pd.read_parquet(tiny_run.folder / "resnet50" / "seed-0" / "scores.parquet")
    row = scores.iloc[-1]
    (file,) = cache.glob(f"synthetic/*/files/*/*/*/{row['image_id']}.dcm")
    command("explain", tiny_run.folder, file, "-o", tmp_path, "--network", "resnet50")
    (one,) = json.loads((tmp_path / "explain.json").read_text())["images"][0]["networks"]
    expected = 1 / (1 + np.exp(-row[list(OBSERVATIONS)].to_numpy(float)))
    found = [one["observations"][name]["score"] for name in OBSERVATIONS]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert "less the mean map of" in one["maps"]


def test_a_picture_of_unknown_origin_is_refused_by_networks_that_saw_phantoms(
    tiny_run, frontal, tmp_path
):
    """A real image gets no verdict from the synthetic cohort's networks, unless asked for."""
    picture = tmp_path / "chest.png"
    noise = np.random.default_rng(0).integers(0, 255, (90, 120), dtype=np.uint8)
    Image.fromarray(noise).save(picture)
    output = tmp_path / "answer"
    refused = command("explain", tiny_run.folder, frontal, picture, "-o", output)
    assert refused.code == 2
    assert refused.err.count("Error: ") == 1
    assert "chest.png: the networks were trained on synthetic images alone" in refused.err
    assert not output.exists()

    given = command(
        "explain", tiny_run.folder, picture, "-o", output, "--anyway", "--point", "0.01"
    )
    assert given.code == 0, given.err
    (image,) = json.loads((output / "explain.json").read_text())["images"]
    assert "synthetic images alone" in image["warnings"][0]
    assert (image["rows"], image["columns"], image["side_from"]) == (90, 120, "")
    assert "No verdict." in (output / "explain.html").read_text()
    assert "side undetermined" in image["networks"][0]["text"]


def test_a_restricted_run_shows_neither_image_nor_name(tiny_run, frontal, tmp_path):
    """Where the run's source is restricted, a drawn chest and a number stand for the image."""
    run = tmp_path / "run"
    shutil.copytree(tiny_run.folder, run)
    values = json.loads((run / "run.json").read_text())
    values["cohort"]["restricted"] = True
    (run / "run.json").write_text(json.dumps(values))
    write_manifest(run)
    hidden, shown = tmp_path / "hidden", tmp_path / "shown"
    assert command("explain", run, frontal, "-o", hidden).code == 0
    assert command("explain", run, frontal, "-o", shown, "--include-restricted").code == 0
    page, document = (hidden / "explain.html").read_text(), (hidden / "explain.json").read_text()
    assert frontal.stem not in page + document
    assert "Image 1" in page
    assert not list(hidden.rglob("image.png"))
    assert frontal.stem in (shown / "explain.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--network", "vgg"), "has no network 'vgg'; it has densenet121, resnet50."),
        (("--point", "yuden"), "operating point 'yuden' is unknown; did you mean 'youden'?"),
        (("--point", "1.5"), "--point 1.5: a score is above 0 and below 1."),
    ],
)
def test_wrong_options_end_with_a_sentence(tiny_run, frontal, tmp_path, arguments, message):
    """An unknown network or operating point is named with what is possible."""
    outcome = command("explain", tiny_run.folder, frontal, "-o", tmp_path / "x", *arguments)
    assert outcome.code == 2
    assert message in outcome.err


def test_a_file_that_is_no_image_ends_with_a_sentence(tiny_run, tmp_path):
    """A text file, or none, is named and nothing is written."""
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    for path in (text, tmp_path / "missing.dcm"):
        outcome = command("explain", tiny_run.folder, path, "-o", tmp_path / "x")
        assert outcome.code == 2
        assert outcome.err.count(str(path)) == 1
    assert not (tmp_path / "x").exists()


def test_a_run_without_checkpoints_can_not_be_asked(tiny_run, frontal, tmp_path):
    """Where the weights were not kept, the command says so."""
    run = tmp_path / "run"
    shutil.copytree(tiny_run.folder, run, ignore=shutil.ignore_patterns("*.safetensors"))
    outcome = command("explain", run, frontal, "-o", tmp_path / "x")
    assert outcome.code == 2
    assert "holds no checkpoint.safetensors" in outcome.err


def test_maps_as_dicom_need_dicom_that_may_be_shown(tiny_run, frontal, tmp_path):
    """With --dicom each map lies beside its picture as DICOM; a PNG can't have one."""
    output = tmp_path / "answer"
    outcome = command(
        "explain", tiny_run.folder, frontal, "-o", output, "--dicom", "--point", "0.1"
    )
    assert outcome.code == 0, outcome.err
    captures = sorted(path.stem for path in output.rglob("*.dcm"))
    pictures = sorted(path.stem for path in output.rglob("*-*.png"))
    assert captures == pictures
    assert captures
    picture = next(output.rglob("*.png"))
    refused = command(
        "explain", tiny_run.folder, picture, "-o", tmp_path / "x", "--anyway", "--dicom"
    )
    assert refused.code == 2
    assert "it is no DICOM, which --dicom needs" in refused.err
