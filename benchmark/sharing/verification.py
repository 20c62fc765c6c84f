"""Does a bundle or a run folder hold what it says: digests, metrics, and each number of its card.

Nothing here trusts the card. Digests tell whether a file was changed since; the metrics are
computed again from the scores; the card's numbers are looked up at their sources; and where the
same version of the card's code is at hand, the whole page is rendered again and compared.
Whoever rewrites a file can rewrite its digest too: only a signature tells who made a bundle.
"""

import difflib
import json
import math
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from benchmark.card import build_card, render_html
from benchmark.card.pages import rendering_digest
from benchmark.card.tracing import trace
from benchmark.config import stored_config
from benchmark.evaluation.calibration import calibration_document
from benchmark.evaluation.documents import PROTOCOL_VERSION
from benchmark.evaluation.operating import THRESHOLDS, ValidationScores, operating_documents
from benchmark.evaluation.variants import evaluate_variants
from benchmark.evidence import Evidence
from benchmark.inference.prediction import read_scores
from benchmark.runs import MANIFEST, file_digest, read_json, read_manifest
from benchmark.sharing.bundling import (
    DESCRIPTION,
    FORMAT,
    NAMESPACE,
    VERSION,
    ssh_keygen,
)
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

MOST_BYTES = 20_000_000_000
MOST_SHOWN = 12
CLOSE = 1e-9
CARDS = ("", "reviews/")


@dataclass
class Verdict:
    """What held and what did not.

    Attributes:
        held: sentences on what was checked and agreed.
        skipped: what could not be checked, and why.
        wrong: what differs; empty where the bundle is good.
    """

    held: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def differ(self, found: list[str]) -> None:
        """Note differences, the first few in full."""
        self.wrong += found[:MOST_SHOWN]
        if len(found) > MOST_SHOWN:
            self.wrong.append(f"... and {len(found) - MOST_SHOWN} more like the last.")


def verify(path: Path) -> Verdict:
    """Check a bundle (zip) or a run folder.

    Raises:
        InputError: it is neither, or a zip that can't be trusted to unpack.
    """
    verdict = Verdict()
    with _opened(path) as folder:
        _check_description(folder, verdict)
        for part in CARDS:
            _check_manifest(folder / part, _left_out(folder), verdict)
        if not (folder / "run.json").is_file():
            raise InputError(f"{path} holds no run.json; name a bundle or the folder of one run.")
        _check_metrics(folder, verdict)
        for part in CARDS:
            if (folder / part / "card.html").is_file():
                _check_card(folder, part, verdict)
    return verdict


@contextmanager
def _opened(path: Path) -> Iterator[Path]:
    """Yield the run folder in `path`."""
    if path.is_dir():
        yield path
        return
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is neither a folder nor a zip; name a bundle or a run folder.")
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        roots = {PurePosixPath(name).parts[0] for name in names if name}
        if len(roots) != 1 or len(set(names)) != len(names):
            raise InputError(f"{path} is no bundle: it holds {len(roots)} folders, not one.")
        if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
            raise InputError(f"{path} unpacks to more than {MOST_BYTES / 1e9:g} GB.")
        for name in names:
            steps = PurePosixPath(name)
            if steps.is_absolute() or ".." in steps.parts or "\\" in name:
                raise InputError(f"{path} holds the file name {name!r}, which leads out of it.")
        archive.extractall(temporary)
        folder = Path(temporary) / roots.pop()
        if not (folder / DESCRIPTION).is_file():
            raise InputError(f"{path} holds no {DESCRIPTION}; it is no bundle of cxr-bench.")
        yield folder


def _check_description(folder: Path, verdict: Verdict) -> None:
    file = folder / DESCRIPTION
    if not file.is_file():
        return
    values = _description(file)
    there = {
        each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()
    } - {DESCRIPTION}
    found = [f"{name} is missing." for name in sorted(set(values["files"]) - there)]
    found += [f"{name} is not of the bundle." for name in sorted(there - set(values["files"]))]
    found += [
        f"{name} was changed: its digest is not the bundle's."
        for name, digest in sorted(values["files"].items())
        if name in there and file_digest(folder / name) != digest
    ]
    verdict.differ(found)
    if not found:
        verdict.held.append(f"{len(there)} files have the digests of {DESCRIPTION}.")


