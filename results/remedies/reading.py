"""From the scores of the cells to the study's tables: see `study.py`, whose PLAN this carries out.

Metrics are means over a group of observations. A difference's variance has two parts: over
patients, by a bootstrap that all cells and seeds share; over seeds, by the residual of cells by
seeds (Fisher's two-way layout), pooled over the cells.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cxr.observations import OBSERVATIONS, UNCERTAIN
from cxr.statistics import (
    difference_interval,
    holm,
    pooled_freedom,
    ranked_replicates,
    resample_patients,
    two_sided_p,
)

METRICS = {"auroc": "AUROC", "average_precision": "average precision"}
REPLICATES = 2000
LEAST_PATIENTS = 10
RARE = 0.10
"""Of training images: what is positive in fewer is rare."""


@dataclass(frozen=True)
class Reference:
    """What scores are held against.

    Attributes:
        name: "truth" or "reports, hedges left out".
        present, counted: (n, 14) bool.
        patients: (n,) ids.
    """

    name: str
    present: np.ndarray
    counted: np.ndarray
    patients: np.ndarray

    @classmethod
    def of(cls, name: str, cases: pd.DataFrame) -> "Reference":
        """Take it from cases.parquet; `name` begins with "truth" or "reports"."""
        patients = cases["patient_id"].to_numpy()
        if name == "truth":
            present = cases[[f"truth:{o}" for o in OBSERVATIONS]].to_numpy(bool)
            return cls(name, present, np.ones_like(present), patients)
        labels = cases[[f"label:{o}" for o in OBSERVATIONS]].to_numpy(float)
        return cls(name, labels == 1, labels != UNCERTAIN, patients)

    @cached_property
    def positive_patients(self) -> np.ndarray:
        """(14,) patients with a positive image."""
        positive = self.present & self.counted
        return np.array([len(np.unique(self.patients[column])) for column in positive.T])


def rare_observations(train: pd.DataFrame) -> list[str]:
    """Return the observations that are positive, hedged or not, in few training images."""
    labels = train[[f"label:{o}" for o in OBSERVATIONS]].to_numpy(float)
    shares = np.isin(labels, (1, UNCERTAIN)).mean(axis=0)
    return [name for name, share in zip(OBSERVATIONS, shares, strict=True) if share < RARE]


def replicate_all(
    reference: Reference, logits: Mapping[tuple[str, int], np.ndarray], replicates: int = REPLICATES
) -> dict[str, dict[tuple[str, int], np.ndarray]]:
    """Return metric -> (cell, seed) -> (14, 1 + replicates): the metric itself, then replicates."""
    draws = resample_patients(
        reference.patients, replicates=replicates, rng=np.random.default_rng(0)
    )
    counts = np.concatenate([np.ones((1, draws.counts.shape[1]), np.uint16), draws.counts])
    whole = type(draws)(draws.patient, counts)
    results: dict[str, dict[tuple[str, int], np.ndarray]] = {metric: {} for metric in METRICS}
    for key, scores in logits.items():
        columns = []
        for k in range(len(OBSERVATIONS)):
            rows = np.flatnonzero(reference.counted[:, k])
            columns.append(
                ranked_replicates(reference.present[rows, k], scores[rows, k], whole.select(rows))
            )
        for metric in METRICS:
            results[metric][key] = np.stack([getattr(column, metric) for column in columns])
    return results


def compare_cells(
    values: Mapping[tuple[str, int], np.ndarray],
    cells: list[str],
    seeds: list[int],
    columns: np.ndarray,
    freedom: float,
) -> list[dict[str, float | str]]:
    """Return a row for each cell: its mean, its spread over seeds, its lead over the first.

    Args:
        values: as `replicate_all` gives them for one metric.
        cells: the first is the baseline.
        seeds: those that every cell has.
        columns: indices of the observations that are averaged.
        freedom: degrees of freedom of the variance over patients.
    """
    table = np.array(
        [[values[cell, seed][columns].mean(axis=0) for seed in seeds] for cell in cells]
    )
    point, drawn = table[..., 0], table[..., 1:].mean(axis=1)  # (cells, seeds), (cells, draws)
    residual = (
        point - point.mean(axis=1, keepdims=True) - point.mean(axis=0, keepdims=True) + point.mean()
    )
    seed_freedom = (len(cells) - 1) * (len(seeds) - 1)
    seed_variance = 0.0
    if seed_freedom:
        seed_variance = 2 * float((residual**2).sum()) / seed_freedom / len(seeds)
    rows: list[dict[str, float | str]] = []
    for place, cell in enumerate(cells):
        row: dict[str, float | str] = {"cell": cell, "mean": float(point[place].mean())}
        row["seed_sd"] = float(point[place].std(ddof=1)) if len(seeds) > 1 else np.nan
        if place:
            lead = float(point[place].mean() - point[0].mean())
            parts = np.array([np.nanvar(drawn[place] - drawn[0], ddof=1), seed_variance])
            error = float(np.sqrt(parts.sum()))
            own = pooled_freedom(parts, np.array([freedom, max(seed_freedom, 1)]))
            ends = difference_interval(lead, error, own)
            row |= {"difference": lead, "low": ends.low, "high": ends.high}
            row |= {
                "error_patients": float(np.sqrt(parts[0])),
                "error_seeds": float(np.sqrt(parts[1])),
            }
            row["p"] = two_sided_p(lead, error, own) if seed_freedom else np.nan
        rows.append(row)
    return rows


def read(
    cases: pd.DataFrame, scores: Mapping[tuple[str, int], pd.DataFrame], cells: list[str]
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Return the table of all comparisons, and what is to be said about it.

    Args:
        cases: as in cases.parquet.
        scores: (cell, seed) -> as in scores.parquet.
        cells: those to compare; the first is the baseline.
    """
    seeds = sorted({seed for _, seed in scores if all((cell, seed) in scores for cell in cells)})
    kept = [(cell, seed) for cell in cells for seed in seeds]
    names = list(OBSERVATIONS)
    rare = rare_observations(cases[cases["split"] == "train"])
    tables, estimable = [], []
    for split, kind in (("test", "truth"), ("test", "reports"), ("validate", "reports")):
        reference = Reference.of(kind, cases[cases["split"] == split])
        logits = {
            key: scores[key].loc[scores[key]["split"] == split, names].to_numpy(float)
            for key in kept
        }
        known = np.flatnonzero(reference.positive_patients >= LEAST_PATIENTS)
        if split == "validate":  # for the choice alone: every observation that is there at all
            known = np.flatnonzero(reference.positive_patients > 0)
        groups = {"rare": [k for k in known if names[k] in rare], "all": list(known)}
        if split == "test":
            groups |= {names[k]: [k] for k in known}
        if kind == "truth":
            estimable = [names[k] for k in groups["rare"]]
        for metric, values in replicate_all(reference, logits).items():
            for group, columns in groups.items():
                if columns:
                    freedom = float(reference.positive_patients[columns].min() - 1)
                    rows = compare_cells(values, cells, seeds, np.array(columns), freedom)
                    told = {"split": split, "labels": kind, "group": group, "metric": metric}
                    tables.append(pd.DataFrame(rows).assign(**told))
    table = _adjusted(pd.concat(tables, ignore_index=True))
    about = {"seeds": seeds, "cells": cells, "rare": rare, "rare_estimable": estimable}
    about["chosen_on_validation"] = _chosen(table)
    return table, json.loads(json.dumps(about))


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Put Holm's p beside those of the plan's question; the others are described, not tested."""
    first = ["split", "labels", "group", "metric", "cell"]
    table = table[first + [name for name in table if name not in first]]
    asked = (table["split"] == "test") & (table["labels"] == "truth") & (table["group"] == "rare")
    asked &= table["p"].notna()
    adjusted = np.full(len(table), np.nan)
    adjusted[asked] = holm(table.loc[asked, "p"].to_numpy())
    return table.assign(p_holm=adjusted)


def _chosen(table: pd.DataFrame) -> str:
    seen = table[(table["split"] == "validate") & (table["group"] == "rare")]
    seen = seen[seen["metric"] == "average_precision"]
    return str(seen.loc[seen["mean"].idxmax(), "cell"]) if len(seen) else ""
