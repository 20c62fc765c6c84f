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

A build that was killed goes on with the chunks that are done.
"""

import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from cxr.dicom import PREPROCESSING_VERSION, Fit, load, quantize
from cxr.errors import InputError, RadiographError
from cxr.parallel import run_parallel

FORMAT = 1
CHUNK = 32
"""Images decoded, written and marked as done together."""

_ENDS = 8192


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
class _Chunk:
    """A run of images that one worker decodes into its place of the partial file."""

    number: int
    first: int  # row of the first image
    paths: tuple[Path, ...]
    size: int
    fit: Fit
    folder: Path


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
    keys = run_parallel(_fingerprint, [Path(path) for path in paths], jobs=jobs)
    home = Path(folder) / set_key(keys, size=size, fit=fit)
    try:
        index = _finished(home, len(paths), size)
        if index and progress:
            progress(len(paths))
        if not index:
            index = _build_locked(home, paths, size=size, fit=fit, jobs=jobs, progress=progress)
        pixels = _mapped(home / "pixels.npy", size)
    except OSError as error:
        raise InputError(
            f"the decoded cache in {folder} can't be written ({error.strerror or error}); free "
            "some space, or point CXR_BENCH_CACHE at a folder that can be written."
        ) from error
    failed = {int(row): reason for row, reason in index["failures"].items()}
    return Decoded(
        pixels=pixels,
        ids=tuple(name for row, name in enumerate(ids) if row not in failed),
        failures={str(ids[row]): reason for row, reason in failed.items()},
    )


def set_key(fingerprints: Sequence[str], *, size: int, fit: Fit) -> str:
    """Return the name of a set's folder: what is decoded, how, and to what size."""
    settings = f"{FORMAT}:{PREPROCESSING_VERSION}:{size}:{fit}"
    return hashlib.sha256("\n".join([settings, *fingerprints]).encode()).hexdigest()[:32]


