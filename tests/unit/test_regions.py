import numpy as np
import pytest

from cxr import regions
from cxr.regions import Frame, Region, describe_region, orient

UPRIGHT = Frame(top=0.0, bottom=0.9, left=0.1, right=0.9)


def find_regions(map_, frame, **options):
    """Regions above half of the maximum."""
    return regions.find_regions(map_, map_ >= 0.5 * map_.max(), frame, **options)


def spot(row: float, column: float, size: int = 90) -> np.ndarray:
    """A map with one square of evidence about a place given in shares of the picture."""
    map_ = np.zeros((size, size), np.float32)
    y, x = round(row * size), round(column * size)
    map_[y - 3 : y + 3, x - 3 : x + 3] = 1
    return map_


@pytest.mark.parametrize(
    ("orientation", "view", "side", "zones"),
    [
        (("L", "F"), "PA", "right", ("upper",)),
        (("R", "F"), "PA", "left", ("upper",)),
        (("L", "H"), "", "right", ("lower",)),
        (("LH", "FR"), "", "right", ("upper",)),
        ((), "AP", "right", ("upper",)),
        ((), "", "", ()),
        ((), "LATERAL", "", ()),
        (("P", "F"), "LATERAL", "anterior", ("upper",)),
        (("F", "L"), "PA", "", ()),
        (("L",), "PA", "", ()),
    ],
)
def test_the_header_tells_side_and_zone(orientation, view, side, zones):
    """Evidence at the picture's upper left has the side that rows run from, or none."""
    frame = orient(UPRIGHT, orientation, view)
    (region,) = find_regions(spot(0.2, 0.25), frame)
    assert (region.side, region.zones) == (side, zones)


def test_orienting_keeps_where_the_lungs_are():
    """The header turns the picture and does not move the lungs."""
    turned = orient(UPRIGHT, ("L", "F"))
    assert (turned.top, turned.bottom, turned.left, turned.right) == (0.0, 0.9, 0.1, 0.9)
    assert turned.basis == "orientation"
    assert orient(UPRIGHT, (), "PA").basis == "view"


@pytest.mark.parametrize(("row", "zone"), [(0.15, "upper"), (0.45, "mid"), (0.75, "lower")])
def test_zones_are_thirds_of_the_lungs(row, zone):
    """Upper, mid and lower are thirds of the height of the lungs, not of the picture."""
    (region,) = find_regions(spot(row, 0.7), orient(UPRIGHT, ("L", "F")))
    assert region.zones == (zone,)
    assert region.side == "left"


def test_a_region_across_zones_names_them_all():
    """Evidence in two thirds of the lungs names both, from above."""
    map_ = np.zeros((90, 90))
    map_[30:80, 60:80] = 1
    (region,) = find_regions(map_, orient(UPRIGHT, ("L", "F")))
    assert region.zones == ("mid", "lower")
    assert describe_region(region) == "left mid and lower zones, 12 % of the picture"
    np.testing.assert_allclose(region.box, (60 / 90, 30 / 90, 80 / 90, 80 / 90))
    assert region.evidence == 1


def test_the_midline_is_on_neither_side():
    """What lies about the midline is central, even where the side is undetermined."""
    for frame in (UPRIGHT, orient(UPRIGHT, ("L", "F"))):
        assert find_regions(spot(0.5, 0.5), frame)[0].side == "central"


def test_places_come_by_their_evidence():
    """Of several places the one with most evidence is first, and specks are left out."""
    map_ = 0.6 * spot(0.2, 0.25) + spot(0.7, 0.75)
    map_[50, 10] = 0.9
    first, second = find_regions(map_, orient(UPRIGHT, ("L", "F")), most=3)
    assert (first.side, second.side) == ("left", "right")
    assert first.evidence + second.evidence < 1
    assert len(find_regions(map_, UPRIGHT, most=1)) == 1


def test_a_blank_map_has_no_region():
    """No evidence is no place."""
    everywhere = np.ones((8, 8), bool)
    assert regions.find_regions(np.zeros((8, 8)), everywhere, UPRIGHT) == ()
    assert regions.find_regions(np.ones((8, 8)), ~everywhere, UPRIGHT) == ()


def test_marks_of_another_size_are_refused():
    """Map and marks are of one size."""
    with pytest.raises(ValueError, match="the map is"):
        regions.find_regions(np.ones((8, 8)), np.ones((4, 4), bool), UPRIGHT)


def test_words_own_up_to_what_is_not_known():
    """Side, zone and a place outside the lungs are said as they are."""
    nowhere = Region("", (), False, 0.001, 0.5, (0, 0, 0.1, 0.1))
    assert describe_region(nowhere) == (
        "zone undetermined, side undetermined, outside the lungs, less than 1 % of the picture"
    )
    (corner,) = find_regions(spot(0.95, 0.05), orient(UPRIGHT, ("L", "F")))
    assert not corner.inside
    assert "outside the lungs" in describe_region(corner)
