"""`cxr-bench run` on a tiny synthetic cohort: what it leaves and what it says."""

import json
import subprocess
from pathlib import Path

import pandas as pd

from cxr.observations import OBSERVATIONS
from tests.tiny_run import TinyRun, command, tiny


def test_it_ends_well_and_says_where_the_card_is(tiny_run: TinyRun) -> None:
    """The command ends with 0, names the card on standard output, and says "synthetic"."""
    assert tiny_run.outcome.code == 0
    assert str(tiny_run.folder / "card.html") in tiny_run.outcome.out
    assert "SYNTHETIC" in tiny_run.outcome.out


def test_the_run_folder_is_whole(tiny_run: TinyRun) -> None:
    """Every file of the documented layout is there and the manifest verifies."""
    folder = tiny_run.folder
    expected = ["run.json", "cases.parquet", "exclusions.csv", "comparison.json"]
    expected += ["card.html", "card.pdf", "MODEL_CARD.md", "MANIFEST.sha256"]
    for network in ("densenet121", "resnet50"):
        expected += [
            f"{network}/seed-0/{name}"
            for name in (
                "checkpoint.safetensors",
                "history.csv",
                "scores.parquet",
                "metrics.json",
                "metrics.truth.json",
                "metrics.uncertain-excluded.json",
                "localization.json",
                "explanations/index.json",
            )
        ]
    assert [name for name in expected if not (folder / name).is_file()] == []
    assert list((folder / "figures").glob("*.svg"))
    subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST.sha256"], cwd=folder, check=True)
    assert not list(folder.parent.glob("*.unfinished"))


def test_the_run_describes_itself(tiny_run: TinyRun) -> None:
    """run.json holds the resolved config, the counts that cases.parquet has, and the timings."""
    run = json.loads((tiny_run.folder / "run.json").read_text())
    cases = pd.read_parquet(tiny_run.folder / "cases.parquet")
    assert run["status"] == "finished"
    assert run["cohort"]["synthetic"] is True
    assert run["config"]["synth"]["studies"] == 70
    assert run["data"]["images"] == len(cases)
    for name, counts in run["data"]["splits"].items():
        assert counts["images"] == int((cases["split"] == name).sum())
    assert {"data", "evaluate", "explain", "card"} <= set(run["timings"])
    assert run["deviations"]


def test_no_patient_is_in_two_splits(tiny_run: TinyRun) -> None:
    """Each patient's images all lie in one split."""
    cases = pd.read_parquet(tiny_run.folder / "cases.parquet")
    assert len(cases[["patient_id", "split"]].drop_duplicates()) == cases["patient_id"].nunique()


def test_only_chosen_views_count(tiny_run: TinyRun) -> None:
    """Laterals are excluded and listed with the reason."""
    cases = pd.read_parquet(tiny_run.folder / "cases.parquet")
    exclusions = pd.read_csv(tiny_run.folder / "exclusions.csv")
    assert set(cases["view"]) <= {"PA", "AP"}
    assert exclusions["reason"].str.contains("LATERAL", case=False).any()


def test_the_card_says_synthetic(tiny_run: TinyRun) -> None:
    """HTML and Markdown say plainly that the cohort is synthetic."""
    for name in ("card.html", "MODEL_CARD.md"):
        assert "synthetic" in (tiny_run.folder / name).read_text().lower()


def test_outputs_hold_no_report_text_or_path(tiny_run: TinyRun) -> None:
    """The case table has ids, views and labels, and neither reports nor file names."""
    cases = pd.read_parquet(tiny_run.folder / "cases.parquet")
    assert {f"label:{name}" for name in OBSERVATIONS} <= set(cases.columns)
    assert not {"report", "image_path"} & set(cases.columns)


def test_equal_seeds_give_equal_metrics(tiny_run: TinyRun, tmp_path: Path) -> None:
    """A second fresh run of the same settings writes the same metrics to the byte."""
    again = command("run", "--no-pdf", "-o", tmp_path, *tiny())
    assert again.code == 0, again.err
    (folder,) = [path.parent for path in tmp_path.glob("*/*/run.json")]
    names = sorted(p.relative_to(folder) for p in folder.rglob("metrics*.json"))
    variants = {"metrics.json", "metrics.truth.json", "metrics.uncertain-excluded.json"}
    assert variants <= {name.name for name in names}
    for name in [*names, Path("comparison.json")]:
        assert (folder / name).read_bytes() == (tiny_run.folder / name).read_bytes()
    assert not (folder / "card.pdf").exists()


def test_the_printed_settings_are_the_run_s(tiny_run: TinyRun) -> None:
    """`--show-config` prints what the run was told, without running."""
    shown = command("run", *tiny(), "--show-config")
    assert shown.code == 0
    assert "studies = 70" in shown.out