def _fingerprint(path: Path) -> str:
    """Return a digest of size, time of change and both ends; empty for an unreadable file."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            head = file.read(_ENDS)
            file.seek(max(0, status.st_size - _ENDS))
            tail = file.read(_ENDS)
    except OSError:
        return ""
    digest = hashlib.sha256(f"{status.st_size}:{status.st_mtime_ns}".encode())
    digest.update(head)
    digest.update(tail)
    return digest.hexdigest()


def _finished(home: Path, count: int, size: int) -> dict[str, Any] | None:
    """Return the index of a whole set; None where there is none, or it does not fit its pixels."""
    try:
        index: dict[str, Any] = json.loads((home / "index.json").read_text())
        whole = (
            index["images"] == count
            and index["size"] == size
            and _mapped(home / "pixels.npy", size).shape[0] == count - len(index["failures"])
        )
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None
    return index if whole else None


def _build_locked(
    home: Path,
    paths: Sequence[Path],
    *,
    size: int,
    fit: Fit,
    jobs: int,
    progress: Callable[[int], None] | None,
) -> dict[str, Any]:
    """Build a set, or wait while another process does."""
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "lock"):
        index = _finished(home, len(paths), size)
        if index is None:
            return _build(home, paths, size=size, fit=fit, jobs=jobs, progress=progress)
    if progress:
        progress(len(paths))
    return index


def _build(
    home: Path,
    paths: Sequence[Path],
    *,
    size: int,
    fit: Fit,
    jobs: int,
    progress: Callable[[int], None] | None,
) -> dict[str, Any]:
    """Decode what is not done yet, put the set together, and return its index."""
    (home / "index.json").unlink(missing_ok=True)
    chunks = [
        _Chunk(number, first, tuple(map(Path, paths[first : first + CHUNK])), size, fit, home)
        for number, first in enumerate(range(0, len(paths), CHUNK))
    ]
    partial = home / "pixels.partial"
    header = _npy_header(len(paths), size)
    whole = len(header) + len(paths) * size * size
    if not _assembled(home, chunks, size) and (
        not partial.exists() or partial.stat().st_size != whole
    ):
        _start_over(home, header, whole)
    missing = [chunk for chunk in chunks if _done(chunk) is None]
    if progress:
        progress(len(paths) - sum(len(chunk.paths) for chunk in missing))
    sizes = iter([len(chunk.paths) for chunk in missing])
    run_parallel(
        _decode_chunk,
        missing,
        jobs=jobs,
        progress=(lambda _: progress(next(sizes))) if progress else None,
    )
    failures = {row: why for chunk in chunks for row, why in (_done(chunk) or {}).items()}
    if not _assembled(home, chunks, size):
        _assemble(home, len(paths), size, failures)
    index = {"format": FORMAT, "images": len(paths), "size": size, "failures": failures}
    _write_json(home / "index.json", index)
    for mark in home.glob("part-*.json"):
        mark.unlink()
    return index


def _assembled(home: Path, chunks: Sequence[_Chunk], size: int) -> bool:
    """Return whether a build was killed when only its index was still to be written."""
    done = [_done(chunk) for chunk in chunks]
    if (home / "pixels.partial").exists() or any(failures is None for failures in done):
        return False
    count = sum(len(chunk.paths) for chunk in chunks) - sum(len(each or {}) for each in done)
    try:
        return _mapped(home / "pixels.npy", size).shape[0] == count
    except (OSError, ValueError, EOFError):
        return False


def _assemble(home: Path, count: int, size: int, failures: dict[str, str]) -> None:
    """Make pixels.npy of the partial file, without the rows of the images that failed."""
    partial = home / "pixels.partial"
    if not failures:
        os.replace(partial, home / "pixels.npy")
        return
    fresh = home / "pixels.new"
    with fresh.open("wb") as target, partial.open("rb") as source:
        target.write(_npy_header(count - len(failures), size))
        source.seek(len(_npy_header(count, size)))
        for row in range(count):
            pixels = source.read(size * size)
            if str(row) not in failures:
                target.write(pixels)
        target.flush()
        os.fsync(target.fileno())
    os.replace(fresh, home / "pixels.npy")
    partial.unlink()


def _start_over(home: Path, header: bytes, whole: int) -> None:
    """Make an empty partial file, after a look whether the disk has room for it."""
    for mark in home.glob("part-*.json"):
        mark.unlink()
    free = shutil.disk_usage(home).free
    if free < whole:
        raise InputError(
            f"the decoded cache needs {whole / 1e9:.1f} GB and {home.parent} has "
            f"{free / 1e9:.1f} GB free; free some space, or point CXR_BENCH_CACHE at a larger "
            "disk."
        )
    with (home / "pixels.partial").open("wb") as file:
        file.write(header)
        file.truncate(whole)


def _npy_header(count: int, size: int) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (count, size, size)}
    )
    return header.getvalue()


def _decode_chunk(chunk: _Chunk) -> None:
    """Decode a chunk into the partial file, then mark it as done."""
    rows = np.zeros((len(chunk.paths), chunk.size, chunk.size), dtype=np.uint8)
    failures = {}
    for place, path in enumerate(chunk.paths):
        try:
            rows[place] = quantize(load(path, size=chunk.size, fit=chunk.fit))
        except RadiographError as error:
            failures[str(chunk.first + place)] = str(error)
    # Written, not mapped: a full disk is then an error and not a signal that kills the process.
    with (chunk.folder / "pixels.partial").open("r+b") as partial:
        np.lib.format.read_magic(partial)
        np.lib.format.read_array_header_1_0(partial)
        partial.seek(chunk.first * chunk.size * chunk.size, os.SEEK_CUR)
        partial.write(rows.tobytes())
        partial.flush()
        os.fsync(partial.fileno())
    _write_json(_mark(chunk), failures)


def _done(chunk: _Chunk) -> dict[str, str] | None:
    """Return the failures of a chunk that is done; None where it is not."""
    try:
        failures: dict[str, str] = json.loads(_mark(chunk).read_text())
    except (OSError, ValueError, EOFError):
        return None
    return failures


def _mark(chunk: _Chunk) -> Path:
    return chunk.folder / f"part-{chunk.number:06d}.json"


def _mapped(path: Path, size: int) -> np.ndarray:
    """Return the pixels memory-mapped and read-only; checks that the file is as long as it says."""
    pixels = np.load(path, mmap_mode="r") if path.stat().st_size > 128 else np.load(path)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (size, size):
        raise ValueError(f"{path} holds {pixels.dtype} {pixels.shape}.")
    return pixels


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON so that the file is either whole or not there."""
    fresh = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.new")
    fresh.write_text(json.dumps(value))
    os.replace(fresh, path)