def _description(file: Path) -> dict[str, Any]:
    try:
        values = read_json(file)
        whole = values["format"] == FORMAT and isinstance(values["files"], dict)
    except (ValueError, KeyError, TypeError):
        whole, values = False, {}
    if not whole or values["version"] != VERSION:
        raise InputError(f"{file.name} is none that this version reads; it is no good bundle.")
    return values


def _left_out(folder: Path) -> set[str]:
    file = folder / DESCRIPTION
    return set(_description(file)["left_out"]) if file.is_file() else set()


def _check_manifest(folder: Path, left_out: set[str], verdict: Verdict) -> None:
    """Compare the files with the manifest of the finished run, or of its reviews."""
    digests = read_manifest(folder)
    where = "reviews/" if folder.name == "reviews" else ""
    if not digests:
        if not where:
            verdict.skipped.append(f"There is no {MANIFEST}: whether files changed can't be told.")
        return
    found, same = [], 0
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file():
            if where + name not in left_out:
                found.append(f"{where}{name} is missing.")
        elif file_digest(path) == digest:
            same += 1
        else:
            found.append(f"{where}{name} was changed: its digest is not the manifest's.")
    verdict.differ(found)
    if not found:
        verdict.held.append(f"{same} files have the digests of {where}{MANIFEST}.")


def _check_metrics(folder: Path, verdict: Verdict) -> None:
    """Compute every metrics file again from the scores."""
    run = read_json(folder / "run.json")
    cases_file = folder / "cases.parquet"
    if not cases_file.is_file():
        verdict.skipped.append("Metrics were not computed again: the single cases are left out.")
        return
    version = run["protocol"].get("version")
    if version != PROTOCOL_VERSION:
        verdict.skipped.append(
            f"Metrics were not computed again: theirs are version {version!r} of the "
            f"definitions, and these are {PROTOCOL_VERSION}."
        )
        return
    cases = pd.read_parquet(cases_file)
    test = cases[cases["split"] == "test"]
    settings = stored_config(run["config"], where="run.json: config").evaluation
    numbers = 0
    for entry in run["networks"]:
        home = folder / entry["folder"]
        if not (home / "scores.parquet").is_file():
            verdict.skipped.append(f"{entry['folder']}: no scores to compute its metrics from.")
            continue
        scores = read_scores(home / "scores.parquet")
        indexed = scores.set_index("image_id")
        logits = indexed.reindex(test["image_id"])[list(OBSERVATIONS)].to_numpy(float)
        told = {"network": entry["name"], "seed": entry["seed"], "settings": settings}
        documents = evaluate_variants(test, logits, **told)
        if (home / THRESHOLDS).is_file():
            validation = ValidationScores.of(cases, scores)
            documents |= operating_documents(validation, test, logits, **told)
            documents["calibration.json"] = calibration_document(validation, test, logits, **told)
        for name, document in documents.items():
            where = f"{entry['folder']}/{name}"
            stored = home / name
            if not stored.is_file():  # a version that wrote less; the manifest tells of lost ones
                continue
            found = differences(read_json(stored), json.loads(json.dumps(document)))
            verdict.differ([f"{where}: {each}" for each in found])
            numbers += _count(document)
    if numbers:
        verdict.held.append(f"{numbers} values of the metrics were computed again from the scores.")


def differences(stored: Any, computed: Any, path: str = "") -> list[str]:
    """Return where a stored document differs from a computed one, in sentences.

    What only one of them has is not compared: older versions wrote less, newer ones write more.
    """
    if isinstance(stored, Mapping) and isinstance(computed, Mapping):
        return [
            line
            for key in stored
            if key in computed
            for line in differences(stored[key], computed[key], f"{path}.{key}" if path else key)
        ]
    same = stored == computed
    numbers = isinstance(stored, int | float) and isinstance(computed, int | float)
    if not same and numbers:
        same = math.isclose(stored, computed, rel_tol=CLOSE, abs_tol=CLOSE)
    return [] if same else [f"{path} is {stored!r}; the scores give {computed!r}."]


