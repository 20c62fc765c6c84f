"""The catalogue: conventions C1 to C17 as reports with all 14 labels (tests/unit/label_cases)."""

import math
import tomllib
from pathlib import Path

import pytest

from cxr.labeling import label_report

CODES = {
    "NF": "No Finding",
    "EC": "Enlarged Cardiomediastinum",
    "CM": "Cardiomegaly",
    "LO": "Lung Opacity",
    "LL": "Lung Lesion",
    "ED": "Edema",
    "CO": "Consolidation",
    "PN": "Pneumonia",
    "AT": "Atelectasis",
    "PT": "Pneumothorax",
    "PE": "Pleural Effusion",
    "PO": "Pleural Other",
    "FX": "Fracture",
    "SD": "Support Devices",
}
FOLDER = Path(__file__).parent / "label_cases"


def read_cases() -> list[tuple[str, str, str, str]]:
    return [
        (path.stem.replace("_first_try", "") + "/" + group, convention, report, labels)
        for path in sorted(FOLDER.glob("*.toml"))
        for group, cases in tomllib.loads(path.read_text(encoding="utf-8")).items()
        for convention, report, labels in cases
    ]


def expected(labels: str) -> dict[str, float]:
    pairs = (part.split("=") for part in labels.split())
    return {CODES[code]: float(value) for code, value in pairs}


def test_the_catalogue_is_wide():
    """The catalogue holds 400 cases and more, with every convention in it."""
    cases = read_cases()
    assert len(cases) >= 400
    assert {f"C{number}" for number in range(1, 18)} <= {case[1] for case in cases}


@pytest.mark.parametrize(("group", "convention", "report", "labels"), read_cases())
def test_catalogue(group, convention, report, labels):
    """Each report of the catalogue gets exactly its labels."""
    got = {name: value for name, value in label_report(report).as_dict().items() if value == value}
    assert got == expected(labels), f"{group} {convention}"
    assert all(not math.isnan(item.value) for item in label_report(report).evidence)
