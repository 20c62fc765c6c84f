"""Tables of scores and labels: what is understood, what is counted, what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.scores.given import GivenScores, describe_tables, lacking, read_given
from benchmark.scores.matching import Matched, hide_ids, match
from benchmark.scores.tables import read_predictions
from benchmark.scores.truth import read_truth
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from tests.score_tables import make_cases, make_logits

IDS = ["a", "b", "c", "d"]


def _csv(path: Path, **columns: object) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def _truth(folder: Path, **more: object) -> Path:
    told = {"image_id": IDS, "patient_id": ["1", "1", "2", "3"], "Edema": [1, 0, -1, ""]} | more
    return _csv(folder / "truth.csv", **told)


def _scores(folder: Path, name: str = "net.csv", **more: object) -> Path:
    return _csv(folder / name, **({"image_id": IDS, "Edema": [0.9, 0.2, 0.5, 0.0]} | more))


def _matched(folder: Path, truth: Path, *scores: Path) -> Matched:
    given = read_given([("", file) for file in scores], truth)
    return match(given.truth, given.tables)


def test_probabilities_become_log_odds_in_the_same_order(tmp_path: Path) -> None:
    """Scores within 0 and 1 are probabilities: 0.5 is the operating point, 0 and 1 the ends."""
    values = [0.0, 1e-300, 0.2, 0.5, 0.9, 1 - 1e-16, 1.0]
    file = _csv(tmp_path / "n.csv", image_id=range(7), Edema=values)
    table = read_predictions(file)
    logits = table.logits[:, OBSERVATIONS.index("Edema")]
    assert table.scale == "probability"
    assert logits[3] == 0
    assert (np.diff(logits) > 0).all()
    assert logits[2] == pytest.approx(np.log(0.2 / 0.8))


def test_logits_are_known_by_leaving_0_to_1(tmp_path: Path) -> None:
    """Scores below 0 are logits and stay as they are."""
    table = read_predictions(_scores(tmp_path, Edema=[-2.5, 0.125, 3.25, 0.0]))
    assert table.scale == "logit"
    assert table.logits[:, OBSERVATIONS.index("Edema")].tolist() == [-2.5, 0.125, 3.25, 0.0]


def test_single_precision_comes_back_to_the_bit(tmp_path: Path) -> None:
    """A run's logits, written to CSV by pandas, are read as the very numbers they were."""
    cases = make_cases(patients=20)
    logits = make_logits(cases)
    frame = pd.DataFrame(logits, columns=list(OBSERVATIONS))
    frame.insert(0, "image_id", cases["image_id"])
    frame.to_csv(tmp_path / "n.csv", index=False)
    frame.to_parquet(tmp_path / "n.parquet", index=False)
    for name in ("n.csv", "n.parquet"):
        assert np.array_equal(read_predictions(tmp_path / name).logits, logits.astype(float))


def test_what_a_model_lacks_and_what_is_not_read_is_said(tmp_path: Path) -> None:
    """A model with one output works; the sentences name the scale, the gaps and stray columns."""
    file = _scores(tmp_path, Nodule=[0.1] * 4, Pneumonia=[""] * 4)
    given = read_given([("", file)], _truth(tmp_path))
    assert lacking(given.tables[0]) == [name for name in OBSERVATIONS if name != "Edema"]
    words = " ".join(describe_tables(given))
    assert "net.csv: net, seed 0, 4 rows; scores are probabilities of 1 of the 14" in words
    assert "Not read: Nodule." in words
    assert "the columns of Pneumonia are empty" in words


def test_calls_are_no_scores(tmp_path: Path) -> None:
    """A column of 0 and 1 is a column of calls, and that is said."""
    table = read_predictions(_scores(tmp_path, Edema=[1, 0, 1, 0], Pneumonia=[0.1, 0.2, 0.3, 0.4]))
    assert any("Edema hold 0 and 1 alone" in words for words in table.notices)


