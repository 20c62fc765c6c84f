"""How often the baseline gate cries wolf, and how often it catches a drop: score tables alone.

The model: 441 test images of 80 patients (the study's number, 5.5 images a patient), sick with
prevalences near MIMIC-CXR's. Two networks' scores are binormal, correlated 0.7 given the truth,
half of the variance the patient's own. Retraining with another seed moves each observation's
AUROC by a normal error of 0.007, the largest between-seed SD of DenseNet-121 on MIMIC-CXR (five
seeds of CheXclusion, Seyyed-Kalantari et al. 2021).

    python -m tests.slow.gate_model 300
"""

import sys
from collections import Counter

import numpy as np
import pandas as pd
from scipy.special import ndtri

from benchmark.comparison import compare
from benchmark.config import EvaluationConfig
from benchmark.gate.baseline import checks_of
from benchmark.gate.verdict import Verdict
from cxr.observations import OBSERVATIONS

PREVALENCE = np.array(
    (0.33, 0.04, 0.20, 0.23, 0.03, 0.12, 0.05, 0.12, 0.21, 0.05, 0.24, 0.01, 0.02, 0.30)
)
AUROC = np.array(
    (0.87, 0.76, 0.83, 0.78, 0.77, 0.90, 0.84, 0.75, 0.84, 0.90, 0.93, 0.85, 0.72, 0.93)
)
SEED_SD = 0.007
SHARED = 0.7
SETTINGS = EvaluationConfig(replicates=200)


def trial(rng: np.random.Generator, *, drop: float, margin: float) -> str:
    """Return the gate's word on a candidate whose AUROCs are lower by `drop` on average."""
    patient = np.repeat(np.arange(80), 6)[:441]
    size = (len(patient), len(OBSERVATIONS))
    sick = rng.random((80, size[1])) < np.minimum(1.4 * PREVALENCE, 0.9)
    present = sick[patient] & (rng.random(size) < 0.7)
    cases = pd.DataFrame(
        {"image_id": np.arange(441).astype(str), "patient_id": patient.astype(str)}
    ).assign(**{f"label:{name}": present[:, k] * 1.0 for k, name in enumerate(OBSERVATIONS)})
    common = _noise(rng, patient, size)
    scores = {}
    for name, lower in (("baseline", 0.0), ("candidate", drop)):
        areas = np.clip(AUROC - lower + rng.normal(0, SEED_SD, size[1]), 0.5, 0.99)
        noise = np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * _noise(rng, patient, size)
        scores[name] = ndtri(areas) * np.sqrt(2) * present + noise
    document = compare(cases, scores, SETTINGS)
    return Verdict("trial", tuple(checks_of(("network", 0), document, margin))).word


def _noise(rng: np.random.Generator, patient: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return (rng.normal(size=(80, size[1]))[patient] + rng.normal(size=size)) / np.sqrt(2)


def rates(trials: int, *, drop: float, margin: float) -> Counter[str]:
    """Return how often each word came in so many trials."""
    rng = np.random.default_rng(int(1000 * drop))
    return Counter(trial(rng, drop=drop, margin=margin) for _ in range(trials))


if __name__ == "__main__":
    for drop, margin in ((0.0, 0.05), (0.0, 0.02), (0.05, 0.02), (0.1, 0.05), (0.05, 0.0)):
        print(
            f"drop {drop:g}, margin {margin:g}:",
            dict(rates(int(sys.argv[1]), drop=drop, margin=margin)),
        )
