"""Units left out of their label: distances known by hand, and memorisation that is planted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need the extra report")

from geoprobe import point_to_hull
from geoprobe.controls import (
    LeftOutUnits,
    compare_units,
    load_units,
    measure_units,
    save_units,
)
from geoprobe.errors import FormatError, InputError
from geoprobe.spaces import Space
from tests.support.findings_cases import LINE, published, random_space, squares, tuned


def test_corners_of_squares_by_hand() -> None:
    """A corner lies half the diagonal from the other three, and a gap of the line from the next."""
    test = Space(np.array([[0.0, 0.0], [1.5, 0.0], [2.0, 0.0]]), np.array(["a", "a", "zz"]))
    found = measure_units(squares(LINE, test=test), n_threads=1)
    train = found.part("train")
    assert found.own[train] == pytest.approx([0.5**0.5] * 16)
    # The corners of a are at -0.5 and 0.5, and b begins at 2.5.
    assert found.other[train][:4] == pytest.approx([3.0, 3.0, 2.0, 2.0])
    assert found.nearest[train][:4].tolist() == [1] * 4
    assert found.known[train].all() and found.accuracy() == 1.0
    # Only a has units to test, and one of its corners is left out there too. The first point is on
    # the diagonal that is left; the second sees a corner at (0.5, ±0.5), or the edge at 0.5.
    assert found.row[found.part("test")].tolist() == [0, 1]
    first, second = found.own[found.part("test")].tolist()
    assert first == 0.0
    assert second == pytest.approx(1.0) or second == pytest.approx(1.25**0.5)
    assert found.other[found.part("test")] == pytest.approx([2.5, 1.0])
    assert found.further().observed == pytest.approx(second / 2 / 0.5**0.5)


@pytest.mark.parametrize("n_dims", [8, 300])
def test_every_distance_is_that_of_the_hull_without_the_unit(n_dims: int) -> None:
    space = random_space(3, n_labels=3, n_dims=n_dims, n_each=5)
    found = measure_units(space, n_threads=1).to_frame()
    for row in found.itertuples():
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
        assert row.own_lower <= row.own <= row.own_upper
        assert row.own_upper - row.own_lower <= 1e-9 * row.own_upper


CENTRES = 3.0 * np.random.default_rng(9).normal(size=(3, 12))


Units = tuple[Space, np.ndarray]


def drawn(seed: list[int], n_each: int, *, noise: float = 1.0) -> Units:
    """Labels around centres, their units in sentences of four that share some of the noise."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), n_each)
    sentences = rng.permutation(len(labels)) // 4
    shared = rng.normal(size=(int(sentences.max()) + 1, 12))[sentences]
    points = CENTRES[labels] + noise * (rng.normal(size=(len(labels), 12)) + shared)
    return Space(points, labels.astype(str)), sentences


def measured(train: Units, test: Units) -> LeftOutUnits:
    (space, groups), (of_test, test_groups) = train, test
    return measure_units(
        space, of_test, groups=groups, test_groups=test_groups, n_draws=99, n_threads=1
    )


def test_test_units_of_one_population_are_not_taken_for_memorisation() -> None:
    """p-values of null data are uniform: 40 data sets, as published and turned by a tuning."""
    turn = np.random.default_rng(8).normal(size=(12, 12))
    alone, change = np.zeros(4, int), np.zeros(4, int)
    for k in range(40):
        both = drawn([1, k], 24), drawn([2, k], 8)
        before = measured(*both)
        after = measured(*((Space(s.points @ turn, s.labels), groups) for s, groups in both))
        alone[min(3, int(4 * before.further().p_value))] += 1
        change[min(3, int(4 * after.further(before).p_value))] += 1
    # The 0.999 quantile of chi-square with three degrees of freedom.
    for counts in (alone, change):
        assert ((counts - 10) ** 2 / 10).sum() < 16.3


def test_planted_memorisation_is_found() -> None:
    """A tuning that draws training units to their centres, and leaves new ones where they are."""
    for k in range(5):
        train, test = drawn([3, k], 24), drawn([4, k], 8)
        before = measured(train, test)
        after = measured(drawn([3, k], 24, noise=0.5), test)
        change = after.further(before)
        assert before.further().p_value > 0.05
        assert change.p_value == 0.01
        assert change.mean == pytest.approx(1.0, abs=0.1)
        interval = after.interval(before)
        assert 1.5 < interval.low < interval.value == change.observed < interval.high < 3.5
    found = compare_units({published(): before, tuned(): after})
    assert [row.measure for row in found.overall] == ["left out", "left out", "memorised"]
    assert found.overall[2].value == change.observed
    assert found.overall[2].verdict == "beyond chance"
    assert all(row.further > 1.5 for row in found.rows if row.tuned_on)
    of_label = after.own[after.label == 1]
    row = next(row for row in found.rows if (row.tuned_on, row.label) == ("pos", "1"))
    assert (row.n_train, row.n_test) == (24, 8)
    assert row.further == pytest.approx(of_label[24:].mean() / of_label[:24].mean())
    lines = found.plot().get_lines()
    assert [len(line.get_xdata()) for line in lines] == [3, 2, 3, 2]


