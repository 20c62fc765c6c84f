"""How a run differs from the study behind this tool, in sentences for the card.

The study: Song, Wu, Lu, "Automated Detection and Localization of Abnormalities in Chest X-rays
using Weakly-Supervised Learning", National University of Singapore.
"""

from collections.abc import Mapping

from benchmark.config import Config
from cxr.studies import SPLITS, Cohort

STUDY_SPLITS = {"train": 4594, "validate": 499, "test": 441}


def differences_from_study(config: Config, cohort: Cohort, images: Mapping[str, int]) -> list[str]:
    """Return one sentence for each way in which this run is not the study.

    Args:
        config: the resolved config.
        cohort: what was read.
        images: images per split.
    """
    return [
        *_data_differences(config, cohort, images),
        *_training_differences(config),
        "The study doesn't tell whether it split by patient; here no patient is in two splits.",
        "The study gives no intervals; here every estimate carries a 95 % interval over patients.",
    ]


def _data_differences(config: Config, cohort: Cohort, images: Mapping[str, int]) -> list[str]:
    found = []
    if cohort.synthetic:
        found.append("Images and reports are synthetic; the study used MIMIC-CXR.")
    elif config.data.source != "mimic-cxr":
        found.append(f"The data is {cohort.name}; the study used MIMIC-CXR.")
    if cohort.label_source == "report":
        found.append(
            "Labels come from the reports by this project's rule-based labeler; the study used "
            "the CheXpert labeler's."
        )
    if "LATERAL" not in config.data.views:
        views = " and ".join(config.data.views)
        found.append(
            f"Only {views} views count; the study doesn't tell its views, and 5.5 images a "
            "patient suggest that laterals were in."
        )
    here = "/".join(str(images.get(name, 0)) for name in SPLITS)
    study = "/".join(str(STUDY_SPLITS[name]) for name in SPLITS)
    shares = "/".join(f"{100 * share:.0f}" for share in config.split.fractions)
    how = f"{shares} by patient" if config.split.method == "seeded" else "the official split"
    found.append(
        f"Training, validation and test hold {here} images ({how}); the study's {study} is "
        "83/9/8, though called 80/10/10."
    )
    return found


def _training_differences(config: Config) -> list[str]:
    training = config.training
    pairs = [
        (config.image.size, 224, "Images are {0} pixels a side; the study's were {1}."),
        (training.networks, ("densenet121", "resnet50"), "The networks are {0}, not {1}."),
        (training.weights, "imagenet", "Training starts from weights '{0}'; the study's from {1}."),
        (training.epochs, 10, "Training takes {0} epochs; the study's took {1}."),
        (training.batch_size, 16, "The batch is {0}; the study's was {1}."),
        (training.optimizer, "adam", "The optimiser is {0}; the study's was {1}."),
        (training.learning_rate, 1e-4, "The learning rate is {0:g}; the study's was {1:g}."),
        (training.schedule, "plateau", "The schedule is {0}; the study's was {1}."),
        (training.loss, "bce", "The loss is {0}; the study's was {1}."),
        (training.prior_bias, False, "The head starts at the findings' prevalence."),
        (training.warmup, 0, "The rate rises over {0:.0%} of all steps; the study had no warm-up."),
        (training.clip, 0, "Gradients are held to a norm of {0:g}; the study's were not."),
        (training.early_stop, 0, "Training ends after {0} epochs that did not help."),
        (training.channels, 3, "Networks see {0} channel; the study's saw {1}."),
        (config.labels.uncertain, "positive", "Uncertain labels count as {0}; the study's as {1}."),
        (config.labels.blank, "negative", "Blank labels count as {0}; the study's as {1}."),
        (_own_policies(config), "", "Uncertain labels of some observations count otherwise: {0}."),
        (config.labels.hierarchy, False, "In training, a finding is present where its kinds are."),
        (config.evaluation.threshold, 0.5, "The operating point is {0:g}; the study's was {1:g}."),
    ]
    return [
        text.format(_words(here), _words(study)) for here, study, text in pairs if here != study
    ]


def _own_policies(config: Config) -> str:
    return ", ".join(f"{name} {policy}" for name, policy in config.labels.per_observation.items())


def _words(value: object) -> object:
    return " and ".join(value) if isinstance(value, tuple) else value
