"""The labeler's steps: words, phrase files, sections, aggregation, evidence, modes."""

import math

import numpy as np
import pytest

import cxr
from cxr.errors import InputError
from cxr.labeling import label_report, label_reports, labeler_version
from cxr.labeling.phrases import read_phrases
from cxr.labeling.reports import combine
from cxr.labeling.sections import counted_sections, split_sections
from cxr.labeling.vocabulary import build_vocabulary, load_vocabulary, read_words
from cxr.labeling.words import fold_text, one_slip_apart, split_words
from cxr.observations import OBSERVATIONS


def phrases(text: str) -> list[str]:
    return [" ".join(phrase.words) for phrase in read_phrases(text, file="f.txt")]


def test_a_line_stands_for_its_alternatives():
    """(a|b) is either, [x] may be left out, {name} is a list defined above."""
    text = "{side} = left | right\n[finding: Edema]\n(small|big) [{side}] nodule  # a comment\n"
    assert phrases(text) == [
        "small nodule",
        "small left nodule",
        "small right nodule",
        "big nodule",
        "big left nodule",
        "big right nodule",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nodule\n", "f.txt line 1: 'nodule' stands before the first .block."),
        ("[finding: Edema]\na (b|c\n", "f.txt line 2: a '.' is not closed"),
        ("[finding: Edema]\na )b\n", "f.txt line 2: '.' closes nothing"),
        ("[finding: Edema]\n[a] [b]\n", "f.txt line 2: .* may be empty"),
        ("{x} = y\n[finding: Edema]\n{z} a\n", "f.txt line 3: the list {z} is unknown.*x"),
        ("[a]\n" + "(a|b|c|d|e|f|g|h|i|j) " * 5, "f.txt line 2: stands for 100000 phrases"),
    ],
)
def test_a_phrase_file_with_an_error_is_refused(text, message):
    """A line that can't be read is named with its number and the reason."""
    with pytest.raises(InputError, match=message):
        phrases(text)


def test_one_phrase_has_one_meaning():
    """A phrase that stands twice with different meanings is refused, both places named."""
    text = "[finding: Edema]\nwet lung\n[other]\nwet lung\n"
    with pytest.raises(InputError, match=r"f.txt line 4: 'wet lung' stands in f.txt line 2 too"):
        build_vocabulary(read_phrases(text, file="f.txt"), read_as={}, real_words=(), digest="")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("edema odema\n", "w.txt line 1: 'edema odema' is not of the form"),
        ("edema = \n", "w.txt line 1"),
        ("a = c\nb = c\n", "w.txt line 2: 'c' is read as 'a' already"),
    ],
)
def test_a_word_file_with_an_error_is_refused(text, message):
    """A line of words.txt that can't be read is named with its number and the reason."""
    with pytest.raises(InputError, match=message):
        read_words(text, file="w.txt")


def test_folding_keeps_every_place():
    """Folded text has the length of the text, whatever the characters."""
    text = "\u0130stanbul \u2019quoted\u2019 \u00a0 \u2014 STRASSE \ufb01ne\r\n"
    assert len(fold_text(text)) == len(text)


def test_words_keep_their_places():
    """Every word starts and ends where it stands in the text."""
    text = "no c/w 1.5 cm, (right) vs. left\n\n2. and/or"
    words, starts, ends = split_words(text, offset=10)
    assert [text[a - 10 : b - 10] for a, b in zip(starts, ends, strict=True)] == words
    assert words[:4] == ["no", "c/w", "1.5", "cm"]
    assert "vs." in words
    assert "and/or" in words


@pytest.mark.parametrize(
    ("word", "other", "near"),
    [
        ("effusoin", "effusion", True),
        ("efusion", "effusion", True),
        ("effussion", "effusion", True),
        ("effuxion", "effusion", True),
        ("infusion", "effusion", False),
        ("effusions", "effusion", False),
        ("resolve", "resolved", False),
        ("effusion", "effusion", False),
        ("effosian", "effusion", False),
    ],
)
def test_one_slip_of_the_fingers(word, other, near):
    """A letter left out, added, changed or swapped inside a word; never its first or last."""
    assert one_slip_apart(word, other) == near


def test_a_real_word_is_no_slip():
    """A word that means something else is not read as its neighbour."""
    assert "Pneumonia" not in {e.observation for e in label_report("Contrast injection.").evidence}


def test_headings_begin_sections():
    """Known headings before a colon cut the report, in any case, with or without line breaks."""
    text = "INDICATION: Cough. findings: Clear. IMPRESSION:\nNormal."
    sections = split_sections(fold_text(text))
    assert [(s.name, s.kind) for s in sections] == [
        ("indication", "ignored"),
        ("findings", "findings"),
        ("impression", "impression"),
    ]
    assert text[sections[1].start : sections[1].end].strip() == "Clear."


def test_a_preface_ends_at_a_blank_line():
    """A body without heading after an indication counts."""
    counted = counted_sections("history: fever.\n\nlungs are clear.", mode="all")
    assert [(s.name, s.kind) for s in counted] == [("", "body")]


