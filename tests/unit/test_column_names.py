"""Columns are known by their meaning, whoever named them; what is near but other is left alone."""

import pytest

from cxr.column_names import (
    LABEL_WORDS,
    SCORE_WORDS,
    TRAITS,
    find_column,
    observation_columns,
    observation_of,
)
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

XRV = (
    "Atelectasis Consolidation Infiltration Pneumothorax Edema Emphysema Fibrosis Effusion "
    "Pneumonia Pleural_Thickening Cardiomegaly Nodule Mass Hernia Lung_Lesion Fracture "
    "Lung_Opacity Enlarged_Cardiomediastinum"
).replace("_", " ")


@pytest.mark.parametrize("name", OBSERVATIONS)
@pytest.mark.parametrize(
    "form", ["{}", "{}_prob", "prob_{}", "{} pred", "{}.probability", "logit-{}", "{}_scores"]
)
def test_an_observation_in_any_dress(name: str, form: str) -> None:
    """Case, underscores, closed-up words and a word for "score" don't hide an observation."""
    for spelled in (name, name.lower(), name.replace(" ", "_"), name.replace(" ", "")):
        assert observation_of(form.format(spelled), aside=SCORE_WORDS) == name


@pytest.mark.parametrize(
    ("column", "observation"),
    [
        ("Effusion", "Pleural Effusion"),
        ("Airspace Opacity", "Lung Opacity"),
        ("Enlarged Cardiom.", "Enlarged Cardiomediastinum"),
        ("Support Device", "Support Devices"),
        ("No findings", "No Finding"),
    ],
)
def test_public_synonyms(column: str, observation: str) -> None:
    """The names of torchxrayvision, NIH and CheXlocalize for the same thing are known."""
    assert observation_of(column, aside=LABEL_WORDS) == observation


@pytest.mark.parametrize(
    "column", ["Nodule", "Mass", "Infiltration", "Pleural_Thickening", "Pneumonia_count", "split"]
)
def test_what_is_near_is_not_guessed_at(column: str) -> None:
    """A narrower or wider class is no observation, nor is a column with another word in it."""
    assert observation_of(column, aside=SCORE_WORDS) is None


def test_scores_and_labels_in_one_table_are_told_apart() -> None:
    """A table may hold both: "_prob" is read among scores, "_true" among labels."""
    both = ["id", "Edema_prob", "Edema_true"]
    scores = observation_columns(both, aside=SCORE_WORDS, where="t.csv")
    labels = observation_columns(both, aside=LABEL_WORDS, where="t.csv")
    assert (scores, labels) == ({"Edema": "Edema_prob"}, {"Edema": "Edema_true"})


def test_torchxrayvision_s_outputs() -> None:
    """Of its 18 outputs the 11 that are observations are found, in the observations' order."""
    columns = [f"{word}" for word in XRV.replace("Lung ", "Lung_").replace("ed C", "ed_C").split()]
    found = observation_columns(columns, aside=SCORE_WORDS, where="t.csv")
    assert list(found) == [
        name for name in OBSERVATIONS
        if name not in ("No Finding", "Pleural Other", "Support Devices")
    ]  # fmt: skip


def test_a_column_can_be_named() -> None:
    """What the user says goes before what a name seems to say."""
    found = observation_columns(
        ["Mass", "Lung Lesion"],
        aside=SCORE_WORDS,
        given=[("Mass", "lung lesion"), ("not there", "Edema")],
        where="t.csv",
    )
    assert found == {"Lung Lesion": "Mass"}


@pytest.mark.parametrize(
    ("columns", "given", "message"),
    [
        (["Effusion", "Pleural Effusion"], [], "'Effusion' and 'Pleural Effusion' both tell"),
        (["Mass"], [("Mass", "Lesions")], "'Lesions' is none of the 14 observations"),
    ],
)
def test_what_can_not_be_meant_is_refused(columns, given, message: str) -> None:
    """Two columns for one observation, or an observation that is none, end with a sentence."""
    with pytest.raises(InputError, match=message):
        observation_columns(columns, aside=SCORE_WORDS, given=given, where="t.csv")


def test_a_trait_s_column() -> None:
    """Sex and view are found under the names of CheXpert, NIH, MIMIC and DICOM."""
    assert find_column(["Patient Gender", "x"], TRAITS["sex"]) == "Patient Gender"
    assert find_column(["AP/PA"], TRAITS["view"]) == "AP/PA"
    assert find_column(["ViewPosition"], TRAITS["view"]) == "ViewPosition"
    assert find_column(["x"], TRAITS["age"]) is None
