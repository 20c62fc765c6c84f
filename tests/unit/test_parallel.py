import importlib.util
import math
import os
import signal
import sys

import joblib
import pytest

import cxr.parallel
from cxr.errors import InputError
from cxr.parallel import on_cluster, run_parallel
from tests.tiny_run import command


def where_am_i(_):
    return os.getpid()


def inverse(number):
    return 1 / number


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs):
    """Results stand in the order of the items, however many processes work."""
    assert run_parallel(math.sqrt, [9.0, 4.0, 1.0], jobs=jobs) == [3, 2, 1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_counts_every_item(jobs):
    """Progress is told 1 for each item."""
    counts = []
    run_parallel(math.sqrt, [1.0] * 5, jobs=jobs, progress=counts.append)
    assert counts == [1] * 5


def test_one_job_stays_in_this_process_and_two_do_not():
    """One job starts no process."""
    assert set(run_parallel(where_am_i, range(3), jobs=1)) == {os.getpid()}
    assert os.getpid() not in run_parallel(where_am_i, range(3), jobs=2)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_function_comes_through(jobs):
    """What the function raises reaches the caller."""
    with pytest.raises(ZeroDivisionError):
        run_parallel(inverse, [1, 0], jobs=jobs)


@pytest.mark.parametrize("jobs", [0, -2])
def test_a_number_of_jobs_that_can_not_be_is_refused(jobs):
    """Jobs are a positive number, or -1."""
    with pytest.raises(ValueError, match=f"jobs is {jobs}"):
        run_parallel(math.sqrt, [1.0], jobs=jobs)


def test_another_backend_can_be_put_under_it():
    """A joblib backend chosen by the caller does the work."""
    with joblib.parallel_config(backend="threading"):
        assert set(run_parallel(where_am_i, range(3), jobs=2)) == {os.getpid()}


def killed(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_told_in_a_sentence():
    """A worker that the system kills ends the job with what to do."""
    with pytest.raises(InputError, match="was killed, most often because memory ran out"):
        run_parallel(killed, range(4), jobs=2)


def test_a_cluster_needs_dask_and_a_scheduler(monkeypatch):
    """A missing library and an address where nobody answers are named with the mend."""
    monkeypatch.setattr(cxr.parallel, "CONNECT_SECONDS", 0.5)
    if importlib.util.find_spec("distributed"):
        with (
            pytest.raises(InputError, match="no Dask scheduler answers"),
            on_cluster("tcp://127.0.0.1:9"),
        ):
            pass
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(InputError, match=r"cxr-bench\[cluster\]"), on_cluster("tcp://127.0.0.1:9"):
        pass


@pytest.mark.parametrize("options", [["--backend", "dask"], ["--scheduler", "tcp://h:1"]])
def test_backend_and_scheduler_go_together(options):
    """One without the other is wrong usage."""
    outcome = command(*options, "cache", "ls")
    assert (outcome.code, "go together" in outcome.err) == (2, True)
