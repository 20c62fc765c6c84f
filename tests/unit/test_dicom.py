import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedXAImageStorage

import cxr
from cxr.dicom import quantize, read_header, read_radiograph
from cxr.dicom.files import open_dicom
from cxr.dicom.frames import read_frame, read_layout
from cxr.errors import RadiographError
from tests.dicom_writer import NATIVE, SYNTAXES, phantom, reference, write_dicom

LOSSY_TOLERANCE = {
    "jpeg-baseline": 0.002,  # decoders may round an inverse cosine transform differently
    "jpeg-extended": 0.001,
    "htj2k-lossy": 0.001,
}
"""Mean difference of the range that we allow; every other syntax is exact to rounding."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.dcm"


def assert_like_reference(path, size=32, mean=1e-5, worst=1e-4):
    difference = np.abs(read_radiograph(path, size=size) - reference(path, size))
    assert difference.mean() <= mean
    assert difference.max() <= worst


def refusal(path):
    with pytest.raises(RadiographError) as caught:
        read_radiograph(path, size=16)
    return str(caught.value)


def lookup_item(first, entries, bits=16):
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, first, bits]
    item.LUTData = [int(entry) for entry in entries]
    item["LUTData"].VR = "US"
    return Sequence([item])


# Transfer syntaxes


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_transfer_syntax_shows_what_pydicom_shows(path, syntax, bits):
    """Every transfer syntax of radiography gives the picture of pydicom's own float64 steps."""
    if {"jpeg-baseline": 8, "jpeg-extended": 12}.get(syntax, bits) != bits:
        pytest.skip("the syntax has one depth")
    pixels = phantom(97, 81, bits)  # odd, so that 8 bits need a pad byte
    window = {"WindowCenter": 2**bits * 0.5, "WindowWidth": 2**bits * 0.7}
    write_dicom(path, pixels, syntax=syntax, bits=bits, **window)
    allowed = LOSSY_TOLERANCE.get(syntax, 1e-5)
    assert_like_reference(path, mean=allowed, worst=max(5 * allowed, 1e-4))


@pytest.mark.parametrize("syntax", ["jpeg-2000", "jpeg-2000-lossy"])
def test_jpeg_2000_at_a_lower_resolution_stays_close(path, syntax):
    """JPEG 2000 that is decoded at a fraction of its size differs by less than 0.002 on average."""
    write_dicom(
        path, phantom(1100, 900, scale=64), syntax=syntax, WindowCenter=2048, WindowWidth=3000
    )
    assert_like_reference(path, size=64, mean=0.002, worst=0.02)


@pytest.mark.parametrize("shape", [(513, 514), (515, 516), (517, 519), (521, 600)])
@pytest.mark.parametrize("syntax", ["jpeg-2000", "htj2k"])
@pytest.mark.parametrize("signed", [False, True])
def test_jpeg_2000_of_any_size_and_sign_is_read_at_a_lower_resolution(path, syntax, shape, signed):
    """Whatever the size and sign, a quarter of the resolution is decoded where that is enough."""
    pixels = phantom(*shape, scale=64)
    if signed:
        pixels = (pixels.astype(np.int16) - 2048).astype(np.int16)
    center = 0 if signed else 2048
    bits = {"bits": 12} if syntax == "jpeg-2000" else {"bits": 16}  # HTJ2K codes whole words
    write_dicom(path, pixels, syntax=syntax, WindowCenter=center, WindowWidth=4096, **bits)
    file = open_dicom(path)
    assert read_frame(file, read_layout(file), smallest=128).reduced == 2
    assert_like_reference(path, size=64, mean=0.002, worst=0.02)


def test_jpeg_2000_is_read_without_a_window_at_full_resolution(path):
    """The range of a JPEG 2000 image without a window is that of all its pixels."""
    write_dicom(path, phantom(600, 500), syntax="jpeg-2000")
    assert_like_reference(path)