@pytest.mark.parametrize(
    ("stem", "network", "seed"),
    [("resnet50-seed1", "resnet50", 1), ("a_seed_12", "a", 12), ("v1.2", "v1", 0)],
)
def test_a_name_tells_network_and_seed(tmp_path: Path, stem: str, network: str, seed: int) -> None:
    """Seeds of one network stand in names such as resnet50-seed1."""
    table = read_predictions(_scores(tmp_path, f"{stem}.csv"))
    assert (table.network, table.seed) == (network, seed)
    named = read_predictions(_scores(tmp_path, "x.csv"), name="mine-seed3")
    assert (named.network, named.seed) == ("mine", 3)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"Edema": [0.1, "", 0.2, 0.3]}, "row 2: the score 'Edema' is empty"),
        ({"Edema": [0.1, 0.2, "nan", 0.3]}, "row 3: the score 'Edema' is 'nan'"),
        ({"Edema": [0.1, 0.2, 0.3, "inf"]}, "row 4: the score 'Edema' is 'inf'; scores must be"),
        ({"Edema": [0.1, 0.2, 0.3, "high"]}, "the score 'Edema' is 'high'"),
        ({"Edema": [0, 30, 70, 100]}, "run from 0 to 100, which is neither"),
        ({"image_id": ["a", "b", "a", "c"]}, r"row 3: 'a' stands in row 1 already"),
        ({"image_id": ["a", "", "b", "c"]}, "row 2: the id is empty"),
        ({"Edema": [""] * 4}, "every score is empty"),
        ({"effusion": [0.1] * 4, "Pleural Effusion": [0.1] * 4}, "both tell Pleural Effusion"),
    ],
)
def test_scores_that_mean_nothing_are_refused(tmp_path: Path, columns, message: str) -> None:
    """Each mistake in a table of scores ends with a sentence that names the place."""
    with pytest.raises(InputError, match=message):
        read_predictions(_scores(tmp_path, **columns))


def test_a_table_of_nothing_known_lists_its_columns(tmp_path: Path) -> None:
    """Without an id or an observation, the columns that are there are told."""
    with pytest.raises(InputError, match=r"no column tells the image .* it has Edema"):
        read_predictions(_csv(tmp_path / "n.csv", Edema=[0.1]))
    with pytest.raises(InputError, match=r"no column is named like one .* it has image_id, Nodule"):
        read_predictions(_csv(tmp_path / "n.csv", image_id=["a"], Nodule=[0.1]))
    with pytest.raises(InputError, match="no such file"):
        read_predictions(tmp_path / "other.csv")


def test_a_scale_that_is_said_is_held_to(tmp_path: Path) -> None:
    """--scale probability refuses what leaves 0 to 1; --scale logit takes anything."""
    file = _scores(tmp_path, Edema=[0, 30, 70, 100])
    assert read_predictions(file, scale="logit").scale == "logit"
    with pytest.raises(InputError, match="so they are no probabilities"):
        read_predictions(file, scale="probability")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"Edema": [1, 0, 2, 0]}, "row 3: 'Edema' is '2'; a label is 1, 0, -1 or blank"),
        ({"image_id": ["a", "b", "b", "c"]}, "'b' stands in row 2 already"),
        ({"split": ["test", "test", "hold-out", "test"]}, "split is 'hold-out'; expected train"),
        ({"split": ["train"] * 4}, "every case is in the training split"),
        ({"split": ["validate"] * 4}, "no scored case is in the test split"),
        ({"image_id": ["x", "y", "z", "w"]}, "have no case in common: ids look like 'a' here"),
        ({"patient_id": ["1", "", "2", "3"]}, r"the patient of 'b' is not told \(1 such cases\)"),
    ],
)
def test_labels_that_mean_nothing_are_refused(tmp_path: Path, columns, message: str) -> None:
    """Each mistake in the table of labels ends with a sentence that names the place."""
    with pytest.raises(InputError, match=message):
        _matched(tmp_path, _truth(tmp_path, **columns), _scores(tmp_path))


def test_patients_must_be_known(tmp_path: Path) -> None:
    """Without patients there is no honest interval; --patients names their column."""
    file = _csv(tmp_path / "t.csv", image_id=IDS, Who=["1", "1", "2", "3"], Edema=[1, 0, 0, 1])
    with pytest.raises(InputError, match="name their column with --patients"):
        _matched(tmp_path, file, _scores(tmp_path))
    found = read_truth(file, patients="Who")
    assert found.table["patient_id"].tolist() == ["1", "1", "2", "3"]
    with pytest.raises(InputError, match="no column 'Whom'; it has image_id, Who, Edema"):
        read_truth(file, patients="Whom")


def test_rows_that_do_not_match_are_counted_and_listed(tmp_path: Path) -> None:
    """Cases without scores and scores without labels are left out, each with its reason."""
    first = _scores(tmp_path, "one.csv")
    second = _scores(tmp_path, "two.csv", image_id=["a", "b", "c", "z"])
    found = _matched(tmp_path, _truth(tmp_path), first, second)
    assert found.cases["image_id"].tolist() == ["a", "b", "c"]
    assert dict(zip(found.exclusions["image_id"], found.exclusions["reason"], strict=True)) == {
        "d": "no scores in two.csv",
        "z": "no labels",
    }
    assert "2 cases are left out and listed in exclusions.csv" in found.notices[0]
    assert found.scores["two", 0]["image_id"].tolist() == ["a", "b", "c"]


