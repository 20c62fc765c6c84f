"""How a run differs from the study, in sentences."""

import pandas as pd
import pytest

from benchmark.config import load_config
from benchmark.differences import differences_from_study
from cxr.studies import Cohort, empty_exclusions


@pytest.fixture
def cohort():
    table = pd.DataFrame({"image_id": ["a"]})
    return Cohort(name="MIMIC-CXR", table=table, exclusions=empty_exclusions(), restricted=True)


def sentences(cohort, *overrides):
    config = load_config(preset="mimic-cxr", overrides=["data.path=/data", *overrides])
    return differences_from_study(config, cohort, {"train": 1, "validate": 1, "test": 1})


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("training.loss=focal", "The loss is focal; the study's was bce."),
        (
            "training.warmup=0.1",
            "The rate rises over 10% of all steps; the study had no warm-up.",
        ),
        ("training.clip=1.0", "Gradients are held to a norm of 1; the study's were not."),
        ("training.early_stop=3", "Training ends after 3 epochs that did not help."),
        ("training.channels=1", "Networks see 1 channel; the study's saw 3."),
        ("labels.blank=ignore", "Blank labels count as ignore; the study's as negative."),
        (
            'labels.per_observation={Edema="ignore"}',
            "Uncertain labels of some observations count otherwise: Edema ignore.",
        ),
        ("labels.hierarchy=true", "In training, a finding is present where its kinds are."),
    ],
)
def test_each_remedy_is_a_difference(cohort, override, sentence):
    """What the study did not do is told where it is done, and only there."""
    assert sentence in sentences(cohort, override)
    assert sentence not in sentences(cohort)