@pytest.mark.parametrize("syntax", [*NATIVE, "rle", "jpeg-lossless", "jpeg-ls", "jpeg-2000"])
def test_signed_pixels_keep_their_sign(path, syntax):
    """Signed values below their word's size are read as signed in every syntax."""
    pixels = (phantom(96, 80, 12).astype(np.int16) - 2048).astype(np.int16)
    window = {"WindowCenter": 0, "WindowWidth": 4000}
    if syntax in ("jpeg-lossless", "jpeg-ls"):  # these codes hold no sign, only the bits
        bits = pixels.view(np.uint16) & 0xFFF
        write_dicom(
            path, bits, syntax=syntax, PixelRepresentation=1, WindowCenter=0, WindowWidth=4000
        )
    else:
        write_dicom(path, pixels, syntax=syntax, **window)
    shown = read_radiograph(path, size=96, fit="letterbox")[:, 8:-8]
    expected = np.clip((pixels + 0.5) / 3999 + 0.5, 0, 1)
    np.testing.assert_allclose(shown, expected, atol=1e-5)


def test_a_lossy_code_may_overshoot_bits_stored_a_little(path):
    """Values just above Bits Stored in a lossy 12-bit code of 10 bits count as white."""
    write_dicom(
        path,
        phantom(96, 80, 10),
        syntax="jpeg-extended",
        bits=10,
        WindowCenter=512,
        WindowWidth=900,
    )
    shown = read_radiograph(path, size=32)
    assert np.isfinite(shown).all()


def test_a_file_without_preamble_is_read(path):
    """A bare data set without preamble and file meta is read as Implicit VR Little Endian."""
    write_dicom(path, phantom(), syntax="implicit", WindowCenter=2048, WindowWidth=4000)
    expected = read_radiograph(path, size=32)
    content = path.read_bytes()
    meta_length = pydicom.dcmread(path).file_meta.FileMetaInformationGroupLength
    path.write_bytes(content[132 + 12 + meta_length :])
    np.testing.assert_array_equal(read_radiograph(path, size=32), expected)


# Modality


def test_rescale_comes_before_the_window(path):
    """Rescale slope and intercept are applied before the window."""
    write_dicom(
        path,
        phantom(),
        RescaleSlope=0.5,
        RescaleIntercept=-300,
        WindowCenter=700,
        WindowWidth=1500,
    )
    assert_like_reference(path)


def test_a_negative_slope_inverts(path):
    """A negative rescale slope turns the order of values."""
    write_dicom(path, phantom(), RescaleSlope=-1, RescaleIntercept=4095)
    assert_like_reference(path)


def test_a_modality_lut_comes_before_the_window(path):
    """A Modality LUT Sequence replaces the rescale and is applied before the window."""
    entries = np.linspace(0, 255, 4096) ** 2
    write_dicom(
        path,
        phantom(),
        ModalityLUTSequence=lookup_item(0, entries),
        WindowCenter=30000,
        WindowWidth=50000,
    )
    assert_like_reference(path)


