"""The decoded cache: images decoded once, kept as one memory-mapped uint8 array per image set.

A set's folder is named by a digest of what is in it: each image's fingerprint in order, size, fit
and `PREPROCESSING_VERSION`. A fingerprint is a digest of the file's size, its time of last change
and its first and last 8 KiB (a DICOM header with its UIDs, and the end of the pixels). Hashing
whole files would read terabytes to save reading them; a file that is changed in place has
another time, and a copy with a new time is decoded anew, which costs time and is never wrong.
Names, paths and ids are not kept.

Layout of a set's folder:
    pixels.npy     (n_ok, size, size) uint8, readable with `numpy.load`
    index.json     written last: its presence says that the set is whole
    part-*.json    while a build is under way: the chunks that are done
    pixels.partial while a build is under way: pixels.npy with rows for all n images
    lock           held by the process that builds

A build that was killed goes on with the chunks that are done, and several machines that share the
folder may each take a shard of them. What a disk failed to give for now (an I/O error, a server
that is away) is not remembered as the image's own failure.
"""

import hashlib
import io
import json
import os
import shutil
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from cxr.dicom import PREPROCESSING_VERSION, Fit, load, quantize
from cxr.dicom.files import DiskError, disk_error
from cxr.errors import InputError, RadiographError
from cxr.parallel import run_parallel

FORMAT = 2
CHUNK = 32
"""Images decoded, written and marked as done together."""

_ENDS = 8192
_FEW = 500  # files that are looked at sooner than a process starts


@dataclass(frozen=True)
class Decoded:
    """Decoded images and what could not be decoded.

    Attributes:
        pixels: (n_ok, size, size) uint8, memory-mapped, read-only.
        ids: the id of each row of `pixels`; the order that was asked for, less the failures.
        failures: id -> why it could not be read, a sentence that names no path.
    """

    pixels: np.ndarray
    ids: tuple[str, ...]
    failures: dict[str, str]


@dataclass(frozen=True)
class _Set:
    """A set of images to be decoded into a folder of its own."""

    home: Path
    paths: tuple[Path, ...]
    size: int
    fit: Fit

    @property
    def partial(self) -> Path:
        """The file that a build fills."""
        return self.home / "pixels.partial"

    @property
    def starts(self) -> range:
        """The row of each chunk's first image."""
        return range(0, len(self.paths), CHUNK)

    def chunk(self, start: int) -> "_Chunk":
        """Return the chunk that starts at a row."""
        return _Chunk(self.home, start, self.paths[start : start + CHUNK], self.size, self.fit)


@dataclass(frozen=True)
class _Chunk:
    """A run of images that one worker decodes into its place of the partial file."""

    home: Path
    start: int  # row of the first image
    paths: tuple[Path, ...]
    size: int
    fit: Fit

    @property
    def mark(self) -> Path:
        """The file that says the chunk is done, with its failures."""
        return self.home / f"part-{self.start:08d}.json"

    def done(self) -> dict[str, Any] | None:
        """Return failures (row -> reason) and checksums of a chunk that is done, else None."""
        try:
            done: dict[str, Any] = json.loads(self.mark.read_text())
        except (OSError, ValueError):
            return None
        return done


