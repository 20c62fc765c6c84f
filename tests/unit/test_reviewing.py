"""Reviews: which cases are drawn, what a form holds, and which answers are taken."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.card import build_card, render_html
from benchmark.events import Silent
from benchmark.reviewing.export import blind_set, check_observations, draw_blind, write_form
from benchmark.reviewing.folder import Reviews, ReviewSet
from benchmark.reviewing.importing import import_answers, sign_off
from benchmark.reviewing.pictures import Picture, source_files
from benchmark.reviewing.sampling import inclusion_chances, sample_cases, systematic_draw
from benchmark.reviewing.summary import majority, ratings_of
from benchmark.runs import Run, write_manifest
from cxr.errors import InputError
from tests.card_fixture import write_run

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ASKED = ("Edema", "Pneumothorax")


def picture(name: str) -> Picture:
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16), dtype=np.uint8)
    return Picture(pixels, (16, 12))


def add_blind(run: Run, count: int = 12) -> ReviewSet:
    """Keep a blind form's cases beside the run."""
    drawn, about = draw_blind(run, ASKED, count=count, seed=3)
    pictures = {name: picture(name) for name in drawn["image_id"]}
    chosen = blind_set(drawn, pictures, ASKED, about)
    Reviews(run).add_set(chosen)
    return chosen


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("finished") / "run", images=100)
    write_manifest(folder)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Run:
    shutil.copytree(finished, tmp_path / "run")
    return Run(tmp_path / "run")


@pytest.fixture
def chosen(run: Run) -> ReviewSet:
    return add_blind(run)


def answers(chosen: ReviewSet, reader: str = "AB", **changes: Any) -> dict[str, Any]:
    """Return what a form saves when every odd case has an edema and nothing else is seen."""
    entries = [
        {
            "case": case["case"],
            "seconds": 20,
            "answers": {"Edema": "present" if int(case["case"]) % 2 else "absent",
                        "Pneumothorax": "absent"},
            "boxes": {"Edema": [[0.1, 0.2, 0.3, 0.4]]} if int(case["case"]) % 2 else {},
            "comment": "",
        }
        for case in chosen.cases
    ]  # fmt: skip
    return {
        "format": "cxr-bench review answers",
        "version": 1,
        "stage": chosen.stage,
        "set": chosen.digest,
        "reader": reader,
        "role": "radiologist",
        "started": "2026-01-01T10:00:00.000Z",
        "finished": "2026-01-01T11:00:00.000Z",
        "answers": entries,
        "signoff": None,
    } | changes


