"""The sets of a decoded cache, looked at from outside: what is there, is it whole, remove it."""

import json
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from cxr.cache import FORMAT
from cxr.dicom import PREPROCESSING_VERSION
from cxr.errors import InputError

State = Literal["whole", "unfinished", "damaged", "outdated"]

_VERSIONS = (FORMAT, PREPROCESSING_VERSION)


@dataclass(frozen=True)
class CachedSet:
    """One folder of a decoded cache.

    Attributes:
        folder: where it lies; its name is the set's key.
        state: "outdated" where another version made it, so that nothing reads it any more;
            "unfinished" while it is built or after a build was killed; "damaged" where index
            and pixels don't fit each other.
        images: decoded images; of an unfinished set, those that are done.
        size: pixels a side; 0 where that is not known.
        failures: images that could not be read.
        bytes: what it takes on the disk.
        used: when it was written, seconds since 1970.
    """

    folder: Path
    state: State
    images: int
    size: int
    failures: int
    bytes: int
    used: float


def list_sets(cache: Path) -> list[CachedSet]:
    """Return the sets of a cache, the one written last first."""
    if not cache.is_dir():
        return []
    sets = [_describe(folder) for folder in cache.iterdir() if _is_set(folder)]
    return sorted(sets, key=lambda found: -found.used)


def find_sets(cache: Path, keys: tuple[str, ...]) -> list[CachedSet]:
    """Return the sets whose keys start with the given ones; all where none is given.

    Raises:
        InputError: a beginning fits none or several sets.
    """
    sets = list_sets(cache)
    if not keys:
        return sets
    found = []
    for key in keys:
        fitting = [each for each in sets if each.folder.name.startswith(key)]
        if len(fitting) != 1:
            number = "no set" if not fitting else f"{len(fitting)} sets"
            raise InputError(
                f"'{key}' is the beginning of {number} in {cache}; `cxr-bench cache ls` shows them."
            )
        found += fitting
    return found


def damaged_rows(found: CachedSet) -> list[int]:
    """Return the rows of a whole set whose pixels are not what was decoded."""
    index = _index(found.folder)
    pixels = np.load(found.folder / "pixels.npy", mmap_mode="r" if found.images else None)
    checksums = index["checksums"]
    return [row for row, image in enumerate(pixels) if zlib.crc32(image) != checksums[row]]


def remove_set(found: CachedSet) -> None:
    """Remove a set.

    Raises:
        InputError: another process builds it.
    """
    try:
        with FileLock(found.folder / "lock", timeout=0):
            # First its index: what is left of a removal that is killed counts as unfinished.
            (found.folder / "index.json").unlink(missing_ok=True)
    except Timeout as error:
        raise InputError(
            f"{found.folder.name[:12]} is being built by another process; wait for it or stop it."
        ) from error
    shutil.rmtree(found.folder)


def _is_set(folder: Path) -> bool:
    names = ("index.json", "pixels.npy", "pixels.partial", "lock")
    return folder.is_dir() and any((folder / name).exists() for name in names)


def _describe(folder: Path) -> CachedSet:
    files = [path.stat() for path in folder.iterdir()]
    index = _index(folder)
    done = len(list(folder.glob("part-*.json")))
    shape = _shape(folder)
    failures = len(index.get("failures", {}))
    whole = bool(index) and shape[:1] == (index["images"] - failures,)
    checked = whole and len(index.get("checksums", ())) == shape[0]
    state: State = "whole" if checked else "damaged" if index else "unfinished"
    if index and (index.get("format"), index.get("preprocessing")) != _VERSIONS:
        state = "outdated"
    return CachedSet(
        folder=folder,
        state=state,
        images=shape[0] if whole else _done_images(folder) if done else 0,
        size=int(index.get("size", shape[1] if len(shape) == 3 else 0)),
        failures=failures,
        bytes=sum(status.st_blocks * 512 for status in files),
        used=max((status.st_mtime for status in files), default=0.0),
    )


def _index(folder: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((folder / "index.json").read_text())
        return index if {"images", "failures", "size"} <= index.keys() else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _shape(folder: Path) -> tuple[int, ...]:
    """Return the shape that pixels.npy (or what will become it) has; empty where it has none."""
    for name in ("pixels.npy", "pixels.partial"):
        path = folder / name
        try:
            with path.open("rb") as file:
                np.lib.format.read_magic(file)
                shape, _, _ = np.lib.format.read_array_header_1_0(file)
                start = file.tell()
            if path.stat().st_size == start + int(np.prod(shape)):
                return tuple(int(side) for side in shape)
        except (OSError, ValueError, EOFError):
            continue
    return ()


def _done_images(folder: Path) -> int:
    return sum(_marked(mark) for mark in folder.glob("part-*.json"))


def _marked(mark: Path) -> int:
    try:
        return len(json.loads(mark.read_text())["checksums"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
