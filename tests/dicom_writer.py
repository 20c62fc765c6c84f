"""Writes small DICOM files of every transfer syntax, and renders them the plain way.

`reference` is what our reader is measured against: pydicom's own steps at full size in float64,
then an area average.
"""

from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import UID, ComputedRadiographyImageStorage, generate_uid

BASE = "1.2.840.10008.1.2"
NATIVE = {
    "implicit": BASE,
    "explicit": f"{BASE}.1",
    "deflated": f"{BASE}.1.99",
    "big-endian": f"{BASE}.2",
}
COMPRESSED = {
    "rle": f"{BASE}.5",
    "jpeg-baseline": f"{BASE}.4.50",
    "jpeg-extended": f"{BASE}.4.51",
    "jpeg-lossless": f"{BASE}.4.57",
    "jpeg-lossless-sv1": f"{BASE}.4.70",
    "jpeg-ls": f"{BASE}.4.80",
    "jpeg-ls-near": f"{BASE}.4.81",
    "jpeg-2000": f"{BASE}.4.90",
    "jpeg-2000-lossy": f"{BASE}.4.91",
    "htj2k": f"{BASE}.4.201",
    "htj2k-lossy": f"{BASE}.4.203",
}
SYNTAXES = {**NATIVE, **COMPRESSED}


def phantom(
    rows: int = 96, columns: int = 80, bits: int = 12, *, scale: int = 16, seed: int = 0
) -> np.ndarray:
    """Return a noisy picture of shapes of about `scale` pixels that uses all of `bits`."""
    generator = np.random.default_rng(seed)
    coarse = generator.random((rows // scale + 2, columns // scale + 2))
    smooth = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
    noisy = smooth + generator.normal(0, 0.02, smooth.shape)
    low, high = noisy.min(), noisy.max()
    top = 2**bits - 1
    return np.rint((noisy - low) / (high - low) * top).astype(np.uint8 if bits <= 8 else np.uint16)


def write_dicom(
    path: Path, pixels: np.ndarray, *, syntax: str = "explicit", bits: int = 12, **elements: Any
) -> Path:
    """Write `pixels` as a CR image; `elements` override or add to its header (None removes)."""
    dataset = header(pixels, bits, elements)
    uid = UID(SYNTAXES[syntax])
    dataset.file_meta.TransferSyntaxUID = uid
    if syntax in COMPRESSED:
        dataset.PixelData = encapsulate([_encode(pixels, syntax, dataset)])
        dataset["PixelData"].is_undefined_length = True
    else:
        order = ">" if syntax == "big-endian" else "<"
        data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
        dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 or syntax in COMPRESSED else "OW"
    for keyword, value in elements.items():
        if value is None and keyword in dataset:
            del dataset[keyword]
    dataset.save_as(path, enforce_file_format=True)
    return path


def header(pixels: np.ndarray, bits: int, elements: dict[str, Any]) -> Dataset:
    """Return a header that fits `pixels`."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(pixels.sum())])
    dataset.Modality = "CR"
    dataset.PatientName = "Secret^Name"
    dataset.PatientID = "secret-id"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    for keyword, value in elements.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def _encode(pixels: np.ndarray, syntax: str, dataset: Dataset) -> bytes:
    bits = int(dataset.BitsStored)
    unsigned = pixels.view(np.dtype(f"u{pixels.dtype.itemsize}"))
    if syntax == "rle":
        return _rle(unsigned)
    if syntax == "jpeg-baseline":
        return imagecodecs.jpeg8_encode(unsigned, 95)
    if syntax == "jpeg-extended":
        return imagecodecs.jpeg8_encode(unsigned, 95, bitspersample=12)
    if syntax in ("jpeg-lossless", "jpeg-lossless-sv1"):
        predictor = 1 if syntax == "jpeg-lossless-sv1" else 4
        return imagecodecs.jpeg8_encode(
            unsigned, lossless=True, predictor=predictor, bitspersample=bits
        )
    if syntax in ("jpeg-ls", "jpeg-ls-near"):
        return imagecodecs.jpegls_encode(unsigned, 2 if syntax == "jpeg-ls-near" else 0)
    if syntax in ("jpeg-2000", "jpeg-2000-lossy"):
        return imagecodecs.jpeg2k_encode(
            pixels,
            0 if syntax == "jpeg-2000" else 60,
            codecformat="j2k",
            bitspersample=bits,
            reversible=syntax == "jpeg-2000",
        )
    return imagecodecs.htj2k_encode(pixels, reversible=syntax == "htj2k")


def _rle(pixels: np.ndarray) -> bytes:
    return RLELosslessEncoder.encode(
        pixels.tobytes(),
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=1,
        number_of_frames=1,
        bits_allocated=8 * pixels.dtype.itemsize,
        bits_stored=8 * pixels.dtype.itemsize,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        encoding_plugin="pydicom",
    )


def reference(path: Path, size: int) -> np.ndarray:
    """Render the plain way: pydicom's steps at full size in float64, then an area average."""
    dataset = pydicom.dcmread(path)
    values = apply_modality_lut(dataset.pixel_array, dataset)
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        shown = apply_voi_lut(values, dataset).astype(float) / (2**bits - 1)
    elif "WindowWidth" in dataset:
        low, high = _output_range(dataset)
        shown = (apply_voi_lut(values, dataset, index=0) - low) / (high - low)
    else:
        values = values.astype(float)
        shown = (values - values.min()) / (values.max() - values.min())
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    return cv2.resize(shown, (size, size), interpolation=cv2.INTER_AREA)


def _output_range(dataset: Dataset) -> tuple[float, float]:
    """Return the range that pydicom's `apply_windowing` maps to."""
    if dataset.get("ModalityLUTSequence"):
        return 0, 2 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    half = 2 ** (dataset.BitsStored - 1)
    low, high = (-half, half - 1) if dataset.PixelRepresentation else (0, 2 * half - 1)
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    return low * slope + intercept, high * slope + intercept
