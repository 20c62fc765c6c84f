"""Labeling files: inputs, outputs, going on after a stop, the page, agreement with gold."""

import csv
import gzip
import json

import pytest
from sklearn.metrics import cohen_kappa_score

import benchmark.labels.job as label_job
from benchmark.events import Silent
from benchmark.labels.inputs import Report, open_reports
from benchmark.labels.job import LabelingError, LabelSettings, label_one, label_to_files
from benchmark.labels.outputs import check_outputs
from benchmark.labels.page import cut_segments, write_page
from benchmark.labels.quality import compare_labels, read_labels
from cxr.errors import InputError
from cxr.labeling import label_report
from cxr.observations import OBSERVATIONS

XML = """<?xml version="1.0"?><eCitation><uId id="CXR7"/><MedlineCitation><Article><Abstract>
<AbstractText Label="COMPARISON">None.</AbstractText>
<AbstractText Label="FINDINGS">Small effusion.</AbstractText>
<AbstractText Label="IMPRESSION"></AbstractText>
</Abstract></Article></MedlineCitation><MeSH><major>Pneumothorax</major></MeSH></eCitation>"""


@pytest.fixture
def table(tmp_path):
    def write(text: str, name: str = "reports.csv", encoding: str = "utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_a_csv_is_read_with_its_ids(table):
    """MIMIC-CXR's id columns are found; the text may hold commas and line breaks."""
    path = table('subject_id,study_id,text\n1,2,"No effusion,\nsmall nodule."\n1,3,\n')
    reports = open_reports(path)
    assert reports.id_names == ("subject_id", "study_id")
    assert reports.count == 2
    assert list(reports) == [
        Report(("1", "2"), "No effusion,\nsmall nodule."),
        Report(("1", "3"), ""),
    ]


def test_findings_and_impression_are_joined(table):
    """Without a text column, findings and impression stand under their headings."""
    reports = list(open_reports(table("uid,findings,impression\n1,Clear.,\n2,,Effusion.\n")))
    assert [r.text for r in reports] == ["FINDINGS: Clear.", "IMPRESSION: Effusion."]


def test_rows_are_numbered_without_ids(table):
    """A table without ids gets the number of the row, and may repeat its texts."""
    reports = open_reports(table("text\nClear.\nClear.\n"))
    assert [r.ids for r in reports] == [("1",), ("2",)]


def test_a_gzipped_csv_is_read(tmp_path):
    """A .csv.gz is read as it is."""
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfid,text\n1,Effusion.\n"))
    assert [r.ids for r in open_reports(path)] == [("1",)]


def test_a_folder_of_mimic_texts_is_read(tmp_path):
    """Patient and study come from MIMIC-CXR's folder and file names."""
    folder = tmp_path / "files/p10/p10000032"
    folder.mkdir(parents=True)
    (folder / "s50414267.txt").write_text("FINDINGS: Effusion.")
    (folder / "index.txt").write_text("nothing")
    reports = open_reports(tmp_path)
    assert list(reports) == [Report(("10000032", "50414267"), "FINDINGS: Effusion.")]


def test_openi_reports_are_read_without_index_terms(tmp_path):
    """Open-i's XML gives its text under headings; the index terms are not read."""
    (tmp_path / "7.xml").write_text(XML)
    (report,) = open_reports(tmp_path)
    assert report == Report(("7",), "COMPARISON: None.\n\nFINDINGS: Small effusion.")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("id,report\n1,a\n", {}, "has no column 'text'.*it has id, report.*--text-column"),
        ("id,text\n1,a\n", {"text_column": "body"}, "no column 'body'; it has id, text"),
        ("id,text\n1,a\n", {"id_columns": ["uid"]}, "no column 'uid'.*--id-column"),
        ("", {}, "is empty; give a CSV with a header row"),
        ("id,text\n", {}, "holds no reports"),
        ("id,text\n1,a\n1,b\n", {}, r"report 2 has the ids of an earlier one \(id '1'\)"),
        ("id,text\n1,a,b\n", {}, "row 1: has 3 cells and the header 2"),
    ],
)
def test_a_table_with_a_mistake_is_refused(table, text, options, message):
    """Each mistake in a table is one sentence: what, where, the mend."""
    with pytest.raises(InputError, match=message):
        open_reports(table(text), **options)


