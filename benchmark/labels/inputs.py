"""Reports from where they lie: a CSV, a folder of MIMIC-CXR's texts, Open-i XML, one text.

`open_reports` looks through the input once, counts it and finds its mistakes, so that nothing is
written for an input that can't be read to its end; iterating then streams it.
"""

import codecs
import csv
import gzip
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

import numpy as np

from cxr.errors import InputError

ID_COLUMNS = ("subject_id", "study_id", "patient_id", "image_id", "dicom_id", "uid", "id")
"""Columns taken for ids where none is named, whichever a table has."""

_MIMIC_NAME = re.compile(r"s(\d+)\.txt")
_MIMIC_PATIENT = re.compile(r"p(\d+)")
_OPENI_NAME = re.compile(r"(?:CXR)?(\d+)")


class Report(NamedTuple):
    """One report: its ids, in the order of `Reports.id_names`, and its text."""

    ids: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Reports:
    """An input that was looked through.

    Attributes:
        name: for messages.
        id_names: columns of ids.
        count: how many reports it holds.
        digest: of ids and texts; tells whether an interrupted job may go on.
        read: starts to read the reports from the first.
    """

    name: str
    id_names: tuple[str, ...]
    count: int
    digest: str
    read: Callable[[], Iterator[Report]]

    def __iter__(self) -> Iterator[Report]:
        return self.read()


def open_reports(
    source: Path,
    *,
    text_column: str | None = None,
    id_columns: Sequence[str] = (),
    encoding: str = "utf-8",
) -> Reports:
    """Look through `source` and return its reports.

    Args:
        source: a CSV (may be gzipped), an XML file of Open-i, or a folder of either
            MIMIC-CXR's `s*.txt` or Open-i's `*.xml`, however deep.
        text_column: the CSV's column of text; by default `text`, else `findings` and
            `impression` under their headings.
        id_columns: the CSV's columns of ids; by default those of `ID_COLUMNS` that it has, else
            the number of the row.
        encoding: of CSV and texts.

    Raises:
        InputError: no such file, no reports, a missing column, bytes that are not in the
            encoding, a malformed row, two reports with the same ids.
    """
    if source.is_dir():
        return _checked(_open_folder(source, encoding))
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder; check the path.")
    if source.suffix.lower() == ".xml":
        return _checked(_open_files([source], "uid", _openi_ids, _read_openi, source))
    if source.suffix.lower() == ".txt":
        return _checked(
            _open_files([source], "id", lambda p: (p.stem,), _text_reader(encoding), source)
        )
    return _checked(_open_csv(source, text_column, tuple(id_columns), encoding))


def _checked(reports: Reports) -> Reports:
    """Read everything once: counts, finds what can't be read and ids that repeat."""
    whole = blake2b(digest_size=8)

    def key(report: Report) -> int:
        ids = "\0".join(report.ids).encode()
        whole.update(ids + b"\0" + report.text.encode("utf-8", "surrogatepass") + b"\0")
        return int.from_bytes(blake2b(ids, digest_size=8).digest())

    keys = np.fromiter(map(key, reports), dtype=np.uint64)
    if not keys.size:
        raise InputError(f"{reports.name}: holds no reports; give a CSV with a header and rows.")
    ordered, counts = np.unique(keys, return_counts=True)
    if ordered.size < keys.size:
        place = int(np.flatnonzero(keys == ordered[counts > 1][0])[1])
        ids = next(r.ids for number, r in enumerate(reports) if number == place)
        named = ", ".join(f"{n} {v!r}" for n, v in zip(reports.id_names, ids, strict=True))
        raise InputError(
            f"{reports.name}: report {place + 1} has the ids of an earlier one ({named}); "
            "every report needs ids of its own (--id-column names the columns)."
        )
    return Reports(reports.name, reports.id_names, int(keys.size), whole.hexdigest(), reports.read)


# ---------------------------------------------------------------------- CSV


def _open_csv(
    path: Path, text_column: str | None, id_columns: tuple[str, ...], encoding: str
) -> Reports:
    check_encoding(path, encoding)
    with _open_text(path, encoding) as file:
        header = next(_rows(file, path), [])
    if not header:
        raise InputError(f"{path}: is empty; give a CSV with a header row.")
    texts = _text_columns(path, header, text_column)
    names = id_columns or tuple(name for name in ID_COLUMNS if name in header)
    for name in names:
        _check_column(path, header, name, "--id-column")

    def read() -> Iterator[Report]:
        with _open_text(path, encoding) as file:
            rows = _rows(file, path)
            next(rows)
            for number, row in enumerate(rows, start=1):
                if not row:
                    continue
                if len(row) != len(header):
                    raise InputError(
                        f"{path} row {number}: has {len(row)} cells and the header {len(header)}; "
                        "put text with commas or line breaks in double quotes."
                    )
                cells = dict(zip(header, row, strict=True))
                ids = tuple(cells[name] for name in names) or (str(number),)
                yield Report(ids, _join_texts(cells, texts))

    return Reports(str(path), names or ("row",), 0, "", read)


