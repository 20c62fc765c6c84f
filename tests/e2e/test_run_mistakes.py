"""Bad input: one clear sentence on standard error, exit code 2, and no run that looks finished."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.tiny_run import command, tiny


def _manifest(folder: Path, **changes: list[object]) -> Path:
    """A manifest of 40 PNGs of 20 patients, with one label column, changed as asked."""
    rng = np.random.default_rng(0)
    names = [f"image{number}.png" for number in range(40)]
    for name in names:
        Image.fromarray(rng.integers(0, 255, (40, 40), dtype=np.uint8)).save(folder / name)
    columns: dict[str, object] = {
        "image_path": names,
        "patient_id": [f"p{number // 2}" for number in range(40)],
        "view": ["PA"] * 40,
        "Edema": [number // 2 % 2 for number in range(40)],
    }
    table = pd.DataFrame({**columns, **changes})
    path = folder / "images.csv"
    table[[name for name in table if not table[name].isna().all()]].to_csv(path, index=False)
    return path


def _run_manifest(manifest: Path, output: Path, *more: str):
    settings = tiny("data.source=manifest", "data.labels=columns", *more)
    return command("run", "--no-pdf", "--data", manifest, "-o", output, *settings)


def _check_refused(outcome, message: str, output: Path) -> None:
    assert outcome.code == 2, outcome.err
    last = outcome.err.strip().splitlines()[-1]
    assert message in last
    assert "Traceback" not in outcome.err
    assert not [path for path in output.rglob("run.json") if ".unfinished" not in str(path)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "mimic-cxr", "--data", "nowhere"], "nowhere"),
        (["--set", "training.epoch=3"], "did you mean 'epochs'"),
        (["--set", "training.networks=densnet121"], "densenet121"),
        (["--set", "training.weights=nowhere.safetensors"], "nowhere.safetensors"),
        (["--data", "nowhere.csv", "--set", "data.source=manifest"], "nowhere.csv"),
    ],
)
def test_settings_that_name_nothing(arguments: list[str], message: str, tmp_path: Path) -> None:
    """A folder, key, network or file that does not exist is named before any work is done."""
    settings = ["--set", "training.weights=none"] if "mimic-cxr" in arguments else []
    _check_refused(command("run", "-o", tmp_path, *settings, *arguments), message, tmp_path)


def test_no_images(tmp_path: Path) -> None:
    """A folder without images is refused."""
    (tmp_path / "data").mkdir()
    outcome = command(
        "run", "--preset", "mimic-cxr", "--data", tmp_path / "data", "-o", tmp_path / "out",
        *tiny("training.weights=none"),
    )  # fmt: skip
    _check_refused(outcome, "data", tmp_path)


def test_imagenet_weights_are_never_silently_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ImageNet weights can't be had the run says the ways out before it reads any data."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    outcome = command("run", "-o", tmp_path, *tiny("training.weights=imagenet"))
    _check_refused(outcome, "none", tmp_path)
    assert "Rendering" not in outcome.err


def test_unwritable_output(tmp_path: Path) -> None:
    """A results folder that can't be made is refused with the way out."""
    (tmp_path / "file").write_text("")
    manifest = _manifest(tmp_path)
    _check_refused(_run_manifest(manifest, tmp_path / "file"), "-o", tmp_path)


def test_manifest_without_its_columns(tmp_path: Path) -> None:
    """A manifest that lacks a column is told which, and which it has."""
    manifest = _manifest(tmp_path, patient_id=[None] * 40)
    _check_refused(_run_manifest(manifest, tmp_path / "out"), "patient_id", tmp_path)


def test_label_value_out_of_range(tmp_path: Path) -> None:
    """A label other than 1, 0, -1 or blank is refused with its row."""
    manifest = _manifest(tmp_path, Edema=[*[0, 1] * 19, 0, 2])
    _check_refused(_run_manifest(manifest, tmp_path / "out"), "row 40", tmp_path)


def test_one_patient_in_two_official_splits(tmp_path: Path) -> None:
    """A patient in two official splits stops the run and is named."""
    split = ["train"] * 20 + ["validate"] * 9 + ["test"] * 11
    manifest = _manifest(tmp_path, split=split)
    outcome = _run_manifest(manifest, tmp_path / "out", "split.method=official")
    _check_refused(outcome, "p14", tmp_path)


def test_validation_with_one_class_only(tmp_path: Path) -> None:
    """A validation split in which no observation has both classes stops the run."""
    split = ["train"] * 20 + ["validate"] * 10 + ["test"] * 10
    edema = [*[1, 1, 0, 0] * 5, *[0] * 10, *[1, 1, 0, 0, 1, 1, 0, 0, 1, 1]]
    manifest = _manifest(tmp_path, split=split, Edema=edema)
    outcome = _run_manifest(manifest, tmp_path / "out", "split.method=official")
    _check_refused(outcome, "both positive and", tmp_path)


def test_unreadable_images_are_listed_and_the_run_goes_on(tmp_path: Path) -> None:
    """A few unreadable files are excluded, counted and listed; the run ends well."""
    manifest = _manifest(tmp_path)
    (tmp_path / "image3.png").write_text("no picture")
    (tmp_path / "image8.png").unlink()
    outcome = _run_manifest(manifest, tmp_path / "out", "training.networks=resnet50")
    assert outcome.code == 0, outcome.err
    assert "2 images can't be read" in outcome.err
    (listed,) = (tmp_path / "out").glob("*/*/exclusions.csv")
    assert len(pd.read_csv(listed)) == 2


def test_too_many_unreadable_images_stop_the_run(tmp_path: Path) -> None:
    """More than data.max_excluded unreadable files stop the run."""
    manifest = _manifest(tmp_path)
    for number in range(15):
        (tmp_path / f"image{number}.png").write_text("no picture")
    outcome = _run_manifest(manifest, tmp_path / "out")
    _check_refused(outcome, "15 of 40 images can't be read", tmp_path)


def test_full_disk(tmp_path: Path) -> None:
    """A disk that fills up ends with one sentence and leaves nothing that looks finished."""
    manifest = _manifest(tmp_path)
    arguments = ["run", "--no-pdf", "--data", str(manifest), "-o", str(tmp_path / "out")]
    settings = tiny("data.source=manifest", "data.labels=columns", "training.networks=resnet50")
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments, *settings],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)),
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr.strip().splitlines()[-1]
    finished = [p for p in tmp_path.rglob("run.json") if ".unfinished" not in str(p)]
    assert finished == []
    assert not list(tmp_path.rglob("checkpoint.safetensors"))
