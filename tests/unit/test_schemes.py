"""The table that says what other data sets' classes mean in the 14 observations."""

import numpy as np
import pandas as pd
import pytest

from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.sources.schemes import RELATIONS, read_scheme

SCHEMES = ("nih", "vindr", "vindr-boxes", "padchest", "openi")


@pytest.mark.parametrize("name", SCHEMES)
def test_every_target_is_an_observation(name):
    """A scheme names the 14 observations and the three relations only."""
    scheme = read_scheme(name)
    assert scheme.vocabulary in ("open", "closed")
    for targets in scheme.classes.values():
        assert set(targets) <= set(RELATIONS)
        assert {target for named in targets.values() for target in named} <= set(OBSERVATIONS)
    assert scheme.related("No Finding", "is")


def label(name, observation, **present):
    scheme = read_scheme(name)
    values = pd.DataFrame([{label: present.get(label, 0.0) for label in scheme.classes}])
    return scheme.labels(values)[observation].iloc[0]


def test_what_is_one_is_present_or_absent():
    """A class that is an observation gives both 1 and 0."""
    assert label("nih", "Pleural Effusion", Effusion=1) == 1
    assert label("nih", "Pleural Effusion") == 0


def test_an_observation_of_two_classes_is_absent_where_both_are():
    """Lung Lesion is NIH's Mass or Nodule; absent needs both absent, and both annotated."""
    assert label("nih", "Lung Lesion", Mass=1) == 1
    assert label("nih", "Lung Lesion", Nodule=1) == 1
    assert label("nih", "Lung Lesion") == 0
    scheme = read_scheme("nih")
    only = scheme.labels(pd.DataFrame({"Mass": [0.0, 1.0]}))["Lung Lesion"]
    np.testing.assert_array_equal(only, [np.nan, 1])


def test_what_only_implies_is_never_absent():
    """Infiltration makes Lung Opacity present; without it nothing is known."""
    assert label("nih", "Lung Opacity", Infiltration=1) == 1
    assert np.isnan(label("nih", "Lung Opacity"))


def test_what_is_not_annotated_stays_blank():
    """NIH says nothing of fractures, wide mediastina and devices: blank, never 0."""
    scheme = read_scheme("nih")
    assert scheme.unannotated == ("Enlarged Cardiomediastinum", "Fracture", "Support Devices")
    for name in scheme.unannotated:
        assert np.isnan(label("nih", name))


def test_doubt_is_uncertain_and_gives_way_to_presence():
    """Heart failure leaves Edema uncertain, unless edema is stated."""
    doubt = {"heart insufficiency": 1.0}
    assert label("padchest", "Edema", **doubt) == -1
    assert label("padchest", "Cardiomegaly", **doubt) == -1
    assert label("padchest", "Edema", **doubt, **{"pulmonary edema": 1.0}) == 1
    assert label("padchest", "Edema") == 0


def test_disagreement_is_uncertain():
    """A class that is uncertain makes its observation so."""
    assert label("vindr", "Edema", Edema=-1.0) == -1
    assert label("vindr", "Lung Lesion", **{"Nodule/Mass": -1.0, "Lung tumor": 1.0}) == 1


def test_an_unknown_class_of_a_closed_scheme_is_named_with_its_row():
    """NIH has 15 classes; anything else in its table is a mistake."""
    with pytest.raises(InputError, match=r"x\.csv, row 2: the class 'Effusions' is unknown"):
        read_scheme("nih").listed([["Mass"], ["Effusions"]], where="x.csv")


def test_an_unknown_term_of_an_open_scheme_has_no_counterpart():
    """PadChest's and Open-i's many terms are mapped where the table names them."""
    scheme = read_scheme("padchest")
    values = scheme.listed([["scoliosis"], ["pneumonia", "scoliosis"]], where="x.csv")
    assert scheme.labels(values)["Pneumonia"].tolist() == [0, 1]
