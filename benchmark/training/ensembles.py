"""The seeds of one network as a network of its own: the mean of what they say.

Probabilities are averaged (Lakshminarayanan et al. 2017, arXiv:1612.01474, section 2.4) and kept
as logits, like every network's. An ensemble has scores, metrics and a place in the comparison; it
has no checkpoint and no maps.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_expit, logsumexp

from benchmark.evaluation.scoring import SCORES
from benchmark.runs import Run, write_frame, write_json
from cxr.observations import OBSERVATIONS

Scores = Mapping[tuple[str, int], pd.DataFrame]

SEED = 0
"""What stands in the place of a seed; an ensemble has none."""


def write_ensembles(work: Run, scores: Scores) -> dict[tuple[str, int], pd.DataFrame]:
    """Write the ensemble of each network with several seeds, and return their scores.

    Args:
        work: the run folder; "<network>-ensemble/seed-0/" gets scores.parquet and ensemble.json.
        scores: (network, seed) -> what its scores.parquet holds.
    """
    by_network: dict[str, dict[int, pd.DataFrame]] = {}
    for (network, seed), table in scores.items():
        by_network.setdefault(network, {})[seed] = table
    made = {}
    for network, tables in by_network.items():
        if len(tables) > 1:
            name = f"{network}-ensemble"
            made[name, SEED] = mean_scores(list(tables.values()))
            folder = work.network(name, SEED)
            write_frame(folder / SCORES, made[name, SEED])
            write_json(folder / "ensemble.json", _describe(name, network, list(tables)))
    return made


def mean_scores(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the table whose probabilities are the means of those of `tables`.

    Args:
        tables: as in scores.parquet, of the same images in the same order.
    """
    names = list(OBSERVATIONS)
    logits = np.stack([table[names].to_numpy(float) for table in tables])
    # log of the mean probability less log of the mean of its complement: exact at both ends
    present, absent = (logsumexp(log_expit(sign * logits), axis=0) for sign in (1, -1))
    mean = tables[0].copy()
    mean[names] = (present - absent).astype(np.float32)
    return mean


def _describe(name: str, network: str, seeds: list[int]) -> dict[str, Any]:
    return {
        "schema": 1,
        "network": name,
        "members": [{"network": network, "seed": seed} for seed in seeds],
        "mean_of": "probabilities",
    }
