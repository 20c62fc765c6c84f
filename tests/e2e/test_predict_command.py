"""`cxr-bench predict`: scores of new files."""

import io
import json
import shutil

import numpy as np
import pandas as pd
import pydicom
import pytest
from scipy.special import expit

from benchmark.runs import write_manifest
from cxr.observations import OBSERVATIONS
from tests.tiny_run import command

NAMES = list(OBSERVATIONS)


@pytest.fixture(scope="module")
def images(tiny_run, cache):
    """Three test images of the run's cohort: id -> file."""
    scores = pd.read_parquet(tiny_run.folder / "densenet121/seed-0/scores.parquet")
    files = {path.stem: path for path in cache.rglob("files/**/*.dcm")}
    return {i: files[i] for i in scores.loc[scores["split"] == "test", "image_id"][:3]}


def test_scores_are_those_of_the_run(tiny_run, images):
    """A file that the run scored gets the run's score, from each of its networks."""
    ended = command("predict", tiny_run.folder, *images.values())
    assert ended.code == 0, ended.err
    table = pd.read_csv(io.StringIO(ended.out))
    assert table["network"].tolist() == ["densenet121", "resnet50"] * 3
    assert table["file"].tolist() == [str(path) for path in images.values() for _ in range(2)]
    for network, rows in table.groupby("network"):
        stored = pd.read_parquet(tiny_run.folder / network / "seed-0/scores.parquet")
        expected = expit(stored.set_index("image_id").loc[list(images), NAMES].to_numpy())
        np.testing.assert_allclose(rows[NAMES].to_numpy(), expected, atol=1e-5)


def test_every_row_says_what_it_is_worth(tiny_run, images):
    """Each row names cohort, operating point and what is called, and says: not for real images."""
    ended = command("predict", tiny_run.folder, *images.values(), "--model", "resnet50")
    table = pd.read_csv(io.StringIO(ended.out), keep_default_na=False)
    assert set(table["network"]) == {"resnet50"}
    assert set(table["operating_point"]) == {0.5}
    assert set(table["cohort"]) == {"Synthetic cohort"}
    assert table["note"].str.startswith("not for real images").all()
    for _, row in table.iterrows():
        assert row["called"] == "; ".join(name for name in NAMES if row[name] >= 0.5)


def test_another_view_than_trained_on_is_told(tmp_path, tiny_run, images):
    """A lateral image is scored, and its row says that the network was trained on others."""
    dataset = pydicom.dcmread(next(iter(images.values())))
    dataset.ViewPosition = "LL"
    lateral = tmp_path / "lateral.dcm"
    dataset.save_as(lateral)
    ended = command("predict", tiny_run.folder, lateral, "--model", "resnet50")
    (note,) = pd.read_csv(io.StringIO(ended.out))["note"]
    assert note.endswith("; trained on PA and AP views, and this is LATERAL")


def test_unreadable_files_are_listed_and_tell_in_the_exit_code(tiny_run, images, tmp_path):
    """A file that can't be read has a row with the reason; exit code 1, or 2 if none could."""
    broken, missing = tmp_path / "broken.dcm", tmp_path / "missing.png"
    broken.write_bytes(b"no image")
    good = next(iter(images.values()))
    output = tmp_path / "scores.csv"
    ended = command(
        "predict", tiny_run.folder, broken, good, missing, "-o", output, "--model", "resnet50"
    )
    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.count("Not read: ") == 2
    table = pd.read_csv(output)
    assert table["error"].notna().tolist() == [True, False, True]
    assert "broken.dcm" in table["error"][0]
    assert table[NAMES].isna().all(axis=1).tolist() == [True, False, True]
    assert table["called"][[0, 2]].isna().all()
    ended = command("predict", tiny_run.folder, broken, missing)
    assert ended.code == 2
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "vgg11"), "has no network 'vgg11'; it has densenet121, resnet50"),
        (("--seed", "7"), "no network of seed 7; its seeds are 0"),
        (("--device", "mps"), "'mps' is not available here"),
    ],
)
def test_what_a_run_lacks_is_named(tiny_run, images, options, message):
    """Another network, seed or device than there is gets one sentence with those there are."""
    ended = command("predict", tiny_run.folder, *images.values(), *options)
    assert ended.code == 2
    assert message in ended.err


def test_a_run_without_checkpoints_can_not_score(tiny_run, images, tmp_path):
    """A run whose checkpoints were not kept is named."""
    bare = tmp_path / "run"
    shutil.copytree(tiny_run.folder, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    ended = command("predict", bare, *images.values())
    assert ended.code == 2
    assert "holds no checkpoint.safetensors; name a run that" in ended.err


def test_a_network_of_patients_does_not_call_itself_synthetic(tiny_run, images, tmp_path):
    """The note about real images is for networks of the synthetic cohort alone."""
    real = tmp_path / "run"
    shutil.copytree(tiny_run.folder, real)
    values = json.loads((real / "run.json").read_text())
    values["cohort"] |= {"synthetic": False, "name": "Ours"}
    (real / "run.json").write_text(json.dumps(values))
    write_manifest(real)
    ended = command("predict", real, *images.values(), "--model", "resnet50")
    table = pd.read_csv(io.StringIO(ended.out))
    assert set(table["note"]) == {"not for clinical use"}
    assert set(table["cohort"]) == {"Ours"}