def test_the_order_of_rows_means_nothing(tmp_path: Path) -> None:
    """Scores are brought to their cases by id."""
    turned = _scores(tmp_path, "t.csv", image_id=IDS[::-1], Edema=[0.0, 0.5, 0.2, 0.9])
    usual = _scores(tmp_path, "u.csv")
    found = _matched(tmp_path, _truth(tmp_path), turned, usual)
    assert found.scores["t", 0].equals(found.scores["u", 0])


def test_labels_by_study_go_to_each_image(tmp_path: Path) -> None:
    """MIMIC-CXR-JPG's label table is by study: every scored image of a study gets its labels."""
    truth = _csv(
        tmp_path / "chexpert.csv", subject_id=[10, 11, 12], study_id=[50, 51, 52], Edema=[1, 0, -1]
    )
    scores = _csv(
        tmp_path / "n.csv", dicom_id=["a", "b", "c"], study_id=[50, 50, 51], Edema=[0.9, 0.8, 0.1]
    )
    found = _matched(tmp_path, truth, scores)
    assert found.cases["image_id"].tolist() == ["a", "b", "c"]
    assert found.cases["patient_id"].tolist() == ["10", "10", "11"]
    assert found.cases["label:Edema"].tolist() == [1, 1, 0]
    assert found.exclusions["reason"].tolist() == ["no scores in n.csv"]
    assert read_truth(truth).restricted
    with pytest.raises(InputError, match=r"has labels by study, but m\.csv has no study_id"):
        _matched(tmp_path, truth, _scores(tmp_path, "m.csv"))


def test_studies_can_be_the_cases(tmp_path: Path) -> None:
    """Scores by study against labels by study need no image ids."""
    truth = _csv(
        tmp_path / "t.csv", subject_id=[1, 2, 3], study_id=["s", "t", "u"], Edema=[1, 0, 0]
    )
    scores = _csv(tmp_path / "n.csv", study_id=["u", "s", "t"], Edema=[0.1, 0.9, 0.2])
    found = _matched(tmp_path, truth, scores)
    assert sorted(found.cases["image_id"]) == ["s", "t", "u"]


def test_chexpert_s_paths_tell_patient_and_study(tmp_path: Path) -> None:
    """CheXpert has no patient column: the path tells; its release and folder may differ."""
    tails = [f"patient0000{n}/study1/view1_frontal.jpg" for n in (1, 2, 3)]
    truth = _csv(
        tmp_path / "valid.csv",
        Path=[f"CheXpert-v1.0/valid/{tail}" for tail in tails],
        Sex=["Male", "Female", "Female"],
        Age=[30, 50, 90],
        **{"Frontal/Lateral": ["Frontal", "Frontal", "Lateral"], "AP/PA": ["AP", "PA", ""]},
        Edema=[1.0, 0.0, 0.0],
    )
    scores = _csv(
        tmp_path / "n.csv",
        Path=[f"CheXpert-v1.0-small/valid/{tail}" for tail in tails],
        Edema=[0.9, 0.1, 0.2],
    )
    cases = _matched(tmp_path, truth, scores).cases
    assert cases["patient_id"].tolist() == ["patient00001", "patient00002", "patient00003"]
    assert cases["study_id"].iloc[0] == "patient00001/study1"
    assert cases["sex"].tolist() == ["M", "F", "F"]
    assert cases["age_band"].tolist() == ["<40", "40-59", "80+"]
    assert cases["view"].tolist() == ["AP", "PA", "LATERAL"]


def test_file_names_stand_for_paths_where_they_are_unique(tmp_path: Path) -> None:
    """Ids that differ in folder and suffix alone are matched, and that is said."""
    scores = _scores(tmp_path, image_id=[f"/data/png/{name}.png" for name in IDS])
    found = _matched(tmp_path, _truth(tmp_path), scores)
    assert len(found.cases) == 4
    assert "compared by file names" in found.notices[0]
    twice = _scores(tmp_path, "m.csv", image_id=["x/a.png", "y/a.png", "b.png", "c.png"])
    with pytest.raises(InputError, match="no case in common"):
        _matched(tmp_path, _truth(tmp_path), twice)


def test_two_tables_of_one_network_are_refused(tmp_path: Path) -> None:
    """The same name twice would overwrite; seeds or names tell them apart."""
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="both tell network 'net', seed 0; name them apart"):
        _matched(tmp_path, _truth(tmp_path), _scores(tmp_path), _scores(tmp_path / "other"))


