import json
import os
import shutil

import numpy as np
import pytest

import cxr.cache
from cxr.cache import CHUNK, decode_images
from cxr.dicom import quantize, read_radiograph
from cxr.errors import InputError
from tests.dicom_writer import phantom, write_dicom

SIZE = 16


@pytest.fixture
def paths(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    return [
        write_dicom(folder / f"image-{number}.dcm", phantom(40, 36, seed=number))
        for number in range(5)
    ]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def decode(paths, folder, **options):
    return decode_images(paths, [path.stem for path in paths], size=SIZE, folder=folder, **options)


def set_folder(folder):
    (home,) = [path for path in folder.iterdir() if path.is_dir()]
    return home


def no_decoding(*_args, **_options):
    raise AssertionError("an image was decoded again")


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_cache_holds_what_the_reader_reads(paths, folder, jobs):
    """Each row is the quantized radiograph of its path, in the order asked, memory-mapped."""
    decoded = decode(paths, folder, jobs=jobs)
    assert decoded.ids == tuple(path.stem for path in paths)
    assert decoded.failures == {}
    assert isinstance(decoded.pixels, np.memmap)
    for row, path in enumerate(paths):
        expected = quantize(read_radiograph(path, size=SIZE))
        np.testing.assert_array_equal(decoded.pixels[row], expected)


def test_nothing_is_decoded_twice(paths, folder, monkeypatch):
    """A second call finds the images decoded, and tells progress so."""
    first = np.array(decode(paths, folder).pixels)
    monkeypatch.setattr(cxr.cache, "load", no_decoding)
    counts = []
    again = decode(paths, folder, progress=counts.append)
    np.testing.assert_array_equal(again.pixels, first)
    assert sum(counts) == len(paths)


def test_failures_are_listed_and_left_out(paths, folder):
    """A broken image gets no row; its reason names no path and survives in the cache."""
    paths[1].write_text("no image at all")
    paths[3].unlink()
    for _ in range(2):
        decoded = decode(paths, folder)
        assert decoded.ids == ("image-0", "image-2", "image-4")
        assert decoded.pixels.shape == (3, SIZE, SIZE)
        assert decoded.failures["image-1"] == "it is not a DICOM file."
        assert decoded.failures["image-3"] == "there is no such file."
        np.testing.assert_array_equal(
            decoded.pixels[2], quantize(read_radiograph(paths[4], size=SIZE))
        )


def test_a_set_without_a_readable_image_is_empty(paths, folder):
    """Where every image fails there are no rows, and every reason."""
    for path in paths:
        path.write_text("text")
    decoded = decode(paths, folder)
    assert decoded.pixels.shape == (0, SIZE, SIZE)
    assert len(decoded.failures) == len(paths)


def test_a_changed_image_is_decoded_anew(paths, folder):
    """A file that was written again is not served from the cache."""
    before = np.array(decode(paths, folder).pixels)
    write_dicom(paths[2], phantom(40, 36, seed=99))
    after = decode(paths, folder).pixels
    assert (after[2] != before[2]).any()
    np.testing.assert_array_equal(after[3], before[3])


@pytest.mark.parametrize("options", [{"size": 20}, {"fit": "letterbox"}])
def test_another_size_or_fit_is_another_set(paths, folder, options):
    """Size and fit are part of the key."""
    ids = [path.stem for path in paths]
    decode_images(paths, ids, size=SIZE, folder=folder)
    decode_images(paths, ids, **{"size": SIZE, "folder": folder, **options})
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2


def test_another_preprocessing_version_is_another_set(paths, folder, monkeypatch):
    """A new version of the preprocessing does not reuse what an old one made."""
    decode(paths, folder)
    monkeypatch.setattr(cxr.cache, "PREPROCESSING_VERSION", 10**6)
    decode(paths, folder)
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2


def test_moved_images_are_found_again(paths, folder, tmp_path, monkeypatch):
    """The key is of contents: a moved data set needs no new decoding."""
    decode(paths, folder)
    moved = tmp_path / "elsewhere"
    shutil.move(paths[0].parent, moved)
    monkeypatch.setattr(cxr.cache, "load", no_decoding)
    assert len(decode([moved / path.name for path in paths], folder).ids) == len(paths)


def test_nothing_but_numbers_is_kept(paths, folder):
    """No path, id or header value is written to the cache."""
    paths[1].write_text("broken")
    decode(paths, folder)
    home = set_folder(folder)
    kept = (home / "index.json").read_text()
    assert "image-" not in kept
    assert str(folder.parent) not in kept
    assert sorted(path.name for path in home.iterdir() if path.name != "lock") == [
        "index.json",
        "pixels.npy",
    ]


@pytest.mark.parametrize("broken", [False, True])
def test_a_build_that_stopped_goes_on(paths, folder, monkeypatch, broken):
    """Chunks that were done before a build stopped are not decoded again."""
    monkeypatch.setattr(cxr.cache, "CHUNK", 2)
    if broken:
        paths[0].write_text("broken")
    seen = []

    def stops_at_the_last(path, **options):
        seen.append(path)
        if path == paths[4] and seen.count(path) == 1:
            raise KeyboardInterrupt
        return original(path, **options)

    original = cxr.cache.load
    monkeypatch.setattr(cxr.cache, "load", stops_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        decode(paths, folder)
    counts = []
    decoded = decode(paths, folder, progress=counts.append)
    assert seen == [*paths, paths[4]]
    assert counts == [4, 1]
    assert len(decoded.ids) == 4 if broken else 5
    np.testing.assert_array_equal(
        decoded.pixels[-1], quantize(read_radiograph(paths[4], size=SIZE))
    )


@pytest.mark.parametrize("name", ["index.json", "pixels.npy"])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_a_damaged_set_is_built_again(paths, folder, name, damage):
    """A set whose index or pixels are lost or cut is rebuilt and never served."""
    expected = np.array(decode(paths, folder).pixels)
    victim = set_folder(folder) / name
    content = victim.read_bytes()
    if damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(content[:-3] if damage == "cut" else b"")
    np.testing.assert_array_equal(decode(paths, folder).pixels, expected)


def test_an_index_lost_at_the_last_moment_is_written_again(paths, folder, monkeypatch):
    """A build killed between its pixels and its index decodes nothing again."""
    write = cxr.cache._write_json

    def dies_at_the_index(path, value):
        if path.name == "index.json":
            raise KeyboardInterrupt
        write(path, value)

    monkeypatch.setattr(cxr.cache, "_write_json", dies_at_the_index)
    with pytest.raises(KeyboardInterrupt):
        decode(paths, folder)
    monkeypatch.undo()
    monkeypatch.setattr(cxr.cache, "load", no_decoding)
    assert len(decode(paths, folder).ids) == len(paths)


def test_a_full_disk_is_told_before_anything_is_decoded(paths, folder, monkeypatch):
    """Too little space is an input error with both sizes."""
    usage = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(cxr.cache, "load", no_decoding)
    with pytest.raises(InputError, match="GB free"):
        decode(paths, folder)


def test_a_disk_that_fills_up_leaves_nothing_that_looks_finished(paths, folder, monkeypatch):
    """A write that fails is an input error, and the set is not marked whole."""

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        decode(paths, folder)
    assert not (set_folder(folder) / "index.json").exists()


def test_a_folder_that_can_not_be_made_is_an_input_error(paths, tmp_path):
    """A cache folder under a file can't be made, and the message says what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="CXR_BENCH_CACHE"):
        decode(paths, tmp_path / "file" / "cache")


def test_ids_must_be_as_many_as_paths_and_differ(paths, folder):
    """Each image needs an id of its own."""
    with pytest.raises(ValueError, match="its own id"):
        decode_images(paths, ["a"] * len(paths), size=SIZE, folder=folder)
    with pytest.raises(ValueError, match="its own id"):
        decode_images(paths, ["a"], size=SIZE, folder=folder)


def test_many_images_fill_several_chunks(tmp_path, folder):
    """More images than a chunk holds keep their order across chunks."""
    path = write_dicom(tmp_path / "a.dcm", phantom(20, 20, seed=1))
    other = write_dicom(tmp_path / "b.dcm", phantom(20, 20, seed=2))
    paths = [other if number == CHUNK else path for number in range(CHUNK + 2)]
    counts = []
    decoded = decode_images(
        paths, [str(n) for n in range(len(paths))], size=8, folder=folder, progress=counts.append
    )
    assert counts == [CHUNK, 2]
    np.testing.assert_array_equal(decoded.pixels[CHUNK], quantize(read_radiograph(other, size=8)))
    assert json.loads((set_folder(folder) / "index.json").read_text())["images"] == CHUNK + 2
