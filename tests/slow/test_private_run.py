"""A whole run over DICOM with names and dates in their headers."""

from tests.private_archive import leaks, write_archive
from tests.tiny_run import command, tiny


def test_neither_output_nor_cache_nor_results_name_anyone(tmp_path, monkeypatch):
    """What a run prints, its cache and its folder hold nothing of the headers' private parts."""
    monkeypatch.setenv("CXR_BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "key").write_bytes(b"k" * 32)
    monkeypatch.setenv("CXR_BENCH_KEY", str(tmp_path / "key"))
    outcome = command(
        "run", "--data", write_archive(tmp_path / "data"), "-o", tmp_path / "out", "--no-pdf",
        *tiny("data.source=manifest", "data.restricted=true", "training.networks=resnet50"),
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert leaks([outcome.out, outcome.err], [tmp_path / "cache", tmp_path / "out"]) == []
