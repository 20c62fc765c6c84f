"""From score tables to everything that is said of them in a run folder: metrics and comparison."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchmark.config import EvaluationConfig
from benchmark.evaluation.calibration import calibration_document
from benchmark.evaluation.comparison import compare_networks
from benchmark.evaluation.documents import write_document
from benchmark.evaluation.label_policies import FILE as POLICIES_FILE
from benchmark.evaluation.label_policies import policy_document
from benchmark.evaluation.operating import ValidationScores, operating_documents
from benchmark.evaluation.preflight import preflight
from benchmark.evaluation.variants import evaluate_variants
from benchmark.events import Events
from benchmark.runs import Run
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

SCORES = "scores.parquet"


def evaluate_scores(
    work: Run,
    cases: pd.DataFrame,
    scores: Mapping[tuple[str, int], pd.DataFrame],
    settings: EvaluationConfig,
    events: Events,
    *,
    look: str = "validate",
) -> list[str]:
    """Write the metrics of every network and their comparison; return the preflight's words.

    Args:
        work: the run folder to write into.
        cases: the table as used, all splits.
        scores: (network, seed) -> what its scores.parquet holds.
        settings: threshold, replicates, resampling seed, minimal support.
        events: told what the preflight saw.
        look: the split that the preflight looks at.

    Raises:
        InputError: the preflight saw what would make every number worthless.
    """
    events.stage("Evaluating")
    seen = {f"{name} seed {seed}": logits_of(table, look) for (name, seed), table in scores.items()}
    notices = preflight(cases, seen, settings, look=look)
    for notice in notices:
        if notice.stops:
            raise InputError(notice.words)
        events.say(notice.words)
    test = cases[cases["split"] == "test"]
    logits = {pair: logits_of(table, "test") for pair, table in scores.items()}
    for (network, seed), values in logits.items():
        told: dict[str, Any] = {"network": network, "seed": seed, "settings": settings}
        validation = ValidationScores.of(cases, scores[network, seed])
        documents = {
            **evaluate_variants(test, values, **told),
            **operating_documents(validation, test, values, **told),
            "calibration.json": calibration_document(validation, test, values, **told),
            POLICIES_FILE: policy_document(test, values, **told),
        }
        for name, document in documents.items():
            write_document(document, work.network(network, seed) / name)
    networks: dict[str, dict[int, np.ndarray]] = {}
    for (network, seed), values in logits.items():
        networks.setdefault(network, {})[seed] = values
    if len(networks) > 1:
        document = compare_networks(test, networks, settings)
        write_document(document, work.path / "comparison.json")
    return [notice.words for notice in notices]


def logits_of(scores: pd.DataFrame, split: str) -> np.ndarray:
    """Return the (cases, 14) logits of one split of a table of scores."""
    return scores.loc[scores["split"] == split, list(OBSERVATIONS)].to_numpy(float)
