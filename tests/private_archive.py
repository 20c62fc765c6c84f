"""DICOM of made-up patients whose names and dates stand in every place that has room for them."""

import re
from pathlib import Path

from tests.dicom_writer import phantom, write_dicom
from tests.source_trees import table

NAMES = ("Zebrafinch", "19340217", "20190508", "Birchwood", "MRN-7788")
_UID = re.compile(rb"1\.2\.826\.\d+\.\d+")


def write_archive(folder: Path, images: int = 40) -> Path:
    """Write the files, one of them broken, and a manifest; return the manifest."""
    folder.mkdir()
    rows = ["image_path,patient_id,report"]
    for number in range(images):
        path = write_dicom(
            folder / f"{number}.dcm",
            phantom(64, 64, seed=number),
            PatientName="Zebrafinch^Jane",
            PatientID="MRN-7788",
            PatientBirthDate="19340217",
            StudyDate="20190508",
            StudyDescription="Zebrafinch follow-up",
            InstitutionName="Birchwood Clinic",
            ViewPosition="PA",
        )
        words = "Pulmonary edema." if number // 2 % 2 else "No edema."
        rows.append(f"{path.name},p{number // 2},FINDINGS: {words}")
    (folder / "5.dcm").write_bytes((folder / "5.dcm").read_bytes()[:3000])
    return table(folder / "list.csv", rows)


def leaks(texts: list[str], folders: list[Path]) -> list[str]:
    """Return the names, dates and UIDs that stand in the texts or in any file of the folders."""
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    contents = [text.encode() for text in texts] + [file.read_bytes() for file in files]
    assert len(contents) > len(texts)
    found = [name for name in NAMES if any(name.encode() in content for content in contents)]
    return found + (["a UID"] if any(_UID.search(content) for content in contents) else [])
