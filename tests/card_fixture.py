"""A made-up run folder in the documented shapes, small enough for unit tests."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from cxr.observations import OBSERVATIONS

NETWORKS = ("densenet121", "resnet50")
OPTIONAL = (
    "localization.json",
    "elsewhere.json",
    "trust.json",
    "history.csv",
    "training.json",
    "timing.json",
    "explanations/index.json",
)
RARE = ("Pleural Other", "Fracture")
PREVALENCE = (0.35, 0.1, 0.2, 0.25, 0.1, 0.15, 0.1, 0.12, 0.2, 0.08, 0.25, 0.02, 0.02, 0.3)


def write_run(
    folder: Path,
    *,
    seed: int = 0,
    images: int = 160,
    networks: tuple[str, ...] = NETWORKS,
    text: str = "",
    optional: bool = True,
) -> Path:
    """Write a run folder; `text` is put into every free-text field, `optional` adds the rest."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    cases = _cases(rng, images, text)
    cases.to_parquet(folder / "cases.parquet", index=False)
    exclusions = pd.DataFrame(
        {
            "image_id": ["x1", "x2", "x3"],
            "study_id": ["s1", "s2", "s3"],
            "patient_id": ["p1", "p2", "p2"],
            "reason": ["view LATERAL" + text, "view LATERAL" + text, "no pixels, in file 1.dcm"],
        }
    )
    exclusions.to_csv(folder / "exclusions.csv", index=False)
    for number, name in enumerate(networks):
        _write_network(folder / name / "seed-0", name, cases, rng, 1.6 - 0.4 * number, text)
    if len(networks) > 1:
        _dump(folder / "comparison.json", _comparison(networks, text))
    _dump(folder / "label_reading.json", _reading())
    _dump(folder / "run.json", _run(cases, networks, exclusions, text))
    if not optional:
        for name in networks:
            for file in OPTIONAL:
                (folder / name / "seed-0" / file).unlink()
        for file in folder.glob("*/seed-0/metrics.sex-*.json"):
            file.unlink()
        (folder / "comparison.json").unlink(missing_ok=True)
        (folder / "label_reading.json").unlink()
    return folder