# VOI


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(2048, 4096), (1000, 1), (2000.5, 333.25)])
def test_every_window_function_follows_the_standard(path, function, center, width):
    """Windows are applied as PS3.3 C.11.2.1.2 and C.11.2.1.3 define them."""
    write_dicom(path, phantom(), WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    if function in (None, "LINEAR") and width == 1:  # pydicom divides by zero here
        shown = read_radiograph(path, size=80)
        assert set(np.unique(np.rint(shown))) == {0, 1}
        return
    assert_like_reference(path)


def test_the_first_of_several_windows_counts(path):
    """Where a header offers several windows the first is used."""
    write_dicom(path, phantom(), WindowCenter=[1000, 3000], WindowWidth=[800, 500])
    several = read_radiograph(path, size=32)
    write_dicom(path, phantom(), WindowCenter=1000, WindowWidth=800)
    np.testing.assert_array_equal(several, read_radiograph(path, size=32))


@pytest.mark.parametrize(("center", "width"), [(2048, 0), (2048, -5), ("", ""), (2048, None)])
def test_an_invalid_window_counts_as_none(path, center, width):
    """A window that can't be is passed over for the range of the values."""
    write_dicom(path, phantom(), WindowCenter=center, WindowWidth=width)
    invalid = read_radiograph(path, size=32)
    write_dicom(path, phantom())
    np.testing.assert_array_equal(invalid, read_radiograph(path, size=32))


def test_a_voi_lut_comes_before_a_window(path):
    """A VOI LUT Sequence is used where both it and a window are there."""
    entries = np.sqrt(np.arange(3000)) / np.sqrt(3000) * 4095
    write_dicom(
        path,
        phantom(),
        VOILUTSequence=lookup_item(500, entries, bits=12),
        WindowCenter=100,
        WindowWidth=10,
    )
    assert_like_reference(path)


def test_a_voi_lut_of_packed_bytes_is_read(path):
    """Eight-bit LUT entries packed two to a word are unpacked."""
    packed = lookup_item(0, range(256), bits=8)
    packed[0].add_new("LUTData", "OW", bytes(range(255, -1, -1)))
    write_dicom(path, phantom(bits=8), bits=8, VOILUTSequence=packed)
    flipped = read_radiograph(path, size=80)
    write_dicom(path, phantom(bits=8), bits=8)
    np.testing.assert_allclose(flipped, 1 - read_radiograph(path, size=80), atol=1e-6)


def test_without_a_window_the_range_of_the_values_is_shown(path):
    """An image without VOI runs from its smallest to its largest value."""
    write_dicom(path, phantom(80, 80, 10) + 100, bits=12)
    shown = read_radiograph(path, size=80)
    assert (shown.min(), shown.max()) == (0, 1)
    assert_like_reference(path)


def test_an_enhanced_object_with_one_frame_has_its_window_in_functional_groups(path):
    """The window of a one-frame enhanced object is found in its functional groups."""
    voi, group = Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = 1000, 800
    group.FrameVOILUTSequence = Sequence([voi])
    write_dicom(
        path,
        phantom(),
        SOPClassUID=EnhancedXAImageStorage,
        NumberOfFrames=1,
        SharedFunctionalGroupsSequence=Sequence([group]),
    )
    deep = read_radiograph(path, size=32)
    write_dicom(path, phantom(), WindowCenter=1000, WindowWidth=800)
    np.testing.assert_array_equal(deep, read_radiograph(path, size=32))


# Presentation


@pytest.mark.parametrize(
    ("photometric", "shape"),
    [("MONOCHROME1", None), ("MONOCHROME1", "INVERSE"), ("MONOCHROME2", "INVERSE")],
)
def test_monochrome1_and_inverse_invert_once(path, photometric, shape):
    """MONOCHROME1, the shape INVERSE, or both together are one inversion."""
    window = {"WindowCenter": 2000, "WindowWidth": 3000}
    write_dicom(path, phantom(), **window)
    plain = read_radiograph(path, size=32)
    write_dicom(
        path,
        phantom(),
        PhotometricInterpretation=photometric,
        PresentationLUTShape=shape,
        **window,
    )
    np.testing.assert_allclose(read_radiograph(path, size=32), 1 - plain, atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("limit", [None, 60010])
def test_padding_is_black_and_outside_the_range(path, photometric, limit):
    """Padding, one value or a range of them, is black and does not widen the range."""
    pixels = phantom(80, 80, 12)
    padded = pixels.copy()
    padded[:8] = 60000 if limit is None else np.arange(60000, 60008)[:, None]
    write_dicom(
        path,
        padded,
        bits=16,
        PhotometricInterpretation=photometric,
        PixelPaddingValue=60000,
        PixelPaddingRangeLimit=limit,
    )
    shown = read_radiograph(path, size=80)
    inside = (pixels[8:] - pixels[8:].min()) / np.ptp(pixels[8:])
    assert (shown[:8] == 0).all()
    expected = 1 - inside if photometric == "MONOCHROME1" else inside
    np.testing.assert_allclose(shown[8:], expected, atol=1e-5)


def test_padding_beside_the_picture_does_not_bleed_into_jpeg_2000(path):
    """Padding that would be white by itself is black in JPEG 2000 too, up to its edge."""
    pixels = phantom(600, 600, scale=64)
    pixels[:300] = 0
    window = {"WindowCenter": 2048, "WindowWidth": 4096, "PixelPaddingValue": 0}
    inverted = {"PhotometricInterpretation": "MONOCHROME1", **window}
    write_dicom(path, pixels, syntax="jpeg-2000", **inverted)
    compressed = read_radiograph(path, size=60)
    write_dicom(path, pixels, **inverted)
    assert (compressed[:30] == 0).all()
    np.testing.assert_array_equal(compressed, read_radiograph(path, size=60))


# Bits


def test_bits_that_do_not_start_at_the_bottom_are_moved_there(path):
    """A High Bit above Bits Stored - 1 says that values stand higher in their words."""
    pixels = phantom()
    write_dicom(path, pixels)
    plain = read_radiograph(path, size=32)
    write_dicom(path, pixels << 4, HighBit=15)
    np.testing.assert_array_equal(read_radiograph(path, size=32), plain)


def test_an_overlay_in_the_unused_bits_is_masked(path):
    """An old overlay in the bits above Bits Stored does not show."""
    pixels = phantom()
    write_dicom(path, pixels)
    plain = read_radiograph(path, size=32)
    drawn = pixels.copy()
    drawn[10:20] |= 0x1000
    write_dicom(path, drawn)
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x60000100, "US", 16)
    dataset.add_new(0x60000102, "US", 12)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_radiograph(path, size=32), plain)


