"""How often the baseline gate cries wolf, and how often it catches a drop: score tables alone.

The model: 441 test images of 80 patients (the study's number, 5.5 images a patient), sick with
prevalences near MIMIC-CXR's. Two networks' scores are binormal, correlated 0.7 given the truth,
half of the variance the patient's own. Retraining with another seed moves each observation's
AUROC by a normal error of 0.007, the largest between-seed SD of DenseNet-121 on MIMIC-CXR (five
seeds of CheXclusion, Seyyed-Kalantari et al. 2021). Short training moves all observations at once:
the macro AUROC of ResNet-50 on the synthetic default had an SD of 0.013 over three seeds, and two
rows have that on top. Another sample is one of other patients, on
which the baseline's scores are not known, and the network's own seed comes on top.

    python -m tests.slow.gate_model 1000 0 5 > results/gate/rates.csv
    python -m tests.slow.gate_model 1000 5 12 >> results/gate/rates.csv
"""

import csv
import dataclasses
import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from benchmark.config import EvaluationConfig
from benchmark.gate.baseline import checks_of
from benchmark.gate.noninferiority import MACRO, Sides
from benchmark.gate.pairing import match
from benchmark.gate.scored import Scored
from benchmark.gate.verdict import Verdict
from cxr.observations import OBSERVATIONS
from cxr.statistics import AreaDifference

PREVALENCE = np.array(
    (0.33, 0.04, 0.20, 0.23, 0.03, 0.12, 0.05, 0.12, 0.21, 0.05, 0.24, 0.01, 0.02, 0.30)
)
AUROC = np.array(
    (0.87, 0.76, 0.83, 0.78, 0.77, 0.90, 0.84, 0.75, 0.84, 0.90, 0.93, 0.85, 0.72, 0.93)
)
SEED_SD = 0.007
SEED_SHIFT = 0.013
SHARED = 0.7
SETTINGS = EvaluationConfig(replicates=400)
NETWORK = ("network", 0)
PATIENTS, IMAGES = 80, 441


@dataclass(frozen=True)
class Design:
    """One row of the table: what is true, and what is asked.

    Attributes:
        sample: "same" test cases, or "other" ones of the same population.
        drop: how much lower every true AUROC of the candidate is.
        margin: the gate's.
        seed_shift: SD of what a training seed does to all observations at once.
    """

    sample: str
    drop: float
    margin: float
    seed_shift: float = 0.0


DESIGNS = (
    Design("same", 0.0, 0.05),
    Design("same", 0.0, 0.02),
    Design("same", 0.0, 0.0),
    Design("other", 0.0, 0.05),
    Design("other", 0.0, 0.0),
    Design("same", 0.05, 0.0),
    Design("same", 0.05, 0.02),
    Design("same", 0.05, 0.05),
    Design("same", 0.1, 0.05),
    Design("other", 0.05, 0.0),
    Design("same", 0.0, 0.05, SEED_SHIFT),
    Design("same", 0.0, 0.02, SEED_SHIFT),
)


@dataclass(frozen=True)
class Trial:
    """The gate's word, and the macro mean's difference with its error."""

    word: str
    macro: AreaDifference


def trial(rng: np.random.Generator, design: Design) -> Trial:
    """Return what the gate says of a candidate whose AUROCs are lower by `drop` on average."""
    first = _cases(rng)
    second = first if design.sample == "same" else _cases(rng, start=PATIENTS)
    noises = [_noise(rng, first.patient), _noise(rng, second.patient)]
    if design.sample == "same":
        common = _noise(rng, first.patient)
        noises = [np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * noise for noise in noises]
    runs = [
        _scored(rng, cases, noise, lower + _shift(rng, design))
        for cases, noise, lower in zip((first, second), noises, (0.0, design.drop), strict=True)
    ]
    matched = match(runs[1], runs[0])
    found = Sides(matched, SETTINGS).differences(NETWORK, NETWORK)
    checks = checks_of({NETWORK: found}, design.margin, paired=matched.paired)
    macro = found[MACRO]
    assert isinstance(macro, AreaDifference)
    return Trial(Verdict("trial", tuple(checks)).word, macro)


