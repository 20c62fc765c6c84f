"""Run folders: the only code that knows where results lie.

A run is written in `<run-id>.unfinished/` and renamed when it is whole, so that nothing
half-written ever looks finished. `run-id` sorts by time and names the config.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from cxr.errors import InputError

SCHEMA = 1
UNFINISHED = ".unfinished"
MANIFEST = "MANIFEST.sha256"
READ = (".json", ".parquet")
"""The files that other commands read numbers from."""


@dataclass(frozen=True)
class Run:
    """One run folder and the names of what lies in it."""

    path: Path

    @property
    def run_id(self) -> str:
        """The folder's name without the mark of an unfinished run."""
        return self.path.name.removesuffix(UNFINISHED)

    @property
    def cases_file(self) -> Path:
        """The table as used: keyed ids, view, sex, age band, split, labels."""
        return self.path / "cases.parquet"

    @property
    def exclusions_file(self) -> Path:
        """Every image left out, and why."""
        return self.path / "exclusions.csv"

    def network(self, name: str, seed: int) -> Path:
        """The folder of one network trained with one seed."""
        return self.path / name.replace(":", "_") / f"seed-{seed}"

    def read(self) -> dict[str, Any]:
        """Return run.json."""
        return read_json(self.path / "run.json")

    def write(self, values: Mapping[str, Any]) -> None:
        """Replace run.json."""
        write_json(self.path / "run.json", values)


def read_run(path: Path) -> Run:
    """Return the finished run at `path`.

    Raises:
        InputError: no such folder, no run.json in it, a schema that this version can't read,
            a run that was not finished, or a table or document that was changed since.
    """
    run = Run(path)
    if not path.is_dir():
        raise InputError(f"{path} is no folder; name a run folder, as results/<protocol>/<run>.")
    if not (path / "run.json").is_file():
        raise InputError(f"{path} holds no run.json; name the folder of one run.")
    values = run.read()
    if values.get("schema") != SCHEMA:
        raise InputError(
            f"{path}/run.json has schema {values.get('schema')!r}; this version reads {SCHEMA}. "
            "Use the version of cxr-bench that wrote it."
        )
    if values.get("status") != "finished":
        raise InputError(f"{path} was not finished; run the same command again to go on with it.")
    for name, digest in read_manifest(path).items():
        file = path / name
        if file.suffix in READ and file.is_file() and file_digest(file) != digest:
            raise InputError(
                f"{file} was changed after the run was finished; restore it (`cxr-bench verify` "
                "tells what differs)."
            )
    return run


@contextlib.contextmanager
def open_run(
    results: Path, protocol: str, *, key: str, config_digest: str, now: datetime
) -> Iterator[tuple[Run, bool]]:
    """Yield an unfinished run to work in, and whether it goes on from an earlier one.

    An unfinished run under `results/protocol` with the same `key` (config, cases and code) that
    no other process holds is continued; else a new folder is made. The folder is locked while
    it is open.

    Raises:
        InputError: the folder can't be written.
    """
    folder = results / protocol
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder} can't be written ({error.strerror}); choose another folder with -o."
        ) from error
    with contextlib.ExitStack() as stack:
        found = _unfinished(folder, key, stack)
        run = found or _new_run(folder, f"{now:%Y%m%dT%H%M%SZ}-{config_digest}", stack)
        (run.path / "key").write_text(key)
        yield run, found is not None


def _unfinished(folder: Path, key: str, stack: contextlib.ExitStack) -> Run | None:
    for path in sorted(folder.glob(f"*{UNFINISHED}"), reverse=True):
        key_file = path / "key"
        if key_file.is_file() and key_file.read_text() == key and _locked(path, stack):
            return Run(path)
    return None


def _new_run(folder: Path, run_id: str, stack: contextlib.ExitStack) -> Run:
    for number in range(1, 1000):
        name = run_id if number == 1 else f"{run_id}-{number}"
        path = folder / f"{name}{UNFINISHED}"
        if not path.exists() and not (folder / name).exists():
            path.mkdir()
            _locked(path, stack)
            return Run(path)
    raise InputError(f"{folder} holds 999 runs named {run_id}; choose another folder with -o.")


def _locked(path: Path, stack: contextlib.ExitStack) -> bool:
    lock = FileLock(path.parent / f".{path.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    stack.callback(lambda: Path(lock.lock_file).unlink(missing_ok=True))
    stack.callback(lock.release)
    return True


def finish_run(run: Run) -> Run:
    """Write the manifest and give the folder its final name; return the finished run."""
    (run.path / "key").unlink(missing_ok=True)
    write_manifest(run.path)
    final = run.path.with_name(run.run_id)
    run.path.rename(final)
    return Run(final)


def write_manifest(folder: Path) -> None:
    """Write the SHA-256 of every file below `folder`, in the form `sha256sum -c` reads."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    lines = [f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    write_text(folder / MANIFEST, "".join(lines))


def read_manifest(folder: Path) -> dict[str, str]:
    """Return the digests in a folder's manifest by file name; nothing where there is none.

    Raises:
        InputError: a line is no digest and name.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    digests = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        digest, gap, name = line.partition("  ")
        if len(digest) != 64 or not gap or not name:
            raise InputError(f"{path}, line {number} is no digest and file name; restore it.")
        digests[name] = digest
    return digests


def file_digest(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write `text` so that the file is either whole or not there."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Mapping[str, Any] | list[Any]) -> None:
    """Write plain values, keys in the order given, NaN refused."""
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file.

    Raises:
        InputError: it was cut off, or is no JSON for another reason.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); restore it or run again.") from error
    return values


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as Parquet, whole or not at all."""
    with replacing(path) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a name beside `path`; flushed to disk and moved onto it only if the block succeeds.

    The name is always the same, so that what a killed process left is overwritten by the next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
