"""Reading many files once: headers of all, pixels of a sample, each kept for the next time.

What was read is appended to a file in the cache, a line for each image, so that a look that was
interrupted goes on. A line is keyed by a digest of path, size and time of change; it names
neither.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from cxr.dicom.files import DiskError
from cxr.parallel import stream_parallel

CHUNK = 64
"""Files that one worker reads before it reports."""


def read_all(
    read: Callable[[Path], dict[str, Any]],
    paths: Sequence[str],
    store: Path,
    *,
    version: int,
    jobs: int = -1,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """Return `read` of each file, from the store where it is unchanged there.

    Args:
        read: a function of a module that returns plain values. What a disk does not give for
            now is a `problem` that is not kept.
        paths: the files.
        store: the file that results are kept in; made where it is not there.
        version: raised when `read` answers differently.
        jobs: processes; -1 uses every core.
        progress: called with the number of files just done.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(store.with_suffix(".lock")):
        keys = [_key(path, version) for path in paths]
        known = _load(store, set(keys))
        missing = [place for place, key in enumerate(keys) if key not in known]
        if progress:
            progress(len(paths) - len(missing))
        chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
        tasks = ((read, [paths[place] for place in chunk]) for chunk in chunks)
        with store.open("a", encoding="utf-8") as file:
            answers = stream_parallel(_read_chunk, tasks, jobs=jobs if len(chunks) > 1 else 1)
            for chunk, found in zip(chunks, answers, strict=True):
                for place, (values, lasting) in zip(chunk, found, strict=True):
                    known[keys[place]] = values
                    if lasting:
                        file.write(json.dumps([keys[place], values]) + "\n")
                file.flush()
                if progress:
                    progress(len(chunk))
    return [known[key] for key in keys]


def _read_chunk(
    task: tuple[Callable[[Path], dict[str, Any]], list[str]],
) -> list[tuple[dict[str, Any], bool]]:
    """Return what was read of each file, and whether that will be true tomorrow."""
    read, paths = task
    found: list[tuple[dict[str, Any], bool]] = []
    for path in paths:
        try:
            found.append((read(Path(path)), True))
        except DiskError as error:
            found.append(({"problem": str(error)}, False))
    return found


def _key(path: str, version: int) -> str:
    try:
        status = os.stat(path)
        told = f"{status.st_size}:{status.st_mtime_ns}"
    except OSError:
        told = "absent"
    return hashlib.sha256(f"{version}:{os.path.abspath(path)}:{told}".encode()).hexdigest()[:32]


def _load(store: Path, wanted: set[str]) -> dict[str, dict[str, Any]]:
    if not store.is_file():
        return {}
    return {key: values for key, values in _lines(store) if key in wanted}


def _lines(store: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with store.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                key, values = json.loads(line)
            except ValueError:  # the line at which an earlier look was killed
                continue
            yield key, values
