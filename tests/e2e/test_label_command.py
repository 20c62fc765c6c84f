"""`cxr-bench label` and `label-quality` as a user runs them."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from benchmark.cli.label import command as label
from benchmark.cli.label_quality import command as label_quality
from cxr.errors import InputError


@pytest.fixture
def runner():
    return CliRunner()


@pytest.fixture
def reports(tmp_path):
    path = tmp_path / "reports.csv"
    path.write_text(
        'study_id,text\n11,"FINDINGS: Small effusion, no pneumothorax."\n12,Possible pneumonia.\n'
    )
    return path


def test_one_report_from_standard_input(runner):
    """A dash reads one report; --why tells what each label rests on."""
    result = runner.invoke(label, ["-", "--why"], input="No pneumothorax. CHF.")
    assert result.exit_code == 0
    assert "Pneumothorax: absent" in result.stdout
    assert "'pneumothorax' absent by 'No' (C11): No pneumothorax" in result.stdout
    assert "'CHF' in doubt (C5)" in result.stdout


def test_the_table_goes_to_standard_output_without_a_file(runner, reports):
    """Without -o the CSV is the output, ready for a pipe."""
    result = runner.invoke(label, [str(reports)])
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["study_id"] for row in rows] == ["11", "12"]
    assert rows[0]["Pleural Effusion"] == "1.0"
    assert rows[1]["Pneumonia"] == "-1.0"


def test_files_are_written_and_summed_up(runner, reports, tmp_path):
    """Table, evidence and page in one go, with a summary on standard error."""
    table, lines, page = (tmp_path / name for name in ("l.csv", "e.jsonl", "p.html"))
    options = ["-o", table, "--evidence", lines, "--html", page, "--jobs", "1"]
    result = runner.invoke(label, [str(reports), *map(str, options)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "2 reports" in result.stderr
    assert "0 blank; labeler" in result.stderr
    assert len(table.read_text().splitlines()) == 3
    assert json.loads(lines.read_text().splitlines()[0])["ids"] == {"study_id": "11"}
    assert "Pneumonia: in doubt" in page.read_text()


def test_blank_reports_are_counted(runner, tmp_path):
    """Without a file the number of blank reports is said on standard error."""
    path = tmp_path / "reports.csv"
    path.write_text("study_id,text\n1,\n2,Edema.\n")
    result = runner.invoke(label, [str(path)], catch_exceptions=False)
    assert result.stdout.splitlines()[1] == "1" + "," * 14
    assert result.stderr == "1 of 2 reports are blank.\n"


def test_evidence_without_a_table_is_written_whole(runner, reports, tmp_path):
    """Evidence goes to its file while the labels go to standard output."""
    path = tmp_path / "why.jsonl"
    runner.invoke(label, [str(reports), "--evidence", str(path)], catch_exceptions=False)
    assert [json.loads(line)["ids"]["study_id"] for line in path.open()] == ["11", "12"]
    assert not list(tmp_path.glob(".*.part"))


def test_the_input_is_never_overwritten(runner, reports):
    """An output that is the input is refused, and the input stays as it was."""
    before = reports.read_bytes()
    with pytest.raises(InputError, match="is the input"):
        runner.invoke(label, [str(reports), "-o", str(reports)], catch_exceptions=False)
    assert reports.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "there is no such file"),
        (["-", "--encoding", "klingon"], "'klingon' is unknown"),
    ],
)
def test_a_mistake_is_one_sentence(runner, arguments, message):
    """What the user can mend comes as an InputError, which the command line prints."""
    with pytest.raises(InputError, match=message):
        runner.invoke(label, arguments, input="x", catch_exceptions=False)


def test_bytes_from_standard_input_that_are_no_text_are_refused(runner):
    """The byte and the option that mends it are named."""
    with pytest.raises(InputError, match=r"byte 2 \(0xff\) is not utf-8"):
        runner.invoke(label, ["-"], input=b"a\xff", catch_exceptions=False)


def test_quality_is_printed_and_written(runner, reports, tmp_path):
    """The comparison is a table to read, a JSON to keep, and a list of differences with text."""
    runner.invoke(label, [str(reports), "-o", str(tmp_path / "l.csv")], catch_exceptions=False)
    gold = tmp_path / "gold.csv"
    gold.write_text("study_id,Pleural Effusion,Pneumonia\n11,1,\n12,,1\n")
    options = [
        *["--reports", str(reports), "--disagreements", str(tmp_path / "d.csv")],
        *["--json", str(tmp_path / "q.json"), "--resamples", "20"],
    ]
    result = runner.invoke(
        label_quality, [str(tmp_path / "l.csv"), str(gold), *options], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "2 reports in both" in result.stdout
    assert "Pleural Effusion" in result.stdout
    rows = list(csv.DictReader((tmp_path / "d.csv").open()))
    assert rows == [
        {
            "id": "12",
            "observation": "Pneumonia",
            "predicted": "in doubt",
            "gold": "present",
            "text": "Possible pneumonia.",
        }
    ]
    document = json.loads((tmp_path / "q.json").read_text())
    assert document["observations"]["Pneumonia"]["uncertainty"]["f1"]["estimate"] == 0.0


def test_quality_against_yes_and_no_shows_precision_and_recall(runner, reports, tmp_path):
    """A gold standard of 1 and 0 alone is compared for positives, and said to be."""
    runner.invoke(label, [str(reports), "-o", str(tmp_path / "l.csv")], catch_exceptions=False)
    gold = tmp_path / "gold.csv"
    gold.write_text("study_id,Pleural Effusion,Pneumonia\n11,1,0\n12,0,1\n")
    result = runner.invoke(label_quality, [str(tmp_path / "l.csv"), str(gold)])
    assert "says only present or absent" in result.stdout
    heading, _, first = result.stdout.splitlines()[3:6]
    assert heading.split()[:3] == ["precision", "recall", "F1"]
    assert first.split()[:3] == ["Pleural", "Effusion", "1.000"]


@pytest.mark.parametrize("option", ["--json", "--disagreements"])
def test_quality_in_a_folder_that_is_not_there_is_refused(runner, reports, tmp_path, option):
    """The outputs are checked before the tables are read."""
    with pytest.raises(InputError, match="does not exist; make it first"):
        runner.invoke(
            label_quality,
            [str(reports), str(reports), option, str(tmp_path / "none" / "x")],
            catch_exceptions=False,
        )
