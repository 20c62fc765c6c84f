import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cxr.dicom import read_radiograph
from cxr.dicom.codestream import jpeg2000_header, jpeg_header
from cxr.dicom.display import window, word_patterns
from cxr.dicom.frames import Layout
from cxr.dicom.header import age_years, standard_view
from cxr.dicom.resample import centred, letterbox_shape, shrink
from cxr.errors import RadiographError
from tests.dicom_writer import write_dicom

SIDES = st.integers(1, 40)
WORDS = npst.arrays(np.uint8, st.tuples(SIDES, SIDES))
TABLE = np.linspace(0, 1, 256, dtype=np.float32)
SIZES = st.integers(1, 40)
COMPILES = settings(deadline=None)
"""The first call of a kernel compiles it, or loads it from disk."""


@COMPILES
@given(words=WORDS, size=SIZES)
def test_shrinking_keeps_the_mean(words, size):
    """An area average weighs every pixel equally, so the mean stays where both sides shrink."""
    if size > min(words.shape):
        return
    np.testing.assert_allclose(
        shrink(words, TABLE, size=size).mean(), TABLE[words].mean(), atol=1e-5
    )


@COMPILES
@given(words=WORDS, size=SIZES)
def test_shrinking_is_opencvs_area_average(words, size):
    """Lookup and average in one pass equal OpenCV's area interpolation of the looked-up image."""
    if size > min(words.shape):
        return
    expected = cv2.resize(TABLE[words].astype(float), (size, size), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(shrink(words, TABLE, size=size), expected, atol=1e-5)


@COMPILES
@given(words=WORDS, size=SIZES, fit=st.sampled_from(["squash", "letterbox"]))
def test_a_resized_image_stays_inside_its_range(words, size, fit):
    """No size and no fit invents values below the smallest or above the largest."""
    small = shrink(words, TABLE, size=size, fit=fit)
    shown = TABLE[words]
    assert small.min() >= shown.min() - 1e-5
    assert small.max() <= shown.max() + 1e-5
    assert centred(small, size).shape == (size, size)


@given(height=st.floats(0.5, 5000), width=st.floats(0.5, 5000), size=SIZES)
def test_a_letterbox_fills_the_longer_side(height, width, size):
    """A letterbox touches the square on its longer side and never exceeds it."""
    rows, columns = letterbox_shape((height, width), size)
    assert max(rows, columns) == size
    assert min(rows, columns) >= 1


@given(
    values=npst.arrays(float, st.integers(1, 30), elements=st.floats(-70000, 70000)),
    center=st.floats(-70000, 70000),
    width=st.floats(1, 70000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_windows_are_monotone_and_bounded(values, center, width, function):
    """A window never turns the order of values and stays in 0 to 1."""
    shown = window(np.sort(values), center, width, function)
    assert (np.diff(shown) >= 0).all()
    assert ((shown >= 0) & (shown <= 1)).all()


@given(
    allocated=st.sampled_from([8, 16]),
    data=st.data(),
    signed=st.booleans(),
)
def test_words_are_read_by_their_bits_or_not_at_all(allocated, data, signed):
    """A word holds the value in its meaningful bits; with other bits set it may not occur."""
    stored = data.draw(st.integers(1, allocated))
    shift = data.draw(st.integers(0, allocated - stored))
    word = data.draw(st.integers(0, 2**allocated - 1))
    layout = Layout(1, 1, allocated, stored, shift, signed)
    patterns, legal = word_patterns(layout)
    pattern = (word >> shift) % 2**stored
    sign = signed and pattern >= 2 ** (stored - 1)
    extended = 2**allocated - 2 ** (shift + stored) if sign else 0
    assert patterns[word] == pattern
    assert legal[word] == (word - (pattern << shift) in {0, extended})


@settings(max_examples=25, deadline=None)
@given(
    pixels=npst.arrays(np.uint16, st.tuples(st.integers(2, 20), st.integers(2, 20))),
    syntax=st.sampled_from(["implicit", "explicit", "big-endian", "deflated", "rle", "jpeg-ls"]),
)
def test_any_pixels_come_back_from_a_file(tmp_path_factory, pixels, syntax):
    """Any 16-bit image of any shape is read back, whatever lossless code holds it."""
    path = write_dicom(
        tmp_path_factory.mktemp("any") / "image.dcm",
        pixels,
        syntax=syntax,
        bits=16,
        WindowCenter=32768,
        WindowWidth=65536,
    )
    size = min(pixels.shape)
    expected = cv2.resize(pixels / 65535, (size, size), interpolation=cv2.INTER_AREA)
    if np.ptp(expected) < 1.01 / 255:
        return
    np.testing.assert_allclose(read_radiograph(path, size=size), expected, atol=2e-5)


@given(content=st.binary(max_size=200), head=st.sampled_from([b"\xff\xd8", b"\xff\x4f\xff\x51"]))
def test_codestream_headers_never_raise_anything_else(content, head):
    """Any bytes give a codestream's head or a radiograph error."""
    for read in (jpeg_header, jpeg2000_header):
        try:
            found = read(head + content)
        except RadiographError:
            continue
        assert 1 <= found.precision <= 255
        assert found.levels >= 0


@given(text=st.text(max_size=12))
def test_any_text_is_a_view_and_an_age_or_none(text):
    """Any text in a header is read as one of the three views or none, and as years or NaN."""
    assert standard_view(text) in ("PA", "AP", "LATERAL", "")
    years = age_years(text)
    assert np.isnan(years) or years >= 0
