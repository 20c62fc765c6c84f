"""`cxr-bench evaluate`: a whole run folder from score tables, whatever made them."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.observations import OBSERVATIONS
from tests.score_tables import make_cases, make_logits
from tests.tiny_run import Outcome, TinyRun, command

QUICK = ("--no-pdf", "--set", "evaluation.replicates=100")


def _tables(folder: Path, *names: str, patients: int = 45) -> list[Path]:
    """Write truth.csv and a table of probabilities for each name; return the tables."""
    cases = make_cases(patients=patients)
    truth = cases.drop(columns=[name for name in cases if name.startswith("truth:")])
    truth = truth.rename(columns=lambda name: name.removeprefix("label:"))
    truth.assign(split="", scanner=np.arange(len(truth)) % 2).to_csv(
        folder / "truth.csv", index=False
    )
    files = []
    for seed, name in enumerate(names):
        chance = 1 / (1 + np.exp(-make_logits(cases, seed=seed).astype(float)))
        table = pd.DataFrame(chance, columns=[f"{obs}_prob" for obs in OBSERVATIONS])
        table.insert(0, "Image Index", cases["image_id"])
        files.append(folder / f"{name}.csv")
        table.to_csv(files[-1], index=False)
    return files


def _evaluate(folder: Path, files: list[Path], *more: str) -> tuple[Outcome, Path]:
    done = command(
        "evaluate", *files, "--truth", folder / "truth.csv", "-o", folder / "out", *QUICK, *more
    )
    assert done.code == 0, done.err
    (run,) = [path.parent for path in (folder / "out").glob("*/*/run.json")]
    return done, run


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """Two networks' scores, evaluated."""
    folder = tmp_path_factory.mktemp("two")
    return _evaluate(
        folder, _tables(folder, "mine", "theirs"), "--groups", "scanner", "--synthetic"
    )


def test_the_run_folder_is_whole(two: tuple[Outcome, Path]) -> None:
    """Every file but those of training and explanation is there, and the manifest verifies."""
    done, run = two
    assert str(run / "card.html") in done.out
    expected = ["run.json", "cases.parquet", "exclusions.csv", "comparison.json", "card.html"]
    expected += ["MODEL_CARD.md", "MANIFEST.sha256", "figures/auroc.svg"]
    for network in ("mine", "theirs"):
        expected += [
            f"{network}/seed-0/{name}"
            for name in (
                "scores.parquet",
                "metrics.json",
                "metrics.uncertain-excluded.json",
                "metrics.sex-F.json",
                "metrics.scanner-1.json",
            )
        ]
    assert [name for name in expected if not (run / name).is_file()] == []
    subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST.sha256"], cwd=run, check=True)


def test_the_card_says_what_it_can_not_know(two: tuple[Outcome, Path]) -> None:
    """Training and images are "not provided"; nothing is claimed about them; synthetic is said."""
    _, run = two
    text = (run / "MODEL_CARD.md").read_text()
    assert "trained elsewhere and tested here" in text
    assert "Optimizer: not provided" in text
    assert "Checkpoint kept: not provided" in text
    assert "tables of scores and labels; the images were not seen" in text
    assert "SYNTHETIC" in text
    html = (run / "card.html").read_text()
    assert "Not provided" in html
    assert "cxr-bench evaluate &#39;mine-seed0=mine.csv&#39;" in html


def test_it_says_what_it_understood(two: tuple[Outcome, Path]) -> None:
    """The scale and the number of observations are told, on standard error."""
    done, _ = two
    assert "mine.csv: mine, seed 0" in done.err
    assert "scores are probabilities of 14 of the 14 observations" in done.err


def test_the_gate_reads_it(two: tuple[Outcome, Path], tmp_path: Path) -> None:
    """Floors hold for it as for any run, and it can be its own baseline."""
    _, run = two
    file = tmp_path / "floors.toml"
    file.write_text('[[threshold]]\nmetric = "auroc"\nobservation = "macro"\nmin = 0.5\n')
    assert command("check", run, "--thresholds", file).code == 0
    assert command("check", run, "--baseline", run).code == 0