def _text_columns(path: Path, header: list[str], chosen: str | None) -> tuple[str, ...]:
    if chosen:
        _check_column(path, header, chosen, "--text-column")
        return (chosen,)
    if "text" in header:
        return ("text",)
    found = tuple(name for name in ("findings", "impression") if name in header)
    if not found:
        raise InputError(
            f"{path}: has no column 'text', and no 'findings' or 'impression'; it has "
            f"{', '.join(header)}. Name one with --text-column."
        )
    return found


def _check_column(path: Path, header: list[str], name: str, option: str) -> None:
    if name not in header:
        raise InputError(
            f"{path}: has no column '{name}'; it has {', '.join(header)}. "
            f"Name one of these with {option}."
        )


def _join_texts(cells: dict[str, str], columns: tuple[str, ...]) -> str:
    if columns and columns[0] in ("findings", "impression"):
        parts = (f"{name.upper()}: {cells[name]}" for name in columns if cells[name].strip())
        return "\n\n".join(parts)
    return cells[columns[0]]


def _rows(file: TextIO, path: Path) -> Iterator[list[str]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    reader = csv.reader(file)
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(
            f"{path} line {reader.line_num}: {error}; put text with quotes or line breaks in "
            "double quotes, and double the quotes inside."
        ) from error


def _open_binary(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _open_text(path: Path, encoding: str) -> TextIO:
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # a byte order mark is no part of the first column's name
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def check_encoding(path: Path, encoding: str) -> None:
    """Raise InputError where the bytes of `path` are not in `encoding`; says which byte."""
    decoder = codecs.getincrementaldecoder(encoding)()
    read = 0
    with _open_binary(path) as file:
        while True:
            block = file.read(1 << 20)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                place = read - pending + error.start
                raise InputError(
                    f"{path}: byte {place + 1} (0x{error.object[error.start]:02x}) is not "
                    f"{encoding}; name the file's encoding, such as --encoding cp1252."
                ) from error
            except (OSError, EOFError) as error:
                raise InputError(f"{path}: can't be unpacked ({error}).") from error
            if not block:
                return
            read += len(block)


# ---------------------------------------------------------------------- files of one report


def _open_folder(folder: Path, encoding: str) -> Reports:
    texts = _Files(folder, "s*.txt")
    if any(True for _ in texts):
        return _open_files(texts, "subject_id study_id", _mimic_ids, _text_reader(encoding), folder)
    pages = _Files(folder, "*.xml")
    if any(True for _ in pages):
        return _open_files(pages, "uid", _openi_ids, _read_openi, folder)
    raise InputError(
        f"{folder}: holds neither MIMIC-CXR's texts (s*.txt) nor Open-i's reports (*.xml), "
        "at any depth; check the path."
    )


@dataclass(frozen=True)
class _Files:
    """The files below a folder whose names fit a pattern, folder by folder, found as they come.

    A folder's names are sorted, shorter ones first: numbers in their order.
    """

    folder: Path
    pattern: str

    def __iter__(self) -> Iterator[Path]:
        with os.scandir(self.folder) as found:
            entries = sorted(found, key=lambda entry: (len(entry.name), entry.name))
        for entry in entries:
            if entry.is_dir():
                yield from _Files(Path(entry.path), self.pattern)
            elif fnmatchcase(entry.name, self.pattern):
                yield Path(entry.path)


def _open_files(
    paths: Iterable[Path],
    id_names: str,
    ids: Callable[[Path], tuple[str, ...]],
    read_one: Callable[[Path], str],
    source: Path,
) -> Reports:
    def read() -> Iterator[Report]:
        for path in paths:
            yield Report(ids(path), read_one(path))

    return Reports(str(source), tuple(id_names.split()), 0, "", read)


def _mimic_ids(path: Path) -> tuple[str, ...]:
    study = _MIMIC_NAME.fullmatch(path.name)
    patient = _MIMIC_PATIENT.fullmatch(path.parent.name)
    return (patient[1] if patient else "", study[1] if study else path.stem)


def _openi_ids(path: Path) -> tuple[str, ...]:
    number = _OPENI_NAME.fullmatch(path.stem)
    return (number[1] if number else path.stem,)


def _text_reader(encoding: str) -> Callable[[Path], str]:
    def read(path: Path) -> str:
        try:
            return path.read_bytes().decode(encoding)
        except UnicodeDecodeError:
            check_encoding(path, encoding)
            raise

    return read


def _read_openi(path: Path) -> str:
    """Return the parts of an Open-i report under their headings; its index terms are not read."""
    content = path.read_bytes()
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise InputError(f"{path}: declares a document type, which Open-i's reports do not.")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: is no well-formed XML ({error}).") from error
    parts = [
        f"{element.get('Label', '').upper()}: {''.join(element.itertext()).strip()}"
        for element in root.iter("AbstractText")
        if "".join(element.itertext()).strip()
    ]
    if root.find(".//AbstractText") is None:
        raise InputError(f"{path}: has no AbstractText; it is no report of Open-i.")
    return "\n\n".join(parts)
