"""Kinds of finding change the picture where they say, and nowhere else matters less."""

import numpy as np
import pytest

from cxr.errors import InputError
from cxr.synth.phantom import Phantom, render, strength_of
from cxr.synth.truth import KINDS, Finding, Image, Patient, Study

SIZE = 96
LUNG_KINDS = ("opacity", "nodule", "mass", "consolidation", "pneumonia", "effusion", "pneumothorax")


def picture(
    *kinds: str,
    view: str = "PA",
    side: str = "right",
    severity: float = 0.6,
    subtlety: float = 0.3,
    conspicuity: float = 1.0,
    seed: int = 3,
    sex: str = "M",
    size: int = SIZE,
) -> Phantom:
    patient = Patient("10000032", sex, 55, 0.0, seed)  # type: ignore[arg-type]
    zones = {"nodule": "middle", "pneumothorax": "upper", "cardiomegaly": "none"}
    findings = tuple(
        Finding(kind, side, zones.get(kind, "lower"), severity, subtlety, 91)  # type: ignore[arg-type]
        for kind in kinds
    )
    image = Image("image", view, seed)  # type: ignore[arg-type]
    study = Study("50000001", patient, findings, (image,), (), 0, 0)
    return render(study, image, size=size, conspicuity=conspicuity)


def change(plain: Phantom, other: Phantom) -> np.ndarray:
    return np.abs(other.pixels.astype(int) - plain.pixels.astype(int))


def test_pixels_are_twelve_bits() -> None:
    """A picture is square, uint16, uses most of 12 bits and nothing above them."""
    pixels = picture().pixels
    assert pixels.shape == (SIZE, SIZE)
    assert pixels.dtype == np.uint16
    assert pixels.max() <= 4095
    assert np.ptp(pixels) > 3000


@pytest.mark.parametrize("view", ["PA", "AP", "LATERAL"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_leaves_its_mask(kind: str, view: str) -> None:
    """Each kind is outlined under its observations, and the picture changes in the outline."""
    plain, found = picture(view=view), picture(kind, view=view)
    assert set(found.masks) == set(KINDS[kind])
    for mask in found.masks.values():
        assert mask.dtype == bool
        assert mask.shape == (SIZE, SIZE)
        assert change(plain, found)[mask].mean() > 8


def test_a_healthy_chest_has_no_masks() -> None:
    """Without findings there is nothing to outline."""
    assert picture().masks == {}


@pytest.mark.parametrize("kind", LUNG_KINDS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_patients_left_is_on_the_pictures_right(kind: str, side: str) -> None:
    """A finding of the left lung is outlined in the right half of a frontal picture."""
    for mask in picture(kind, side=side).masks.values():
        columns = np.flatnonzero(mask.any(axis=0))
        assert (columns.mean() > SIZE / 2) == (side == "left")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_seen_without_conspicuity(kind: str) -> None:
    """At conspicuity 0 the picture is that of a healthy chest, and nothing is outlined."""
    hidden = picture(kind, conspicuity=0.0)
    assert hidden.masks == {}
    assert np.array_equal(hidden.pixels, picture().pixels)


@pytest.mark.parametrize("kind", ["consolidation", "effusion", "mass", "pneumothorax", "pacemaker"])
def test_subtle_findings_are_fainter(kind: str) -> None:
    """The more subtle a finding and the lower the conspicuity, the less the picture changes."""
    plain = picture()
    inside = next(iter(picture(kind).masks.values()))
    seen = [
        change(plain, picture(kind, subtlety=subtlety, conspicuity=conspicuity))[inside].mean()
        for subtlety, conspicuity in ((0.5, 1.0), (0.8, 1.0), (0.8, 0.4))
    ]
    assert seen[0] > seen[1] > seen[2]


def test_air_is_dark_and_fluid_is_bright() -> None:
    """A pneumothorax darkens its outline; consolidation and effusion brighten theirs."""
    plain = picture().pixels.astype(int)
    for kind, sign in (("pneumothorax", -1), ("consolidation", 1), ("effusion", 1)):
        found = picture(kind)
        inside = next(iter(found.masks.values()))
        assert sign * (found.pixels.astype(int) - plain)[inside].mean() > 100


def test_a_large_heart_is_wider() -> None:
    """Cardiomegaly widens the heart's outline with its severity."""
    widths = [
        int(picture("cardiomegaly", severity=severity).masks["Cardiomegaly"].any(axis=0).sum())
        for severity in (0.1, 0.5, 1.0)
    ]
    assert widths[0] < widths[1] < widths[2]


def test_views_differ() -> None:
    """PA, AP and lateral of one patient and seed are different pictures."""
    views = [picture(view=view).pixels for view in ("PA", "AP", "LATERAL")]
    assert all(
        np.abs(a.astype(int) - b.astype(int)).mean() > 50
        for a, b in zip(views, views[1:] + views[:1], strict=True)
    )


@pytest.mark.parametrize("view", ["PA", "AP", "LATERAL"])
def test_size_only_samples_the_same_scene(view: str) -> None:
    """A larger picture of a study shows the same anatomy and outlines, not another patient."""
    small = picture("consolidation", view=view, size=64)
    large = picture("consolidation", view=view, size=128)
    halved = large.pixels.astype(float).reshape(64, 2, 64, 2).mean(axis=(1, 3))
    assert np.corrcoef(halved.ravel(), small.pixels.ravel())[0, 1] > 0.97
    inside = small.masks["Consolidation"]
    doubled = large.masks["Consolidation"][::2, ::2]
    assert (inside & doubled).sum() > 0.7 * (inside | doubled).sum()


def test_strength_follows_subtlety_and_conspicuity() -> None:
    """Strength is proportional to (1 - subtlety) x conspicuity until it saturates."""
    finding = Finding("mass", "left", "upper", 0.5, 0.8, 1)
    assert strength_of(finding, 0.5) == pytest.approx(strength_of(finding, 1.0) / 2)
    assert strength_of(finding, 2.0) <= 1.2


@pytest.mark.parametrize(
    ("size", "conspicuity", "word"), [(16, 1.0, "size"), (5000, 1.0, "size"), (64, 3.0, "visible")]
)
def test_settings_out_of_range_are_refused(size: int, conspicuity: float, word: str) -> None:
    """A size or conspicuity that can't be drawn is refused with what can."""
    with pytest.raises(InputError, match=word if word == "size" else "conspicuity is 3"):
        picture(size=size, conspicuity=conspicuity)
