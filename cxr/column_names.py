"""What a column of somebody's table is: an observation, an id, a trait of the patient.

Names are compared by their letters and digits alone, so that "Pleural Effusion",
"pleural_effusion" and "PleuralEffusion" are one; a word that tells what the column holds
("Edema_prob", "label:Edema") is left aside. Only true synonyms count: a class that is narrower or
wider than an observation (NIH's Nodule, Infiltration, Pleural_Thickening) is not guessed at.
"""

import re
from collections.abc import Sequence

from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

SCORE_WORDS = frozenset(
    ["prob", "probability", "pred", "predicted", "prediction", "score", "logit", "output", "p"]
)
LABEL_WORDS = frozenset(("label", "truth", "true", "gt", "target", "y"))

SYNONYMS = {
    "effusion": "Pleural Effusion",
    "airspaceopacity": "Lung Opacity",
    "enlargedcardiom": "Enlarged Cardiomediastinum",
    "enlargedcardiomediastinal": "Enlarged Cardiomediastinum",
    "enlargedcardiomediastinalsilhouette": "Enlarged Cardiomediastinum",
    "supportdevice": "Support Devices",
    "nofindings": "No Finding",
}
"""Other public names of the same thing: torchxrayvision, NIH, CheXlocalize."""

IDS = {
    "image_id": [
        "imageid",
        "dicomid",
        "image",
        "imageindex",
        "imagename",
        "imagepath",
        "path",
        "filename",
        "filepath",
        "file",
        "sopinstanceuid",
        "caseid",
        "case",
        "id",
    ],
    "study_id": ["studyid", "study", "studyinstanceuid", "accessionnumber"],
    "patient_id": ["patientid", "subjectid", "patient", "subject"],
}
TRAITS = {
    "sex": ["sex", "gender", "patientsex", "patientgender"],
    "age": ["age", "patientage", "anchorage"],
    "age_band": ["ageband"],
    "view": ["view", "viewposition", "appa", "projection"],
    "split": ["split"],
}
"""What is read beside labels and scores -> names of such a column, the first that is there."""


def plain(name: str) -> str:
    """Return the letters and digits of a name in lower case."""
    return re.sub(r"[\W_]+", "", name.lower())


_KNOWN = {plain(name): name for name in OBSERVATIONS} | SYNONYMS


def observation_columns(
    columns: Sequence[str],
    *,
    aside: frozenset[str],
    given: Sequence[tuple[str, str]] = (),
    where: str,
) -> dict[str, str]:
    """Return observation -> the column that tells it.

    Args:
        columns: the table's columns.
        aside: words that may stand beside an observation's name: `SCORE_WORDS` in a table of
            scores, `LABEL_WORDS` in one of labels. A column with the other kind is not taken.
        given: (column, observation) pairs that the user named; they go before what is found, and
            count where the table has such a column.
        where: the file to name in a message.

    Raises:
        InputError: two columns tell one observation; a given observation is none of the 14.
    """
    found: dict[str, str] = {}
    for column, observation in given:
        name = _KNOWN.get(plain(observation))
        if name is None:
            raise InputError(
                f"'{observation}' is none of the 14 observations: {', '.join(OBSERVATIONS)}."
            )
        if column in columns:
            found[name] = column
    named, taken = set(found), set(found.values())
    for column in columns:
        name = observation_of(column, aside=aside)
        if name is None or name in named or column in taken:
            continue
        if name in found:
            raise InputError(
                f"{where}: the columns '{found[name]}' and '{column}' both tell {name}; keep one."
            )
        found[name] = column
    return {name: found[name] for name in OBSERVATIONS if name in found}


def observation_of(column: str, *, aside: frozenset[str]) -> str | None:
    """Return the observation that a column is about; None for any other column.

    Example:
        >>> observation_of("Effusion_prob", aside=SCORE_WORDS)
        'Pleural Effusion'
        >>> observation_of("Pleural_Thickening", aside=SCORE_WORDS) is None
        True
    """
    words = [word for word in re.split(r"[\W_]+", column.lower()) if word]
    kept = [word for word in words if word not in aside and word.removesuffix("s") not in aside]
    return _KNOWN.get("".join(kept))


def find_column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the first column, in the order of `names` (plain), that is there."""
    known = {plain(column): column for column in reversed(columns)}
    return next((known[name] for name in names if name in known), None)
