"""What the images' own headers say of the devices that made them, counted over a data set."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.dicom.facts import read_facts
from cxr.parallel import run_parallel

UNKNOWN = "unknown"
OLDEST = 90
"""Ages above are not told: they single people out (45 CFR 164.514(b)(2)(i)(C))."""

Counts = dict[str, dict[str, int]]


def describe_headers(paths: Sequence[Path], *, jobs: int) -> Counts:
    """Return how many images each device (maker and model) and modality made.

    Args:
        paths: image files; PNG and JPEG have no such header.
        jobs: processes.

    Returns:
        "devices" and "modalities", each name -> images, the commonest first; nothing where no
        image says either.
    """
    read = run_parallel(read_facts, list(paths), jobs=jobs)
    named = {
        "devices": Counter(fact.device for fact in read),
        "modalities": Counter(fact.modality for fact in read),
    }
    return {
        kind: {name or UNKNOWN: count for name, count in counts.most_common()}
        for kind, counts in named.items()
        if any(counts)
    }


def describe_ages(ages: pd.Series) -> dict[str, dict[str, float]]:
    """Return the youngest, median and oldest age in years, the oldest at most `OLDEST`.

    Args:
        ages: one a patient, NaN where unknown.

    Returns:
        "ages" with "low", "median" and "high"; nothing where no age is known.
    """
    known = ages.dropna().to_numpy(float)
    if not known.size:
        return {}
    low, median, high = np.minimum([known.min(), np.median(known), known.max()], OLDEST)
    return {"ages": {"low": float(low), "median": float(median), "high": float(high)}}
