"""One zip of a finished run, to be passed on: what may be shared, with the digest of each file.

    RUN-ID/BUNDLE.json       how it was shared, every file's SHA-256, what was left out and why
    RUN-ID/MANIFEST.sha256   the run's own, unchanged: what is here is what was finished
    RUN-ID/...               the files

Equal runs give equal bytes: names are sorted, times and rights fixed, nothing compressed (other
versions of zlib compress differently). Unpacked, it is a run folder again.
"""

import fnmatch
import json
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark.card import build_card
from benchmark.runs import (
    MANIFEST,
    Run,
    file_digest,
    read_json,
    read_manifest,
    replacing,
    write_json,
    write_manifest,
)
from benchmark.sharing.editions import Look, write_card_files
from benchmark.sharing.identifiers import find_identifiers
from cxr.errors import InputError

Share = Literal["shareable", "full", "anonymous"]

FORMAT, VERSION = "cxr-bench bundle", 1
DESCRIPTION = "BUNDLE.json"
NAMESPACE = "cxr-bench"
"""What a signature is for, as ssh-keygen -Y asks."""

_TIME = (1980, 1, 1, 0, 0, 0)
_RIGHTS = 0o644 << 16
_MACHINE = ("platform", "cpu", "git")
_PATHS = ("path", "reports", "tables", "patients")
MOST_NAMED = 5


@dataclass(frozen=True)
class Bundle:
    """What was written: the file, how many files are in it, and what was left out."""

    path: Path
    files: int
    left_out: Mapping[str, str]


def write_bundle(
    run: Run,
    output: Path,
    *,
    share: Share,
    accept_identifiers: bool = False,
    without: Sequence[str] = (),
) -> Bundle:
    """Write the bundle of a finished run.

    Args:
        run: finished.
        output: the zip.
        share: "shareable" leaves out what may not be passed on, checkpoints and readers' own
            words; "anonymous" also who made it and where; "full" leaves out nothing.
        accept_identifiers: what looks like an identifier has been looked at.
        without: patterns of files to leave out besides, as "*.png".

    Raises:
        InputError: a pattern names nothing that would go in, a file differs from the run's
            manifest, the card holds restricted images, or something looks like an identifier.
    """
    values = run.read()
    _check_manifest(run)
    if share != "full" and values["config"]["card"].get("include_restricted"):
        raise InputError(
            f"{run.run_id} holds images of a restricted source (card.include_restricted); it "
            "can't be shared. Run without it, or keep a bundle to yourself with --share full."
        )
    with _folder(run, share) as folder:
        files, left_out = choose_files(folder, share, restricted=values["cohort"]["restricted"])
        unwanted = _matching(files, without)
        files = [name for name in files if name not in unwanted]
        left_out |= dict.fromkeys(unwanted, "not wanted")
        if share != "full" and not accept_identifiers:
            _check_identifiers(folder, files, real=not values["cohort"]["synthetic"], share=share)
        description = {
            "format": FORMAT,
            "version": VERSION,
            "run_id": run.run_id,
            "share": share,
            "synthetic": values["cohort"]["synthetic"],
            "files": {name: file_digest(folder / name) for name in files},
            "left_out": left_out,
        }
        _write_zip(output, folder, files, description)
    return Bundle(output, len(files), left_out)