def _cases(rng: np.random.Generator, images: int, text: str) -> pd.DataFrame:
    patient = np.sort(rng.integers(0, images // 2, images))
    cases = pd.DataFrame(
        {
            "image_id": [f"i{n:04d}" for n in range(images)],
            "study_id": [f"s{n:04d}" for n in range(images)],
            "patient_id": [f"p{n:04d}{text}" for n in patient],
            "view": np.where(rng.random(images) < 0.5, "PA", "AP"),
            "sex": np.where(patient // 4 % 2 == 0, "F", "M"),
            "age_band": np.array(["<40", "40-59", "60-79", "80+"])[patient % 4],
            "split": np.array(["train", "test", "validate", "test"])[patient % 4],
        }
    )
    for name, prevalence in zip(OBSERVATIONS, PREVALENCE, strict=True):
        truth = rng.random(images) < prevalence
        label = np.where(truth, 1.0, np.where(rng.random(images) < 0.5, 0.0, np.nan))
        label[rng.random(images) < 0.05] = -1.0
        cases[f"label:{name}"] = label
        cases[f"truth:{name}"] = truth
    return cases


def _write_network(
    folder: Path, name: str, cases: pd.DataFrame, rng: np.random.Generator, skill: float, text: str
) -> None:
    folder.mkdir(parents=True)
    held = cases[cases["split"] != "train"]
    scores = held[["image_id", "split"]].copy()
    for observation in OBSERVATIONS:
        truth = held[f"truth:{observation}"].to_numpy()
        scores[observation] = (skill * truth - 1 + rng.normal(0, 1, len(held))).astype(np.float32)
    scores.to_parquet(folder / "scores.parquet", index=False)
    for suffix, uncertain, labels in (
        ("", "positive", "report"),
        (".uncertain-excluded", "excluded", "report"),
        (".truth", "positive", "truth"),
    ):
        _dump(folder / f"metrics{suffix}.json", _metrics(name, cases, scores, uncertain, labels))
    for sex in ("F", "M"):
        group = _metrics(name, cases[cases["sex"] == sex], scores, "positive", "report")
        _dump(folder / f"metrics.sex-{sex}.json", group | {"group": f"sex={sex}"})
    epochs = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "train_loss": [0.5, 0.4, 0.35],
            "validation_loss": [0.48, 0.42, 0.43],
            "validation_auroc": [0.6, 0.7, 0.72],
            "learning_rate": [1e-3, 1e-3, 5e-4],
        }
    )
    epochs.to_csv(folder / "history.csv", index=False)
    _dump(
        folder / "training.json",
        {
            "network": name,
            "seed": 0,
            "parameters": 6968206,
            "weights_mb": 27.9,
            "checkpoint_mb": 28.2,
            "best_epoch": 3,
            "best_validation_auroc": 0.72,
            "weights_sha256": "ab" * 32,
            "epochs": 3,
            "device": "cpu",
            "precision": "fp32",
            "threads": 2,
        },
    )
    _dump(
        folder / "timing.json",
        {"seconds_per_epoch": 40.87, "images_per_second": 18.4, "epochs": [41.5, 40.2, 40.9]},
    )
    _dump(folder / "localization.json", _localization(name, text))
    _dump(folder / "elsewhere.json", _elsewhere(text))
    _dump(folder / "trust.json", _trust(name, text))
    _write_explanations(folder, held, text)


def _metrics(
    name: str, cases: pd.DataFrame, scores: pd.DataFrame, uncertain: str, labels: str
) -> dict[str, Any]:
    test = cases[cases["split"] == "test"]
    logits = scores.set_index("image_id").loc[test["image_id"]]
    observations = {}
    for observation in OBSERVATIONS:
        label = test[f"label:{observation}"].to_numpy()
        counted = label != -1 if uncertain == "excluded" else np.ones(len(test), bool)
        positive = np.isin(label, (1.0, -1.0))
        if labels == "truth":
            positive = test[f"truth:{observation}"].to_numpy()
        called = (logits[observation].to_numpy() >= 0)[counted]
        positive, patients = positive[counted], test["patient_id"][counted]
        observations[observation] = _observation(observation, positive, called, patients, label)
    return {
        "schema": 1,
        "network": name,
        "seed": 0,
        "level": "image",
        "labels": labels,
        "uncertain": uncertain,
        "group": "all",
        "operating_point": "0.5",
        "patients": int(test["patient_id"].nunique()),
        "cases": len(test),
        "observations": observations,
        "macro": {m: {**_estimate(0.71), "over": 12} for m in MEASURES},
        "micro": {m: {**_estimate(0.81), "over": 12} for m in MEASURES},
        "weighted": {m: {**_estimate(0.75), "over": 12} for m in MEASURES},
    }


MEASURES = (
    "auroc",
    "average_precision",
    "f1",
    "precision",
    "recall",
    "specificity",
    "accuracy",
    "brier",
    "log_loss",
)


def _observation(
    name: str, positive: np.ndarray, called: np.ndarray, patients: pd.Series, label: np.ndarray
) -> dict[str, Any]:
    share = float(positive.mean())
    record = {
        "positives": int(positive.sum()),
        "negatives": int((~positive).sum()),
        "positive_patients": int(patients[positive].nunique()),
        "negative_patients": int(patients[~positive].nunique()),
        "stated": int((label == 1).sum()),
        "hedged": int((label == -1).sum()),
        "confusion": {
            "tp": int((positive & called).sum()),
            "fp": int((~positive & called).sum()),
            "fn": int((positive & ~called).sum()),
            "tn": int((~positive & ~called).sum()),
        },
        "always_negative": {"accuracy": 1 - share, "f1": 0.0},
        "always_positive": {"accuracy": share, "f1": 2 * share / (1 + share)},
    }
    for number, measure in enumerate(MEASURES):
        record[measure] = (
            {
                "estimate": None,
                "low": None,
                "high": None,
                "method": "",
                "reason": "fewer than 10 positive patients",
            }
            if name in RARE
            else _estimate(0.6 + 0.03 * number + 0.01 * (len(name) % 7))
        )
    return record


def _estimate(value: float, width: float = 0.06) -> dict[str, Any]:
    return {
        "estimate": round(value, 6),
        "low": round(value - width, 6),
        "high": round(value + width, 6),
        "method": "bootstrap, patients",
        "reason": None,
    }


def _comparison(networks: tuple[str, ...], text: str) -> dict[str, Any]:
    def entry(value: float) -> dict[str, Any]:
        return {
            "auroc": {
                "difference": _estimate(value, 0.05),
                "p": 0.04,
                "p_holm": 0.48,
                "verdict": "no difference shown" + text,
            }
        }

    return {
        "schema": 1,
        "networks": list(networks[:2]),
        "level": "image",
        "patients": 40,
        "cases": 80,
        "adjustment": "Holm",
        "direction": f"{networks[1]} minus {networks[0]}",
        "observations": {
            name: entry(-0.03 + 0.005 * number) for number, name in enumerate(OBSERVATIONS)
        },
        "macro": entry(-0.02),
        "words": "These two checkpoints do not differ more than chance explains." + text,
    }


def _localization(name: str, text: str) -> dict[str, Any]:
    def part(value: float) -> dict[str, Any]:
        return {
            "images": 14,
            "patients": 11,
            "hit_rate": _estimate(value, 0.2),
            "iou": _estimate(value / 2, 0.1),
            "pixel_precision": _estimate(value, 0.1),
            "boxes": {f"0.{i}": _estimate(value / i, 0.05) for i in range(1, 8)},
            "wrong_boxes": _estimate(1.25, 0.1),
        }

    return {
        "schema": 1,
        "network": name,
        "seed": 0,
        "method": "gradcam",
        "strata": [
            {
                "kind": "size",
                "words": "below 1 % of the picture",
                "pairs": 9,
                "patients": 8,
                "hit_rate": _estimate(0.3, 0.1),
                "random": _estimate(0.01, 0.005),
            }
        ],
        "words": "Grad-CAM at a finer grid" + text,
        "gain": {
            "pairs": 28,
            "words": "the finer maps overlap lesions more than plain Grad-CAM's" + text,
            "difference": {"hit_rate": _estimate(0.1, 0.05), "iou": _estimate(0.05, 0.02)},
        },
        "observations": {
            observation: {
                "present": part(0.4),
                "correct": part(0.5),
                "baselines": {
                    "random": _estimate(0.1, 0.02),
                    "centre": _estimate(0.2, 0.1),
                    "mean_lesion": _estimate(0.35, 0.1),
                },
                "area": 0.125,
                "words": "not shown to hit more often than the mean lesion",
            }
            for observation in ("Cardiomegaly", "Pneumothorax")
        },
    }


def _elsewhere(text: str) -> dict[str, Any]:
    plain = {"images": 14, "outside": _estimate(0.25, 0.1), "outside_area": 0.375}
    marks = {
        "marked": 11,
        "on_marks": _estimate(0.125, 0.05),
        "marks_area": 0.0625,
        "on_marks_excess": _estimate(0.0625, 0.05),
        "fall_without_marks": _estimate(0.75, 0.25),
        "words": "the score falls without the mark: a shortcut" + text,
    }
    return {"schema": 1, "observations": {"Edema": plain, "Atelectasis": {**plain, **marks}}}


def _reading() -> dict[str, Any]:
    questions = ("mention", "negation", "uncertainty", "positive")
    return {
        "schema": 1,
        "reports": 100,
        "observations": {
            name: {question: {"f1": _estimate(0.9, 0.05)} for question in questions}
            for name in OBSERVATIONS
        },
    }


def _trust(name: str, text: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "network": name,
        "checks": [
            {
                "name": "noise",
                "question": "How alike is the map when a little noise is added?" + text,
                "value": _estimate(0.9, 0.05),
                "limit": 0.8,
                "wanted": "above",
                "verdict": "passes",
            }
        ],
    }


def _write_explanations(folder: Path, held: pd.DataFrame, text: str) -> None:
    (folder / "explanations").mkdir()
    grey = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    colour = np.stack([grey, grey.T, grey[::-1]], axis=-1)
    entries = []
    for number, outcome in enumerate(("TP", "FP", "FN")):
        image = f"explanations/{number}.png"
        overlay = f"explanations/{number}-map.png"
        Image.fromarray(grey).save(folder / image)
        Image.fromarray(colour).save(folder / overlay)
        entries.append(
            {
                "image_id": held["image_id"].iloc[number],
                "observation": "Cardiomegaly",
                "outcome": outcome,
                "score": 0.9 - 0.3 * number,
                "label": 0.0 if outcome == "FP" else 1.0,
                "rule": "the most confident of its kind" + text,
                "image": image,
                "overlay": overlay,
                "outlined": outcome != "FP",
                "blank": outcome == "FN",
            }
        )
    _dump(folder / "explanations" / "index.json", entries)


def _run(
    cases: pd.DataFrame, networks: tuple[str, ...], exclusions: pd.DataFrame, text: str
) -> dict[str, Any]:
    return {
        "schema": 1,
        "status": "finished",
        "run_id": "20260101T000000Z-abcd1234",
        "protocol": {"name": "synthetic", "digest": "0123abcd", "version": 1},
        "config": {
            "preset": "synthetic",
            "data": {"source": "synthetic", "views": ["PA", "AP"], "labels": "report"},
            "limit": {"patients": 0},
            "split": {"method": "seeded", "fractions": [0.6, 0.1, 0.3], "seed": 0},
            "labels": {"uncertain": "positive", "blank": "negative"},
            "image": {"size": 96, "fit": "squash"},
            "training": {
                "networks": list(networks),
                "weights": "none",
                "seeds": [0],
                "epochs": 3,
                "batch_size": 16,
                "loss": "bce",
                "prior_bias": False,
                "optimizer": "adam",
                "learning_rate": 0.001,
                "schedule": "one-cycle",
                "precision": "fp32",
                "device": "cpu",
                "deterministic": True,
            },
            "evaluation": {"threshold": 0.5, "replicates": 2000, "seed": 0, "min_patients": 10},
            "explanation": {"method": "gradcam", "examples": 1},
            "card": {"pdf": True, "include_restricted": False},
        },
        "cohort": {
            "name": "Synthetic cohort" + text,
            "synthetic": True,
            "restricted": False,
            "notes": {"conspicuity": "1.0", "remark": "made up" + text},
        },
        "data": {
            "devices": {f"Acme 1.0{text}": 100, "unknown": 60},
            "modalities": {"DX": 120, "CR": 40},
            "ages": {"low": 21.0, "median": 58.5, "high": 90.0},
            "images": len(cases),
            "studies": len(cases),
            "patients": int(cases["patient_id"].nunique()),
            "exclusions": {k: int(v) for k, v in exclusions["reason"].value_counts().items()},
        },
        "labels": {"labeler_version": "1.0+rules-0123"},
        "networks": [{"name": n, "seed": 0, "folder": f"{n}/seed-0"} for n in networks],
        "provenance": {
            "cxr_bench": "0.1.0",
            "git": "0123456789ab",
            "python": "3.11.9",
            "packages": {"torch": "2.14", "numpy": "2.0"},
            "platform": "Linux x86_64",
            "cpu": "a processor" + text,
            "device": "cpu",
            "threads": 2,
        },
        "started": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T00:07:30Z",
        "timings": {"label": 2.5, "train": 380.0, "evaluate": 20.1},
        "deviations": ["The schedule is shorter than the study's." + text],
    }


def _dump(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=1, allow_nan=False), encoding="utf-8")