def test_values_beyond_bits_stored_are_refused(path):
    """Words with bits where the header says there are none are not silently wrapped."""
    write_dicom(path, phantom(bits=12), bits=10, WindowCenter=500, WindowWidth=900)
    assert "beyond Bits Stored" in refusal(path)


# Size and shape


def test_the_result_is_float32_in_0_to_1_of_the_size_asked(path):
    """A radiograph is float32, size x size, from 0 to 1, 224 pixels unless told otherwise."""
    write_dicom(path, phantom(300, 260))
    shown = cxr.read_radiograph(path)
    assert (shown.shape, shown.dtype) == ((224, 224), np.float32)
    assert 0 <= shown.min() < shown.max() <= 1


def test_an_image_of_the_size_asked_is_not_resampled(path):
    """An image that has the size already keeps every pixel."""
    pixels = phantom(64, 64)
    write_dicom(path, pixels)
    np.testing.assert_allclose(read_radiograph(path, size=64), pixels / 4095, atol=1e-6)


def test_a_letterbox_keeps_the_aspect_with_black_beside(path):
    """Letterboxing a tall image leaves black left and right."""
    write_dicom(path, phantom(120, 60))
    shown = read_radiograph(path, size=40, fit="letterbox")
    assert (shown[:, :10] == 0).all()
    assert (shown[:, 30:] == 0).all()
    assert shown[:, 10:30].std() > 0


def test_a_letterbox_goes_by_the_spacing_of_the_pixels(path):
    """Pixels twice as high as wide make a square of a wide image."""
    write_dicom(path, phantom(60, 120), PixelSpacing=[0.2, 0.1])
    squashed = read_radiograph(path, size=40)
    np.testing.assert_array_equal(read_radiograph(path, size=40, fit="letterbox"), squashed)


def test_a_small_image_is_grown_smoothly(path):
    """An image smaller than the size asked is interpolated."""
    write_dicom(path, np.array([[0, 4095], [0, 4095]], dtype=np.uint16))
    shown = read_radiograph(path, size=8)
    assert shown.shape == (8, 8)
    assert (np.diff(shown[0]) >= 0).all()
    assert len(np.unique(shown[0])) > 2


# Refusals


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "not a radiograph"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "not a radiograph"),
        ({"NumberOfFrames": 2}, "several frames"),
        ({"Modality": "CT"}, "modality is CT"),
        ({"Rows": 500}, "truncated: 15360 of 80000 bytes"),
        ({"Rows": 60000, "Columns": 60000}, "60000 x 60000 pixels, more than any detector"),
        ({"Rows": 0}, "no rows and columns"),
        ({"BitsAllocated": 32}, "allocates 32 bits"),
        ({"BitsStored": 17}, "stores 17 bits in 16"),
        ({"HighBit": 3}, "High Bit contradicts"),
        ({"WindowCenter": -9000, "WindowWidth": 10}, "single grey"),
        ({"WindowCenter": 9, "WindowWidth": 9, "VOILUTFunction": "ODD"}, "VOI LUT Function"),
        ({"VOILUTSequence": lookup_item(0, [1, 2, 70], bits=6)}, "lookup table contradicts"),
    ],
)
def test_a_header_that_is_not_a_radiographs_is_refused(path, change, words):
    """What is not one grey frame that agrees with its header is refused with a sentence."""
    write_dicom(path, phantom(), **change)
    message = refusal(path)
    assert words in message
    assert message.startswith(f"{path}: ")
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize("syntax", ["explicit", "jpeg-2000", "jpeg-lossless", "rle", "htj2k"])
def test_a_false_size_is_not_allocated(path, syntax):
    """A header that claims 60,000 x 60,000 pixels is refused without memory for them."""
    write_dicom(path, phantom(), syntax=syntax, Rows=60000, Columns=60000)
    tracemalloc.start()
    refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**24


