"""The decoded cache from outside: shards, listing, verifying, removing, and a disk that fails."""

import errno
import json
import os
import re

import numpy as np
import pytest
from filelock import FileLock

import cxr.cache
import cxr.sources.manifest
import cxr.sources.mimic
import cxr.sources.openi
import cxr.sources.vindr
from cxr.cache import CHUNK, decode_images, decode_shard, planned_bytes
from cxr.cached_sets import damaged_rows, find_sets, list_sets, remove_set
from cxr.dicom import quantize, read_header, read_radiograph
from cxr.dicom.files import DiskError, disk_error
from cxr.errors import InputError
from tests.dicom_writer import phantom, write_dicom
from tests.source_trees import write_nih
from tests.tiny_run import command

SIZE = 16
IMAGES = 3 * CHUNK + 5


@pytest.fixture
def paths(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    originals = [write_dicom(folder / f"o{n}", phantom(40, 36, seed=n)) for n in range(3)]
    links = [folder / f"{number:03d}.dcm" for number in range(IMAGES)]
    for number, link in enumerate(links):
        if number == 40:
            link.write_text("broken")
        else:
            os.link(originals[number % 3], link)
    return links


@pytest.fixture
def expected(paths):
    good = [path for path in paths if path.stem != "040"]
    pictures = {n: quantize(read_radiograph(paths[n], size=SIZE)) for n in range(3)}
    return np.array([pictures[int(path.stem) % 3] for path in good])


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def decode(paths, cache):
    return decode_images(paths, [path.stem for path in paths], size=SIZE, folder=cache)


# Shards


def test_shards_make_the_set_that_one_machine_makes(paths, cache, expected, tmp_path):
    """Shares may be decoded in any order; the last one puts the set together."""
    told = []
    for shard in (3, 1, 2):
        whole = decode_shard(
            paths, shard=shard, shards=3, size=SIZE, folder=cache, progress=told.append
        )
        assert whole == (shard == 2)
    assert sum(told) == IMAGES
    (found,) = list_sets(cache)
    assert (found.state, found.images, found.failures) == ("whole", IMAGES - 1, 1)
    np.testing.assert_array_equal(np.load(found.folder / "pixels.npy"), expected)
    alone = decode(paths, tmp_path / "alone")
    assert found.folder.name == next((tmp_path / "alone").iterdir()).name
    np.testing.assert_array_equal(alone.pixels, expected)
    assert decode_shard(paths, shard=1, shards=3, size=SIZE, folder=cache)


def test_a_run_goes_on_with_what_shards_left(paths, cache, expected, monkeypatch):
    """What one share decoded is not decoded again by a plain build."""
    decode_shard(paths, shard=1, shards=2, size=SIZE, folder=cache)
    (found,) = list_sets(cache)
    assert found.state == "unfinished"
    assert found.images == 2 * CHUNK  # the first and the third chunk; the second has the failure
    count = []
    load = cxr.cache.load
    monkeypatch.setattr(cxr.cache, "load", lambda *a, **k: count.append(1) or load(*a, **k))
    np.testing.assert_array_equal(decode(paths, cache).pixels, expected)
    assert len(count) == IMAGES - 2 * CHUNK


@pytest.mark.parametrize(("shard", "shards"), [(0, 2), (3, 2)])
def test_shards_are_counted_from_one(paths, cache, shard, shards):
    """A share outside 1 to N is a mistake."""
    with pytest.raises(ValueError, match="counted from 1"):
        decode_shard(paths, shard=shard, shards=shards, folder=cache)


def test_the_size_is_known_before(paths, cache):
    """The bytes planned are those of the file that comes, less its failures."""
    decode(paths, cache)
    (found,) = list_sets(cache)
    whole = (found.folder / "pixels.npy").stat().st_size
    assert planned_bytes(IMAGES, size=SIZE) == whole + SIZE**2


# A disk that fails


@pytest.mark.parametrize(
    ("number", "lasting"),
    [
        (errno.ENOENT, True),
        (errno.EACCES, True),
        (errno.EISDIR, True),
        (errno.EIO, False),
        (errno.ESTALE, False),
        (errno.ETIMEDOUT, False),
        (errno.EMFILE, False),
    ],
)
def test_errors_of_the_disk_are_told_from_the_files_own(number, lasting):
    """A missing file stays missing; an I/O error, a server that is away may pass."""
    assert (disk_error(OSError(number, os.strerror(number))) is None) == lasting


def test_a_disk_error_is_not_the_images_failure(paths, cache, expected, monkeypatch):
    """It stops the build with a sentence, is not remembered, and the next call goes on."""
    load = cxr.cache.load

    def fails(path, **options):
        if path.stem == "090":
            raise DiskError("the disk gave an error (Input/output error).")
        return load(path, **options)

    monkeypatch.setattr(cxr.cache, "load", fails)
    with pytest.raises(InputError, match=r"not be read: the disk gave .*same command goes on"):
        decode(paths, cache)
    (found,) = list_sets(cache)
    assert found.state == "unfinished"
    monkeypatch.setattr(cxr.cache, "load", load)
    decoded = decode(paths, cache)
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert list(decoded.failures) == ["040"]


def test_a_disk_that_recovers_at_once_is_not_noticed(paths, cache, expected, monkeypatch):
    """A file is asked for twice before the build stops."""
    load, asked = cxr.cache.load, set()

    def fails_once(path, **options):
        if path not in asked:
            asked.add(path)
            raise DiskError("the disk gave an error (Input/output error).")
        return load(path, **options)

    monkeypatch.setattr(cxr.cache, "load", fails_once)
    np.testing.assert_array_equal(decode(paths, cache).pixels, expected)


def test_the_reader_names_a_disk_error(tmp_path, monkeypatch):
    """An I/O error while a file is opened comes as one, not as a bad file."""
    path = write_dicom(tmp_path / "a.dcm", phantom(40, 36))

    def away(*_args, **_options):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(type(path), "open", away)
    with pytest.raises(DiskError):
        cxr.cache.load(path, size=SIZE, fit="squash")
    with pytest.raises(DiskError):
        cxr.cache._fingerprint(path)
    with pytest.raises(DiskError, match=r"a\.dcm: the disk gave an error .*try again"):
        read_header(path)
    with pytest.raises(DiskError):
        read_radiograph(path)


def test_a_disk_error_in_a_header_stops_rather_than_leaving_an_image_out(tmp_path, monkeypatch):
    """No source takes an I/O error for an image that is not there or has no header."""
    path = write_dicom(tmp_path / "a.dcm", phantom(40, 36))
    listed = tmp_path / "list.csv"
    listed.write_text("path,patient_id\na.dcm,1\n")

    def away(*_args, **_options):
        raise DiskError("the disk gave an error.")

    for module in (cxr.sources.manifest, cxr.sources.mimic, cxr.sources.vindr, cxr.sources.openi):
        monkeypatch.setattr(module, "read_header", away)
        with pytest.raises(DiskError):
            module._try_header(str(path))
    with pytest.raises(DiskError):
        cxr.sources.manifest.read_manifest(listed, labels="none")


# Looking and removing


def test_a_flipped_bit_is_found(paths, cache):
    """Verifying names the rows that are not what was decoded."""
    decode(paths, cache)
    (found,) = list_sets(cache)
    assert damaged_rows(found) == []
    path = found.folder / "pixels.npy"
    content = bytearray(path.read_bytes())
    content[-(SIZE**2) * 3 + 7] ^= 1
    path.write_bytes(content)
    assert damaged_rows(found) == [IMAGES - 1 - 3]


def test_cut_pixels_and_a_broken_index_are_told(paths, cache):
    """A set whose parts don't fit is damaged; one without an index is unfinished."""
    decode(paths, cache)
    (found,) = list_sets(cache)
    pixels, index = found.folder / "pixels.npy", found.folder / "index.json"
    pixels.write_bytes(pixels.read_bytes()[:-5])
    assert list_sets(cache)[0].state == "damaged"
    index.write_text("{")
    assert list_sets(cache)[0].state == "unfinished"


def test_what_another_version_made_is_outdated(paths, cache, monkeypatch, tmp_path):
    """It is told from a damaged set, is not verified, and can be removed by itself."""
    decode(paths, cache / "decoded")
    (old,) = list_sets(cache / "decoded")
    index = json.loads((old.folder / "index.json").read_text())
    (old.folder / "index.json").write_text(json.dumps(index | {"preprocessing": 0}))
    decode_images(paths[:3], ["a", "b", "c"], size=20, folder=cache / "decoded")
    monkeypatch.setenv("CXR_BENCH_CACHE", str(cache))
    assert "outdated: another version made it" in command("cache", "verify").out
    assert "removed" in command("cache", "rm", "--outdated").out
    assert [found.images for found in list_sets(cache / "decoded")] == [3]


def test_sets_are_named_by_the_beginning_of_their_key(paths, cache):
    """A beginning that fits none is refused; no key means all."""
    decode(paths, cache)
    decode_images(paths[:3], ["a", "b", "c"], size=20, folder=cache)
    sets = list_sets(cache)
    assert len(find_sets(cache, ())) == 2
    assert find_sets(cache, (sets[0].folder.name[:8],)) == [sets[0]]
    with pytest.raises(InputError, match="beginning of no set"):
        find_sets(cache, ("zz",))


def test_a_set_that_is_being_built_is_not_removed(paths, cache):
    """Removing waits for nobody and pulls nothing away from under a build."""
    decode(paths, cache)
    (found,) = list_sets(cache)
    with FileLock(found.folder / "lock"), pytest.raises(InputError, match="is being built"):
        remove_set(found)
    remove_set(found)
    assert list_sets(cache) == []


def test_the_cache_names_nobody(tmp_path, cache):
    """Neither names, ids, paths nor dates of a DICOM get into any file of the cache."""
    path = write_dicom(
        tmp_path / "p10000032.dcm",
        phantom(40, 36),
        PatientName="Doe^Jane",
        PatientID="secret-id",
        StudyDate="20200102",
        PatientBirthDate="19700131",
    )
    (tmp_path / "broken-Doe.dcm").write_text("Doe")
    decode([path, tmp_path / "broken-Doe.dcm"], cache)
    kept = b"".join(file.read_bytes() for file in cache.rglob("*") if file.is_file())
    uid = re.compile(rb"1\.2\.\d+\.")
    assert not uid.search(kept)
    for secret in (b"Doe", b"secret", b"20200102", b"19700131", b"p10000032", bytes(tmp_path)):
        assert secret not in kept


# The command


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_BENCH_CACHE", str(tmp_path / "cache"))
    root = write_nih(tmp_path / "nih", 4)
    return ["--data", root, "--set", "data.source=nih", "--set", "image.size=32"]


def test_the_command_builds_lists_verifies_and_removes(settings, tmp_path):
    """Build says the size first; ls, verify and rm work on the beginning of the key."""
    assert "holds no images" in command("cache", "ls").out
    built = command("cache", "build", *settings)
    assert built.code == 0
    assert "8 images of 32 x 32 pixels: 0.00 GB" in built.err
    assert "8 images are decoded, 0 can't be read" in built.out
    listed = command("cache", "ls").out
    key = re.search(r"^([0-9a-f]{12}) +whole +8 +32 +0", listed, re.MULTILINE)[1]
    assert "8 images, all right" in command("cache", "verify", key[:5]).out
    (home,) = [path for path in (tmp_path / "cache" / "decoded").iterdir() if path.is_dir()]
    pixels = home / "pixels.npy"
    pixels.write_bytes(pixels.read_bytes()[:-1] + b"\x01")
    broken = command("cache", "verify")
    assert broken.code == 2
    assert f"cache rm {key}" in broken.err
    assert "removed" in command("cache", "rm", key[:5]).out
    assert "holds no images" in command("cache", "ls").out


def test_shares_are_built_by_the_command(settings):
    """Each share tells whether others are missing."""
    assert (
        "others are still missing" not in command("cache", "build", *settings, "--shard", "1/1").out
    )
    command("cache", "rm", "--all")
    first = command("cache", "build", *settings, "--shard", "2/2")
    assert "others are still missing" in first.out
    assert "The set is whole" in command("cache", "build", *settings, "--shard", "1/2").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rm"], "name the sets to remove"),
        (["rm", "--all", "ab"], "name the sets to remove"),
        (["rm", "ab"], "beginning of no set"),
        (["build", "--shard", "3/2"], "expected I/N"),
        (["build", "--shard", "x"], "expected I/N"),
        (["build", "--set", "data.source=nih"], "data.path is empty"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, monkeypatch, arguments, words):
    """Wrong keys, shares and settings end with code 2."""
    monkeypatch.setenv("CXR_BENCH_CACHE", str(tmp_path / "cache"))
    outcome = command("cache", *arguments)
    assert (outcome.code, words in outcome.err) == (2, True), outcome.err


def test_old_marks_are_not_believed(paths, cache, expected):
    """A mark that is no JSON, or of another form, is decoded anew."""
    decode_shard(paths, shard=1, shards=2, size=SIZE, folder=cache)
    (found,) = list_sets(cache)
    (found.folder / "part-00000000.json").write_text("{")
    np.testing.assert_array_equal(decode(paths, cache).pixels, expected)
    index = json.loads((found.folder / "index.json").read_text())
    assert len(index["checksums"]) == IMAGES - 1
