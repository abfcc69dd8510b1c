"""Shuffled labels of constructed spaces: structure is found, and nothing where there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from geoprobe import DirectProbe, pairwise_hull_distances
from geoprobe.controls import (
    ShuffledLabels,
    came_apart,
    load_shuffled,
    permuted_rows,
    pulled_closer,
    pushed_apart,
    save_shuffled,
    shuffle_labels,
    shuffle_movement,
    shuffled_similarity,
)
from geoprobe.errors import FormatError, InputError
from geoprobe.findings.similarity import pearson
from geoprobe.geometry import Cell

LABELS = np.repeat([*"abcd"], 12)
UNDEFINED = "without a control: no permutation defines one"


def noise(seed: int, n_dims: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(LABELS), n_dims))


def apart(seed: int, n_dims: int = 2, by: float = 8.0) -> np.ndarray:
    """Four clusters, a hyperplane between every two."""
    centres = by * np.random.default_rng(50).permutation(np.eye(4, max(n_dims, 4)))[:, :n_dims]
    return noise(seed, n_dims) + np.repeat(centres, 12, axis=0)


def shuffled(X: np.ndarray, **options: object) -> ShuffledLabels:
    return shuffle_labels(X, LABELS, **{"n_permutations": 20, "n_threads": 1, **options})  # type: ignore[arg-type]


def test_agrees_with_measuring_every_permutation_alone() -> None:
    X = noise(1)
    found = shuffled(X, n_permutations=4, seed=3)
    probe = DirectProbe(n_threads=1).fit(X, LABELS)
    assert found.n_clusters == probe.n_clusters_
    assert np.array_equal(found.distances, pairwise_hull_distances(X, LABELS).distance)
    for k, rows in enumerate(permuted_rows(LABELS, n_permutations=4, seed=3)):
        probe.fit(X, LABELS[rows])
        assert found.null_clusters[k] == probe.n_clusters_
        assert np.array_equal(
            found.null_distances[k], pairwise_hull_distances(X, LABELS[rows]).distance
        )


def test_structure_is_found() -> None:
    found = shuffled(apart(0, 4))
    assert found.is_linear
    assert found.null_linear == 0.0
    test = found.clusters()
    assert (test.observed, test.p_value) == (4.0, 1 / 21)
    assert test.score > 0.5
    assert test.standard_score > 5
    assert found.mean_distance().p_value == 1 / 21
    assert found.smallest_distance().p_value == 1 / 21


def test_overlaps_stand_for_clusters_that_are_not_counted(tmp_path: Path) -> None:
    X = apart(0, 4)
    whole, quick = shuffled(X), shuffled(X, clusters=False)
    assert quick.null_clusters.shape == (0,)
    assert np.array_equal(quick.null_distances, whole.null_distances)
    assert (quick.n_clusters, quick.is_linear, quick.null_linear) == (4, True, 0.0)
    test = quick.overlaps()
    assert (test.observed, test.p_value) == (0.0, 1 / 21)
    assert test.null.tolist() == [int((row == 0).sum()) for row in quick.null_distances]
    assert "pairs that overlap" in repr(quick)
    with pytest.raises(InputError, match="null values"):
        quick.clusters()
    kept = load_shuffled(save_shuffled(quick, tmp_path / "quick.npz"))
    assert kept.null_clusters.shape == (0,)
    assert np.array_equal(kept.null_distances, quick.null_distances)


def test_linear_by_dimensions_alone_is_not_distinguishable() -> None:
    """12 points a label in 60 dimensions: any labels are linear, as Cover's theorem says."""
    found = shuffled(noise(2, 60))
    assert found.is_linear
    assert found.null_linear == 1.0
    assert found.clusters().verdict() == "not distinguishable from chance"
    assert found.clusters().score == 0.0
    first, *others = repr(found).splitlines()
    assert first == f"ShuffledLabels: clusters {found.clusters()}"
    assert others == [f"  mean distance {found.mean_distance()}",
                      f"  smallest distance {found.smallest_distance()}"]  # fmt: skip
    assert repr(found.clusters()) == f"NullTest: {found.clusters()}"


@pytest.mark.full
def test_cluster_p_values_of_null_data_are_not_too_small() -> None:
    """Counts tie, so p-values are at most as often small as uniform ones: 5 % of 60, and luck."""
    small = sum(
        shuffled(noise([20, data]), n_permutations=19, seed=data).clusters().p_value <= 0.05
        for data in range(60)
    )
    assert small <= 9


def test_groups_are_respected() -> None:
    """Labels that only follow their groups: permuted freely a finding, within groups none."""
    groups = np.repeat(np.arange(8), 6)
    labels = np.tile(np.repeat([*"ab"], 3), 8)
    labels[groups < 4] = np.where(np.arange(24) % 6 < 5, "a", "b")
    labels[groups >= 4] = np.where(np.arange(24) % 6 < 1, "a", "b")
    X = np.random.default_rng(0).normal(size=(48, 2)) + np.where(groups < 4, 0.0, 3.0)[:, None]
    options = {"n_permutations": 30, "n_threads": 1}
    free = shuffle_labels(X, labels, **options).clusters()  # type: ignore[arg-type]
    held = shuffle_labels(X, labels, groups=groups, **options).clusters()  # type: ignore[arg-type]
    assert free.p_value < 0.05
    assert held.p_value > 0.05