@pytest.mark.parametrize("count", [1, 5])
def test_any_number_of_networks(tmp_path: Path, count: int) -> None:
    """One network has nothing to compare; five are all in the card."""
    names = [f"net{number}" for number in range(count)]
    done, run = _evaluate(tmp_path, _tables(tmp_path, *names))
    assert (run / "comparison.json").is_file() == (count > 1)
    text = (run / "card.html").read_text()
    assert all(name in text for name in names)
    assert done.out.count("macro AUROC") == count


def test_a_model_with_few_outputs(tmp_path: Path) -> None:
    """What a model does not tell is not estimable for that reason, in metrics and card."""
    (file,) = _tables(tmp_path, "few", patients=80)
    table = pd.read_csv(file)
    kept = ["Image Index", "Edema_prob", "Pleural Effusion_prob", "Cardiomegaly_prob"]
    table[kept].rename(columns={"Pleural Effusion_prob": "Effusion"}).to_csv(file, index=False)
    _, run = _evaluate(tmp_path, [file])
    document = json.loads((run / "few/seed-0/metrics.json").read_text())
    known = [
        name
        for name, values in document["observations"].items()
        if values["auroc"]["estimate"] is not None
    ]
    assert sorted(known) == ["Cardiomegaly", "Edema", "Pleural Effusion"]
    assert document["observations"]["Fracture"]["auroc"]["reason"].startswith("no scores")
    assert document["micro"]["auroc"]["over"] == 3
    text = (run / "card.html").read_text()
    assert "no scores: the model does not tell this observation" in text
    assert 'id="figure-roc-edema"' in text
    assert 'id="figure-roc-fracture"' not in text
    assert "against the labels given" in text


def test_scores_of_a_run_give_its_metrics(tiny_run: TinyRun, tmp_path: Path) -> None:
    """A run's scores, exported to CSV and evaluated, give every metrics file byte for byte."""
    pd.read_parquet(tiny_run.folder / "cases.parquet").to_csv(tmp_path / "truth.csv", index=False)
    files = []
    for network in ("densenet121", "resnet50"):
        files.append(tmp_path / f"{network}.csv")
        scores = pd.read_parquet(tiny_run.folder / network / "seed-0" / "scores.parquet")
        scores.to_csv(files[-1], index=False)
    _, run = _evaluate(tmp_path, files, "--synthetic", "--set", "evaluation.min_patients=2")
    names = [p.relative_to(tiny_run.folder) for p in tiny_run.folder.rglob("metrics*.json")]
    assert len(names) > 6
    for name in [*names, Path("comparison.json")]:
        assert (run / name).read_bytes() == (tiny_run.folder / name).read_bytes(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "there is no such file"),
        (["mine.csv", "--patients", "who"], "no column 'who'"),
        (["mine.csv", "--column", "Mass"], "expected COLUMN=OBSERVATION"),
        (["mine.csv", "--set", "evaluation.treshold=0.3"], "did you mean 'threshold'"),
        (["mine.csv", "--set", "training.epochs=3"], "only [evaluation] and [card] count here"),
        (["constant.csv"], "gives the same scores for every image"),
    ],
)
def test_mistakes_end_with_a_sentence(
    tmp_path: Path, monkeypatch, arguments: list[str], message: str
) -> None:
    """A mistake ends with 2 and one sentence, and leaves no run behind."""
    monkeypatch.chdir(tmp_path)
    (mine,) = _tables(tmp_path, "mine")
    flat = pd.read_csv(mine)
    flat[flat.columns[1:]] = 0.25
    flat.to_csv("constant.csv", index=False)
    done = command("evaluate", *arguments, "--truth", "truth.csv", "-o", "out", *QUICK)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not list(Path("out").glob("*/*/run.json"))


def test_labels_of_one_class_are_refused(tmp_path: Path) -> None:
    """Where nothing is present in some cases and absent in others, nothing can be measured."""
    (mine,) = _tables(tmp_path, "mine")
    truth = pd.read_csv(tmp_path / "truth.csv")
    truth[list(OBSERVATIONS)] = 0
    truth.to_csv(tmp_path / "truth.csv", index=False)
    done = command("evaluate", mine, "--truth", tmp_path / "truth.csv", "-o", tmp_path, *QUICK)
    assert done.code == 2
    assert "no observation is present in some and absent in others" in done.err
