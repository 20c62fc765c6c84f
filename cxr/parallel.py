"""The one seam to more than one core: everything that runs in parallel runs through here.

Built on joblib, so that the same job runs in processes of this machine or, inside `on_cluster`,
on a Dask cluster whose workers see the same files under the same paths.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from cxr.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer."""

_on_cluster: ContextVar[bool] = ContextVar("on_cluster", default=False)


@contextmanager
def on_cluster(scheduler: str) -> Iterator[int]:
    """Run everything inside on a Dask cluster, whatever number of jobs is asked for.

    Args:
        scheduler: its address, such as "tcp://10.0.0.1:8786".

    Yields:
        How many cores the cluster has.

    Raises:
        InputError: Dask is not installed, no scheduler answers, or it has no workers.
    """
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise InputError(
            "a Dask cluster needs Dask: pip install 'cxr-bench[cluster]'; without it, leave out "
            "--backend dask."
        ) from error
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler}; start one with `dask scheduler` and "
            "workers with `dask worker`, or correct the address."
        ) from error
    with client:
        cores = sum(client.ncores().values())
        if not cores:
            raise InputError(
                f"the Dask scheduler at {scheduler} has no workers; start some with "
                f"`dask worker {scheduler}`."
            )
        token = _on_cluster.set(True)
        try:
            with joblib.parallel_config(backend="dask"):
                yield cores
        finally:
            _on_cluster.reset(token)


def run_parallel(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[Result]:
    """Return `function` of each item, in the order of the items.

    Args:
        function: a function of a module (worker processes import it).
        items: what it is called with, one at a time.
        jobs: processes; 1 runs in this one, -1 uses every core.
        progress: called with 1 as each result arrives, in the order of the items.

    Raises:
        ValueError: jobs is 0 or less than -1.
        InputError: a process was killed from outside. What `function` raises comes through.
    """
    if isinstance(items, Sized) and len(items) < 2 and jobs > 1:
        jobs = 1  # starting a process takes longer than most items
    results = []
    for result in stream_parallel(function, items, jobs=jobs):
        results.append(result)
        if progress:
            progress(1)
    return results


def stream_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], *, jobs: int = 1
) -> Iterator[Result]:
    """Yield `function` of each item, in the order of the items, as the results arrive.

    The items are drawn as they are needed, so that neither they nor the results are ever held
    together in memory. Arguments and errors as in `run_parallel`.
    """
    if jobs < -1 or jobs == 0:
        raise ValueError(f"jobs is {jobs}; it is a number of processes, or -1 for every core.")
    if _on_cluster.get():
        jobs = -1
    return map(function, items) if jobs == 1 else _in_processes(function, items, jobs)


def _in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int
) -> Iterator[Result]:
    tasks = (joblib.delayed(function)(item) for item in items)
    try:
        yield from joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    except TerminatedWorkerError as error:
        raise InputError(
            "a working process was killed, most often because memory ran out or a disk failed; "
            "use fewer --jobs where there are some, and give the same command again."
        ) from error
