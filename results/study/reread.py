"""Re-read the study's table of 28 AUROCs: what interval would each carry, which differences hold.

Nothing of the study's data is known here but its table and its 441 test images. Everything else
is assumed and varied, one assumption at a time. Test sets of that size are drawn, with scores
whose true AUROC is the published one; the intervals that this project would print are averaged.

    python results/study/reread.py     # writes reread.csv and README.md beside itself
"""

import csv
import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
from scipy.special import ndtri

from cxr.observations import OBSERVATIONS
from cxr.statistics import (
    EXTRA_FREEDOM,
    area_freedom,
    auroc_interval,
    clustered_aurocs,
    difference_interval,
    holm,
    two_sided_p,
)

HERE = Path(__file__).parent
IMAGES = 441
DRAWS = 60
SIGN = np.array([-1.0, 1.0])

PREVALENCE = dict(
    zip(
        OBSERVATIONS,
        (0.33, 0.07, 0.22, 0.24, 0.03, 0.18, 0.07, 0.15, 0.25, 0.05, 0.26, 0.012, 0.022, 0.29),
        strict=True,
    )
)
"""Assumed shares of images, near MIMIC-CXR's with uncertain counted as positive."""


@dataclass(frozen=True)
class Assumptions:
    """What the study does not tell."""

    name: str
    images_per_patient: float = 5.5  # 5,534 images of 1,000 patients
    clustering: float = 0.5  # share of a score's variance that is the patient's
    correlation: float = 0.7  # of the two networks' scores, given the truth
    prevalence: float = 1.0  # times the assumed one


BASE = Assumptions("base")
VARIED = (
    BASE,
    replace(BASE, name="2.5 images a patient", images_per_patient=2.5),
    replace(BASE, name="1 image a patient", images_per_patient=1.0),
    replace(BASE, name="scores of a patient less alike (0.2)", clustering=0.2),
    replace(BASE, name="scores of a patient more alike (0.8)", clustering=0.8),
    replace(BASE, name="networks less alike (0.4)", correlation=0.4),
    replace(BASE, name="networks more alike (0.9)", correlation=0.9),
    replace(BASE, name="half the prevalence", prevalence=0.5),
    replace(BASE, name="twice the prevalence", prevalence=2.0),
)
PERSISTENCE = 0.7  # share of a sick patient's images that show the finding


def published() -> list[dict[str, float]]:
    """Return the study's AUROCs, DenseNet-121's first."""
    text = resources.files("benchmark").joinpath("card", "references.toml").read_text("utf-8")
    (study,) = [entry for entry in tomllib.loads(text)["reference"] if entry["key"] == "study"]
    return [column["auroc"] for column in study["column"]]