def test_a_tuning_that_does_the_same_to_all_units_memorises_none() -> None:
    train, test = drawn([3, 0], 24), drawn([4, 0], 8)
    after = measured(drawn([3, 0], 24, noise=0.5), drawn([4, 0], 8, noise=0.5))
    assert after.further(measured(train, test)).verdict() == "not distinguishable from chance"


def test_groups_are_left_out_together() -> None:
    space = squares(LINE)
    # The left side of each square is one group: the right side is a whole unit away.
    groups = np.tile([0, 0, 1, 1], 4) + np.repeat([0, 2, 4, 6], 4)
    found = measure_units(space, groups=groups, n_threads=1)
    assert found.own == pytest.approx([1.0] * 16)
    alone = measure_units(space, squares(LINE), groups=np.repeat([0, 1, 2, 3], 4), n_threads=1)
    assert np.isnan(alone.own).all() and not alone.known.any()
    with pytest.raises(InputError, match="no label has units to test and more units to train"):
        alone.further()
    with pytest.raises(InputError, match="no more units, or these in one group: a, b, c, d"):
        compare_units({published(): alone})


def test_labels_of_too_few_units_are_not_compared() -> None:
    train = random_space(1, n_labels=3, n_each=6)
    few = np.r_[0:6, 6:12, 12]
    test = Space(train.points[few], train.labels[few])
    train = Space(train.points[np.r_[0:6, 6:8, 12:18]], train.labels[np.r_[0:6, 6:8, 12:18]])
    found = measure_units(train, test, n_threads=1)
    # As many to test as to train, more of them, and one of six.
    assert found.compared.tolist() == [2]
    assert found.further().observed == 0.0


def test_a_copy_stays_and_equal_points_are_an_answer() -> None:
    points = np.array([[0.0, 0], [0, 0], [1, 0], [5, 0], [6, 0]])
    found = measure_units(Space(points, np.array([*"aaabb"])), n_threads=1)
    assert found.own[:3] == pytest.approx([0, 0, 1])
    same = Space(np.ones((6, 2)), np.array([*"aaabbb"]))
    equal = measure_units(same, Space(np.ones((2, 2)), np.array(["a", "b"])), n_threads=1)
    assert not equal.own.any() and not equal.other.any() and not equal.known.any()
    # Nobody is at a distance: there is no share of it.
    assert math.isnan(equal.further().observed)
    assert equal.further().verdict() == "not defined"


def test_a_file_keeps_all_of_it(tmp_path: Path) -> None:
    found = measure_units(squares(LINE, test=squares(LINE)), n_draws=3, n_threads=1)
    path = save_units(found, tmp_path / "units.npz")
    again = load_units(path)
    for name, value in vars(found).items():
        assert np.array_equal(getattr(again, name), value), name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FormatError):
        load_units(path)


def test_what_cannot_be_measured() -> None:
    with pytest.raises(InputError, match="2 different labels"):
        measure_units(Space(np.eye(3), np.array(["a", "a", "a"])))
    with pytest.raises(InputError, match="groups"):
        measure_units(squares(LINE), groups=[1, 2])
    with pytest.raises(InputError, match="test_groups"):
        measure_units(squares(LINE), squares(LINE), test_groups=[1, 2])
    with pytest.raises(InputError, match="n_draws is at least 1, but it is 0"):
        measure_units(squares(LINE), n_draws=0)
    with pytest.raises(InputError, match="have 3 dimensions, but those to train have 2"):
        measure_units(squares(LINE), Space(np.eye(3), np.array([*"aab"])))
    one_each = Space(squares(LINE).points[::4], squares(LINE).labels[::4])
    found = measure_units(squares(LINE), one_each, n_draws=2, n_threads=1)
    with pytest.raises(InputError, match="part is 'train' or 'test'"):
        found.accuracy("dev")
    other = measure_units(squares(LINE), one_each, n_draws=3, n_threads=1)
    with pytest.raises(InputError, match=r"seeds or numbers of draws differ .* 2 and 3 draws"):
        other.further(found)