@pytest.mark.parametrize("syntax", [name for name in SYNTAXES if name not in NATIVE])
def test_a_codestream_of_another_size_is_refused(path, syntax):
    """Compressed pixels that are not of the header's size are refused."""
    bits = 8 if syntax == "jpeg-baseline" else 12
    write_dicom(path, phantom(96, 80, bits), syntax=syntax, bits=bits, Rows=192, Columns=40)
    if syntax == "rle":  # RLE holds no size; the same number of pixels can't be told apart
        write_dicom(path, phantom(96, 80, bits), syntax=syntax, bits=bits, Rows=192)
    assert "compressed pixels" in refusal(path)


@pytest.mark.parametrize("syntax", [name for name in SYNTAXES if name != "deflated"])
def test_a_truncated_file_is_refused(path, syntax):
    """A file that breaks off in its pixels is refused."""
    bits = 8 if syntax == "jpeg-baseline" else 12
    write_dicom(path, phantom(96, 80, bits), syntax=syntax, bits=bits)
    path.write_bytes(path.read_bytes()[:-400])
    assert "truncated" in refusal(path)


def test_a_deflated_bomb_is_not_inflated(path, monkeypatch):
    """A deflated file is inflated only as far as an image can need."""
    monkeypatch.setattr("cxr.dicom.files.MAX_PIXELS", -(2**23) + 2000)
    write_dicom(path, phantom(), syntax="deflated")
    assert "inflates to more" in refusal(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"This is a text file, not an image.\n" * 20, "not a"),
        (b"\0" * 128 + b"DICM", "holds no pixels"),
        (b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\xff\xff", "holds no pixels"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "can't be decoded"),
        (b"\xff\xd8\xff" + b"\0" * 100, "can't be decoded"),
    ],
)
def test_a_file_that_is_no_image_is_refused(path, content, words):
    """Text, empty files and stubs are refused whatever their name says."""
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    """A path that leads to no file is refused with the path."""
    assert "there is no such file" in refusal(tmp_path / "none.dcm")
    assert "can't be opened" in refusal(tmp_path)


def test_an_unknown_transfer_syntax_is_named(path):
    """A syntax that no decoder covers is named in the sentence."""
    write_dicom(path, phantom(), syntax="jpeg-ls")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.99", 1))
    assert "1.2.840.10008.1.2.4.99" in refusal(path)


def test_messages_hold_nothing_of_the_patient(path, recwarn, caplog):
    """No message, warning or log quotes the header's private values, not even odd ones."""
    with pydicom.config.disable_value_validation():
        write_dicom(
            path, phantom(), Rows=500, PatientBirthDate="secret date", PatientAge="secret age"
        )
    assert "ecret" not in refusal(path)
    assert read_header(path).rows == 500
    assert not [warning for warning in recwarn if "ecret" in str(warning.message)]
    assert "ecret" not in caplog.text


# Pictures


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_pictures_of_8_bits_show_their_values(tmp_path, mode):
    """An 8-bit PNG is shown as it is, colour and transparency dropped."""
    path = tmp_path / "picture.png"
    grey = phantom(60, 60, 8)
    Image.fromarray(grey).convert(mode).save(path)
    np.testing.assert_allclose(read_radiograph(path, size=60), grey / 255, atol=0.003)


def test_pictures_of_16_bits_show_their_range(tmp_path):
    """A 16-bit PNG runs from its smallest to its largest value."""
    path = tmp_path / "picture.png"
    deep = phantom(60, 60, 12) + 500
    Image.fromarray(deep).save(path)
    expected = (deep - deep.min()) / np.ptp(deep)
    np.testing.assert_allclose(read_radiograph(path, size=60), expected, atol=1e-5)


