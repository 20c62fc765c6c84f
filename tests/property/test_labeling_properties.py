"""What holds for any report: invariances of the labeler, and of every phrase of its vocabulary."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.labeling import label_report
from cxr.labeling.reports import combine
from cxr.labeling.vocabulary import load_vocabulary
from cxr.observations import OBSERVATIONS

FINDINGS = (
    "effusion",
    "pneumothorax",
    "left lower lobe pneumonia",
    "mild pulmonary edema",
    "bibasilar atelectasis",
    "rib fracture",
    "nodule",
    "ETT",
)
FRAMES = (
    "There is {0}.",
    "No {0}.",
    "Possible {0}.",
    "{0} has resolved.",
    "No {0} or {1}.",
    "No {0}, but there is {1}.",
    "Unchanged {0}.",
    "{0} cannot be excluded.",
    "No new {0}.",
    "The heart is normal in size.",
    "Cardiomediastinal silhouette is stable.",
    "Mild vascular congestion without {0}.",
    "{0} versus {1}.",
    "The differential for the {0} includes {1}.",
    "In the appropriate clinical setting, {0} is possible.",
    "The left {0} has resolved, the right is unchanged.",
    "There was a {0}. It has decreased.",
    "Probably no {0}.",
    "Status post resection for {0}, {1} persists.",
)
HARMLESS = (
    "The study was obtained at the bedside.",
    "Views are limited by rotation.",
    "These results were discussed by telephone.",
    "The bones are intact.",
)


@st.composite
def sentences(draw):
    frame = draw(st.sampled_from(FRAMES))
    return frame.format(draw(st.sampled_from(FINDINGS)), draw(st.sampled_from(FINDINGS)))


reports = st.lists(sentences(), min_size=1, max_size=6)


def labels(text: str) -> tuple[str, ...]:
    return tuple(map(repr, label_report(text).values))


@given(reports, st.sampled_from([str.upper, str.lower, str.title]))
def test_case_never_changes_a_label(report, change):
    """Capital letters decide nothing."""
    text = " ".join(report)
    assert labels(change(text)) == labels(text)


@given(reports, st.randoms(use_true_random=False))
def test_spaces_and_line_breaks_never_change_a_label(report, random):
    """Any space may be several, a tab, or a line break."""
    text = " ".join(report)
    spaced = "".join(
        random.choice(["  ", "\n", " \n ", "\t", "\r\n"]) if c == " " else c for c in text
    )
    assert labels(spaced) == labels(text)


@given(reports, st.sampled_from(["XXXX", "___", "xxxx", "______"]), st.integers(0, 60))
def test_a_blank_of_de_identification_never_changes_a_label(report, blank, place):
    """What was taken out between two words is skipped (C17)."""
    words = " ".join(report).split(" ")
    assert labels(" ".join([*words[:place], blank, *words[place:]])) == labels(" ".join(report))


@given(reports, st.text(alphabet="\u2019\u2013\u00a0\u2022\ufeff\u0301\u200b", max_size=3))
def test_odd_characters_before_a_report_never_change_a_label(report, odd):
    """A byte order mark, a bullet or a lone accent before the text is no part of it."""
    assert labels(f"{odd} {' '.join(report)}") == labels(" ".join(report))


LONG = ("pneumothorax", "consolidation", "atelectasis", "cardiomegaly", "opacities", "effusions")


@given(st.sampled_from(LONG), st.integers(1, 6), st.sampled_from(["swap", "drop", "double"]))
def test_one_slip_inside_a_long_word_never_changes_a_label(word, place, slip):
    """A letter left out, doubled, or swapped with the next is read as a person would (C17)."""
    head, first, second, tail = word[:place], word[place], word[place + 1], word[place + 2 :]
    middle = {"swap": second + first, "drop": second, "double": first + first + second}[slip]
    assert labels(f"There is {head}{middle}{tail}.") == labels(f"There is {word}.")
    assert labels(f"No {head}{middle}{tail}.") == labels(f"No {word}.")


@given(reports)
def test_a_missing_final_full_stop_never_changes_a_label(report):
    """The last full stop may be left out."""
    text = " ".join(report)
    assert labels(text.rstrip(".")) == labels(text)


@given(reports, reports)
def test_the_order_of_sections_never_changes_a_label(findings, impression):
    """Findings may stand before or after the impression."""
    first = "FINDINGS: " + " ".join(findings)
    second = "IMPRESSION: " + " ".join(impression)
    assert labels(f"{first}\n\n{second}") == labels(f"{second}\n\n{first}")


@given(reports, st.sampled_from(HARMLESS), st.integers(0, 6))
def test_a_sentence_without_finding_changes_nothing(report, harmless, place):
    """What states no finding leaves every label as it was."""
    longer = [*report[:place], harmless, *report[place:]]
    assert labels(" ".join(longer)) == labels(" ".join(report))


@given(reports, st.randoms(use_true_random=False))
def test_the_order_of_sentences_never_changes_a_label(report, random):
    """Aggregation is commutative."""
    shuffled = list(report)
    random.shuffle(shuffled)
    assert labels(" ".join(shuffled)) == labels(" ".join(report))


@given(reports)
def test_evidence_slices_to_the_words_that_it_names(report):
    """Spans point into the text as it was given, and lie inside their sentence."""
    text = " ".join(report)
    for item in label_report(text).evidence:
        start, end = item.span
        assert text[start:end] in item.sentence
        assert item.sentence in text
        if item.trigger_span:
            assert text[slice(*item.trigger_span)] == item.trigger
            assert item.trigger in item.sentence
        else:
            assert item.trigger == ""


@given(st.text(max_size=300))
def test_any_text_is_labeled(text):
    """Whatever the characters, there are 14 labels of the four kinds, and spans that fit."""
    result = label_report(text)
    assert len(result.values) == len(OBSERVATIONS)
    assert all(math.isnan(v) or v in (1.0, 0.0, -1.0) for v in result.values)
    for item in result.evidence:
        assert 0 <= item.span[0] < item.span[1] <= len(text)


@given(st.text(alphabet="no ,.?:;()\n-/orvs effusion\u0130\u2019&", max_size=200))
def test_any_tangle_of_triggers_is_labeled(text):
    """Punctuation and triggers in any disorder give labels, each with the evidence behind it."""
    result = label_report(text)
    effusion = result.values[OBSERVATIONS.index("Pleural Effusion")]
    spoken = any(item.observation == "Pleural Effusion" for item in result.evidence)
    assert spoken != math.isnan(effusion)


@given(
    st.lists(st.integers(0, 7), min_size=14, max_size=14),
    st.lists(st.integers(0, 7), min_size=14, max_size=14),
)
def test_combining_is_commutative(first, second):
    """The labels of two halves of a report do not depend on which comes first."""
    there = [a | b for a, b in zip(first, second, strict=True)]
    back = [b | a for a, b in zip(first, second, strict=True)]
    assert repr(combine(there, wordy=True)) == repr(combine(back, wordy=True))


PHRASES = [
    (" ".join(phrase.words), phrase.names)
    for phrase in load_vocabulary().phrases
    if phrase.kind in ("finding", "sign", "failure", "device", "adjective")
    and "or" not in phrase.words  # "A or B" is doubt by convention
    and "/" not in phrase.words
]


@pytest.mark.parametrize("frame", ["There is {}.", "{}", "FINDINGS: There is {} on the left."])
def test_every_phrase_stated_is_present(frame):
    """Each phrase of the vocabulary, in plain words, makes its observations present."""
    missed = [
        phrase
        for phrase, names in PHRASES
        if any(label_report(frame.format(phrase)).as_dict()[name] != 1.0 for name in names)
    ]
    assert missed == []


@pytest.mark.parametrize("frame", ["No {}.", "There is no {}", "Without {}."])
def test_no_phrase_denied_is_present(frame):
    """Each phrase of the vocabulary after a negation makes nothing present."""
    missed = [
        phrase
        for phrase, names in PHRASES
        if any(label_report(frame.format(phrase)).as_dict()[name] == 1.0 for name in names)
    ]
    assert missed == []
