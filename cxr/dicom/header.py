"""What a DICOM header says about a radiograph: read without touching the pixels.

Nothing that names a patient (name, birth date, UIDs) is kept.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from cxr.dicom.files import DicomFile, open_dicom, quiet
from cxr.errors import RadiographError

VIEW_POSITIONS: dict[str, str] = {
    "PA": "PA",
    "AP": "AP",
    "LATERAL": "LATERAL",
    "LL": "LATERAL",
    "RL": "LATERAL",
    "POSTERO-ANTERIOR": "PA",
    "POSTEROANTERIOR": "PA",
    "ANTERO-POSTERIOR": "AP",
    "ANTEROPOSTERIOR": "AP",
    "LEFT LATERAL": "LATERAL",
    "RIGHT LATERAL": "LATERAL",
    "LAT": "LATERAL",
    "L": "LATERAL",
    "AP SUPINE": "AP",
    "XTABLE LATERAL": "LATERAL",
}
"""View Position (0018,5101) and view code meanings, in capitals -> the study table's view. What
is not here (obliques, decubitus, axial) is none of the three."""


@dataclass(frozen=True)
class Header:
    """The facts of a header that a benchmark may need; empty or 0 where the header is silent.

    Attributes:
        view: "PA", "AP", "LATERAL" or "".
        view_position: the header's own words, such as "AP AXIAL".
        sex: "F", "M" or "".
        age: years; NaN where unknown.
        patient_orientation: such as ("L", "F"): where rows and columns run to.
        bits_stored: meaningful bits of each stored value.
    """

    view: str
    view_position: str
    photometric: str
    transfer_syntax: str
    modality: str
    body_part: str
    manufacturer: str
    model: str
    rows: int
    columns: int
    frames: int
    bits_stored: int
    sex: str
    age: float
    patient_orientation: tuple[str, ...]


def read_header(path: Path | str) -> Header:
    """Read the header of a DICOM file.

    Raises:
        RadiographError: the file can't be opened, or is not DICOM.
    """
    try:
        file = open_dicom(Path(path))
        with quiet():
            return describe(file)
    except RadiographError as error:
        raise type(error)(f"{path}: {error}") from error


def describe(file: DicomFile) -> Header:
    """Return the header of an opened file."""
    dataset = file.dataset
    position = text(dataset, "ViewPosition").upper()
    return Header(
        view=standard_view(position) or standard_view(_view_code(dataset)),
        view_position=position or _view_code(dataset).upper(),
        photometric=text(dataset, "PhotometricInterpretation").upper(),
        transfer_syntax=file.transfer_syntax,
        modality=text(dataset, "Modality"),
        body_part=text(dataset, "BodyPartExamined"),
        manufacturer=text(dataset, "Manufacturer"),
        model=text(dataset, "ManufacturerModelName"),
        rows=integer(dataset, "Rows"),
        columns=integer(dataset, "Columns"),
        frames=integer(dataset, "NumberOfFrames", 1),
        bits_stored=integer(dataset, "BitsStored"),
        sex=sex if (sex := text(dataset, "PatientSex").upper()) in ("F", "M") else "",
        age=age_years(text(dataset, "PatientAge")),
        patient_orientation=tuple(str(end) for end in _values(dataset, "PatientOrientation")),
    )


def standard_view(position: str) -> str:
    """Return "PA", "AP", "LATERAL", or "" for a view position or view code meaning."""
    return VIEW_POSITIONS.get(" ".join(position.upper().split()), "")


def age_years(value: str) -> float:
    """Return the years of a DICOM age string ("045Y", "018M", "003W", "012D"); NaN if none."""
    number, unit = value[:-1], value[-1:].upper()
    per_year = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}.get(unit)
    return int(number) / per_year if per_year and number.isdigit() else float("nan")


def text(dataset: Dataset, keyword: str) -> str:
    """Return an element as text; empty where it is absent or can't be read."""
    return str(value).strip() if (value := _value(dataset, keyword)) is not None else ""


def integer(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """Return an element as an integer; `default` where it is absent or can't be read."""
    try:
        return int(_value(dataset, keyword))
    except (TypeError, ValueError):
        return default


def _value(dataset: Dataset, keyword: str) -> Any:
    # pydicom parses an element on access, so a damaged one raises only here.
    try:
        return dataset.get(keyword)
    except Exception:
        return None


def _values(dataset: Dataset, keyword: str) -> list[Any]:
    value = _value(dataset, keyword)
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str | int | float) else list(value)


def _view_code(dataset: Dataset) -> str:
    codes = _values(dataset, "ViewCodeSequence")
    return text(codes[0], "CodeMeaning") if codes else ""