def test_a_picture_is_told_by_its_content(tmp_path):
    """A JPEG that is named .dcm is read as the JPEG that it is."""
    path = tmp_path / "image.dcm"
    Image.fromarray(phantom(60, 60, 8)).save(path, format="JPEG")
    assert read_radiograph(path, size=30).std() > 0


def test_quantize_rounds_to_the_nearest_of_256():
    """Quantizing rounds, so that 8-bit images come back unchanged."""
    levels = np.arange(256)
    np.testing.assert_array_equal(quantize((levels / 255).astype(np.float32)), levels)


# Imports


def test_importing_the_library_is_light():
    """`import cxr` brings read_radiograph without pydicom or torch, and reading needs no torch."""
    code = (
        "import sys, cxr; assert not {'torch', 'pydicom'} & set(sys.modules); "
        "cxr.read_radiograph; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(cxr.__file__).parents[1])


# Headers


def test_a_header_is_read_without_the_pixels(path):
    """The header tells view, sex, age and format, even where the pixels are broken."""
    write_dicom(
        path,
        phantom(),
        syntax="jpeg-2000",
        ViewPosition="AP",
        PatientSex="F",
        PatientAge="045Y",
        Manufacturer="Maker",
        PatientOrientation=["L", "F"],
    )
    path.write_bytes(path.read_bytes()[:-500])
    header = read_header(path)
    assert (header.view, header.sex, header.age) == ("AP", "F", 45)
    assert (header.rows, header.columns, header.bits_stored) == (96, 80, 12)
    assert header.transfer_syntax == SYNTAXES["jpeg-2000"]
    assert (header.modality, header.manufacturer) == ("CR", "Maker")
    assert header.patient_orientation == ("L", "F")


@pytest.mark.parametrize(
    ("position", "view"),
    [("PA", "PA"), ("ll", "LATERAL"), ("LATERAL", "LATERAL"), ("AP AXIAL", ""), ("LPO", "")],
)
def test_view_positions_become_the_three_views(path, position, view):
    """Obliques and other positions are none of PA, AP and LATERAL."""
    write_dicom(path, phantom(), ViewPosition=position)
    assert read_header(path).view == view


def test_the_view_code_stands_in_for_a_missing_position(path):
    """Where View Position is empty the view code's meaning tells the view."""
    code = Dataset()
    code.CodeMeaning = "postero-anterior"
    write_dicom(path, phantom(), ViewCodeSequence=Sequence([code]))
    assert read_header(path).view == "PA"


@pytest.mark.parametrize(
    ("written", "years"), [("018M", 1.5), ("012D", 12 / 365.25), ("", np.nan), ("old", np.nan)]
)
def test_ages_come_in_years(path, written, years):
    """Age strings of any unit become years, others NaN."""
    write_dicom(path, phantom(), PatientAge=written)
    assert read_header(path).age == pytest.approx(years, nan_ok=True)


def test_a_picture_of_pure_white_never_passes_one(tmp_path):
    """Averages of white round beyond 1 in float32 at awkward sizes; what is returned does not."""
    words = np.zeros((475, 512), np.uint8)
    words[:, 100:] = 255
    path = tmp_path / "picture.png"
    Image.fromarray(words).save(path)
    assert read_radiograph(path).max() == 1


# Real files


@pytest.mark.skipif("CXR_BENCH_REAL_DATA" not in os.environ, reason="no real DICOM files")
def test_real_files_are_read_or_refused_with_a_sentence():
    """Every real file is read into a picture, or refused with one sentence."""
    files = [path for path in Path(os.environ["CXR_BENCH_REAL_DATA"]).rglob("*") if path.is_file()]
    pictures, sentences = [], []
    for path in files:
        try:
            pictures.append(read_radiograph(path))
        except RadiographError as error:
            sentences.append(str(error).removeprefix(f"{path}: "))
    assert pictures
    assert all(0 <= shown.min() < shown.max() <= 1 for shown in pictures)
    assert all(sentence.endswith(".") and "/" not in sentence for sentence in sentences)
