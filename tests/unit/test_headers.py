"""Devices, modalities and ages, as the images' own headers and the study table have them."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmark.headers import describe_ages, describe_headers
from tests.dicom_writer import phantom, write_dicom


def test_devices_and_modalities_are_counted(tmp_path: Path) -> None:
    """Maker and model name a device; one that is silent is unknown; the commonest comes first."""
    made = [("Acme", "One", "DX"), ("Acme", "One", "DX"), ("Zeta", "", "CR"), ("", "", "CR")]
    paths = [
        write_dicom(
            tmp_path / f"{number}.dcm",
            phantom(),
            Manufacturer=maker,
            ManufacturerModelName=model,
            Modality=modality,
        )
        for number, (maker, model, modality) in enumerate(made)
    ]
    assert describe_headers(paths, jobs=1) == {
        "devices": {"Acme One": 2, "Zeta": 1, "unknown": 1},
        "modalities": {"DX": 2, "CR": 2},
    }


def test_pictures_without_headers_say_nothing(tmp_path: Path) -> None:
    """PNG files have no device and no modality, and none is made up."""
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    assert describe_headers([tmp_path / "a.png"], jobs=1) == {}


def test_ages_are_told_up_to_ninety() -> None:
    """Youngest, median and oldest of the known ages; nobody is singled out as older than 90."""
    assert describe_ages(pd.Series([30.0, 50.0, 101.0, np.nan])) == {
        "ages": {"low": 30.0, "median": 50.0, "high": 90.0}
    }
    assert describe_ages(pd.Series([np.nan])) == {}
