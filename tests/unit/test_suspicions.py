"""Looks at one image: what is odd about it, on synthetic films with planted oddities."""

import cv2
import numpy as np
import pytest

from cxr.suspicions import CONSTANT, INVERTED, LATERAL, SIZE, TEXT, look_at
from cxr.synth.phantom import render
from cxr.synth.sampling import sample_cohort


@pytest.fixture(scope="module")
def films():
    """Some synthetic films by view, (SIZE, SIZE) in 0..1."""
    found = {"PA": [], "LATERAL": []}
    for study in sample_cohort(24, 5):
        for image in study.images:
            kind = "LATERAL" if image.view == "LATERAL" else "PA"
            if len(found[kind]) < 8:
                pixels = render(study, image, size=256, conspicuity=1.0).pixels / 4095
                found[kind].append(cv2.resize(pixels.astype(np.float32), (SIZE, SIZE)))
    return found


def written(film, words, value):
    """Return a film with words in its upper left corner."""
    grey = np.rint(film * 255).astype(np.uint8)
    cv2.putText(grey, words, (12, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255 * value, 2)
    return grey.astype(np.float32) / 255


def test_plain_frontals_are_not_suspected(films):
    """A frontal chest, its side marker included, is left alone."""
    assert [look_at(film).suspicions("PA") for film in films["PA"]] == [()] * len(films["PA"])


def test_most_laterals_called_frontal_are_seen(films):
    """A lateral named PA is told by its width; one named LATERAL is in order."""
    looks = [look_at(film) for film in films["LATERAL"]]
    seen = [LATERAL in look.suspicions("PA") for look in looks]
    assert np.mean(seen) >= 0.6
    assert all(LATERAL not in look.suspicions("LATERAL") for look in looks)


def test_the_width_of_the_film_counts(films):
    """A film squashed from a tall one is narrower than it looks."""
    assert look_at(films["PA"][0], aspect=0.7).suspicions("PA") == (LATERAL,)


def test_inverted_films_are_seen(films):
    """Bright lungs on both sides of a dark midline mean that black and white are swapped."""
    seen = [INVERTED in look_at(1 - film).suspicions("PA") for film in films["PA"]]
    assert np.mean(seen) >= 0.6


def test_a_film_without_a_picture_is_seen():
    """One grey, or nearly, is no radiograph."""
    noise = np.random.default_rng(0).normal(0.5, 0.01, (SIZE, SIZE)).astype(np.float32)
    assert CONSTANT in look_at(noise).suspicions("")
    assert CONSTANT in look_at(np.full((SIZE, SIZE), 0.5, np.float32)).suspicions("")


@pytest.mark.parametrize("value", [1.0, 0.0])
def test_a_line_of_text_is_seen(films, value):
    """White text on black and black text on white are seen; a side marker is not text."""
    film = films["PA"][0].copy()
    if value == 0:
        film[:60, :250] = 1.0
    assert TEXT in look_at(written(film, "P O R T A B L E", value)).suspicions("PA")
    assert TEXT not in look_at(written(films["PA"][0], "L  A B", 1.0)).suspicions("PA")