@dataclass(frozen=True)
class _Cases:
    image: np.ndarray
    patient: np.ndarray
    present: np.ndarray


def _cases(rng: np.random.Generator, start: int = 0) -> _Cases:
    patient = np.repeat(np.arange(PATIENTS), 6)[:IMAGES]
    size = (IMAGES, len(OBSERVATIONS))
    sick = rng.random((PATIENTS, size[1])) < np.minimum(1.4 * PREVALENCE, 0.9)
    present = sick[patient] & (rng.random(size) < 0.7)
    image = np.array([f"{10 * start + row:06d}" for row in range(IMAGES)])
    return _Cases(image, patient + start, present)


def _scored(rng: np.random.Generator, cases: _Cases, noise: np.ndarray, drop: float) -> Scored:
    areas = np.clip(AUROC - drop + rng.normal(0, SEED_SD, len(AUROC)), 0.5, 0.99)
    return Scored(
        run_id="trial",
        image=cases.image,
        patient=np.array([f"{one:04d}" for one in cases.patient]),
        labels=cases.present * 1.0,
        logits={NETWORK: ndtri(areas) * np.sqrt(2) * cases.present + noise},
        protocol={"version": 1, "threshold": 0.5},
        population={},
        notes={},
        recipe={},
        weights={},
        restricted=False,
    )


def _shift(rng: np.random.Generator, design: Design) -> float:
    return float(rng.normal(0, design.seed_shift)) if design.seed_shift else 0.0


def _noise(rng: np.random.Generator, patient: np.ndarray) -> np.ndarray:
    """Normal errors, half of whose variance is the patient's own."""
    kinds = len(OBSERVATIONS)
    own = rng.normal(size=(PATIENTS, kinds))[patient - patient.min()]
    return (own + rng.normal(size=(len(patient), kinds))) / np.sqrt(2)


def trials(number: int, design: Design) -> list[Trial]:
    """Return so many trials of one design; always the same ones."""
    seed = [int(1000 * design.drop), int(1000 * design.margin), len(design.sample)]
    rng = np.random.default_rng(seed + [1] * bool(design.seed_shift))
    return [trial(rng, design) for _ in range(number)]


def rates(number: int, design: Design) -> Counter[str]:
    """Return how often each word came in so many trials."""
    return Counter(one.word for one in trials(number, design))


def theory(found: list[Trial], design: Design) -> float:
    """The share of trials that a one-sided test of the macro mean at 2.5 % can fail.

    It knows the true error (the spread of the estimates over the trials) and the true drop, and
    needs no estimate of either: no test at this level that looks at the macro mean's estimate
    alone catches more.
    """
    values = np.array([one.macro.value for one in found])
    return float(ndtr((-values.mean() - design.margin) / values.std(ddof=1) - ndtri(0.975)))


COLUMNS = (
    "sample",
    "drop",
    "margin",
    "seed_shift",
    "trials",
    "fail",
    "pass",
    "inconclusive",
    "macro_spread",
    "macro_error",
    "theory",
)


def main(number: int, first: int, end: int) -> None:
    """Print the rows of the designs from `first` to before `end` as CSV."""
    table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    if first == 0:
        table.writeheader()
    for design in DESIGNS[first:end]:
        table.writerow(row_of(trials(number, design), design))
        sys.stdout.flush()


def row_of(found: list[Trial], design: Design) -> dict[str, object]:
    """Return a row of the table: counts of words, spread and mean error of the macro mean."""
    words = Counter(one.word for one in found)
    values = np.array([one.macro.value for one in found])
    return {
        **dataclasses.asdict(design),
        "trials": len(found),
        **{word: words[word] for word in ("fail", "pass", "inconclusive")},
        "macro_spread": round(float(values.std(ddof=1)), 4),
        "macro_error": round(float(np.mean([one.macro.error for one in found])), 4),
        "theory": round(theory(found, design), 3),
    }


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