def decode_images(
    paths: Sequence[Path],
    ids: Sequence[str],
    *,
    size: int = 224,
    fit: Fit = "squash",
    folder: Path,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Decoded:
    """Decode images, or find them decoded already.

    Args:
        paths: (n,) image files, as `read_radiograph` takes them.
        ids: (n,) one id each.
        size: pixels a side.
        fit: as in `read_radiograph`.
        folder: where the cache lies; made where it is not there.
        jobs: processes.
        progress: called with the number of images just done; all at once where they were cached.

    Raises:
        InputError: the folder can't be written, or the disk has too little space.
        ValueError: paths and ids differ in length, or an id occurs twice.
    """
    if len(paths) != len(ids) or len(set(ids)) != len(ids):
        raise ValueError(f"{len(paths)} paths and {len(ids)} ids; each image needs its own id.")
    tell = _Teller(progress)
    with _disk_problems(folder):
        images = _image_set(paths, size=size, fit=fit, folder=folder, jobs=jobs)
        index = _finished(images) or _build(images, jobs, tell)
        pixels = _mapped(images)
    tell(len(images.paths) - tell.told)
    failed = {int(row): reason for row, reason in index["failures"].items()}
    return Decoded(
        pixels=pixels,
        ids=tuple(name for row, name in enumerate(ids) if row not in failed),
        failures={str(ids[row]): reason for row, reason in failed.items()},
    )


def decode_shard(
    paths: Sequence[Path],
    *,
    shard: int,
    shards: int,
    size: int = 224,
    fit: Fit = "squash",
    folder: Path,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Decode one machine's share of a set; whoever ends last puts the set together.

    Args:
        paths: all images of the set, the same and in the same order on every machine.
        shard: which share, 1 to `shards`.
        shards: how many machines there are. They share `folder`.
        size: pixels a side.
        fit: as in `read_radiograph`.
        folder: where the cache lies.
        jobs: processes on this machine.
        progress: called with the number of this share's images just done.

    Returns:
        Whether the set is whole now.

    Raises:
        InputError: as `decode_images`.
        ValueError: the shard is not one of 1 to `shards`.
    """
    if not 1 <= shard <= shards:
        raise ValueError(f"shard {shard} of {shards}; shards are counted from 1.")
    tell = _Teller(progress)
    with _disk_problems(folder):
        images = _image_set(paths, size=size, fit=fit, folder=folder, jobs=jobs)
        if _finished(images):
            return True
        chunks = [images.chunk(start) for start in images.starts]
        images.home.mkdir(parents=True, exist_ok=True)
        with FileLock(images.home / "lock"):
            if not _assembled(images, chunks):
                _reserve(images)
        _decode_chunks(chunks[shard - 1 :: shards], jobs, tell)
        if any(chunk.done() is None for chunk in chunks):
            return False
        _build(images, jobs, _Teller(None))
    return True


def planned_bytes(images: int, *, size: int) -> int:
    """Return how many bytes so many images of `size` pixels a side take in the cache."""
    return len(_npy_header(images, size)) + images * size**2


class _Teller:
    """Passes counts on to a progress callback, and knows their sum."""

    def __init__(self, progress: Callable[[int], None] | None):
        self.progress = progress
        self.told = 0

    def __call__(self, count: int) -> None:
        self.told += count
        if self.progress and count:
            self.progress(count)


@contextmanager
def _disk_problems(folder: Path) -> Iterator[None]:
    try:
        yield
    except DiskError as error:
        raise InputError(
            f"an image could not be read: {error} Nothing of that is remembered; the same command "
            "goes on where it stopped."
        ) from error
    except OSError as error:
        raise InputError(
            f"the decoded cache in {folder} can't be written ({error.strerror or error}); free "
            "some space, or point CXR_BENCH_CACHE at a folder that can be written."
        ) from error


def _image_set(paths: Sequence[Path], *, size: int, fit: Fit, folder: Path, jobs: int) -> _Set:
    files = tuple(map(Path, paths))
    keys = run_parallel(_fingerprint, files, jobs=jobs if len(files) > _FEW else 1)
    return _Set(Path(folder) / set_key(keys, size=size, fit=fit), files, size, fit)


def set_key(fingerprints: Sequence[str], *, size: int, fit: Fit) -> str:
    """Return the name of a set's folder: what is decoded, how, and to what size."""
    settings = f"{FORMAT}:{PREPROCESSING_VERSION}:{size}:{fit}"
    return hashlib.sha256("\n".join([settings, *fingerprints]).encode()).hexdigest()[:32]


def _fingerprint(path: Path) -> str:
    """Return a digest of size, time of change and both ends; empty for an unreadable file.

    Raises:
        DiskError: the disk does not give the file for now.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            head = file.read(_ENDS)
            file.seek(max(0, status.st_size - _ENDS))
            tail = file.read(_ENDS)
    except OSError as error:
        if (problem := disk_error(error)) is not None:
            raise problem from error
        return ""
    digest = hashlib.sha256(f"{status.st_size}:{status.st_mtime_ns}".encode())
    digest.update(head)
    digest.update(tail)
    return digest.hexdigest()


def _finished(images: _Set) -> dict[str, Any] | None:
    """Return the index of a whole set; None where there is none, or it does not fit its pixels."""
    try:
        index: dict[str, Any] = json.loads((images.home / "index.json").read_text())
        whole = (
            index["images"] == len(images.paths)
            and index["size"] == images.size
            and len(_mapped(images)) == len(images.paths) - len(index["failures"])
        )
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None
    return index if whole else None


def _build(images: _Set, jobs: int, tell: _Teller) -> dict[str, Any]:
    """Build a set, or wait while another process does; return its index."""
    images.home.mkdir(parents=True, exist_ok=True)
    with FileLock(images.home / "lock"):
        return _finished(images) or _build_alone(images, jobs, tell)


def _build_alone(images: _Set, jobs: int, tell: _Teller) -> dict[str, Any]:
    """Decode what is not done yet and put the set together, its index last."""
    (images.home / "index.json").unlink(missing_ok=True)
    chunks = [images.chunk(start) for start in images.starts]
    assembled = _assembled(images, chunks)
    if not assembled:
        _reserve(images)
    _decode_chunks(chunks, jobs, tell)
    done = [chunk.done() or {} for chunk in chunks]
    failures = {row: why for each in done for row, why in each["failures"].items()}
    if not assembled:
        _assemble(images, failures)
    index = {
        "format": FORMAT,
        "preprocessing": PREPROCESSING_VERSION,
        "images": len(images.paths),
        "size": images.size,
        "failures": failures,
        "checksums": [number for each in done for number in each["checksums"]],
    }
    _write_json(images.home / "index.json", index)
    for chunk in chunks:
        chunk.mark.unlink(missing_ok=True)
    return index


def _decode_chunks(chunks: Sequence[_Chunk], jobs: int, tell: _Teller) -> None:
    """Decode those of the chunks that are not done yet."""
    missing = [chunk for chunk in chunks if chunk.done() is None]
    tell(sum(len(chunk.paths) for chunk in chunks) - sum(len(chunk.paths) for chunk in missing))
    sizes = iter([len(chunk.paths) for chunk in missing])
    run_parallel(_decode_chunk, missing, jobs=jobs, progress=lambda _: tell(next(sizes)))


def _assembled(images: _Set, chunks: Sequence[_Chunk]) -> bool:
    """Return whether a build was killed when only its index was still to be written."""
    done = [chunk.done() for chunk in chunks]
    if images.partial.exists() or None in done:
        return False
    failed = sum(len(each["failures"]) for each in done if each)
    try:
        return len(_mapped(images)) == len(images.paths) - failed
    except (OSError, ValueError, EOFError):
        return False


def _reserve(images: _Set) -> None:
    """Start a partial file where none fits, after a look whether the disk has room for it."""
    header = _npy_header(len(images.paths), images.size)
    whole = planned_bytes(len(images.paths), size=images.size)
    if images.partial.exists() and images.partial.stat().st_size == whole:
        return
    for mark in images.home.glob("part-*.json"):
        mark.unlink()
    free = shutil.disk_usage(images.home).free
    if free < whole:
        raise InputError(
            f"the decoded cache needs {whole / 1e9:.1f} GB and {images.home.parent} has "
            f"{free / 1e9:.1f} GB free; free some space, or point CXR_BENCH_CACHE at a larger "
            "disk."
        )
    with images.partial.open("wb") as file:
        file.write(header)
        file.truncate(whole)


def _assemble(images: _Set, failures: dict[str, str]) -> None:
    """Make pixels.npy of the partial file, without the rows of the images that failed."""
    count, area = len(images.paths), images.size**2
    if not failures:
        os.replace(images.partial, images.home / "pixels.npy")
        return
    fresh = images.home / "pixels.new"
    with fresh.open("wb") as target, images.partial.open("rb") as source:
        target.write(_npy_header(count - len(failures), images.size))
        source.seek(len(_npy_header(count, images.size)))
        for row in range(count):
            pixels = source.read(area)
            if str(row) not in failures:
                target.write(pixels)
        target.flush()
        os.fsync(target.fileno())
    os.replace(fresh, images.home / "pixels.npy")
    images.partial.unlink()


def _npy_header(count: int, size: int) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (count, size, size)}
    )
    return header.getvalue()


def _decode_chunk(chunk: _Chunk) -> None:
    """Decode a chunk into the partial file, then mark it as done."""
    rows = np.zeros((len(chunk.paths), chunk.size, chunk.size), dtype=np.uint8)
    failures, checksums = {}, []
    for place, path in enumerate(chunk.paths):
        try:
            rows[place] = quantize(_load(path, chunk))
            checksums.append(zlib.crc32(rows[place]))
        except DiskError:
            raise
        except RadiographError as error:
            failures[str(chunk.start + place)] = str(error)
    # Written, not mapped: a full disk is then an error and not a signal that kills the process.
    with (chunk.home / "pixels.partial").open("r+b") as partial:
        np.lib.format.read_magic(partial)
        np.lib.format.read_array_header_1_0(partial)
        partial.seek(chunk.start * chunk.size**2, os.SEEK_CUR)
        partial.write(rows.tobytes())
        partial.flush()
        os.fsync(partial.fileno())
    _write_json(chunk.mark, {"failures": failures, "checksums": checksums})


def _load(path: Path, chunk: _Chunk) -> np.ndarray:
    """Return an image, asking twice where the disk does not give it at once."""
    try:
        return load(path, size=chunk.size, fit=chunk.fit)
    except DiskError:
        return load(path, size=chunk.size, fit=chunk.fit)


def _mapped(images: _Set) -> np.ndarray:
    """Return the pixels memory-mapped and read-only; raises where the file is cut or another."""
    path = images.home / "pixels.npy"
    empty = path.stat().st_size <= len(_npy_header(0, images.size))
    pixels = np.load(path, mmap_mode=None if empty else "r")
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (images.size, images.size):
        raise ValueError(f"{path} holds {pixels.dtype} {pixels.shape}.")
    return pixels


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON so that the file is either whole or not there."""
    fresh = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.new")
    fresh.write_text(json.dumps(value))
    os.replace(fresh, path)
