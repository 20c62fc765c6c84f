"""A baseline as one small file that can be committed: JSON, with the scores packed inside.

What people read in a diff (metrics, protocol, recipe) is plain; the per-case part (keyed ids,
labels, scores) is packed: deflated bytes in base64, with a digest. A verdict on the file equals
the verdict on the run folder that it was written from.
"""

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.gate.scored import Network, Scored, read_scored
from benchmark.runs import read_json, read_run, write_text
from benchmark.sharing.publishing import check_publishable
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

FORMAT = "cxr-bench baseline"
SCHEMA = 1
_PLAIN = ("run_id", "restricted", "protocol", "population", "notes", "recipe")
_KEPT = ("auroc", "average_precision", "f1")
_BLANK = 9
"""Stands for a blank label; the others stand for themselves."""


def write_baseline(path: Path, file: Path) -> None:
    """Write the finished run in `path` as the baseline `file`.

    Raises:
        InputError: as `benchmark.gate.scored.read_scored` does; the run is of restricted data
            and its key is not named.
    """
    scored = read_scored(path)
    run = read_run(path)
    check_publishable(run.read())
    metrics = {
        _name((entry["name"], entry["seed"])): _metrics(run.path / entry["folder"])
        for entry in run.read()["networks"]
    }
    values = {
        "synthetic": bool(run.read().get("cohort", {}).get("synthetic", False)),
        **pack_cases(scored),
        "metrics": metrics,
    }
    write_text(file, json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_baseline(file: Path) -> Scored:
    """Return what a baseline file holds.

    Raises:
        InputError: the file can't be read, is no baseline, is of another schema, or was cut off
            or changed.
    """
    values = _read(file)
    try:
        return _unpacked(values)
    except (KeyError, TypeError, ValueError, zlib.error, binascii.Error) as error:
        raise InputError(
            f"{file} was cut off or changed ({error}); write it anew with "
            "cxr-bench check RUN --update-baseline FILE."
        ) from error


def read_side(path: Path) -> Scored:
    """Return the baseline in `path`, a run folder or a baseline file."""
    return read_scored(path) if path.is_dir() else read_baseline(path)


def _read(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"baseline {file}: {error.strerror}; check the path.") from error
    except ValueError as error:
        raise InputError(
            f"{file} is no JSON ({error}); name a run folder, or a file that "
            "cxr-bench check RUN --update-baseline FILE wrote."
        ) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError(
            f"{file} is no baseline; name a run folder, or a file that "
            "cxr-bench check RUN --update-baseline FILE wrote."
        )
    if values.get("schema") != SCHEMA:
        raise InputError(
            f"{file} has schema {values.get('schema')!r}; this version reads {SCHEMA}. Write it "
            "anew with --update-baseline."
        )
    return values


def pack_cases(scored: Scored) -> dict[str, Any]:
    """Return what `read_baseline` reads, as plain values."""
    patients, index = np.unique(scored.patient, return_inverse=True)
    labels = np.nan_to_num(scored.labels, nan=_BLANK).astype(np.int8)
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        **{name: getattr(scored, name) for name in _PLAIN},
        "cases": len(scored.image),
        "patients": len(patients),
        "image_ids": _pack(_id_bytes(scored.image)),
        "patient_ids": _pack(_id_bytes(patients)),
        "patient": _pack(index.astype("<i4")),
        "labels": _pack(labels),
        "networks": [
            {
                "name": name,
                "seed": seed,
                "weights": scored.weights[name, seed],
                "dtype": _smallest(values),
                "scores": _pack(values.astype(_smallest(values))),
            }
            for (name, seed), values in scored.logits.items()
        ],
    }


def _unpacked(values: Mapping[str, Any]) -> Scored:
    size, shape = values["cases"], (values["cases"], len(OBSERVATIONS))
    labels = _unpack(values["labels"], "i1", shape).astype(float)
    patients = _ids(_unpack(values["patient_ids"], "u1", (values["patients"], 8)))
    networks: dict[Network, Mapping[str, Any]] = {
        (str(entry["name"]), int(entry["seed"])): entry for entry in values["networks"]
    }
    return Scored(
        run_id=str(values["run_id"]),
        image=_ids(_unpack(values["image_ids"], "u1", (size, 8))),
        patient=patients[_unpack(values["patient"], "<i4", (size,))],
        labels=np.where(labels == _BLANK, np.nan, labels),
        logits={
            network: _unpack(entry["scores"], entry["dtype"], shape)
            for network, entry in networks.items()
        },
        protocol=dict(values["protocol"]),
        population=dict(values["population"]),
        notes=dict(values["notes"]),
        recipe=dict(values["recipe"]),
        weights={network: dict(entry["weights"]) for network, entry in networks.items()},
        restricted=bool(values["restricted"]),
    )


def _pack(values: NDArray[Any]) -> dict[str, str]:
    content = np.ascontiguousarray(values).tobytes()
    packed = base64.b85encode(zlib.compress(content, 9)).decode()
    return {"deflate": packed, "sha256": hashlib.sha256(content).hexdigest()[:16]}


def _unpack(packed: Mapping[str, str], dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    content = zlib.decompress(base64.b85decode(packed["deflate"]))
    if hashlib.sha256(content).hexdigest()[:16] != packed["sha256"]:
        raise ValueError("a digest doesn't fit")
    return np.frombuffer(content, dtype=dtype).reshape(shape)


def _smallest(values: NDArray[Any]) -> str:
    """The type that holds the scores without loss."""
    return "<f4" if np.array_equal(values.astype("<f4"), values, equal_nan=True) else "<f8"


def _id_bytes(ids: NDArray[np.str_]) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex("".join(ids)), dtype=np.uint8)


def _ids(content: NDArray[np.uint8]) -> NDArray[np.str_]:
    return np.array([row.tobytes().hex() for row in content], dtype=str)


def _name(network: Network) -> str:
    return f"{network[0]} seed {network[1]}"


def _metrics(folder: Path) -> dict[str, Any]:
    """The numbers that a diff should show, to four digits: estimate, low, high."""
    document = read_json(folder / "metrics.json")
    rows = {"macro": document["macro"], **document["observations"]}
    return {name: {metric: _short(row[metric]) for metric in _KEPT} for name, row in rows.items()}


def _short(entry: Mapping[str, Any]) -> str:
    """A number as one line of a diff."""
    if entry["estimate"] is None:
        return f"not estimable: {entry['reason']}"
    if entry["low"] is None:
        return f"{entry['estimate']:.4f}"
    return f"{entry['estimate']:.4f} [{entry['low']:.4f}, {entry['high']:.4f}]"