def test_groups_of_one_s_own(tmp_path: Path) -> None:
    """Any column of the labels' table makes subgroups; one with too many values makes none."""
    file = _truth(tmp_path, scanner=["x", "y", "x", ""])
    assert read_truth(file, groups=["scanner"]).table["group:scanner"].tolist() == [
        "x",
        "y",
        "x",
        "",
    ]
    with pytest.raises(InputError, match="no column 'device'"):
        read_truth(file, groups=["device"])
    with pytest.raises(InputError, match="no column tells the sex"):
        read_truth(file, groups=["sex"])
    many = _csv(
        tmp_path / "m.csv", image_id=range(20), patient_id=range(20), n=range(20), Edema=[1] * 20
    )
    with pytest.raises(InputError, match="'n' has 20 different values, more than 12"):
        read_truth(many, groups=["n"])


def test_a_column_that_no_table_has_is_refused(tmp_path: Path) -> None:
    """--column names a column that must be somewhere."""
    with pytest.raises(InputError, match="no table has a column 'Mass'"):
        read_given([("", _scores(tmp_path))], _truth(tmp_path), columns=[("Mass", "Lung Lesion")])


def test_restricted_ids_stay_out(tmp_path: Path) -> None:
    """Keyed ids stand in cases, scores and exclusions, the same for the same case."""
    found = _matched(tmp_path, _truth(tmp_path), _scores(tmp_path, image_id=["a", "b", "c", "z"]))
    hidden = hide_ids(found, b"a key that only tests know")
    text = hidden.cases.to_csv() + hidden.exclusions.to_csv()
    assert not {f",{name}," for name in (*IDS, "z")} & set(text.replace(",", ",,"))
    assert (hidden.cases["image_id"] == hidden.scores["net", 0]["image_id"]).all()
    assert hidden.cases["image_id"].str.fullmatch("[0-9a-f]{16}").all()
    assert hidden.exclusions["image_id"].str.fullmatch("[0-9a-f]{16}").all()


def test_given_scores_are_not_restricted_unless_they_are_mimic_s(tmp_path: Path) -> None:
    """subject_id and study_id are MIMIC-CXR's; --open and --restricted say otherwise."""
    truth = _truth(tmp_path)
    given: GivenScores = read_given([("", _scores(tmp_path))], truth)
    assert not given.restricted
    assert read_given([("", _scores(tmp_path))], truth, restricted=True).restricted


def test_image_ids_of_mimic_s_form_are_restricted_under_any_column_name(tmp_path: Path) -> None:
    """The ids tell MIMIC-CXR, not the columns; phantoms have such ids too and say --synthetic."""
    ids = [f"0189387{k}-20f39f1d-00000000-11111111-22222222" for k in range(4)]
    truth, scores = tmp_path / "labels.csv", tmp_path / "net.csv"
    pd.DataFrame({"image_id": ids, "patient_id": list("aabb"), "Edema": [1, 0, 1, 0]}).to_csv(
        truth, index=False
    )
    pd.DataFrame({"image_id": ids, "Edema": [0.9, 0.2, 0.8, 0.1]}).to_csv(scores, index=False)
    assert read_given([("", scores)], truth).restricted
    assert not read_given([("", scores)], truth, synthetic=True).restricted


def test_nih_s_lists_of_findings_are_labels(tmp_path: Path) -> None:
    """NIH's own table needs no other columns: what it does not annotate stays blank."""
    file = _csv(
        tmp_path / "Data_Entry_2017.csv",
        **{
            "Image Index": ["00000001_000.png", "00000001_001.png", "00000002_000.png"],
            "Finding Labels": ["Cardiomegaly|Effusion", "No Finding", "Mass|Emphysema"],
            "Patient ID": [1, 1, 2],
            "Patient Age": [58, 58, 81],
            "Patient Gender": ["M", "M", "F"],
            "View Position": ["PA", "AP", "PA"],
        },
    )
    scores = _csv(
        tmp_path / "n.csv",
        **{"Image Index": ["00000002_000.png", "00000001_000.png"], "Effusion": [0.1, 0.9]},
    )
    found = _matched(tmp_path, file, scores)
    assert found.cases["label:Pleural Effusion"].tolist() == [1, 0]
    assert found.cases["label:Lung Lesion"].tolist() == [0, 1]
    assert found.cases["label:Fracture"].isna().all()
    assert "Fracture" not in read_truth(file).annotated
    assert found.cases["age_band"].tolist() == ["40-59", "80+"]
    wrong = _csv(
        tmp_path / "w.csv", id=["a"], patient_id=[1], **{"Finding Labels": ["Cardiomegali"]}
    )
    with pytest.raises(InputError, match="the class 'Cardiomegali' is unknown"):
        read_truth(wrong)
