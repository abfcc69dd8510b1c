"""Memorisation unit by unit: distances known by hand, and agreement with point_to_hull."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need the extra report")

from geoprobe import point_to_hull
from geoprobe.errors import InputError
from geoprobe.findings import UnitMemorisation, measure_units
from geoprobe.spaces import Space
from tests.support.findings_cases import LINE, random_space, squares


def of_part(found: UnitMemorisation, part: str):  # type: ignore[no-untyped-def]
    return [row for row in found.rows if row.part == part]


def test_corners_of_squares_by_hand() -> None:
    """A corner lies half the diagonal from the other three, and a gap of the line from the next."""
    test = Space(np.array([[0.0, 0.0], [1.5, 0.0], [2.0, 0.0]]), np.array(["a", "a", "zz"]))
    found = measure_units(squares(LINE, test=test), n_threads=1)
    rows = of_part(found, "train")
    assert [row.own for row in rows] == pytest.approx([0.5**0.5] * 16)
    # The corners of a are at -0.5 and 0.5, and b begins at 2.5.
    assert [(r.label, r.nearest, r.other) for r in rows[:4]] == [
        ("a", "b", pytest.approx(gap)) for gap in (3.0, 3.0, 2.0, 2.0)
    ]
    assert all(row.known and row.margin == pytest.approx(row.other - row.own) for row in rows)
    inside, between = of_part(found, "test")
    assert (inside.own, inside.other, inside.known) == (0.0, pytest.approx(2.5), True)
    # As far from a as from b.
    assert (between.own, between.other) == (pytest.approx(1.0), pytest.approx(1.0))
    assert found.notes == ("1 units to test are left out, for train has no label zz.",)
    assert found.accuracy("train") == 1.0


@pytest.mark.parametrize("n_dims", [8, 300])
def test_every_distance_is_that_of_the_hull_without_the_unit(n_dims: int) -> None:
    space = random_space(3, n_labels=3, n_dims=n_dims, n_each=5)
    found = measure_units(space, n_threads=1)
    for row in found.rows:
        same = space.labels == row.label
        same[row.unit] = False
        point = space.points[row.unit]
        own = point_to_hull(space.points[same], point)
        others = {
            label: point_to_hull(space.points[space.labels == label], point)
            for label in set(space.labels.tolist()) - {row.label}
        }
        assert row.own == pytest.approx(own.distance, rel=1e-9)
        assert row.nearest == min(others, key=lambda label: others[label].distance)
        assert row.other == pytest.approx(others[row.nearest].distance, rel=1e-9)
        for lower, value, upper in (
            (row.own_lower, row.own, row.own_upper),
            (row.other_lower, row.other, row.other_upper),
        ):
            assert lower <= value <= upper
            assert upper - lower <= 1e-9 * upper


def test_units_known_by_heart_are_found() -> None:
    """Train lies where its labels are; test is noise, as a model sees it that knows train alone."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 15)
    centres = np.where(labels == "a", 0.0, 6.0)[:, None]
    train = Space(rng.normal(size=(30, 2)) + centres, labels)
    alike = Space(rng.normal(size=(30, 2)) + centres, labels)
    noise = Space(3.0 + 4.0 * rng.normal(size=(30, 2)), labels)
    same, memorised = (measure_units(train, test, n_threads=1) for test in (alike, noise))
    assert same.accuracy("train") == memorised.accuracy("train") > 0.9
    assert same.gap().low <= 0 <= same.gap().high
    assert memorised.gap().low > 0.2
    lines = memorised.plot().get_lines()
    assert [len(line.get_xdata()) for line in lines] == [30, 30, 2]


def test_groups_are_left_out_together() -> None:
    space = squares(LINE)
    # The left side of each square is one group: the right side is a whole unit away.
    groups = np.tile([0, 0, 1, 1], 4) + np.repeat([0, 2, 4, 6], 4)
    found = measure_units(space, groups=groups, n_threads=1)
    assert [row.own for row in found.rows] == pytest.approx([1.0] * 16)
    alone = measure_units(space, groups=np.repeat([0, 1, 2, 3], 4), n_threads=1)
    assert all(math.isnan(row.own) and not row.known for row in alone.rows)
    assert alone.notes == ("16 units to train have a label that no other unit, or group, has.",)
    assert math.isnan(alone.gap().value)


def test_a_copy_stays_and_equal_points_are_an_answer() -> None:
    points = np.array([[0.0, 0], [0, 0], [1, 0], [5, 0], [6, 0]])
    found = measure_units(Space(points, np.array([*"aaabb"])), n_threads=1)
    assert [row.own for row in found.rows[:3]] == pytest.approx([0, 0, 1])
    same = measure_units(Space(np.ones((4, 2)), np.array([*"aabb"])), n_threads=1)
    assert [(row.own, row.other, row.known) for row in same.rows] == [(0, 0, False)] * 4


def test_what_cannot_be_measured() -> None:
    with pytest.raises(InputError, match="2 different labels"):
        measure_units(Space(np.eye(3), np.array(["a", "a", "a"])))
    with pytest.raises(InputError, match="groups"):
        measure_units(squares(LINE), groups=[1, 2])
    with pytest.raises(InputError, match="have 3 dimensions, but those to train have 2"):
        measure_units(squares(LINE), Space(np.eye(3), np.array([*"aab"])))
    with pytest.raises(InputError, match="part is 'train' or 'test'"):
        measure_units(squares(LINE)).accuracy("dev")