@pytest.mark.parametrize(
    ("report", "observation", "value"),
    [
        ("FINDINGS: Effusion. IMPRESSION: No effusion.", "Pleural Effusion", 0.0),
        ("FINDINGS: Effusion. IMPRESSION: ", "Pleural Effusion", 1.0),
        ("FINDINGS: Effusion.", "Pleural Effusion", 1.0),
        ("HISTORY: Cough.\n\nNo effusion.\n\nSmall effusion.", "Pleural Effusion", 1.0),
        ("COMPARISON: Film with effusion.", "Pleural Effusion", 1.0),
        ("IMPRESSION: Effusion. IMPRESSION: No effusion.", "Pleural Effusion", 0.0),
    ],
)
def test_mimic_sections(report, observation, value):
    """The mimic mode reads the last section of the first kind present, as MIMIC-CXR-JPG did."""
    assert label_report(report, sections="mimic").as_dict()[observation] == value


def test_chexpert_compatible_conflict():
    """Present, absent and in doubt together are present; in the compatible mode in doubt."""
    report = "Nodule. Possible nodule. No nodule."
    assert label_report(report).as_dict()["Lung Lesion"] == 1.0
    assert label_report(report, compat="chexpert").as_dict()["Lung Lesion"] == -1.0


def test_present_wins_over_doubt_over_absence():
    """Aggregation follows C4, and No Finding C14."""
    seen = [0, 1 + 4, 2 + 4, 4, 1 + 2, *[0] * 9]
    assert combine(seen, wordy=True)[1:5] == (1.0, -1.0, 0.0, 1.0)
    assert math.isnan(combine(seen, wordy=True)[0])
    assert combine([0] * 13 + [1], wordy=True)[0] == 1.0
    assert math.isnan(combine([1] + [0] * 13, wordy=True)[0])
    assert all(math.isnan(value) for value in combine([0] * 14, wordy=False))


def test_evidence_tells_why():
    """A label comes with section, sentence, finding, trigger and convention."""
    text = "FINDINGS: Heart normal.\nThere is NO  pneumothorax."
    item = next(e for e in label_report(text).evidence if e.observation == "Pneumothorax")
    assert item.value == 0.0
    assert item.section == "findings"
    assert item.sentence == "There is NO  pneumothorax"
    assert text[slice(*item.span)] == "pneumothorax"
    assert item.trigger == "NO"
    assert text[slice(*item.trigger_span)] == "NO"
    assert item.convention == "C11"


@pytest.mark.parametrize(
    ("report", "observation", "convention"),
    [
        ("Effusion.", "Pleural Effusion", "C1"),
        ("CHF.", "Cardiomegaly", "C5"),
        ("Vascular congestion.", "Edema", "C6"),
        ("Effusion has resolved.", "Pleural Effusion", "C7"),
        ("Heart normal.", "Cardiomegaly", "C8"),
        ("No new nodule.", "Lung Lesion", "C9"),
        ("Possible nodule.", "Lung Lesion", "C10"),
        ("No nodule.", "Lung Lesion", "C11"),
        ("History of pneumonia.", "Pneumonia", "C12"),
    ],
)
def test_evidence_names_the_convention(report, observation, convention):
    """Each mention says by which convention it was read."""
    found = [e.convention for e in label_report(report).evidence if e.observation == observation]
    assert found == [convention]


def test_a_blank_report_has_no_labels():
    """An empty or blank report, or one without text that counts, gives blanks."""
    for text in ("", " \n\t", "___", "INDICATION: pneumonia"):
        assert all(math.isnan(value) for value in label_report(text).values), text


def test_a_report_is_text():
    """Anything but a string is refused by name."""
    with pytest.raises(TypeError, match="a report is a string, not float"):
        label_report(float("nan"))


@pytest.mark.parametrize("mode", [{"sections": "some"}, {"compat": "negbio"}])
def test_an_unknown_mode_is_refused(mode):
    """An unknown mode is refused with the known ones."""
    with pytest.raises(ValueError, match="is unknown; choose from"):
        label_report("Effusion.", **mode)


def test_many_reports_are_labeled_as_one():
    """label_reports gives the values of label_report, in order, and counts."""
    texts = ["Effusion.", "", "No effusion.", "Possible nodule."]
    done: list[int] = []
    values = label_reports(texts, progress=done.append)
    assert values.shape == (4, len(OBSERVATIONS))
    assert values.dtype == np.float64
    for row, text in zip(values, texts, strict=True):
        np.testing.assert_array_equal(row, np.array(label_report(text).values))
    assert sum(done) == 4
    assert label_reports([]).shape == (0, len(OBSERVATIONS))


def test_the_version_follows_the_vocabulary():
    """The version is stable, short, and holds the code's own number."""
    assert labeler_version() == labeler_version()
    assert labeler_version().split("-")[0].isdigit()
    assert len(load_vocabulary().digest) == 64


def test_the_package_exports_the_labeler():
    """cxr.label_report is the labeler."""
    assert cxr.label_report is label_report


def test_each_observation_has_a_vocabulary():
    """Every observation but No Finding is named by a phrase."""
    named = {name for phrase in load_vocabulary().phrases for name in phrase.names}
    assert named == set(OBSERVATIONS[1:])