def choose_files(
    folder: Path, share: Share, *, restricted: bool
) -> tuple[list[str], dict[str, str]]:
    """Return the files of a run folder that are shared, and for the others why not."""
    chosen, left_out = [], {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.name.startswith(".") or name == DESCRIPTION:
            continue
        reason = "" if share == "full" else _why_not(name, share, restricted)
        if reason:
            left_out[name] = reason
        else:
            chosen.append(name)
    return chosen, left_out


def _matching(files: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the files that any pattern names.

    Raises:
        InputError: a pattern names none, or one without which there is no bundle.
    """
    for pattern in patterns:
        if not fnmatch.filter(files, pattern):
            raise InputError(f"--without {pattern!r} names no file that would go in.")
        if fnmatch.fnmatch("run.json", pattern):
            raise InputError(
                f"--without {pattern!r} would leave out run.json, which every run has."
            )
    return [name for name in files if any(fnmatch.fnmatch(name, one) for one in patterns)]


def _why_not(name: str, share: Share, restricted: bool) -> str:
    """Return why a file is not shared; empty where it is."""
    last = name.rpartition("/")[2]
    if last.endswith((".safetensors", ".pt")):
        return "a checkpoint: large, and it may remember its training data"
    if name.startswith("reviews/") and "/answers/" in name:
        return "readers' own words"
    if restricted and (
        (last.endswith((".parquet", ".csv")) and last != "history.csv") or last == "cases.json"
    ):
        return "single cases of a restricted source"
    if restricted and "/explanations/" in name:
        return "single cases of a restricted source"
    if share == "anonymous" and last in ("card.toml", "signoffs.json", "history.json"):
        return "it names people"
    return ""


def _check_manifest(run: Run) -> None:
    for folder in (run.path, run.path / "reviews"):
        for name, digest in read_manifest(folder).items():
            path = folder / name
            if not path.is_file() or file_digest(path) != digest:
                raise InputError(
                    f"{path} is not what {folder / MANIFEST} says; restore it before it is "
                    "passed on."
                )


def _check_identifiers(folder: Path, files: list[str], *, real: bool, share: Share) -> None:
    notes = folder / "card.toml"
    allowed = [notes.read_text(encoding="utf-8")] if notes.is_file() else []
    paths = [(name, folder / name) for name in files]
    found = find_identifiers(paths, real=real, allowed=allowed)
    if found:
        named = "; ".join(map(str, found[:MOST_NAMED]))
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        way = "" if share == "anonymous" else "try --share anonymous, or "
        raise InputError(
            f"this looks like identifiers: {named}{more}. Look at them, then {way}give "
            "--accept-identifiers if they may be shared."
        )


@contextmanager
def _folder(run: Run, share: Share) -> Iterator[Path]:
    """Yield the folder to share from: the run's, or a copy that names nobody."""
    if share != "anonymous":
        yield run.path
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / run.run_id
        shutil.copytree(
            run.path, copy, ignore=shutil.ignore_patterns("*.safetensors", "answers", "card.toml")
        )
        _make_anonymous(copy)
        yield copy


def _make_anonymous(folder: Path) -> None:
    """Take people, machine and places out of a copy, and render its card anew."""
    values = read_json(folder / "run.json")
    for name in _MACHINE:
        values["provenance"].pop(name, None)
    for name in _PATHS:
        if values["config"]["data"].get(name):
            values["config"]["data"][name] = "(left out)"
    write_json(folder / "run.json", values)
    reviews = folder / "reviews"
    if reviews.is_dir():
        _make_readers_anonymous(reviews)
    look = Look(pdf=(folder / "card.pdf").is_file())
    write_card_files(build_card(folder), folder, look)
    write_manifest(folder)


def _make_readers_anonymous(reviews: Path) -> None:
    for name in ("card.html", "card.pdf", "MODEL_CARD.md", "card.chai.xml", MANIFEST):
        (reviews / name).unlink(missing_ok=True)
    for name in ("signoffs.json", "history.json"):
        (reviews / name).unlink(missing_ok=True)
    file = reviews / "review.json"
    if not file.is_file():
        return
    values = read_json(file)
    names: dict[str, str] = {}
    for each in (*values["blind"], *values["maps"]):
        for reader in each["readers"]:
            name = names.setdefault(reader["reader"], f"Reader {len(names) + 1}")
            reader["reader"], reader["role"] = name, ""
        for observation in each.get("observations", {}).values():
            for pair in observation["pairs"]:
                pair["readers"] = [names[name] for name in pair["readers"]]
    write_json(file, values)


def _write_zip(
    output: Path, folder: Path, files: list[str], description: Mapping[str, Any]
) -> None:
    root = description["run_id"]
    text = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
    contents = {DESCRIPTION: text.encode(), **dict.fromkeys(files)}
    with replacing(output) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(f"{root}/{name}", _TIME)
            entry.external_attr, entry.create_system = _RIGHTS, 3
            content = contents[name]
            archive.writestr(entry, (folder / name).read_bytes() if content is None else content)


def sign(path: Path, key: Path) -> Path:
    """Sign a bundle with an SSH key; the signature lies beside it as `.sig`.

    Raises:
        InputError: ssh-keygen is not there, or refuses the key.
    """
    signature = path.with_name(f"{path.name}.sig")
    signature.unlink(missing_ok=True)
    ssh_keygen("sign", "-f", str(key), "-n", NAMESPACE, str(path))
    return signature


def ssh_keygen(action: str, *arguments: str, given: Path | None = None) -> str:
    """Run `ssh-keygen -Y ACTION` and return what it says.

    Raises:
        InputError: it is not installed, or fails; its own words are in the message.
    """
    command = ["ssh-keygen", "-Y", action, *arguments]
    try:
        done = subprocess.run(
            command,
            input=given.read_bytes() if given else b"",
            capture_output=True,
            check=False,
            timeout=60,
        )
    except OSError as error:
        raise InputError(
            f"ssh-keygen can't be run ({error.strerror}); install OpenSSH, or go without a "
            "signature."
        ) from error
    said = (done.stderr + done.stdout).decode(errors="replace").strip()
    if done.returncode:
        raise InputError(f"ssh-keygen -Y {action}: {said or 'it failed'}.")
    return said