def send(folder: Path, values: Any, name: str = "a.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(values))
    return file


def cases_table(patients: int = 400, seed: int = 0) -> pd.DataFrame:
    """Return test images, one to four a patient, a tenth of them with an edema."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    return pd.DataFrame(
        {
            "image_id": [f"i{n}" for n in range(len(owner))],
            "patient_id": [f"p{n}" for n in owner],
            "label:Edema": np.where(rng.random(len(owner)) < 0.1, 1.0, np.nan),
        }
    )


def test_an_enriched_sample_speaks_for_all_images() -> None:
    """Over many draws the weights add up to the images there are, and to the findings in them."""
    cases = cases_table(patients=150)
    totals = np.array(
        [
            [drawn["weight"].sum(), drawn.loc[drawn["image_id"].isin(having), "weight"].sum()]
            for having in [set(cases.loc[cases["label:Edema"] == 1, "image_id"])]
            for seed in range(60)
            if len(
                drawn := sample_cases(cases, ["Edema"], count=40, rng=np.random.default_rng(seed))
            )
        ]
    )
    wanted = np.array([len(cases), (cases["label:Edema"] == 1).sum()])
    error = totals.std(axis=0) / np.sqrt(len(totals))
    assert (np.abs(totals.mean(axis=0) - wanted) < 3.5 * error).all()


def test_rare_findings_are_enriched_and_patients_come_once() -> None:
    """A finding of one image in ten is half of the sample, and no patient is in it twice."""
    cases = cases_table()
    drawn = sample_cases(cases, ["Edema"], count=40, rng=np.random.default_rng(1))
    having = cases.set_index("image_id").loc[drawn["image_id"], "label:Edema"] == 1
    assert len(drawn) == 40
    assert 14 <= having.sum() <= 26
    assert drawn["patient_id"].is_unique


def test_the_chances_are_kept_exactly() -> None:
    """Drawn ten thousand times, each case comes as often as its chance says."""
    chance = inclusion_chances(np.array([9.0, 1.0, 1.0, 2.0, 3.0]), 3)
    assert chance.sum() == pytest.approx(3)
    assert chance.max() == 1
    rng = np.random.default_rng(0)
    counts = np.zeros(5)
    for _ in range(10_000):
        counts[systematic_draw(chance, rng)] += 1
    assert counts / 10_000 == pytest.approx(chance, abs=0.02)


def test_fewer_patients_than_asked_are_all_drawn() -> None:
    """Where there are fewer patients than cases asked, each comes with all its images' weight."""
    cases = cases_table(patients=7)
    drawn = sample_cases(cases, ["Edema"], count=40, rng=np.random.default_rng(0))
    assert len(drawn) == 7
    assert drawn["weight"].sum() == len(cases)


def test_the_same_seed_asks_the_same(run: Run, chosen: ReviewSet) -> None:
    """Exported again with the same seed, the form has the same digest; another seed another."""
    again = add_blind(run)
    assert again.digest == chosen.digest
    drawn, about = draw_blind(run, ASKED, count=12, seed=4)
    pictures = {name: picture(name) for name in drawn["image_id"]}
    assert blind_set(drawn, pictures, ASKED, about).digest != chosen.digest


def form_of(run: Run, chosen: ReviewSet, folder: Path) -> str:
    pictures = {case["image_id"]: picture(case["image_id"]) for case in chosen.cases}
    write_form(folder / "blind.html", chosen, pictures, synthetic=True)
    return (folder / "blind.html").read_text()


def test_a_blind_form_holds_no_answer(run: Run, chosen: ReviewSet, tmp_path: Path) -> None:
    """No id, weight, label, score or network is in the file, but pictures and questions."""
    page = form_of(run, chosen, tmp_path)
    for case in chosen.cases:
        assert case["image_id"] not in page
        assert case["patient_id"] not in page
        assert f"{case['weight']:.6f}"[:9] not in page
    for word in ("densenet", "resnet", 'weight"', "label:", "auroc", "image_id"):
        assert word not in page.lower()
    content = json.loads(re.search(r'id="content">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert set(content) == {"format", "version", "stage", "set", "pictures", "cases"}
    assert {key for case in content["cases"] for key in case} == {
        "case", "picture", "overlay", "questions",
    }  # fmt: skip
    assert all(case["overlay"] == "" for case in content["cases"])


def test_pictures_in_a_form_carry_no_metadata(run: Run, chosen: ReviewSet, tmp_path: Path) -> None:
    """A form's JPEG has no comment and no EXIF segment."""
    page = form_of(run, chosen, tmp_path)
    data = base64.b64decode(re.search(r"data:image/jpeg;base64,([^\"]+)", page)[1])  # type: ignore[index]
    assert data[:2] == b"\xff\xd8"
    assert b"Exif" not in data
    assert b"\xff\xfe" not in data[:200]


def test_observations_that_do_not_exist_are_named() -> None:
    """An unknown observation is refused; none asked means CheXpert's five."""
    assert len(check_observations(())) == 5
    assert check_observations(("Pneumothorax", "Edema")) == ("Edema", "Pneumothorax")
    with pytest.raises(InputError, match="'Oedema' is no observation; known are No Finding"):
        check_observations(("Oedema",))


def test_phantoms_that_are_drawn_otherwise_now_are_refused(run: Run) -> None:
    """A synthetic run of another cohort version gives no form: its images would be others."""
    values = run.read()
    values["cohort"]["notes"]["cohort_version"] = "0"
    run.write(values)
    with pytest.raises(InputError, match="version 0, and this version of cxr-bench draws"):
        source_files(run, overrides=(), include_restricted=False, events=Silent())


def test_answers_come_into_a_new_edition_and_the_run_stays(run: Run, chosen: ReviewSet) -> None:
    """After an import the run's manifest still holds, and the new card has what readers said."""
    files = [path for path in run.path.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files if "reviews" not in path.parts}
    files = [
        send(run.path.parent, answers(chosen, reader), f"{reader}.json") for reader in ("AB", "CD")
    ]
    said = import_answers(run, files, now=NOW, pdf=False)
    assert said[0] == "AB answered 24 of 24 questions on radiographs."
    assert all(path.read_bytes() == content for path, content in before.items())
    page = (run.path / "reviews" / "card.html").read_text()
    assert "review.json#blind.0.observations.Edema.agreement.gwet.estimate" in page
    assert "Edition 2, 2 January 2026, 03:04 UTC: AB answered 24 of 24" in page
    assert "No clinician has read these cases" not in page
    for folder in (run.path, run.path / "reviews"):
        for line in (folder / "MANIFEST.sha256").read_text().splitlines():
            digest, _, name = line.partition("  ")
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_what_readers_saw_is_counted_by_hand(run: Run, chosen: ReviewSet) -> None:
    """Sensitivity of the labels is the weighted share of cases seen that the labels call."""
    import_answers(run, [send(run.path.parent, answers(chosen))], now=NOW, pdf=False)
    found = json.loads((run.path / "reviews/review.json").read_text())["blind"][0]
    cases = pd.read_parquet(run.cases_file).set_index("image_id")["label:Edema"]
    seen = [case for case in chosen.cases if int(case["case"]) % 2]
    called = [case for case in seen if cases[case["image_id"]] in (1.0, -1.0)]
    wanted = sum(c["weight"] for c in called) / sum(c["weight"] for c in seen)
    against = found["observations"]["Edema"]["against"]
    assert against["labels"]["sensitivity"]["estimate"] == pytest.approx(wanted)
    assert set(against) == {"labels", "truth", "densenet121/seed-0", "resnet50/seed-0"}
    assert found["observations"]["Edema"]["answers"] == {"present": 6, "absent": 6, "unsure": 0}
    assert found["readers"][0]["seconds"] == 20
    assert found["readers"][0]["boxes"] == 6


def test_most_readers_decide_and_a_tie_does_not(chosen: ReviewSet) -> None:
    """Two of three decide; one against one decides nothing; who can't tell has no vote."""
    said = [answers(chosen, name) for name in ("A", "B", "C")]
    for reader, (first, second) in zip(
        said, [("present", "present"), ("present", "absent"), ("absent", "unsure")], strict=True
    ):
        reader["answers"][0]["answers"]["Edema"] = first
        reader["answers"][1]["answers"]["Edema"] = second
    choices = (("present", ""), ("absent", ""), ("unsure", ""))
    present, known = majority(ratings_of(chosen, said, "Edema", choices))
    assert (present[0], known[0], known[1]) == (True, True, False)


def test_a_reader_who_sends_again_is_counted_once(run: Run, chosen: ReviewSet) -> None:
    """A later file of a reader takes the place of the earlier one, and the history says so."""
    import_answers(run, [send(run.path.parent, answers(chosen))], now=NOW, pdf=False)
    changed = answers(chosen)
    changed["answers"][0]["answers"]["Edema"] = "unsure"
    said = import_answers(run, [send(run.path.parent, changed)], now=NOW, pdf=False)
    assert "again, in place of the earlier file" in said[0]
    found = json.loads((run.path / "reviews/review.json").read_text())["blind"][0]
    assert found["observations"]["Edema"]["answers"]["unsure"] == 1
    assert len(found["readers"]) == 1


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of the file: the last of `path` is put at the rest of it."""
    *steps, last, value = path

    def change(values: dict[str, Any]) -> None:
        place: Any = values
        for step in steps:
            place = place[step]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("format", "x"), "no file of answers"),
        (_set("version", 2), "has version 2; 1 can be read"),
        (_set("set", "0" * 64), "were not exported from this run"),
        (_set("stage", "maps"), "were not exported from this run"),
        (_set("reader", "  "), "'reader' is '  '"),
        (_set("reader", 7), "'reader' is '7'"),
        (_set("finished", "yesterday"), "'finished' is 'yesterday'"),
        (_set("answers", {}), "'answers' is no list"),
        (_set("answers", 0, "case", "99"), "case '99' is none of the form's"),
        (_set("answers", 1, "case", "1"), "case '1' is there twice"),
        (_set("answers", 0, "answers", "Edema", "maybe"), "case 1: 'Edema' is 'maybe'"),
        (_set("answers", 0, "answers", "Fracture", "present"), "'Fracture' is 'present'"),
        (_set("answers", 0, "seconds", -1), "'seconds' is -1"),
        (_set("answers", 0, "boxes", "Edema", [[0.3, 0.2, 0.1, 0.4]]), "has the box"),
        (_set("answers", 0, "boxes", "Edema", [[0, 0, 2, 1]]), "has the box"),
        (_set("answers", 0, "comment", "x" * 3000), "'comment' is"),
        (_set("signoff", {"name": "", "decision": "accepted"}), "needs the name"),
        (_set("signoff", {"name": "A", "decision": "fine"}), "the decision is 'fine'"),
    ],
)
def test_what_no_form_writes_is_refused_and_nothing_is_kept(
    run: Run, chosen: ReviewSet, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    """What a form can't have written is refused, file and place named; no trace is left."""
    values = answers(chosen)
    change(values)
    file = send(run.path.parent, values)
    with pytest.raises(InputError, match=re.escape(words)) as refused:
        import_answers(run, [file], now=NOW, pdf=False)
    assert str(file) in str(refused.value)
    assert not list(run.path.glob("reviews/*/answers/*"))
    assert not (run.path / "reviews/card.html").exists()


def test_a_file_that_is_no_json_or_not_there_is_named(run: Run, chosen: ReviewSet) -> None:
    """Text that is no JSON, and a path to nothing, end with one sentence each."""
    broken = run.path.parent / "b.json"
    broken.write_text("{")
    with pytest.raises(InputError, match=r"b\.json is no JSON .*ask the reader to save it again"):
        import_answers(run, [broken], now=NOW, pdf=False)
    with pytest.raises(InputError, match=r"gone\.json: No such file"):
        import_answers(run, [run.path / "gone.json"], now=NOW, pdf=False)


def test_two_files_of_one_reader_at_once_are_refused(run: Run, chosen: ReviewSet) -> None:
    """Which of two files by the same reader counts is not guessed."""
    files = [send(run.path.parent, answers(chosen), name) for name in ("a.json", "b.json")]
    with pytest.raises(InputError, match="two of the files are by 'AB'"):
        import_answers(run, files, now=NOW, pdf=False)


def test_changed_cases_are_noticed(run: Run, chosen: ReviewSet) -> None:
    """Cases whose file was edited after the export are refused: answers would be of others."""
    file = run.path / "reviews" / chosen.name / "cases.json"
    values = json.loads(file.read_text())
    values["cases"][0]["image_id"] = "another"
    file.write_text(json.dumps(values))
    with pytest.raises(InputError, match=r"cases\.json was changed"):
        import_answers(run, [send(run.path.parent, answers(chosen))], now=NOW, pdf=False)


def test_a_sign_off_stands_in_the_card(run: Run) -> None:
    """Name, role, date, decision and remarks of who signs are in the card and its history."""
    values = {
        "name": "A. Reader",
        "role": "head",
        "decision": "accepted with limits",
        "remarks": "Research only.",
    }
    assert sign_off(run, values, now=NOW, pdf=False) == (
        "A. Reader (head) signed off on 2026-01-02: accepted with limits."
    )
    page = render_html(build_card(run.path))
    assert "Accepted with limits: A. Reader, head, 2026-01-02" in page
    assert "Research only." in page
    with pytest.raises(InputError, match="needs the name"):
        sign_off(run, values | {"name": ""}, now=NOW, pdf=False)


def test_a_readers_name_can_not_leave_the_folder(run: Run, chosen: ReviewSet) -> None:
    """A code full of slashes and markup becomes a plain file name, and inert text in the card."""
    reader = "../../<img src=x onerror=alert(1)>"
    import_answers(run, [send(run.path.parent, answers(chosen, reader))], now=NOW, pdf=False)
    kept = list((run.path / "reviews" / chosen.name / "answers").iterdir())
    assert [re.fullmatch(r"[a-z0-9-]+\.json", file.name) is not None for file in kept] == [True]
    assert "<img src=x" not in (run.path / "reviews/card.html").read_text()
