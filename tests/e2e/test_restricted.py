"""Restricted data: nothing that identifies an image, a patient or a report leaves the run."""

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.tiny_run import command, tiny

SECRET = "Zebrafinch"
"""Stands in every id, file name and report of the cohort, so that a leak can be searched for."""


def _cohort(folder: Path) -> Path:
    """40 images of 20 patients whose pixels carry a checkerboard of known grey values."""
    data = folder / f"{SECRET}-data"
    data.mkdir()
    rng = np.random.default_rng(1)
    rows = []
    for number in range(40):
        name = f"{SECRET}-{number}.png"
        Image.fromarray(rng.integers(0, 255, (64, 64), dtype=np.uint8)).save(data / name)
        sick = number // 2 % 2
        report = f"FINDINGS: {SECRET}. " + ("Pulmonary edema." if sick else "No edema.")
        rows.append(
            {
                "image_path": name,
                "patient_id": f"{SECRET}-p{number // 2}",
                "study_id": f"{SECRET}-s{number}",
                "image_id": f"{SECRET}-i{number}",
                "view": "PA" if number else "LATERAL",
                "report": report,
            }
        )
    (data / f"{SECRET}-7.png").write_text("no picture")
    pd.DataFrame(rows).to_csv(data / "images.csv", index=False)
    return data / "images.csv"


@pytest.fixture(scope="module")
def restricted_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on a restricted manifest."""
    folder = tmp_path_factory.mktemp("restricted")
    key = folder / "key"
    key.write_bytes(b"a key that only tests know")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_BENCH_CACHE", str(folder / "cache"))
        patch.setenv("CXR_BENCH_KEY", str(key))
        outcome = command(
            "run", "--data", _cohort(folder), "-o", folder / "out",
            *tiny("data.source=manifest", "data.restricted=true", "training.networks=resnet50"),
        )  # fmt: skip
    assert outcome.code == 0, outcome.err
    (run,) = [path.parent for path in (folder / "out").glob("*/*/run.json")]
    return run


def test_no_output_names_an_id_a_path_or_a_report(restricted_run: Path) -> None:
    """No file of the run holds an original id, file name or report text, in any column."""
    for path in restricted_run.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
            if path.suffix == ".parquet":
                assert SECRET not in pd.read_parquet(path).to_csv(), path


def test_ids_are_keyed(restricted_run: Path) -> None:
    """Cases carry stand-in ids of 16 digits, as many as there are images and patients."""
    cases = pd.read_parquet(restricted_run / "cases.parquet")
    assert cases["image_id"].str.fullmatch("[0-9a-f]{16}").all()
    assert cases["image_id"].is_unique
    assert len(cases) == 38
    assert cases["patient_id"].nunique() == 20


def test_no_picture_shows_a_radiograph(restricted_run: Path) -> None:
    """The pictures beside the maps are a drawn outline: none correlates with a radiograph."""
    rng = np.random.default_rng(1)
    originals = [rng.integers(0, 255, (64, 64), dtype=np.uint8) for _ in range(40)]
    pictures = list(restricted_run.rglob("explanations/*.png"))
    assert pictures
    for picture in pictures:
        shown = Image.open(io.BytesIO(picture.read_bytes())).convert("L").resize((64, 64))
        flat = np.asarray(shown, float).ravel()
        for original in originals:
            assert abs(np.corrcoef(flat, original.ravel())[0, 1]) < 0.2


def test_exclusions_keep_their_reasons(restricted_run: Path) -> None:
    """What was left out is listed with reasons, without names."""
    exclusions = pd.read_csv(restricted_run / "exclusions.csv")
    assert len(exclusions) == 2
    assert exclusions["reason"].str.len().min() > 5


def test_a_reading_form_needs_the_name_the_data_and_the_key(
    restricted_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restricted radiographs come into a form only where they are asked for, found and keyed."""
    copy = tmp_path / "run"
    shutil.copytree(restricted_run, copy)
    (data,) = restricted_run.parents[2].glob("*-data")
    form = tmp_path / "form.html"
    asked = ["review", "export", copy, "--stage", "blind", "-o", form, "--cases", "3"]
    assert "give --include-restricted" in command(*asked).err
    asked.append("--include-restricted")
    assert "does not keep where its data lies" in command(*asked).err
    asked += ["--data", data / "images.csv"]
    (tmp_path / "other.key").write_bytes(b"a key of somebody else")
    monkeypatch.setenv("CXR_BENCH_KEY", str(tmp_path / "other.key"))
    assert "CXR_BENCH_KEY its key?" in command(*asked).err
    assert not form.exists()
    monkeypatch.setenv("CXR_BENCH_KEY", str(restricted_run.parents[2] / "key"))
    made = command(*asked)
    assert made.code == 0, made.err
    assert SECRET not in form.read_text()
    assert SECRET not in "".join(file.read_text() for file in (copy / "reviews").rglob("*.json"))
    assert form.read_text().count("data:image/jpeg") == 3