def draw(
    rng: np.random.Generator, areas: np.ndarray, prevalence: float, given: Assumptions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, two scores and patients of one test set with at least three sick patients."""
    patients = round(IMAGES / given.images_per_patient)
    patient = np.sort(np.arange(IMAGES) % patients)
    persistence = 1.0 if given.images_per_patient == 1 else PERSISTENCE
    share = min(0.95, prevalence * given.prevalence / persistence)
    while True:
        sick = rng.random(patients) < share
        truth = sick[patient] & (rng.random(IMAGES) < persistence)
        if 3 <= len(np.unique(patient[truth])) <= patients - 3:
            break
    common, first, second = (
        np.sqrt(given.clustering) * rng.normal(size=patients)[patient]
        + np.sqrt(1 - given.clustering) * rng.normal(size=IMAGES)
        for _ in range(3)
    )
    noise = np.sqrt(given.correlation) * common[:, None] + np.sqrt(1 - given.correlation) * (
        np.stack([first, second], axis=1)
    )
    return truth, noise + truth[:, None] * ndtri(areas) * np.sqrt(2), patient


def reread(name: str, areas: np.ndarray, given: Assumptions) -> dict[str, float]:
    """Return mean interval ends of both AUROCs, and the mean error of their difference."""
    rng = np.random.default_rng(OBSERVATIONS.index(name))
    rows = []
    for _ in range(DRAWS):
        truth, scores, patient = draw(rng, areas, PREVALENCE[name], given)
        found = clustered_aurocs(truth, scores, patient)
        ends = [auroc_interval(found, column) for column in (0, 1)]
        error = float(np.sqrt(SIGN @ found.covariance @ SIGN))
        freedom = area_freedom(found, found.influence @ SIGN) + EXTRA_FREEDOM
        rows.append(
            [truth.sum(), found.positive_patients]
            + [value for one in ends for value in (one.low, one.high)]
            + [error, freedom]
        )
    keys = ("positives", "patients", "low_1", "high_1", "low_2", "high_2", "error", "freedom")
    return dict(zip(keys, map(float, np.mean(rows, axis=0)), strict=True))


def table(given: Assumptions) -> list[dict[str, object]]:
    """Return a row per observation under one set of assumptions."""
    first, second = published()
    rows: list[dict[str, object]] = []
    raw = []
    for name in OBSERVATIONS:
        found = reread(name, np.array([first[name], second[name]]), given)
        gap = second[name] - first[name]
        ends = difference_interval(gap, found["error"], found["freedom"])
        raw.append(two_sided_p(gap, found["error"], found["freedom"]))
        rows.append(
            {
                "assumptions": given.name,
                "observation": name,
                "positive_images": round(found["positives"]),
                "positive_patients": round(found["patients"]),
                "densenet121": first[name],
                "densenet121_low": round(found["low_1"], 3),
                "densenet121_high": round(found["high_1"], 3),
                "resnet50": second[name],
                "resnet50_low": round(found["low_2"], 3),
                "resnet50_high": round(found["high_2"], 3),
                "difference": round(gap, 3),
                "difference_low": round(ends.low, 3),
                "difference_high": round(ends.high, 3),
                "p": round(raw[-1], 4),
            }
        )
    return [row | {"p_holm": round(p, 4)} for row, p in zip(rows, holm(raw).tolist(), strict=True)]


def page(rows: list[dict]) -> str:
    """Return the page in Markdown."""
    base = [row for row in rows if row["assumptions"] == BASE.name]
    lines = [
        "| Observation | positive images / patients | DenseNet-121 | ResNet-50 | "
        "ResNet-50 less DenseNet-121 | p after Holm | assumptions under which p < 0.05 |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in base:
        same = [one for one in rows if one["observation"] == row["observation"]]
        shown = sum(one["p_holm"] < 0.05 for one in same)
        cells = [
            row["observation"],
            f"{row['positive_images']} / {row['positive_patients']}",
            *(
                f"{row[n]:.3f} [{row[f'{n}_low']:.2f}, {row[f'{n}_high']:.2f}]"
                for n in ("densenet121", "resnet50", "difference")
            ),
            f"{row['p_holm']:.2f}",
            f"{shown} of {len(VARIED)}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    likely = [row["observation"] for row in base if row["p_holm"] < 0.05]
    strange = [
        row["observation"]
        for row in base
        if max(row["densenet121_high"], row["resnet50_high"]) < 0.5
    ]
    widths = [
        row[f"{name}_high"] - row[f"{name}_low"]
        for row in base
        for name in ("densenet121", "resnet50")
    ]
    variations = "; ".join(given.name for given in VARIED[1:])
    return PAGE.format(
        table="\n".join(lines),
        count=len(likely),
        likely=", ".join(likely) or "none",
        strange=", ".join(strange) or "none",
        variations=variations,
        draws=DRAWS,
        narrow=min(widths),
        wide=max(widths),
    )


PAGE = """# The study's table, re-read with intervals

Song, Wu and Lu print 28 AUROCs of two networks on 441 test images, without intervals. Below is
what interval each number would carry, and which of the 14 differences could have been shown.

{table}

**What follows.** Under the base assumptions {count} of the 14 differences would be shown after
Holm's adjustment ({likely}); the last column says under how many of nine sets of assumptions
each would. The AUROCs' intervals are {narrow:.2f} to {wide:.2f} wide. The macro means, 0.610 and
0.627, lie closer together than the interval of any single difference is wide; an interval of
their own would need the scores, which are not published.

**What does not follow.** Rarity does not explain the lowest values. Below chance for both
networks, with intervals that leave chance out: {strange}. Under the assumptions it has some 30
positive images, at which chance alone hardly gives 0.09; and Pleural Effusion, common and plain
to see, stands at 0.51 and 0.48. A fault in the order of labels, the split or the loading of
weights is as likely an explanation. The preflight of this tool (every output against every
label, on validation) is made to find that before a number is printed.

**What is assumed.** The study gives neither prevalences nor images per patient of its test set.
Base: prevalences near MIMIC-CXR's with uncertain counted as positive; 5.5 images a patient (80
patients); half of a score's variance is the patient's; the two networks' scores correlate 0.7
given the truth; binormal scores whose true AUROC is the published one; a sick patient shows the
finding on 70 % of the images; at least three patients on either side. Varied one at a time:
{variations}. Intervals are those that this tool prints (DeLong clustered by patient, moderated,
on the logit scale), averaged over {draws} drawn test sets, also where it would print none because
fewer than ten patients have the finding. A difference's is the published difference with the mean
error of the paired clustered DeLong test. All rows are in `reread.csv`; `reread.py` makes both.
"""


def main() -> None:
    """Write the table and the page."""
    rows = [row for given in VARIED for row in table(given)]
    with (HERE / "reread.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (HERE / "README.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