def test_pushed_apart_and_similarity_beside_shuffled_labels() -> None:
    before = shuffled(apart(1, 60, by=3.0))
    after = shuffled(2.0 * apart(1, 60, by=3.0))
    # All labels come to lie further apart when the space grows, shuffled ones as well.
    grown = pushed_apart(before, after)
    assert (grown.observed, set(grown.null.tolist())) == (4.0, {4.0})
    shrunk = pulled_closer(after, before)
    assert (shrunk.observed, shrunk.null.tolist()) == (4.0, grown.null.tolist())
    assert pulled_closer(before, after).observed == 0.0
    # Where all directions but those between labels shrink, only the labels are pushed apart.
    shrink = np.diag([1.0] * 4 + [0.9] * 56)
    test = pushed_apart(before, shuffled(apart(1, 60, by=16.0) @ shrink))
    assert (test.observed, test.n_undefined, test.p_value) == (4.0, 0, 1 / 21)
    same = shuffled_similarity(before, after)
    assert same.observed == pytest.approx(1.0)
    assert same.null[~np.isnan(same.null)] == pytest.approx(1.0)


def test_shuffled_labels_that_overlap_throughout_say_nothing_about_being_pushed() -> None:
    test = pushed_apart(shuffled(apart(1, 4, by=3.0)), shuffled(apart(1, 4, by=9.0)))
    assert (test.observed, test.n_undefined, test.verdict()) == (4.0, 20, UNDEFINED)


def test_pairs_that_came_apart_beside_shuffled_labels() -> None:
    """Noise becomes four clusters: all six pairs come apart, and no shuffled ones do."""
    before, after = shuffled(noise(1)), shuffled(apart(1, 4))
    assert (before.distances == 0).all()
    test = came_apart(before, after)
    assert (test.observed, test.p_value) == (6.0, 1 / 21)
    # More dimensions draw any labels apart.
    free = came_apart(before, shuffled(noise(1, 60)))
    assert (free.observed, free.verdict()) == (6.0, "not distinguishable from chance")
    assert came_apart(before, before).observed == 0.0


def test_similarity_by_hand() -> None:
    first, second = shuffled(noise(1, 12)), shuffled(noise(2, 12))
    test = shuffled_similarity(first, second)
    plain = [
        pearson(a, b)[0] for a, b in zip(first.null_distances, second.null_distances, strict=True)
    ]
    assert np.array_equal(test.null, plain, equal_nan=True)
    observed, null = first.nearest()
    assert observed[0] == first.distances[:3].min()
    assert null[4, 3] == first.null_distances[4, [2, 4, 5]].min()


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"n_permutations": 5}, {"groups": np.tile([0, 1], 24)}]
)
def test_permutations_of_other_units_are_refused(other: dict[str, object]) -> None:
    with pytest.raises(InputError, match="shuffled alike, but their labels, groups, seeds"):
        pushed_apart(shuffled(noise(1)), shuffled(noise(1), **other))


def test_file_gives_back_what_was_written(tmp_path: Path) -> None:
    found = dataclasses.replace(shuffled(noise(1)), cell=Cell("pos", "tiny", 3))
    back = load_shuffled(save_shuffled(found, tmp_path / "s.npz"))
    for field in dataclasses.fields(ShuffledLabels):
        assert np.array_equal(getattr(back, field.name), getattr(found, field.name))


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    found = shuffled(noise(1))
    path = save_shuffled(dataclasses.replace(found, counts=found.counts[:2]), tmp_path / "s.npz")
    with pytest.raises(FormatError, match=r"counts has the shape \(2,\), not \(4,\)"):
        load_shuffled(path)


def test_movement_beyond_the_common_drift() -> None:
    before = noise(1, 5)
    after = before + 3.0
    after[LABELS == "b"] += [2.0, 0, 0, 0, 0]
    found = shuffle_movement(before, after, LABELS, n_permutations=199)
    assert found.of("b").p_value == 1 / 200
    assert found.of("a").p_value > 0.5
    assert found.movement[0] == pytest.approx(np.sqrt(45))
    rows = next(iter(permuted_rows(LABELS, n_permutations=1)))
    drawn = LABELS[rows] == "c"
    mean = (after[drawn] - before[drawn]).mean(axis=0)
    assert found.null[0, 2] == pytest.approx(np.linalg.norm(mean))


def test_labels_with_ways_of_their_own_share_less_than_shuffled_ones() -> None:
    before = noise(1, 5)
    after = before + 3.0
    for label, axis in (("a", 0), ("b", 1), ("c", 2), ("d", 3)):
        after[LABELS == label, axis] += 8.0
    found = shuffle_movement(before, after, LABELS, n_permutations=99)
    vectors = 3.0 + 8.0 * np.eye(4, 5)
    mean = vectors.mean(axis=0)
    assert found.common == pytest.approx(4 * mean @ mean / (vectors**2).sum())
    assert found.in_common().p_value == 1 / 100
    alike = shuffle_movement(before, before + 3.0 + 0.1 * noise(2, 5), LABELS, n_permutations=99)
    assert alike.common > 0.99
    assert alike.in_common().p_value > 0.05


def test_movement_p_values_of_null_data_are_uniform() -> None:
    counts = np.zeros(10, int)
    for data in range(200):
        test = shuffle_movement(
            noise([1, data]), noise([2, data]), LABELS, n_permutations=9, seed=data
        ).of("a")
        counts[round(10 * test.p_value) - 1] += 1
    # The 0.999 quantile of chi-square with nine degrees of freedom.
    assert ((counts - 20) ** 2 / 20).sum() < 27.9


def test_movement_refuses() -> None:
    with pytest.raises(InputError, match=r"shapes are \(48, 2\) and \(48, 3\)"):
        shuffle_movement(noise(1), noise(1, 3), LABELS)
    with pytest.raises(InputError, match="there is no label 'e'; labels are a, b, c, d"):
        shuffle_movement(noise(1), noise(2), LABELS, n_permutations=2).of("e")
