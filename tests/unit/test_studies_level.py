"""Studies in place of images: scores pooled, labels joined, one case each."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmark.evaluation.studies import by_study
from benchmark.evaluation.variants import evaluate_variants
from cxr import metrics
from cxr.observations import OBSERVATIONS
from tests.score_tables import QUICK, make_cases, make_logits


def _cases(**columns: object) -> pd.DataFrame:
    told = {
        "image_id": ["a", "b", "c", "d"],
        "study_id": ["s2", "s1", "s2", ""],
        "patient_id": ["q", "p", "q", "r"],
        **{f"label:{name}": np.nan for name in OBSERVATIONS},
    }
    return pd.DataFrame(told | columns)


def test_a_study_s_score_is_the_mean_or_the_largest() -> None:
    """Images of a study are pooled; an image without a study stands for itself."""
    logits = np.arange(4.0)[:, None] * np.ones(14)
    for pooling, expected in (("mean", [3.0, 1.0, 1.0]), ("max", [3.0, 1.0, 2.0])):
        frame, pooled = by_study(_cases(), logits, pooling)
        assert frame["image_id"].tolist() == ["d", "s1", "s2"]
        assert frame["patient_id"].tolist() == ["r", "p", "q"]
        assert pooled[:, 5].tolist() == expected


@pytest.mark.parametrize(
    ("images", "study"),
    [([1, np.nan], 1), ([0, 1], 1), ([-1, 0], -1), ([0, np.nan], 0), ([np.nan, np.nan], np.nan)],
)
def test_a_study_has_what_any_of_its_images_has(images: list[float], study: float) -> None:
    """Present goes before hedged, hedged before absent, absent before blank."""
    labels = [images[0], 0, images[1], 0]
    frame, _ = by_study(_cases(**{"label:Edema": labels}), np.zeros((4, 14)), "mean")
    assert frame.set_index("image_id").loc["s2", "label:Edema"] == pytest.approx(study, nan_ok=True)


def test_what_is_not_told_of_images_is_not_told_of_studies() -> None:
    """A network's missing output stays missing."""
    logits = np.where(np.arange(14) == 5, np.nan, np.ones((4, 14)))
    for pooling in ("mean", "max"):
        _, pooled = by_study(_cases(), logits, pooling)
        assert np.isnan(pooled[:, 5]).all()
        assert (pooled[:, :5] == 1).all()


def test_the_variant_says_its_level_and_how() -> None:
    """metrics.study.json counts studies, says how they were pooled, and measures just that."""
    cases = make_cases(patients=80)
    logits = make_logits(cases)
    for pooling, words in (("mean", "study, mean logit"), ("max", "study, largest logit")):
        settings = replace(QUICK, study=pooling)
        documents = evaluate_variants(cases, logits, network="n", seed=0, settings=settings)
        document = documents["metrics.study.json"]
        assert document["level"].startswith(words)
        assert document["cases"] == cases["study_id"].nunique() < len(cases)
        table = pd.DataFrame({"s": cases["study_id"], "x": logits[:, 5].astype(float)})
        table["y"] = cases["label:Edema"].isin((1, -1))
        pooled = table.groupby("s").agg({"x": pooling, "y": "any"})
        expected = metrics.auroc_score(pooled["y"], pooled["x"])
        found = document["observations"]["Edema"]["auroc"]["estimate"]
        assert found == pytest.approx(expected, abs=1e-12)
        assert documents["metrics.json"]["level"] == "image"


def test_studies_of_one_image_are_no_variant() -> None:
    """Where every study is one image there is nothing else to say."""
    cases = make_cases(patients=40).drop_duplicates("study_id").reset_index(drop=True)
    documents = evaluate_variants(cases, make_logits(cases), network="n", seed=0, settings=QUICK)
    assert "metrics.study.json" not in documents
