"""One report to its 14 labels, with the evidence for each."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from cxr.labeling.sections import counted_sections
from cxr.labeling.sentences import OTHER, find_sentences, join_sentences, read_sentence
from cxr.labeling.vocabulary import load_vocabulary
from cxr.labeling.words import fold_text, split_words
from cxr.observations import (
    BLANK,
    NEGATIVE,
    NO_FINDING,
    OBSERVATIONS,
    POSITIVE,
    SUPPORT_DEVICES,
    UNCERTAIN,
)

CODE_VERSION = 2
"""Raised by hand with every change of code that can change a label."""

SECTION_MODES = ("all", "mimic")
COMPAT_MODES = ("", "chexpert")

_BIT = {POSITIVE: 1, UNCERTAIN: 2, NEGATIVE: 4}
_LABEL = (BLANK, POSITIVE, UNCERTAIN, POSITIVE, NEGATIVE, POSITIVE, UNCERTAIN, POSITIVE)
"""Bits of the values mentioned -> label: present over in doubt over absent (C4)."""
_CHEXPERT_LABEL = (*_LABEL[:7], UNCERTAIN)
"""The CheXpert labeler calls all three together in doubt."""
_DEVICES = OBSERVATIONS.index(SUPPORT_DEVICES)
_NAMES = tuple("Other" if name == NO_FINDING else name for name in OBSERVATIONS)


class Evidence(NamedTuple):
    """Why one observation has a value: one mention in the text.

    Attributes:
        observation: its name; "Other" for a pathology outside the 14, which bars No Finding.
        value: 1.0, 0.0 or -1.0, of this mention alone.
        section: heading of its section in lower case; empty for a body without one.
        sentence: the sentence, as in the text.
        span: (start, end) of the finding in the text.
        trigger: the words that decided; empty where the finding is simply stated.
        trigger_span: (start, end) of these; None without a trigger.
        convention: the convention applied, such as "C7".
    """

    observation: str
    value: float
    section: str
    sentence: str
    span: tuple[int, int]
    trigger: str
    trigger_span: tuple[int, int] | None
    convention: str


class ReportLabels(NamedTuple):
    """The labels of one report.

    Attributes:
        values: 14 values in the order of OBSERVATIONS: 1.0, 0.0, -1.0, or NaN for blank.
        evidence: every mention that counted, in the order of the text.
    """

    values: tuple[float, ...]
    evidence: tuple[Evidence, ...]

    def as_dict(self) -> dict[str, float]:
        """Return observation -> value."""
        return dict(zip(OBSERVATIONS, self.values, strict=True))


def label_report(text: str, *, sections: str = "all", compat: str = "") -> ReportLabels:
    """Label one radiology report of the chest.

    Args:
        text: the report as written.
        sections: "all" reads everything but indication, history, comparison and the like (C2);
            "mimic" the one section that MIMIC-CXR-JPG's labels were read from.
        compat: "chexpert" gives -1 where one observation is stated present, absent and in
            doubt in one report, as the CheXpert labeler does; empty gives 1 (C4).

    Raises:
        ValueError: an unknown mode.
        TypeError: `text` is not a string.

    Example:
        >>> label_report("Small left effusion. No pneumothorax.").as_dict()["Pneumothorax"]
        0.0
    """
    check_modes(sections, compat)
    if not isinstance(text, str):
        raise TypeError(f"text: a report is a string, not {type(text).__name__}.")
    lexicon = load_vocabulary().lexicon
    folded = fold_text(text)
    evidence: list[Evidence] = []
    seen = [0] * len(OBSERVATIONS)
    wordy = False
    for name, _, base, end in counted_sections(folded, mode=sections):
        words, starts, ends = split_words(folded[base:end], offset=base)
        signs = "".join(map(lexicon.__getitem__, words))
        wordy = wordy or bool(signs)
        signs = join_sentences(signs)
        for start, stop in find_sentences(signs):
            mentions = read_sentence(signs[start:stop])
            if not mentions:
                continue
            sentence = text[starts[start] : ends[stop - 1]]
            for observations, value, first, last, decided, convention in mentions:
                span = (starts[start + first], ends[start + last - 1])
                trigger, trigger_span = "", None
                if decided:
                    trigger_span = (starts[start + decided[0]], ends[start + decided[1] - 1])
                    trigger = text[trigger_span[0] : trigger_span[1]]
                for index in observations:
                    seen[index] |= _BIT[value]
                    evidence.append(
                        Evidence(
                            _NAMES[index],
                            value,
                            name,
                            sentence,
                            span,
                            trigger,
                            trigger_span,
                            convention,
                        )
                    )
    return ReportLabels(combine(seen, wordy=wordy, compat=compat), tuple(evidence))


def label_reports(
    texts: Sequence[str], *, jobs: int = 1, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """Label many reports.

    Args:
        texts: the reports.
        jobs: processes; 1 is this one, -1 every core.
        progress: called with the number of reports just done.

    Returns:
        (n, 14) float64 in the order of `texts` and OBSERVATIONS; NaN is blank.

    Raises:
        ValueError: jobs is 0 or less than -1.
        TypeError: a report is not a string.
    """
    from cxr.parallel import stream_parallel  # joblib loads as slowly as all the rest

    starts = range(0, len(texts), _CHUNK)
    chunks = (texts[start : start + _CHUNK] for start in starts)
    parts = stream_parallel(_label_chunk, chunks, jobs=jobs if len(starts) > 1 else 1)
    done = [np.empty((0, len(OBSERVATIONS)))]
    for part in parts:
        done.append(part)
        if progress is not None:
            progress(len(part))
    return np.concatenate(done)


_CHUNK = 2000
"""Reports that one process labels at a time: a fifth of a second of work."""


def _label_chunk(texts: Sequence[str]) -> np.ndarray:
    return np.array([label_report(text).values for text in texts])


@cache
def labeler_version() -> str:
    """Return the labeler's version: hash of vocabulary and triggers, version of the code."""
    digest = hashlib.sha256(f"{CODE_VERSION}:{load_vocabulary().digest}".encode()).hexdigest()
    return f"{CODE_VERSION}-{digest[:12]}"


def check_modes(sections: str, compat: str) -> None:
    """Raise ValueError for a mode that `label_report` does not know."""
    if sections not in SECTION_MODES:
        raise ValueError(f"sections: {sections!r} is unknown; choose from {SECTION_MODES}.")
    if compat not in COMPAT_MODES:
        raise ValueError(f"compat: {compat!r} is unknown; choose from {COMPAT_MODES}.")


def combine(seen: Sequence[int], *, wordy: bool, compat: str = "") -> tuple[float, ...]:
    """Combine the mentions of a report into its labels.

    Args:
        seen: 14 sets of values mentioned, as sums of 1 (present), 2 (in doubt), 4 (absent);
            the first is that of other pathology.
        wordy: whether there was any text to read.
        compat: as in `label_report`.

    Returns:
        14 labels: present over in doubt over absent (C4). No Finding is 1 where nothing but
        devices and no other pathology is present or in doubt, else blank (C14).
    """
    table = _CHEXPERT_LABEL if compat == "chexpert" else _LABEL
    clear = not any(bits & 3 for bits in seen[:_DEVICES])
    labels = [table[bits] for bits in seen]
    labels[OTHER] = POSITIVE if wordy and clear else BLANK
    return tuple(labels)