def test_a_wrong_encoding_is_refused_with_the_byte(table):
    """Bytes that are not UTF-8 are named by place and value, with the option that mends it."""
    path = table("id,text\n1,caf\u00e9\n", encoding="cp1252")
    with pytest.raises(InputError, match=r"byte 14 \(0xe9\) is not utf-8.*--encoding cp1252"):
        open_reports(path)
    assert [r.text for r in open_reports(path, encoding="cp1252")] == ["caf\u00e9"]


def test_a_wrong_encoding_far_into_a_file_is_refused_with_the_byte(table):
    """The place is that in the file, also behind the first megabyte."""
    path = table("id,text\n1," + "\u00e9" * 600_000 + "\n")
    path.write_bytes(path.read_bytes() + b"2,\xff\n")
    with pytest.raises(InputError, match=r"byte 1200014 \(0xff\)"):
        open_reports(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xml", "<a>", "no well-formed XML"),
        ("a.xml", "<a/>", "no AbstractText"),
        ("a.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "declares a document type"),
        ("a.md", "# text", "neither MIMIC-CXR's texts"),
    ],
)
def test_a_folder_with_a_mistake_is_refused(tmp_path, name, content, message):
    """A file that is no report is named with the reason."""
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        open_reports(tmp_path)


def test_an_input_that_is_not_there_is_refused(tmp_path):
    """A path that does not exist is named."""
    with pytest.raises(InputError, match="there is no such file or folder"):
        open_reports(tmp_path / "none.csv")


def test_labels_are_written_as_mimic_writes_them(table, tmp_path):
    """Ids, then the 14 observations; 1.0, 0.0, -1.0 or nothing, in the order of the input."""
    path = table("uid,text\n9,Effusion. No nodule.\n4,\n5,Possible nodule.\n")
    out, why = tmp_path / "out.csv", tmp_path / "why.jsonl"
    summary = label_to_files(open_reports(path), out, evidence=why, events=Silent())
    rows = list(csv.DictReader(out.open()))
    assert list(rows[0]) == ["uid", *OBSERVATIONS]
    assert [row["uid"] for row in rows] == ["9", "4", "5"]
    assert [row["Lung Lesion"] for row in rows] == ["0.0", "", "-1.0"]
    assert rows[0]["Pleural Effusion"] == "1.0"
    lines = [json.loads(line) for line in why.read_text().splitlines()]
    assert [line["ids"]["uid"] for line in lines] == ["9", "4", "5"]
    assert lines[0]["labels"] == {"Lung Lesion": 0.0, "Pleural Effusion": 1.0}
    assert lines[0]["evidence"][1]["trigger"] == "No"
    assert (summary.reports, summary.blank, summary.resumed) == (3, 1, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "reports.csv", "why.jsonl"]


def test_a_stopped_job_goes_on(table, tmp_path, monkeypatch):
    """After a stop the same command labels the rest, and the files are as without the stop."""
    rows = "".join(f"{n},Effusion {n}. No nodule.\n" for n in range(25))
    reports = open_reports(table("uid,text\n" + rows))
    monkeypatch.setattr(label_job, "CHUNK", 10)
    whole, why = tmp_path / "whole.csv", tmp_path / "whole.jsonl"
    label_to_files(reports, whole, evidence=why, events=Silent())

    class Stopping(Silent):
        def advance(self, count=1, **values):
            if count:
                raise KeyboardInterrupt

    out, out_why = tmp_path / "out.csv", tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        label_to_files(reports, out, evidence=out_why, events=Stopping())
    assert not out.exists()
    with (tmp_path / "out.csv.part").open("a") as file:
        file.write("half a li")  # as a kill may leave it
    summary = label_to_files(reports, out, evidence=out_why, events=Silent())
    assert summary.resumed == 10
    assert out.read_bytes() == whole.read_bytes()
    assert out_why.read_bytes() == why.read_bytes()


def test_a_stopped_job_with_other_settings_starts_anew(table, tmp_path, monkeypatch):
    """What an earlier job left is not mixed with labels made another way."""
    reports = open_reports(table("uid,text\n" + "".join(f"{n},Edema.\n" for n in range(12))))
    monkeypatch.setattr(label_job, "CHUNK", 5)
    out = tmp_path / "out.csv"

    class Stopping(Silent):
        def advance(self, count=1, **values):
            if count:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label_to_files(reports, out, events=Stopping())
    settings = LabelSettings(sections="mimic")
    assert label_to_files(reports, out, settings=settings, events=Silent()).resumed == 0
    assert len(out.read_text().splitlines()) == 13


