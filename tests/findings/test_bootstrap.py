"""Bootstrap intervals: reproducible, and they cover the truth as often as they promise."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe.errors import InputError
from geoprobe.findings import (
    accuracy_change_interval,
    accuracy_interval,
    label_distances,
    movement_intervals,
    resample_distances,
)
from geoprobe.geometry import Predictions
from geoprobe.probes import measure
from geoprobe.progress import Progress
from geoprobe.spaces import Space
from tests.support.findings_cases import LINE, random_space, squares


def held_out(correct: np.ndarray) -> Predictions:
    n = len(correct)
    true = np.zeros(n, np.int64)
    return Predictions(("a", "b"), true, np.where(correct, 0, 1), np.zeros(n), ())


def test_accuracy_agrees_with_drawing_units() -> None:
    correct = np.arange(200) < 130
    found = accuracy_interval(held_out(correct), n_bootstrap=20000)
    rng = np.random.default_rng(1)
    plain = np.percentile(rng.choice(correct, (20000, 200)).mean(axis=1), [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx(tuple(plain), abs=0.006)
    assert found.value == 0.65


def test_accuracy_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for k in range(300):
        found = accuracy_interval(held_out(rng.random(150) < 0.7), n_bootstrap=400, seed=k)
        inside += found.low <= 0.7 <= found.high
    assert 0.90 <= inside / 300 <= 0.99


def test_accuracy_at_the_ends_and_confidence() -> None:
    assert accuracy_interval(held_out(np.ones(9, bool)))[:3] == (1, 1, 1)
    half = held_out(np.arange(100) < 50)
    wide = accuracy_interval(half, confidence=0.99)
    narrow = accuracy_interval(half, confidence=0.5)
    assert wide.low < narrow.low < 0.5 < narrow.high < wide.high
    assert accuracy_interval(half) == accuracy_interval(half)
    assert accuracy_interval(half, seed=1) != accuracy_interval(half)


def test_accuracy_change_is_paired() -> None:
    before = np.arange(100) < 60
    after = before.copy()
    after[60:70] = True
    found = accuracy_change_interval(held_out(before), held_out(after))
    assert found.value == pytest.approx(0.1)
    # Unpaired, the interval would reach below 0.
    assert 0.03 < found.low < 0.1 < found.high < 0.17
    none = accuracy_change_interval(held_out(before), held_out(before))
    assert none[:3] == (0, 0, 0)
    back = accuracy_change_interval(held_out(after), held_out(before))
    assert back.value == -found.value
    with pytest.raises(InputError, match=r"different units \(100 and 99\)"):
        accuracy_change_interval(held_out(before), held_out(before[1:]))


@pytest.mark.parametrize("options", [{"n_bootstrap": 1}, {"confidence": 1.0}, {"confidence": 0}])
def test_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(InputError):
        accuracy_interval(held_out(np.ones(3, bool)), **options)


def test_movement_of_a_pure_shift_is_certain() -> None:
    space = random_space(1)
    shift = np.full(8, 0.5)
    found = movement_intervals(space, Space(space.points + shift, space.labels), n_bootstrap=50)
    length = np.linalg.norm(shift)
    assert set(found) == {f"label {k}" for k in range(5)}
    for interval in found.values():
        assert interval[:3] == pytest.approx((length,) * 3)


def test_movement_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    truth = np.linalg.norm(np.full(5, 0.3))
    inside = total = 0
    for k in range(60):
        before = Space(rng.normal(size=(200, 5)), np.repeat(["a", "b", "c", "d"], 50))
        after = Space(before.points + 0.3 + rng.normal(size=(200, 5)), before.labels)
        for interval in movement_intervals(before, after, n_bootstrap=300, seed=k).values():
            inside += interval.low <= truth <= interval.high
            total += 1
    assert 0.88 <= inside / total <= 0.995


def test_movement_that_noise_explains_starts_at_zero() -> None:
    rng = np.random.default_rng(3)
    before = Space(rng.normal(size=(80, 40)), np.repeat(["a", "b"], 40))
    after = Space(before.points + rng.normal(size=(80, 40)), before.labels)
    for interval in movement_intervals(before, after, n_bootstrap=300).values():
        assert interval.low == 0
        assert interval.value > 0.5


def test_movement_value_is_that_of_the_centroids() -> None:
    before, after = random_space(4), random_space(5)
    found = movement_intervals(before, after, n_bootstrap=10)
    apart = measure(after).centroids - measure(before).centroids
    values = [found[name].value for name in sorted(found)]
    np.testing.assert_allclose(values, np.linalg.norm(apart, axis=1))
    assert found == movement_intervals(before, after, n_bootstrap=10)


def test_movement_of_one_unit_and_of_other_units() -> None:
    space = Space(np.array([[0.0, 0], [1, 0], [5, 5]]), np.array(["a", "a", "b"]))
    found = movement_intervals(space, space, n_bootstrap=5)
    assert np.isnan([found["b"].low, found["b"].high]).all()
    with pytest.raises(InputError, match="differ"):
        movement_intervals(space, Space(space.points, space.labels[::-1]))


def test_hull_distances_only_grow() -> None:
    space = random_space(6)
    seen: list[Progress] = []
    found = resample_distances(space, n_bootstrap=10, n_threads=1, progress=seen.append).minimum()
    distance, _ = label_distances(measure(space, n_threads=1), reduce="hull").minimum()
    for k, label in enumerate(sorted(found)):
        assert found[label].value == distance[k]
        assert found[label].low >= found[label].value * (1 - 1e-9)
        assert found[label].low < found[label].high
    assert {p.phase for p in seen} == {"labels", "resampling"}
    assert (seen[-1].done, seen[-1].total) == (10, 10)  # pairs of labels


def test_labels_of_one_point_do_not_change() -> None:
    space = Space(squares(LINE).points[::4], np.array(["a", "b", "c", "d"]))
    found = resample_distances(space, n_bootstrap=3, n_threads=1).minimum()
    assert [found[k][:3] for k in "abcd"] == [pytest.approx((value,) * 3) for value in (3, 3, 4, 5)]
