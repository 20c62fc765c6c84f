"""A map as DICOM Secondary Capture that refers to the image it was made of.

DICOM PS3.3 A.8.1 (the object), C.7.6.1.1.4 (the reference), CID 7202 (its purpose). Patient and
study are the source's own, so that an archive files the map beside the image; series and
instance are new.
"""

import hashlib
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from benchmark.runs import replacing
from cxr import __version__
from cxr.dicom.files import quiet
from cxr.errors import InputError

SERIES = "cxr-bench heatmaps, not for clinical use"

_KEPT = (  # patient and study modules; what the source lacks is there and empty
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
_KEPT_WHERE_THERE = (
    "SpecificCharacterSet",
    "PatientAge",
    "StudyDescription",
    "BodyPartExamined",
    "Laterality",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
)


def write_capture(
    path: Path,
    source: Path,
    picture: NDArray[np.uint8],
    *,
    number: int,
    words: str,
    now: datetime,
) -> None:
    """Write a picture of a map as Secondary Capture.

    Args:
        path: the file to write.
        source: the DICOM file of the image that the map is of.
        picture: (rows, columns, 3) uint8, with its notice burnt in.
        number: of the instance in its series, from 1.
        words: how it was made, at most 1,024 characters.
        now: when.

    Raises:
        InputError: the source's header has no identity to refer to.
    """
    with quiet():  # what is wrong in the source's own header stays as it is
        file = _derived(source, picture, number=number, words=words, now=now)
        with replacing(path) as temporary:
            file.save_as(temporary, enforce_file_format=True)


def _derived(
    source: Path, picture: NDArray[np.uint8], *, number: int, words: str, now: datetime
) -> FileDataset:
    given = dcmread(source, stop_before_pixels=True, force=True)
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        if not given.get(keyword):
            raise InputError(f"{source}: it has no {keyword}, so no DICOM object can refer to it.")
    instance = _uid(given.SOPInstanceUID, now.isoformat(), words, picture.tobytes())
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _uid("implementation", __version__)
    meta.ImplementationVersionName = "CXR_BENCH"
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword in _KEPT:
        setattr(file, keyword, given.get(keyword, "") or "")
    for keyword in _KEPT_WHERE_THERE:
        if given.get(keyword) is not None:
            setattr(file, keyword, given.get(keyword))
    file.SOPClassUID, file.SOPInstanceUID = SecondaryCaptureImageStorage, instance
    file.Modality, file.ConversionType = "OT", "WSD"
    file.SeriesInstanceUID = _uid("series", given.SeriesInstanceUID, now.isoformat())
    file.SeriesNumber, file.InstanceNumber = "9001", str(number)
    file.SeriesDescription, file.Manufacturer = SERIES, "cxr-bench"
    file.SecondaryCaptureDeviceManufacturer = "cxr-bench"
    file.SecondaryCaptureDeviceSoftwareVersions = __version__
    file.ImageType = ["DERIVED", "SECONDARY"]
    file.PatientOrientation = given.get("PatientOrientation") or ""
    file.ContentDate = file.SeriesDate = now.strftime("%Y%m%d")
    file.ContentTime = file.SeriesTime = now.strftime("%H%M%S")
    file.DerivationDescription = words
    file.SourceImageSequence = Sequence([_reference(given)])
    _add_pixels(file, picture, given)
    return file


def _reference(given: Dataset) -> Dataset:
    reference, purpose = Dataset(), Dataset()
    reference.ReferencedSOPClassUID = given.SOPClassUID
    reference.ReferencedSOPInstanceUID = given.SOPInstanceUID
    purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
    purpose.CodeMeaning = "Source image for image processing operation"
    reference.PurposeOfReferenceCodeSequence = Sequence([purpose])
    return reference


def _add_pixels(file: Dataset, picture: NDArray[np.uint8], given: Dataset) -> None:
    file.SamplesPerPixel, file.PhotometricInterpretation = 3, "RGB"
    file.PlanarConfiguration = 0
    file.Rows, file.Columns = picture.shape[:2]
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 8, 8, 7, 0
    file.BurnedInAnnotation = "YES"
    file.LossyImageCompression = "01" if given.get("LossyImageCompression") == "01" else "00"
    if file.LossyImageCompression == "01":
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if given.get(keyword) is not None:
                setattr(file, keyword, given.get(keyword))
    content = picture.tobytes()
    file.PixelData = content + b"\0" * (len(content) % 2)
    file["PixelData"].VR = "OB"


def _uid(*parts: str | bytes) -> UID:
    """Return a UID that follows from the parts (DICOM PS3.5 B.2, "2.25." and a UUID)."""
    digest = hashlib.sha256(b"cxr-bench")
    for part in parts:
        digest.update(part if isinstance(part, bytes) else str(part).encode())
        digest.update(b"\0")
    return UID(f"2.25.{int.from_bytes(digest.digest()[:16], 'big')}")