def test_a_stopped_job_with_other_texts_starts_anew(table, tmp_path, monkeypatch):
    """Reports that were changed under the same ids since the stop are labeled again."""
    monkeypatch.setattr(label_job, "CHUNK", 5)
    out = tmp_path / "out.csv"

    class Stopping(Silent):
        def advance(self, count=1, **values):
            if count:
                raise KeyboardInterrupt

    rows = "".join(f"{n},Edema.\n" for n in range(12))
    with pytest.raises(KeyboardInterrupt):
        label_to_files(open_reports(table("uid,text\n" + rows)), out, events=Stopping())
    changed = open_reports(table("uid,text\n" + rows.replace("0,Edema", "0,Nodule", 1)))
    assert label_to_files(changed, out, events=Silent()).resumed == 0
    assert next(csv.DictReader(out.open()))["Lung Lesion"] == "1.0"


def test_outputs_that_would_destroy_something_are_refused(tmp_path):
    """The input, one file for two outputs, and a folder that is not there are refused."""
    source = tmp_path / "reports.csv"
    with pytest.raises(InputError, match=r"reports\.csv: is the input; give the output another"):
        check_outputs(source, [tmp_path / "." / "reports.csv"])
    with pytest.raises(InputError, match=r"a\.csv: is named for two outputs"):
        check_outputs(source, [tmp_path / "a.csv", None, tmp_path / "a.csv"])
    with pytest.raises(InputError, match=r"none does not exist; make it first"):
        check_outputs(None, [None, tmp_path / "none" / "a.html"])
    check_outputs(source, [tmp_path / "a.csv", None, tmp_path / "a.html"])


