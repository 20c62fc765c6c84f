"""A run of several seeds with their ensemble, told to TensorBoard."""

import json

import pandas as pd

from tests.tiny_run import command, tiny


def test_an_ensemble_is_measured_and_compared_as_a_network(tmp_path, monkeypatch):
    """With training.ensemble the mean of the seeds has scores, metrics and comparisons."""
    monkeypatch.setenv("CXR_BENCH_CACHE", str(tmp_path / "cache"))
    settings = tiny(
        "training.networks=resnet50",
        "training.seeds=[0, 1]",
        "training.ensemble=true",
        "card.pdf=false",
    )
    curves = tmp_path / "curves"
    ended = command("run", "-o", tmp_path / "out", "--tensorboard", curves, *settings)
    assert ended.code == 0, ended.err
    (folder,) = (path.parent for path in (tmp_path / "out").rglob("run.json"))
    ensemble = folder / "resnet50-ensemble" / "seed-0"
    assert len(pd.read_parquet(ensemble / "scores.parquet"))
    metrics = json.loads((ensemble / "metrics.json").read_text())
    assert metrics["network"] == "resnet50-ensemble"
    comparison = json.loads((folder / "comparison.json").read_text())
    assert "resnet50-ensemble" in json.dumps(comparison)
    assert sorted(path.name for path in (curves / "resnet50").iterdir()) == ["seed-0", "seed-1"]
    page = (folder / "card.html").read_text()
    assert "resnet50" in page.lower().replace("-", "")
