"""Spatial similarity: by hand, its laws, agreement with scipy, and where it is not defined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr

from geoprobe import hull_distance, pairwise_hull_distances
from geoprobe.errors import FormatError, InputError
from geoprobe.findings import (
    Interval,
    ResampledDistances,
    arrange_runs,
    kept_similarity,
    label_distances,
    load_resamples,
    resample_distances,
    save_resamples,
    similarity_interval,
    similarity_to_original,
    spatial_similarity,
)
from geoprobe.findings.similarity import pearson
from geoprobe.geometry import Geometry
from geoprobe.probes import measure
from geoprobe.probes.partition import measure_partition
from geoprobe.spaces import Space
from tests.support.findings_cases import (
    LINE,
    line,
    published,
    random_space,
    scaled,
    squares,
    tuned,
)


def measured(space: Space) -> Geometry:
    return measure(space, n_threads=1)


def changed(space: Space, points: np.ndarray) -> Space:
    return Space(points, space.labels)


def test_by_hand() -> None:
    # Distances a-b, a-c, b-c: 2, 6, 3 and 2, 5, 2, whose deviations from their means are
    # (-5, 7, -2) / 3 and (-1, 2, -1): 21 / sqrt(78 * 6).
    first = measured(squares({k: LINE[k] for k in "abc"}))
    second = measured(squares({"a": [(0, 0)], "b": [(3, 0)], "c": [(6, 0)]}))
    found = spatial_similarity(first, second)
    assert found.value == pytest.approx(21 / np.sqrt(78 * 6))
    assert (found.n_pairs, found.labels, found.undefined) == (3, ("a", "b", "c"), "")


def test_agrees_with_scipy() -> None:
    first, second = random_space(1), random_space(2)
    found = spatial_similarity(measured(first), measured(second))
    distances = [
        pairwise_hull_distances(s.points, s.labels, n_threads=1).distance for s in (first, second)
    ]
    assert found.value == pytest.approx(pearsonr(*distances).statistic, rel=1e-9)
    assert abs(found.value) < 0.99


def test_rotated_scaled_and_moved_copy_is_alike() -> None:
    space = random_space(3)
    rng = np.random.default_rng(4)
    rotation, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    copy = changed(space, 7.5 * space.points @ rotation + rng.normal(size=8))
    assert spatial_similarity(measured(space), measured(copy)).value == pytest.approx(1, abs=1e-9)


def test_symmetric_and_bounded() -> None:
    a, b = measured(random_space(5)), measured(random_space(6))
    assert spatial_similarity(a, b).value == spatial_similarity(b, a).value
    assert -1 <= spatial_similarity(a, b).value <= 1


def test_order_of_points_and_labels_does_not_matter() -> None:
    space, other = random_space(7), measured(random_space(8))
    order = np.random.default_rng(0).permutation(space.n_points)
    shuffled = Space(space.points[order], space.labels[order])
    expected = spatial_similarity(measured(space), other).value
    assert spatial_similarity(measured(shuffled), other).value == pytest.approx(expected, rel=1e-8)
    # The same new names on both sides change the order of the labels, and nothing else.
    names = {f"label {k}": f"{(3 * k) % 5} renamed" for k in range(5)}

    def renamed(space: Space) -> Geometry:
        return measured(Space(space.points, np.array([names[label] for label in space.labels])))

    found = spatial_similarity(renamed(space), renamed(random_space(8)))
    assert found.value == pytest.approx(expected, rel=1e-8)


def test_labels_of_one_space_only_are_listed() -> None:
    first = measured(squares(LINE))
    second = measured(squares({**{k: LINE[k] for k in "dcb"}, "e": [(30, 0)], "f": [(50, 0)]}))
    found = spatial_similarity(first, second)
    assert found.labels == ("b", "c", "d")
    assert (found.only_in_first, found.only_in_second) == (("a",), ("e", "f"))
    assert found.value == pytest.approx(1)
    assert found.differences() == [
        "labels only in the first space: a.",
        "labels only in the second space: e, f.",
    ]


def test_too_few_labels() -> None:
    two = measured(squares({k: LINE[k] for k in "ab"}))
    found = spatial_similarity(two, measured(squares(LINE)))
    assert np.isnan(found.value)
    assert "at least 3 pairs" in found.undefined
    other = measured(squares({"x": [(0, 0)], "y": [(9, 0)]}))
    assert spatial_similarity(two, other).n_pairs == 0


def test_constant_distance_vector() -> None:
    corners = Space(np.eye(4), np.array(["a", "b", "c", "d"]))
    found = spatial_similarity(measured(squares(LINE)), measured(corners))
    assert np.isnan(found.value)
    assert "second space are equal (1.41421)" in found.undefined
    assert "constant" in found.undefined
    assert "first space" in pearson(np.zeros(3), np.arange(3.0))[1]


def test_small_clusters_left_out() -> None:
    space = squares({**LINE, "e": [(40, 0)]})
    thin = Space(space.points[:-2], space.labels[:-2])
    found = spatial_similarity(measured(space), measured(thin), min_cluster_size=3)
    assert found.left_out == ("e",)
    assert found.n_pairs == 6


def runs(**options: object) -> list:
    return arrange_runs(
        [line(published())]
        + [line(tuned(step=s, seed=n), 1 + 0.1 * s) for s in (10, 20) for n in (0, 1)]
    )


def test_during_tuning() -> None:
    found = similarity_to_original(runs())
    assert [(r.seed, r.step) for r in found.rows] == [(n, s) for n in (0, 1) for s in (0, 10, 20)]
    assert found.rows[0].similarity == pytest.approx(1)
    # Gaps are t * difference - 1, which is linear in the original gaps: the order is kept.
    assert found.rows[2].similarity == pytest.approx(1)
    summary = found.over_seeds()
    assert summary["n_seeds"] == [2, 2, 2]
    assert summary["similarity_std"] == pytest.approx([0, 0, 0], abs=1e-9)
    assert found.notes == ()


def test_during_tuning_by_hand() -> None:
    moved = {"a": [(0, 0)], "b": [(3, 0)], "c": [(6, 0)]}
    three = {k: LINE[k] for k in "abc"}
    steps = arrange_runs(
        [
            measure(squares(three), cell=published(), n_threads=1),
            measure(squares(moved), cell=tuned(), n_threads=1),
        ]
    )
    given = {tuned(): Interval(0.9, 0.8, 1.0, 0.95, 10)}
    found = similarity_to_original(steps, intervals=given)
    assert found.rows[1].similarity == pytest.approx(21 / np.sqrt(78 * 6))
    assert (found.rows[1].low, found.rows[1].high) == (0.8, 1.0)
    assert np.isnan(found.rows[0].low)


def test_during_tuning_needs_the_original_and_a_change() -> None:
    with pytest.raises(InputError, match=r"original space .* is missing"):
        similarity_to_original(arrange_runs([line(tuned(step=1)), line(tuned(step=2))]))
    with pytest.raises(InputError, match=r"at least 2 checkpoints .* only step 3"):
        similarity_to_original(arrange_runs([line(tuned(step=3))]))
    with pytest.raises(InputError, match="got: none"):
        similarity_to_original([])


def test_undefined_during_tuning_is_said_in_the_row() -> None:
    three = scaled({k: LINE[k] for k in "ab"}, 1)
    both = [measure(squares(three), cell=cell, n_threads=1) for cell in (published(), tuned())]
    found = similarity_to_original(arrange_runs(both))
    assert [np.isnan(row.similarity) for row in found.rows] == [True, True]
    assert all("3 pairs" in row.undefined for row in found.rows)


def test_resampled_similarity() -> None:
    first = random_space(11)
    second = Space(
        first.points + 0.5 * np.random.default_rng(1).normal(size=first.points.shape), first.labels
    )
    few = resample_distances(first, n_bootstrap=5, n_threads=1)
    assert similarity_interval(few, few)[:3] == pytest.approx((1, 1, 1))
    drawn = [resample_distances(space, n_bootstrap=20, n_threads=1) for space in (first, second)]
    found = similarity_interval(*drawn)
    assert found.value == spatial_similarity(measured(first), measured(second)).value
    assert found.low < found.high <= 1
    again = resample_distances(second, n_bootstrap=20, n_threads=1)
    assert found == similarity_interval(drawn[0], again)
    turned = resample_distances(Space(first.points, first.labels[::-1]), n_bootstrap=20)
    for other in (few, turned, resample_distances(second, n_bootstrap=20, seed=1)):
        with pytest.raises(InputError, match="resampled alike"):
            similarity_interval(drawn[0], other)


def test_resamples_come_back_from_their_file(tmp_path: Path) -> None:
    found = resample_distances(random_space(12), n_bootstrap=4, n_threads=1)
    path = save_resamples(found, tmp_path / "resamples.npz")
    again = load_resamples(path)
    assert (again.labels, again.units) == (found.labels, found.units)
    np.testing.assert_array_equal(again.draws, found.draws)
    assert again.minimum() == found.minimum()
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FormatError, match="damaged"):
        load_resamples(path)
    save_resamples(ResampledDistances(found.labels[1:], found.distances, found.draws, ""), path)
    with pytest.raises(FormatError, match="do not fit"):
        load_resamples(path)


# the clusters of the original space, kept


def split_space(seed: int) -> Space:
    """Return overlapping labels; the same units at every seed, elsewhere."""
    rng = np.random.default_rng(seed)
    return Space(rng.normal(size=(60, 2)), np.repeat(["x", "y", "z"], 20))


def test_kept_clusters_are_compared_pair_by_pair() -> None:
    before = measure(split_space(1), cell=published(), n_threads=1)
    clusters = before.need_clusters()
    assert before.n_clusters > before.n_labels
    moved = split_space(2)
    later = measure(moved, cell=tuned(), n_threads=1)
    held = measure_partition(moved, clusters.assignment, cell=tuned(), n_threads=1)
    found = kept_similarity(before, later, held)
    groups = [
        [space.points[clusters.assignment == k] for k in range(len(clusters))]
        for space in (split_space(1), moved)
    ]
    apart = [
        [
            hull_distance(of_space[a], of_space[b]).distance
            for a in range(len(clusters))
            for b in range(a + 1, len(clusters))
            if clusters.label[a] != clusters.label[b]
        ]
        for of_space in groups
    ]
    assert found.n_pairs == len(apart[0])
    assert found.value == pytest.approx(np.corrcoef(*apart)[0, 1], abs=1e-6)
    assert kept_similarity(before, before).value == pytest.approx(1)
    large = kept_similarity(before, later, held, min_cluster_size=4)
    assert 0 < large.n_pairs < found.n_pairs
    without = kept_similarity(before, later)
    assert np.isnan(without.value) and "were not kept" in without.undefined
    other = measure_partition(moved, np.arange(60), cell=tuned(), n_threads=1)
    with pytest.raises(InputError, match="other clusters"):
        kept_similarity(before, later, other)


def test_kept_clusters_of_a_linear_space_are_its_labels() -> None:
    before, after = line(published()), line(tuned(), 2.0)
    (_, row) = similarity_to_original(arrange_runs([before, after])).rows
    assert row.fixed == row.similarity
    assert row.fixed_pairs == row.n_pairs == 6
    # A label that has been split is still one cluster of the original partition.
    crossed = {**LINE, "a": [(0, 0), (5, 0)]}
    split = measure(squares({**crossed, "b": [(3, 0), (9, 0)]}), cell=tuned(), n_threads=1)
    wide = measure(squares({**LINE, "a": [(0, 0), (0, 9)], "b": [(3, 0), (3, 9)]}),
                   cell=published(), n_threads=1)  # fmt: skip
    assert wide.is_linear and not split.is_linear
    hulls = [label_distances(g, reduce="hull").vector(g.labels) for g in (wide, split)]
    assert kept_similarity(wide, split).value == pytest.approx(np.corrcoef(*hulls)[0, 1])
    assert kept_similarity(wide, split, min_cluster_size=5).n_pairs == 1
