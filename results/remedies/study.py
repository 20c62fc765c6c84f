"""Do published remedies help rare observations beyond the noise of seeds? On synthetic images.

Main effects only: each loss with uncertain labels as positive, each policy for uncertain labels
with plain cross-entropy; DenseNet-121 on 64 pixels with the schedule of the preset "synthetic",
three seeds each. What is asked, of whom and how was written down before any network was trained
(`PLAN` in this file, printed into README.md).

    python results/remedies/study.py train WORK [--jobs 2]   # may be killed; goes on when repeated
    python results/remedies/study.py read WORK               # writes the results beside this file
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from reading import read
from writing import readme

from benchmark.cohorts import LABEL_COLUMNS, prepare
from benchmark.config import Config, load_config
from benchmark.console import open_console
from benchmark.events import Silent
from benchmark.inference.prediction import predict_split
from benchmark.runs import replacing, write_frame, write_json, write_text
from benchmark.training.loop import TrainingData, train_network
from cxr.policy import targets

SETTINGS = (
    "synth.studies=3600",  # twice the preset's, and all of it for testing: rare findings need it
    "split.fractions=[0.3, 0.1, 0.6]",  # so the training split stays about as large as the preset's
    "training.device=cpu",
)
CELLS = {
    "bce": {},
    "weighted": {"loss": "weighted"},
    "class-balanced": {"loss": "class-balanced"},
    "focal": {"loss": "focal"},
    "asymmetric": {"loss": "asymmetric"},
    "negative": {"uncertain": "negative"},
    "ignore": {"uncertain": "ignore"},
    "positive-smoothed": {"uncertain": "positive-smoothed"},
}
"""Name -> how it differs from the baseline, which is the first."""
SEEDS = (0, 1, 2)
NETWORK = "densenet121"

PLAN = """\
Written before any network was trained.

- **Question.** Does a remedy, on average over seeds, rank *rare* observations better than the
  baseline (cross-entropy, uncertain labels as positive)?
- **Rare**: positive in fewer than 10 % of the training images by the reports, hedges included,
  and estimable: positive in at least 10 test patients.
- **Outcomes**: the mean AUROC and the mean average precision over the rare observations, on test
  images, against the truth that the cohort knows. The truth, because a policy for uncertain
  labels must not be judged by labels that another policy made.
- **Comparison**: each remedy minus the baseline, means over the seeds. The interval's variance
  is that of a paired bootstrap over patients plus that of the seeds: the residual of cells by
  seeds, pooled over the cells, since three seeds tell little about one cell alone. Student's t,
  Satterthwaite's degrees of freedom. Holm over all remedies and both outcomes.
- **Beside it**, described and not tested: the same against report labels with hedges left out,
  all observations, each observation.
- **Choice**: the remedy with the best mean average precision over the rare observations on
  *validation* images, against report labels with hedges left out: what a user without the truth
  could have chosen. Its test result stands in the table like all others.
"""


def train(work: Path, jobs: int) -> None:
    """Train every cell with every seed, a process for each; seed by seed, so that cells compare."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "pixels.npy").exists():
        with open_console() as events:
            data = prepare(_config(), events)
        write_frame(work / "cases.parquet", data.cases)
        with replacing(work / "pixels.npy") as part, part.open("wb") as file:
            np.save(file, data.pixels)
    todo = [
        (cell, seed) for seed in SEEDS for cell in CELLS if not _scores(work, cell, seed).exists()
    ]

    def one(task: tuple[str, int]) -> None:
        subprocess.run([sys.executable, __file__, "one", work, *map(str, task)], check=True)
        print(*task, "done", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, todo))


def train_one(work: Path, cell: str, seed: int) -> None:
    """Train one cell with one seed and keep its validation and test scores."""
    torch.set_num_threads(1)  # the same numbers whatever else the machine does
    options = CELLS[cell]
    cases = pd.read_parquet(work / "cases.parquet")
    wanted, counted = targets(
        cases[LABEL_COLUMNS].to_numpy(float),
        uncertain=options.get("uncertain", "positive"),
        rng=np.random.default_rng(seed),
    )
    split = cases["split"].to_numpy()
    data = TrainingData(
        pixels=np.load(work / "pixels.npy", mmap_mode="r"),
        train_rows=np.flatnonzero(split == "train"),
        validate_rows=np.flatnonzero(split == "validate"),
        targets=wanted,
        counted=counted,
        image_ids=cases["image_id"].tolist(),
    )
    settings = replace(_config().training, loss=options.get("loss", "bce"))
    folder = _scores(work, cell, seed).parent
    train_network(NETWORK, data, settings, seed=seed, folder=folder, events=Silent())
    scores = predict_split(NETWORK, folder, cases, data.pixels, settings, Silent())
    write_frame(_scores(work, cell, seed), scores)


def write_results(work: Path, folder: Path) -> None:
    """Compare what is trained so far; write remedies.csv, remedies.json and README.md."""
    done = {(c, s) for c in CELLS for s in SEEDS if _scores(work, c, s).exists()}
    cells = [cell for cell in CELLS if (cell, SEEDS[0]) in done]
    if len(cells) < 2 or next(iter(CELLS)) not in cells:
        raise SystemExit("Too few cells are trained; go on with `study.py train WORK`.")
    scores = {key: pd.read_parquet(_scores(work, *key)) for key in sorted(done)}
    cases = pd.read_parquet(work / "cases.parquet")
    table, about = read(cases, scores, cells)
    about["cases"] = {
        str(split): {"images": len(rows), "patients": int(rows["patient_id"].nunique())}
        for split, rows in cases.groupby("split")
    }
    table.to_csv(folder / "remedies.csv", index=False, float_format="%.6g")
    told = {"settings": SETTINGS, "differs": CELLS, "config": _config().as_json(), **about}
    write_json(folder / "remedies.json", {"synthetic": True, **told})
    write_text(folder / "README.md", readme(table, about, PLAN, len(CELLS), len(SEEDS)))


def _config() -> Config:
    return load_config(preset="synthetic", overrides=SETTINGS)


def _scores(work: Path, cell: str, seed: int) -> Path:
    return work / cell / f"seed-{seed}" / "scores.parquet"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("train", "one", "read"))
    parser.add_argument("work", type=Path)
    parser.add_argument("task", nargs="*")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    if given.step == "train":
        train(given.work, given.jobs)
    elif given.step == "one":
        train_one(given.work, given.task[0], int(given.task[1]))
    else:
        write_results(given.work, Path(__file__).parent)


if __name__ == "__main__":
    main()
