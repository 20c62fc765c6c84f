"""The same job on a Dask cluster of two workers; skipped where Dask is not installed."""

import contextlib
import io
import os

import numpy as np
import pytest

distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

from cxr.cache import decode_images  # noqa: E402
from cxr.errors import InputError  # noqa: E402
from cxr.labeling import label_reports  # noqa: E402
from cxr.parallel import on_cluster, run_parallel  # noqa: E402
from tests.dicom_writer import phantom, write_dicom  # noqa: E402
from tests.source_trees import write_nih  # noqa: E402
from tests.tiny_run import command  # noqa: E402


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler with two workers, each a process."""
    with (
        contextlib.redirect_stderr(io.StringIO()),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
    ):
        yield cluster.scheduler_address


def process(_):
    return os.getpid()


def broken(number):
    raise InputError(f"item {number} is broken")


def test_work_is_done_by_the_workers(scheduler):
    """Inside the cluster two other processes work, in the order of the items, even for one job."""
    with on_cluster(scheduler) as cores:
        assert cores == 2
        found = run_parallel(process, range(200), jobs=1)
        assert run_parallel(str, range(50), jobs=2) == [str(n) for n in range(50)]
    assert os.getpid() not in found
    assert len(set(found)) == 2
    assert set(run_parallel(process, range(3), jobs=1)) == {os.getpid()}


def test_decoding_and_labeling_give_the_same(scheduler, tmp_path):
    """Pixels, failures and labels are those of one machine."""
    paths = [write_dicom(tmp_path / f"{n}.dcm", phantom(40, 36, seed=n)) for n in range(70)]
    paths[5].write_text("broken")
    ids = [path.stem for path in paths]
    texts = ["Heart is enlarged.", "No effusion.", "Possible pneumonia."] * 40
    here = decode_images(paths, ids, size=16, folder=tmp_path / "here")
    labels = label_reports(texts)
    told = []
    with on_cluster(scheduler):
        there = decode_images(paths, ids, size=16, folder=tmp_path / "there", progress=told.append)
        np.testing.assert_array_equal(label_reports(texts, jobs=2), labels)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    assert (there.ids, there.failures, sum(told)) == (here.ids, here.failures, 70)


def test_an_error_on_a_worker_comes_through(scheduler):
    """What a function raises on a worker is what the caller sees."""
    with on_cluster(scheduler), pytest.raises(InputError, match=r"item \d is broken"):
        run_parallel(broken, range(3), jobs=2)


def test_the_command_line_runs_on_the_cluster(scheduler, tmp_path, monkeypatch):
    """`--backend dask --scheduler ADDRESS` before the command puts its work there."""
    monkeypatch.setenv("CXR_BENCH_CACHE", str(tmp_path / "cache"))
    data = ["--data", write_nih(tmp_path / "nih", 4), "--set", "data.source=nih"]
    outcome = command("--backend", "dask", "--scheduler", scheduler, "cache", "build", *data)
    assert outcome.code == 0, outcome.err
    assert "2 cores of the Dask cluster" in outcome.err
    assert "8 images are decoded" in outcome.out


def test_a_cluster_without_workers_is_refused():
    """A scheduler that has nobody to work is named with the mend."""
    with (
        contextlib.redirect_stderr(io.StringIO()),
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        pytest.raises(InputError, match="has no workers; start some"),
        on_cluster(cluster.scheduler_address),
    ):
        pass