def _count(document: Any) -> int:
    if isinstance(document, Mapping):
        return sum(map(_count, document.values()))
    return int(isinstance(document, int | float))


def _check_card(folder: Path, part: str, verdict: Verdict) -> None:
    """Look every number of a card up, and render the card again where that can be done."""
    name = f"{part}card.html"
    page = (folder / name).read_text(encoding="utf-8")
    traced = trace(page, Evidence(folder))
    verdict.differ([f"{name}: {each}." for each in traced.wrong])
    if not traced.wrong:
        verdict.held.append(f"{traced.agree} numbers of {name} stand where they say.")
    if traced.lost:
        verdict.skipped.append(f"{traced.lost} numbers of {name}: their files are left out.")
    reason = _why_not_rendered(folder, part, page)
    if reason:
        verdict.skipped.append(f"{name} was not rendered again: {reason}.")
        return
    found = _page_differences(page, _rendered(folder, part))
    verdict.differ([f"{name}: {each}" for each in found])
    if not found:
        verdict.held.append(f"{name} is what its files give, rendered again.")


def _why_not_rendered(folder: Path, part: str, page: str) -> str:
    made = re.search(r'<meta name="generator" content="[^"]*\(card (\w+)\)">', page)
    if not made or made[1] != rendering_digest(None):
        return "another version of the card's code, or own templates, made it"
    if _left_out(folder) - {
        name for name in _left_out(folder) if name.endswith((".safetensors", ".json"))
    }:
        return "files that it is made from are left out"
    if not part and not read_manifest(folder):
        return f"without {MANIFEST} it can't be told which files it was made from"
    return ""


def _rendered(folder: Path, part: str) -> str:
    """Return the card of the run alone, or of the run with its reviews."""
    if part:
        return render_html(build_card(folder))
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / folder.name
        for name in read_manifest(folder):
            source, target = folder / name, copy / name
            if source.is_file() and source.suffix != ".safetensors":
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        return render_html(build_card(copy))


def _page_differences(stored: str, rendered: str) -> list[str]:
    old, new = stored.splitlines(), rendered.splitlines()
    changed = [
        line
        for line in difflib.unified_diff(new, old, lineterm="", n=0)
        if line[:1] in "+-" and not line.startswith(("+++", "---"))
    ]
    return [
        f"{'it has' if line[0] == '+' else 'it lacks'} {_short(line[1:])!r}." for line in changed
    ]


def _short(line: str) -> str:
    text = " ".join(re.sub(r"<[^>]+>", " ", line).split()) or line.strip()
    return text if len(text) <= 160 else f"{text[:157]}..."


def check_signature(path: Path, signers: Path | None, signer: str | None, verdict: Verdict) -> None:
    """Check the signature beside a bundle; without known signers, only that it fits.

    Args:
        path: the bundle; its signature is `path`.sig.
        signers: an allowed-signers file, see ssh-keygen(1); None where nobody is known.
        signer: who must have signed.
        verdict: gets what was found.
    """
    signature = path.with_name(f"{path.name}.sig")
    if not signature.is_file():
        if signer:
            verdict.wrong.append(f"There is no signature: {signature.name} is not there.")
        return
    asked = ["-n", NAMESPACE, "-s", str(signature)]
    try:
        if signers is None or signer is None:
            ssh_keygen("check-novalidate", *asked, given=path)
            verdict.skipped.append("The signature fits, but whose it is was not asked.")
        else:
            ssh_keygen("verify", "-f", str(signers), "-I", signer, *asked, given=path)
            verdict.held.append(f"It was signed by {signer}.")
    except InputError as error:
        verdict.wrong.append(f"The signature does not hold: {error}")
