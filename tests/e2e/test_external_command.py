"""`cxr-bench external` on a second tiny cohort."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.tiny_run import Outcome, TinyRun, command

QUICK = ("--no-pdf", "--set", "evaluation.replicates=100")


@pytest.fixture(scope="module")
def outcome(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """The tiny run's networks on other phantoms."""
    results = tmp_path_factory.mktemp("external")
    done = command(
        "external", tiny_run.folder, "--set", "synth.seed=8", "-o", results, *QUICK
    )  # fmt: skip
    assert done.code == 0, done.err
    (folder,) = [path.parent for path in results.glob("*/*/run.json")]
    return done, folder


def test_the_new_run_is_whole_and_tests_every_image(outcome: tuple[Outcome, Path]) -> None:
    """All images are test images, each network has its metrics, and the card has the section."""
    done, folder = outcome
    cases = pd.read_parquet(folder / "cases.parquet")
    assert set(cases["split"]) == {"test"}
    for network in ("densenet121", "resnet50"):
        assert (folder / network / "seed-0" / "metrics.json").is_file()
        assert (folder / network / "seed-0" / "training.json").is_file()
    text = (folder / "card.html").read_text()
    assert 'id="external"' in text
    assert "trained elsewhere and tested here" in text
    assert "cxr-bench external RUN --set synth.studies=70 --set synth.seed=8" in text
    assert "## External test" in (folder / "MODEL_CARD.md").read_text()
    assert "SYNTHETIC" in done.out
    assert "densenet121: macro AUROC" in done.err


def test_both_sides_stand_beside_each_other(
    outcome: tuple[Outcome, Path], tiny_run: TinyRun
) -> None:
    """external.json names the run and holds its AUROCs and the new ones."""
    _, folder = outcome
    document = json.loads((folder / "external.json").read_text())
    assert document["run"] == tiny_run.folder.name
    found = document["networks"]["densenet121/seed-0"]["observations"]["Cardiomegaly"]
    for side, run in (("internal", tiny_run.folder), ("external", folder)):
        own = json.loads((run / "densenet121/seed-0/metrics.json").read_text())
        expected = own["observations"]["Cardiomegaly"]["auroc"]["estimate"]
        assert found[side]["estimate"] == expected
    assert found["difference"]["estimate"] == pytest.approx(
        found["external"]["estimate"] - found["internal"]["estimate"]
    )


def test_patients_of_the_training_are_left_out(tiny_run: TinyRun, tmp_path: Path) -> None:
    """On the run's own cohort only its test patients are left; the others are listed."""
    done = command("external", tiny_run.folder, "-o", tmp_path, *QUICK)
    assert done.code == 0, done.err
    (folder,) = [path.parent for path in tmp_path.glob("*/*/run.json")]
    own = pd.read_parquet(tiny_run.folder / "cases.parquet")
    cases = pd.read_parquet(folder / "cases.parquet")
    assert set(cases["image_id"]) == set(own.loc[own["split"] == "test", "image_id"])
    reasons = pd.read_csv(folder / "exclusions.csv")["reason"]
    assert reasons.str.contains("networks' training or validation").sum() == len(own) - len(cases)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "image.size=64"], "the networks were trained on images as they are"),
        (["--set", "data.source=manifest", "--data", "none.csv"], "there is no such file"),
        (["--set", "synth.sead=3"], "did you mean 'seed'"),
    ],
)
def test_mistakes_end_with_a_sentence(
    tiny_run: TinyRun, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """A mistake ends with 2 and one sentence."""
    done = command("external", tiny_run.folder, *arguments, "-o", tmp_path, *QUICK)
    assert (done.code, message in done.err) == (2, True), done.err


def test_a_run_without_checkpoints_is_refused(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Without checkpoints there is nothing to score with."""
    folder = tmp_path / "run"
    (folder / "densenet121/seed-0").mkdir(parents=True)
    (folder / "run.json").write_text((tiny_run.folder / "run.json").read_text())
    done = command("external", folder, "-o", tmp_path / "out", *QUICK)
    assert (done.code, "holds no checkpoint.safetensors" in done.err) == (2, True), done.err
