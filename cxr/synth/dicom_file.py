"""Write a phantom as the DICOM file that a detector would have sent.

Storage class, photometric interpretation and transfer syntax are drawn from the image id alone:
they are independent of view and findings, so that no network can read a diagnosis from them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from cxr.synth.exposure import WHITE
from cxr.synth.truth import Image, Study

MANUFACTURER = "cxr-bench synthetic phantom"
_SYNTAXES = (ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless)
_SHARES = (0.4, 0.7, 1.0)  # cumulated
_MONOCHROME1_SHARE = 0.35
_DX_SHARE = 0.6
_VIEW_CODES = {  # DICOM PS3.16 CID 4010
    "PA": ("399348003", "postero-anterior"),
    "AP": ("399321002", "antero-posterior"),
    "LATERAL": ("399260004", "medio-lateral"),
}
_VIEW_POSITIONS = {"PA": "PA", "AP": "AP", "LATERAL": "LL"}


@dataclass(frozen=True)
class Taken:
    """When and how an image was taken, as in the file and in the metadata table.

    Attributes:
        date: YYYYMMDD, shifted far into the future as in MIMIC-CXR.
        time: HHMMSS.FFF.
        erect: upright, or lying.
        procedure: what was ordered.
    """

    date: str
    time: str
    erect: bool
    procedure: str


def write_dicom(
    path: Path, study: Study, image: Image, taken: Taken, pixels: np.ndarray, *, spacing_mm: float
) -> None:
    """Write `pixels` ((rows, columns) uint16, 12 bits, bone bright) as a DICOM file."""
    syntax, inverted, digital = _form(image.image_id)
    storage = DigitalXRayImageStorageForPresentation if digital else ComputedRadiographyImageStorage
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = storage
    meta.MediaStorageSOPInstanceUID = _uid("image", image.image_id)
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = _uid("implementation", MANUFACTURER)
    meta.ImplementationVersionName = "CXR_BENCH"
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    _add_patient(file, study)
    _add_study(file, study, image, taken)
    _add_equipment(file, storage, meta.MediaStorageSOPInstanceUID, digital)
    if digital:
        _add_digital(file, image, inverted)
    _add_pixels(file, pixels, syntax, inverted, spacing_mm)
    file.save_as(path, enforce_file_format=True)


def _form(image_id: str) -> tuple[UID, bool, bool]:
    """Return transfer syntax, whether white is stored as 0, and DX rather than CR."""
    drawn = np.frombuffer(hashlib.sha256(f"form {image_id}".encode()).digest()[:12], "<u4")
    syntax, inverted, digital = (float(value) / 2**32 for value in drawn)
    return (
        _SYNTAXES[int(np.searchsorted(_SHARES, syntax, side="right"))],
        inverted < _MONOCHROME1_SHARE,
        digital < _DX_SHARE,
    )


def _uid(kind: str, name: str) -> UID:
    """Return a UID that follows from its name (DICOM PS3.5 B.2, "2.25." and a UUID)."""
    digest = hashlib.sha256(f"cxr-bench {kind} {name}".encode()).digest()[:16]
    return UID(f"2.25.{int.from_bytes(digest, 'big')}")


def _add_patient(file: Dataset, study: Study) -> None:
    file.SpecificCharacterSet = "ISO_IR 100"
    file.PatientName = "SYNTHETIC"
    file.PatientID = study.patient.patient_id
    file.PatientBirthDate = ""
    file.PatientSex = study.patient.sex
    file.PatientAge = f"{study.patient.age:03d}Y"
    file.PatientIdentityRemoved = "YES"
    file.DeidentificationMethod = "SYNTHETIC PHANTOM, NO PATIENT"


def _add_study(file: Dataset, study: Study, image: Image, taken: Taken) -> None:
    number = study.images.index(image) + 1
    file.StudyInstanceUID = _uid("study", study.study_id)
    file.SeriesInstanceUID = _uid("series", f"{study.study_id} {number}")
    file.StudyID = study.study_id
    file.AccessionNumber = ""
    file.ReferringPhysicianName = ""
    file.StudyDate = file.SeriesDate = file.ContentDate = file.AcquisitionDate = taken.date
    file.StudyTime = file.SeriesTime = file.ContentTime = file.AcquisitionTime = taken.time
    file.StudyDescription = taken.procedure
    file.SeriesNumber = str(number)
    file.InstanceNumber = "1"
    file.BodyPartExamined = "CHEST"
    file.ViewPosition = _VIEW_POSITIONS[image.view]
    file.PatientOrientation = ["P", "F"] if image.view == "LATERAL" else ["L", "F"]


def _add_equipment(file: Dataset, storage: UID, instance: UID, digital: bool) -> None:
    file.SOPClassUID = storage
    file.SOPInstanceUID = instance
    file.Modality = "DX" if digital else "CR"
    file.ImageType = ["ORIGINAL" if digital else "DERIVED", "PRIMARY"]
    file.Manufacturer = MANUFACTURER
    file.ManufacturerModelName = "parametric thorax"
    file.InstitutionName = ""


def _add_digital(file: Dataset, image: Image, inverted: bool) -> None:
    """Add what the DX modules ask for (DICOM PS3.3 C.8.11)."""
    file.PresentationIntentType = "FOR PRESENTATION"
    file.DetectorType = "SCINTILLATOR"
    file.DetectorConfiguration = "AREA"
    file.DetectorActiveShape = "RECTANGLE"
    file.PositionerType = "NONE"
    file.ImageLaterality = "U"
    file.AnatomicRegionSequence = Sequence([_code("43799004", "Chest")])
    view = _code(*_VIEW_CODES[image.view])
    view.ViewModifierCodeSequence = Sequence([])
    file.ViewCodeSequence = Sequence([view])
    file.AcquisitionContextSequence = Sequence([])
    file.PixelIntensityRelationship = "LOG"
    file.PixelIntensityRelationshipSign = 1 if inverted else -1
    file.RescaleIntercept, file.RescaleSlope, file.RescaleType = "0", "1", "US"
    file.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    file.BurnedInAnnotation = "NO"


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    return code


def _add_pixels(
    file: Dataset, pixels: np.ndarray, syntax: UID, inverted: bool, spacing_mm: float
) -> None:
    stored = (WHITE - pixels if inverted else pixels).astype("<u2")
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    file.Rows, file.Columns = stored.shape
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    spacing = f"{spacing_mm:.6g}"
    file.ImagerPixelSpacing = [spacing, spacing]
    file.PixelSpacing = [spacing, spacing]
    file.WindowCenter, file.WindowWidth = "2048", "4096"
    file.LossyImageCompression = "00"
    if syntax == ExplicitVRLittleEndian:
        file.PixelData = stored.tobytes()
    else:
        encode = _rle if syntax == RLELossless else _jpeg_2000
        file.PixelData = encapsulate([encode(stored)])
        file["PixelData"].is_undefined_length = True
    file["PixelData"].VR = "OW" if syntax == ExplicitVRLittleEndian else "OB"


def _rle(stored: np.ndarray) -> bytes:
    """Encode one frame in DICOM's RLE: a PackBits segment per byte, high bytes first (PS3.5 G)."""
    planes = stored.view(np.uint8).reshape(*stored.shape, 2)
    segments = []
    for plane in (planes[..., 1], planes[..., 0]):
        coded = bytes(imagecodecs.packbits_encode(np.ascontiguousarray(plane)))
        segments.append(coded + b"\0" * (len(coded) % 2))
    header = np.zeros(16, "<u4")
    header[:3] = 2, 64, 64 + len(segments[0])
    return header.tobytes() + b"".join(segments)


def _jpeg_2000(stored: np.ndarray) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            stored, level=0, codecformat="j2k", bitspersample=12, reversible=True, numthreads=1
        )
    )
