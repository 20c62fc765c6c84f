"""One tiny run of the whole job, shared by the tests that look at it."""

from pathlib import Path

import pytest
import torch

from tests.tiny_run import TinyRun, command, tiny


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of this session's own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_folders(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXR_BENCH_CACHE", str(cache))
    key = tmp_path / "id.key"
    key.write_bytes(b"a key that only tests know")
    monkeypatch.setenv("CXR_BENCH_KEY", str(key))


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> TinyRun:
    """The embedded default, made tiny, from the command line to the card."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_BENCH_CACHE", str(cache))
        outcome = command("run", "-o", results, *tiny())
    folders = [path.parent for path in results.glob("*/*/run.json")]
    assert len(folders) == 1, outcome.err
    return TinyRun(folders[0], outcome)
