"""Bundling, verifying and reviewing a finished run, from the command line."""

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from benchmark.runs import write_manifest
from tests.tiny_run import Outcome, TinyRun, command


@pytest.fixture
def run(tiny_run: TinyRun, tmp_path: Path) -> Path:
    """A copy of the tiny run that a test may change."""
    copy = tmp_path / tiny_run.folder.name
    shutil.copytree(tiny_run.folder, copy)
    return copy


@pytest.fixture(scope="module")
def bundle(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bundle") / "run.zip"
    outcome = command("bundle", tiny_run.folder, "-o", file)
    assert outcome.code == 0, outcome.err
    return file


def edit_json(path: Path, *steps: Any, value: Any) -> None:
    """Put `value` at `steps` in a JSON file."""
    document = json.loads(path.read_text())
    place = document
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = value
    path.write_text(json.dumps(document))


def repacked(bundle: Path, folder: Path, name: str, change: Any) -> Path:
    """Return a copy of a bundle in which one file's text was changed, its digests as they were."""
    file = folder / "edited.zip"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith(f"/{name}"):
                data = change(data.decode()).encode()
            new.writestr(entry, data)
    return file


def test_equal_runs_give_equal_bytes(tiny_run: TinyRun, bundle: Path, tmp_path: Path) -> None:
    """Bundled twice, the zips are the same to the byte, and whoever unpacks gets one folder."""
    assert command("bundle", tiny_run.folder, "-o", tmp_path / "b.zip").code == 0
    assert (tmp_path / "b.zip").read_bytes() == bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {tiny_run.folder.name}
    assert not [name for name in names if name.endswith(".safetensors")]


def test_a_bundle_and_its_run_are_good(tiny_run: TinyRun, bundle: Path) -> None:
    """What was packed verifies: digests, metrics from the scores, numbers, the page itself."""
    for path in (bundle, tiny_run.folder):
        outcome = command("verify", path)
        assert outcome.code == 0, outcome.out
        assert "values of the metrics were computed again from the scores" in outcome.out
        assert "numbers of card.html stand where they say" in outcome.out
        assert "card.html is what its files give, rendered again" in outcome.out
        assert "DIFFERS" not in outcome.out


def test_a_bundle_may_go_without_some_files(tiny_run: TinyRun, tmp_path: Path) -> None:
    """What was left out by name is listed and not missed; a pattern for nothing is refused."""
    small = tmp_path / "small.zip"
    patterns = ("--without", "*.png", "--without", "*/metrics.sex-?.json")
    done = command("bundle", tiny_run.folder, "-o", small, *patterns)
    assert (done.code, "not wanted" in done.err) == (0, True)
    with zipfile.ZipFile(small) as archive:
        names = archive.namelist()
    assert not [name for name in names if name.endswith(".png") or "metrics.sex" in name]
    assert command("verify", small).code == 0
    for pattern, reason in (("*.docx", "names no file"), ("*.json", "which every run has")):
        refused = command("bundle", tiny_run.folder, "-o", small, "--without", pattern)
        assert (refused.code, reason in refused.err) == (2, True)


def test_an_edited_card_is_refused_with_what_differs(bundle: Path, tmp_path: Path) -> None:
    """A changed number and a changed sentence in the card are both named."""

    def flatter(page: str) -> str:
        source = 'data-source="densenet121/seed-0/metrics.json#macro.auroc.estimate">'
        page = re.sub(re.escape(source) + r"[\d.]+", source + "0.99", page)
        return page.replace("Not a medical", "A medical").replace(
            "No clinician has read these cases", "Ten clinicians have read these cases"
        )

    outcome = command("verify", repacked(bundle, tmp_path, "card.html", flatter))
    assert outcome.code == 1
    assert "card.html was changed: its digest is not the bundle's" in outcome.out
    assert "it shows '0.99' for densenet121/seed-0/metrics.json#macro.auroc" in outcome.out
    assert "Ten clinicians have read these cases" in outcome.out
    assert outcome.out.rstrip().endswith("refused")


def test_rewriting_the_digests_does_not_help(run: Path) -> None:
    """Metrics and card edited alike, with a fresh manifest, still differ from the scores."""
    metrics = run / "densenet121/seed-0/metrics.json"
    edit_json(metrics, "macro", "auroc", "estimate", value=0.99)
    write_manifest(run)
    outcome = command("verify", run)
    assert outcome.code == 1
    assert re.search(
        r"densenet121/seed-0/metrics.json: macro.auroc.estimate is 0.99; the scores", outcome.out
    )


def test_files_that_come_or_go_are_named(bundle: Path, tmp_path: Path) -> None:
    """A file that is missing from a bundle, and one that was added, are both named."""
    file = tmp_path / "other.zip"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            if not entry.filename.endswith("/comparison.json"):
                new.writestr(entry, old.read(entry))
        root = old.namelist()[0].partition("/")[0]
        new.writestr(f"{root}/added.txt", "hello")
    outcome = command("verify", file)
    assert outcome.code == 1
    assert "comparison.json is missing" in outcome.out
    assert "added.txt is not of the bundle" in outcome.out


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt"])
def test_a_zip_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    """A file name that leads out of the zip is an error, and nothing is written."""
    file = tmp_path / "evil.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    outcome = command("verify", file)
    assert outcome.code == 2
    assert "evil" in outcome.err
    assert not list(tmp_path.parent.glob("evil.txt"))


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    """A text file, a zip of something else and an empty folder end with one sentence each."""
    (tmp_path / "a.txt").write_text("x")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("folder/c.txt", "x")
    (tmp_path / "empty").mkdir()
    for name, words in (
        ("a.txt", "neither a folder nor a zip"),
        ("b.zip", "holds no BUNDLE.json"),
        ("empty", "holds no run.json"),
    ):
        outcome = command("verify", tmp_path / name)
        assert (outcome.code, words in outcome.err) == (2, True), outcome.err


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
def test_a_signature_tells_who_made_it(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Signed with an SSH key, it verifies for that signer, and for nobody after a change."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    file = tmp_path / "run.zip"
    assert command("bundle", tiny_run.folder, "-o", file, "--sign", key).code == 0
    signers = tmp_path / "signers"
    signers.write_text(f"lab {key.with_suffix('.pub').read_text()}")

    def asked(who: str) -> Outcome:
        return command("verify", file, "--allowed-signers", signers, "--signer", who)

    assert "It was signed by lab" in asked("lab").out
    assert asked("somebody").code == 1
    file.with_name("run.zip.sig").rename(tmp_path / "kept.sig")
    assert "There is no signature" in asked("lab").out
    (tmp_path / "kept.sig").rename(tmp_path / "run.zip.sig")
    file.write_bytes(file.read_bytes() + b"\0")
    assert "The signature does not hold" in asked("lab").out


def test_an_anonymous_bundle_names_nobody(run: Path, tmp_path: Path) -> None:
    """Owner, machine, code state and readers are out, and the card still verifies."""
    (run / "card.pdf").unlink()  # made as the rest of the card is, and slow
    write_manifest(run)
    (run / "card.toml").write_text('owner = "Ward Zebrafinch"\n')
    assert command("review", "sign", run, "--name", "Dr Zebrafinch", "--decision", "accepted",
                   "--no-pdf").code == 0  # fmt: skip
    outcome = command("bundle", run, "-o", tmp_path / "a.zip", "--share", "anonymous")
    assert outcome.code == 0, outcome.err
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        described = json.loads(archive.read(f"{run.name}/run.json"))
    assert b"Zebrafinch" not in everything
    assert not {"platform", "cpu", "git"} & set(described["provenance"])
    checked = command("verify", tmp_path / "a.zip")
    assert checked.code == 0, checked.out
    assert "rendered again" in checked.out


def test_identifiers_stop_a_bundle(run: Path, tmp_path: Path) -> None:
    """A path in a text is named, and passes only once somebody says that it was looked at."""
    edit_json(run / "run.json", "config", "data", "path", value="/home/anna/private")
    write_manifest(run)
    outcome = command("bundle", run, "-o", tmp_path / "a.zip")
    assert outcome.code == 2
    assert "a path in run.json (/home/anna)" in outcome.err
    assert not (tmp_path / "a.zip").exists()
    assert command("bundle", run, "-o", tmp_path / "a.zip", "--accept-identifiers").code == 0


def test_restricted_cases_stay_at_home(run: Path, tmp_path: Path) -> None:
    """Of a restricted source nothing about single cases is packed, and its pictures never."""
    edit_json(run / "run.json", "cohort", "restricted", value=True)
    write_manifest(run)
    assert command("bundle", run, "-o", tmp_path / "a.zip").code == 0
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
    assert not [n for n in names if n.endswith(".parquet") or "explanations" in n]
    assert "exclusions.csv" not in names
    assert "densenet121/seed-0/metrics.json" in names
    checked = command("verify", tmp_path / "a.zip")
    assert checked.code == 0, checked.out
    assert "the single cases are left out" in checked.out
    edit_json(run / "run.json", "config", "card", "include_restricted", value=True)
    write_manifest(run)
    refused = command("bundle", run, "-o", tmp_path / "b.zip")
    assert (refused.code, "holds images of a restricted source" in refused.err) == (2, True)
    form = command("review", "export", run, "--stage", "blind", "-o", tmp_path / "f.html")
    assert (form.code, "give --include-restricted" in form.err) == (2, True)


def test_a_changed_run_is_not_packed(run: Path, tmp_path: Path) -> None:
    """A file that is not what the manifest says stops the bundle."""
    (run / "MODEL_CARD.md").write_text("")
    outcome = command("bundle", run, "-o", tmp_path / "a.zip")
    assert (outcome.code, "MODEL_CARD.md is not what" in outcome.err) == (2, True)


def answered(form: Path, reader: str) -> Path:
    """Answer a form as its page would: the first choice of every question."""
    text = re.search(r'id="content">(.*?)</script>', form.read_text(), re.S)
    assert text
    content = json.loads(text[1])
    values = {key: content[key] for key in ("format", "version", "stage", "set")} | {
        "reader": reader,
        "role": "",
        "started": "2026-01-01T10:00:00Z",
        "finished": "2026-01-01T11:00:00Z",
        "answers": [
            {
                "case": case["case"],
                "seconds": 9,
                "answers": {q["key"]: q["choices"][0][0] for q in case["questions"]},
                "boxes": {},
                "comment": "",
            }
            for case in content["cases"]
        ],
        "signoff": None,
    }
    file = form.with_name(f"{form.stem}-{reader}.json")
    file.write_text(json.dumps(values))
    return file


def test_blind_first_then_maps_and_all_of_it_in_the_card(run: Path, tmp_path: Path) -> None:
    """Maps are refused before blind answers; after both, the card has them and verifies."""
    maps, blind = tmp_path / "maps.html", tmp_path / "blind.html"
    early = command("review", "export", run, "--stage", "maps", "-o", maps)
    assert (early.code, "no blind answers were imported yet" in early.err) == (2, True)
    assert not maps.exists()
    made = command("review", "export", run, "--stage", "blind", "-o", blind, "--cases", "8")
    assert made.code == 0, made.err
    page = blind.read_text()
    for path in run.rglob("cases.json"):
        for case in json.loads(path.read_text())["cases"]:
            assert case["image_id"] not in page
    files = [answered(blind, reader) for reader in ("AB", "CD")]
    told = command("review", "import", run, *files, "--no-pdf")
    assert "CD answered 40 of 40 questions" in told.out, told.err
    edit_json(run / "run.json", "config", "evaluation", "threshold", value=0.01)
    write_manifest(run)
    second = command("review", "export", run, "--stage", "maps", "-o", maps, "--each", "2")
    assert second.code == 0, second.err
    assert command("review", "import", run, answered(maps, "AB"), "--no-pdf").code == 0
    card = (run / "reviews/card.html").read_text()
    assert "review.json#maps.0.networks.densenet121%2Fseed-0.all.confirmed.estimate" in card
    checked = command("verify", run)
    assert "reviews/card.html is what its files give, rendered again" in checked.out
    assert not (run / "reviews/card.pdf").exists()
