"""The one seam to more than one core: everything that runs in parallel runs through here.

Built on joblib, so that a caller may put another backend under it with
`joblib.parallel_config(backend="dask")` and the same job runs on a cluster.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import joblib

Item = TypeVar("Item")
Result = TypeVar("Result")


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
        ValueError: jobs is 0 or less than -1. What `function` raises comes through.
    """
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
    if jobs == 1:
        return map(function, items)
    tasks = (joblib.delayed(function)(item) for item in items)
    arriving: Iterator[Result] = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    return arriving