def test_files_are_read_in_the_order_of_their_numbers(tmp_path):
    """Studies come folder by folder, 9 before 10, whatever else lies there."""
    for name in ("p2/s10.txt", "p2/s9.txt", "p10/s3.txt", "p2/notes.md", "p2/t4.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("Edema.")
    assert [report.ids for report in open_reports(tmp_path)] == [
        ("2", "9"),
        ("2", "10"),
        ("10", "3"),
    ]


def test_a_missing_folder_for_the_output_is_refused(table, tmp_path):
    """An output in a folder that is not there is refused before labeling."""
    reports = open_reports(table("text\nEdema.\n"))
    with pytest.raises(InputError, match="does not exist; make it first"):
        label_to_files(reports, tmp_path / "none" / "out.csv", events=Silent())


def test_two_processes_give_the_same_file(table, tmp_path, monkeypatch):
    """The order of the output is that of the input, however many processes label."""
    rows = "".join(f"{n},{'No ' * (n % 2)}effusion.\n" for n in range(60))
    reports = open_reports(table("uid,text\n" + rows))
    label_to_files(reports, tmp_path / "one.csv", events=Silent())
    monkeypatch.setattr(label_job, "CHUNK", 10)
    label_to_files(reports, tmp_path / "two.csv", jobs=2, events=Silent())
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_an_error_of_the_labeler_is_never_a_label(monkeypatch):
    """An internal error names the report and stops the job."""

    def fail(*_, **__):
        raise ZeroDivisionError("made up")

    monkeypatch.setattr(label_job, "label_report", fail)
    with pytest.raises(LabelingError, match=r"report with uid 7 .*ZeroDivisionError: made up"):
        label_one(Report(("7",), "Effusion."), ("uid",), LabelSettings())


def test_segments_join_to_the_text():
    """Cut at the findings and joined again, a report is what it was."""
    text = "CHF and no effusion; hydropneumothorax."
    segments = cut_segments(text, label_report(text).evidence)
    assert "".join(segment.text for segment in segments) == text
    marked = [segment for segment in segments if segment.reasons]
    assert [segment.text for segment in marked] == ["CHF", "effusion", "hydropneumothorax"]
    assert [why.observation for why in marked[0].reasons] == ["Edema", "Cardiomegaly"]


def test_the_page_shows_reports_as_text(tmp_path):
    """What a report says is shown and never run; each finding carries its reason."""
    report = Report(("1", "<b>2"), "<script>alert(1)</script> No effusion.")
    path = tmp_path / "page.html"
    write_page(path, [(report, label_report(report.text))], name="r.csv", count=1)
    page = path.read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "1 / &lt;b&gt;2" in page
    assert "Pleural Effusion: absent by \u201cNo\u201d (C11)" in page
    assert "http" not in page


GOLD = "study_id,Edema,Pneumonia\n1,1,\n2,0.0,-1\n3,-1.0,1\n4,,0\n"


def test_agreement_is_counted_per_question(table):
    """Mention, negation, uncertainty and positives are told apart, and differences listed."""
    ours = read_labels(table("study_id,Edema,Pneumonia\n1,1,\n2,0,1\n3,1,1\n4,1,0\n", "ours.csv"))
    quality = compare_labels(ours, read_labels(table(GOLD, "gold.csv")), resamples=20)
    edema = quality.observations["Edema"]
    # gold: present, absent, doubt, none; ours: present, absent, present, present
    assert edema.scores["mention"]["precision"].estimate == pytest.approx(3 / 4)
    assert edema.scores["mention"]["recall"].estimate == 1.0
    assert edema.scores["negation"]["f1"].estimate == 1.0
    assert edema.scores["uncertainty"]["recall"].estimate == 0.0
    assert not edema.scores["uncertainty"]["precision"].known
    assert edema.scores["positive"]["f1"].estimate == pytest.approx(2 / 4)
    assert edema.scores["positive or in doubt"]["f1"].estimate == pytest.approx(4 / 5)
    assert [(d.id, d.observation, d.predicted, d.gold) for d in quality.disagreements] == [
        ("3", "Edema", "present", "in doubt"),
        ("4", "Edema", "present", "not mentioned"),
        ("2", "Pneumonia", "present", "in doubt"),
    ]


def test_a_gold_standard_of_yes_and_no_is_asked_for_positives_alone(table):
    """Where gold knows neither doubt nor silence, a blank is a no and is no disagreement."""
    ours = table("id,Edema\n1,1\n2,\n3,-1\n4,1\n5,0\n6,1\n", "ours.csv")
    gold = table("id,Edema\n1,1\n2,0\n3,1\n4,0\n5,0\n6,1\n", "gold.csv")
    quality = compare_labels(read_labels(ours), read_labels(gold), resamples=20)
    edema = quality.observations["Edema"]
    assert quality.yes_or_no
    assert set(edema.scores) == {"positive", "positive or in doubt"}
    assert edema.scores["positive"]["precision"].estimate == pytest.approx(2 / 3)
    assert edema.scores["positive or in doubt"]["recall"].estimate == 1.0
    assert [(d.id, d.predicted, d.gold) for d in quality.disagreements] == [
        ("3", "in doubt", "present"),
        ("4", "present", "absent"),
    ]
    kappa = cohen_kappa_score([1, 0, 0, 1, 0, 1], [1, 0, 1, 0, 0, 1])
    assert edema.kappa.estimate == pytest.approx(kappa)


def test_kappa_is_that_of_scikit_learn(table):
    """Cohen's kappa over the four labels agrees with scikit-learn's."""

    ours = read_labels(table("study_id,Edema\n1,1\n2,0\n3,1\n4,\n5,-1\n", "ours.csv"))
    gold = read_labels(table("study_id,Edema\n1,1\n2,0\n3,-1\n4,1\n5,-1\n", "gold.csv"))
    quality = compare_labels(ours, gold, resamples=0).observations["Edema"]
    expected = cohen_kappa_score(ours.labels["Edema"], gold.labels["Edema"])
    assert quality.kappa.estimate == pytest.approx(expected)


def test_equal_labels_agree_wholly(table):
    """A table compared with itself has every F1 at 1, intervals included."""
    gold = read_labels(table(GOLD))
    quality = compare_labels(gold, gold, resamples=50)
    assert quality.disagreements == []
    assert quality.macro["mention"].estimate == 1.0
    assert quality.observations["Edema"].scores["mention"]["f1"].low == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study_id,Edema\n1,2\n", "row 1: 'Edema' is '2'; a label is 1, 0, -1 or empty"),
        ("study_id,Oedema\n1,1\n", "none of the 14 observations.*study_id, Oedema"),
        ("name,Edema\n1,1\n", "no column of ids; it has name, Edema.*--id-column"),
        ("study_id,Edema\n1,1\n1,0\n", "the id '1' in column 'study_id' occurs twice"),
        ("study_id,Edema\n", "has no rows"),
    ],
)
def test_a_label_table_with_a_mistake_is_refused(table, text, message):
    """Each mistake in a table of labels is one sentence."""
    with pytest.raises(InputError, match=message):
        read_labels(table(text))


def test_tables_without_a_common_id_are_refused(table):
    """Nothing to compare is said, with an id of each."""
    other = read_labels(table("study_id,Edema\n9,1\n", "other.csv"))
    with pytest.raises(InputError, match=r"no id in common .such as '9' and '1'"):
        compare_labels(other, read_labels(table(GOLD)))
