"""Findings of fine-tuning runs: distances, paths, other tasks, movement and its directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from geoprobe.errors import InputError
from geoprobe.findings import (
    Interval,
    arrange_runs,
    closest_labels,
    compare_tasks,
    difference_vectors,
    follow_centroids,
    measure_movement,
    minimum_distances,
    similarity_to_original,
)
from geoprobe.findings.differences import mean_cosine
from geoprobe.findings.finding import bands
from geoprobe.geometry import Geometry
from geoprobe.probes import measure
from geoprobe.spaces import Space
from tests.support.findings_cases import (
    LINE,
    SPLIT,
    line,
    published,
    random_space,
    scaled,
    squares,
    tuned,
)


def moved(cell, centres, test=None) -> Geometry:
    return measure(squares(centres), cell=cell, test=test, n_threads=1)


@pytest.fixture(scope="module")
def growing() -> list[Geometry]:
    """The line drawn apart to twice its length, at two layers and by two seeds."""
    found = [line(published(layer)) for layer in (1, 2)]
    for layer in (1, 2):
        for seed, last in ((0, 2.0), (1, 3.0)):
            found.append(line(tuned(layer, 10, seed), 1.5))
            found.append(line(tuned(layer, 40, seed), last))
    return found


# arranging


def test_runs_are_sorted_and_share_their_original(growing: list[Geometry]) -> None:
    runs = arrange_runs(growing[::-1])
    assert [(r.seed, r.layer) for r in runs] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert all(r.steps == (0, 10, 40) for r in runs)
    assert runs[0].original is runs[2].original is growing[0]
    assert runs[0].last.cell.step == 40


def test_runs_without_fine_tuning_and_given_twice(growing: list[Geometry]) -> None:
    assert arrange_runs(growing[:2]) == []
    with pytest.raises(InputError, match="given twice"):
        arrange_runs([*growing, growing[0]])


def test_runs_of_several_fine_tunings_are_not_mixed(growing: list[Geometry]) -> None:
    other = line(tuned(1, 10, 0, tuned_on="dep"))
    with pytest.raises(InputError, match=r"tuned on dep; .* tuned on pos"):
        minimum_distances(arrange_runs([*growing, other]))


# smallest distances


def test_minimum_distances_by_hand(growing: list[Geometry]) -> None:
    found = minimum_distances(arrange_runs(growing), n=1)
    rows = {(r.seed, r.layer, r.step, r.label): r for r in found.rows}
    assert len(rows) == len(found.rows) == 2 * 2 * 3 * 4
    assert [rows[0, 1, 0, k].distance for k in "abcd"] == pytest.approx([2, 2, 3, 4])
    assert [rows[0, 1, 40, k].distance for k in "abcd"] == pytest.approx([5, 5, 7, 9])
    assert rows[0, 1, 40, "d"].nearest == "c"
    # Means over seeds, whose last factors are 2 and 3: 1.5 times the gap of the centres.
    assert dict(found.gains[1]) == pytest.approx({"a": 4.5, "b": 4.5, "c": 6, "d": 7.5})
    assert [gain.label for gain in found.most()] == ["d"]
    assert found.least()[0].gain == pytest.approx(4.5)


def test_most_and_least_do_not_share_labels(growing: list[Geometry]) -> None:
    found = minimum_distances(arrange_runs(growing), n=3)
    assert len(found.most(1)) == 3
    assert len(found.least(1)) == 1
    assert not {g.label for g in found.most(1)} & {g.label for g in found.least(1)}
    with pytest.raises(InputError, match="layers are 1, 2"):
        found.most(7)


def test_labels_that_come_and_go_are_noted() -> None:
    before = moved(published(), LINE)
    after = moved(tuned(), {**{k: LINE[k] for k in "abc"}, "new": [(0, 30)]})
    found = minimum_distances(arrange_runs([before, after]))
    assert found.notes == ("layer 1: without a distance at both ends, not ranked: d, new.",)
    assert {gain.label for gain in found.gains[1]} == {"a", "b", "c"}


def test_small_clusters_are_noted_and_intervals_taken() -> None:
    runs = arrange_runs([line(published()), line(tuned())])
    found = minimum_distances(runs, min_cluster_size=5)
    assert "left out for small clusters: a, b, c, d" in found.notes[0]
    given = {tuned(): {"a": Interval(2, 1, 3, 0.9, 5)}}
    rows = [r for r in minimum_distances(runs, intervals=given).rows if r.label == "a"]
    assert np.isnan(rows[0].low)
    assert (rows[1].low, rows[1].high) == (1, 3)


def test_intervals_of_whole_hulls_do_not_fit_split_labels() -> None:
    cells = (published(), tuned())
    runs = arrange_runs([measure(squares(SPLIT), cell=cell, n_threads=1) for cell in cells])
    given = {cell: {"s": Interval(2, 1, 3, 0.9, 5)} for cell in cells}
    alike = {cell: Interval(0.9, 0.8, 1, 0.9, 5) for cell in cells}
    for found in (
        minimum_distances(runs, intervals=given), similarity_to_original(runs, intervals=alike),
    ):  # fmt: skip
        assert all(np.isnan(row.low) for row in found.rows)
        assert sum("not linear; intervals" in note for note in found.notes) == len(cells)
    whole = minimum_distances(runs, reduce="hull", intervals=given)
    assert [row.high for row in whole.rows if row.label == "s"] == [3, 3]
    assert all("0 where their hulls overlap" in note for note in whole.notes)
    assert {row.is_linear for row in similarity_to_original(runs).rows} == {False}


def test_bands_are_intervals_of_one_seed_and_deviations_of_several() -> None:
    given = {tuned(): {"a": Interval(2, 1, 3, 0.9, 5)}}
    one = minimum_distances(arrange_runs([line(published()), line(tuned())]), intervals=given)
    at = one.over_seeds()["label"].index("a", 4)
    assert [ends[at] for ends in bands(one.columns(), one.keys, "distance")] == [1, 3]
    cells = [line(published()), line(tuned(seed=0), 2.0), line(tuned(seed=1), 4.0)]
    two = minimum_distances(arrange_runs(cells), intervals=given)
    low, high = bands(two.columns(), two.keys, "distance")
    mean, std = (two.over_seeds()[f"distance_{what}"] for what in ("mean", "std"))
    assert std[at] > 0
    assert (low[at], high[at]) == pytest.approx((mean[at] - std[at], mean[at] + std[at]))


def test_spread_stands_beside_the_distances() -> None:
    ends = [line(published()), line(tuned(), 2.0)]
    found = minimum_distances(arrange_runs(ends))
    # The corners of a unit square, drawn apart with their centres or not.
    assert [row.spread for row in found.rows] == pytest.approx([0.5**0.5] * 8)
    assert "RMS" in found.plot(measure="spread").get_ylabel()
    with pytest.raises(InputError, match="distance, spread"):
        found.plot(measure="width")
    unknown = minimum_distances(arrange_runs([replace(g, spread=None) for g in ends]))
    assert np.isnan([row.spread for row in unknown.rows]).all()


def test_one_checkpoint_only(growing: list[Geometry]) -> None:
    single = arrange_runs([line(tuned())])
    for analysis in (
        minimum_distances, follow_centroids, measure_movement, difference_vectors, compare_tasks,
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"checkpoints|is missing"):
            analysis(single)


# paths


def test_closest_labels_by_hand() -> None:
    g = line(published())
    assert closest_labels(g, 2) == ("a", "b")
    assert closest_labels(g, 3) == ("a", "b", "c")
    assert closest_labels(g, 99) == ("a", "b", "c", "d")
    with pytest.raises(InputError, match="at least 2"):
        closest_labels(g, 1)
    with pytest.raises(InputError, match="no two labels"):
        closest_labels(g, 2, min_cluster_size=9)


def test_paths_on_a_line_are_the_line(growing: list[Geometry]) -> None:
    found = follow_centroids(arrange_runs(growing), n_labels=2)
    assert found.labels == ("a", "b")
    assert found.explained[1, 0] == pytest.approx((1, 0))
    rows = [r for r in found.rows if (r.layer, r.seed) == (1, 0)]
    assert [(r.step, r.label) for r in rows] == [(s, k) for s in (0, 10, 40) for k in "ab"]
    # On the line: a at 0, 0, 0 and b at 3, 4.5, 6; their mean is 2.25.
    expected = np.array([0, 3, 0, 4.5, 0, 6]) - 2.25
    x = np.array([r.x for r in rows])
    np.testing.assert_allclose(x * np.sign(x[1]), expected, atol=1e-9)
    assert {r.layer for r in found.rows} == {1, 2}


def test_paths_agree_with_scikit_learn() -> None:
    start, end = random_space(1), random_space(2)
    runs = arrange_runs([measure(start, cell=published()), measure(end, cell=tuned())])
    found = follow_centroids(runs, labels=["label 3", "label 0", "label 2"])
    stacked = np.array(
        [s.points[s.labels == f"label {k}"].mean(axis=0) for s in (start, end) for k in (3, 0, 2)]
    )
    expected = PCA(n_components=2).fit(stacked)
    np.testing.assert_allclose(
        np.abs([(r.x, r.y) for r in found.rows]), np.abs(expected.transform(stacked)), atol=1e-9
    )
    assert found.explained[1, 0] == pytest.approx(tuple(expected.explained_variance_ratio_))


def test_paths_of_layers_chosen_and_bad_choices(growing: list[Geometry]) -> None:
    three = [*growing, line(published(3)), line(tuned(3, 10), 2.0)]
    runs = arrange_runs(three)
    assert {r.layer for r in follow_centroids(runs).rows} == {1, 3}
    assert {r.layer for r in follow_centroids(runs, layers=[2]).rows} == {2}
    with pytest.raises(InputError, match=r"layers \[9\] were asked for, but there are \[1, 2, 3\]"):
        follow_centroids(runs, layers=[9])
    with pytest.raises(InputError, match="no label x, y; the labels are a, b, c, d"):
        follow_centroids(runs, labels=["x", "a", "y"])


def test_paths_begin_at_the_first_contextual_layer() -> None:
    def rows(*layers: int) -> set[int]:
        ends = [line(cell(layer)) for layer in layers for cell in (published, tuned)]
        return {row.layer for row in follow_centroids(arrange_runs(ends)).rows}

    assert rows(0, 1, 2, 3) == {1, 3}
    assert rows(0, 2) == {2}
    assert rows(0) == {0}


def test_paths_of_what_does_not_move_and_of_one_dimension() -> None:
    cells = (published(), tuned())
    # Two label hulls that cross, with one centroid.
    cross = Space(np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]), np.array(["a", "a", "b", "b"]))
    still = [measure(cross, cell=cell) for cell in cells]
    found = follow_centroids(arrange_runs(still), labels=["a", "b"])
    assert np.isnan(found.explained[1, 0]).all()
    flat = [measure(Space(np.array([[0.0], [1]]), np.array(["a", "b"])), cell=c) for c in cells]
    with pytest.raises(InputError, match="two dimensions"):
        follow_centroids(arrange_runs(flat))


# movement


def test_movement_of_a_moved_space_is_the_move() -> None:
    space = random_space(4)
    shift = np.arange(8.0)
    after = Space(space.points + shift, space.labels)
    runs = arrange_runs([measure(space, cell=published()), measure(after, cell=tuned())])
    found = measure_movement(runs)
    lengths = [row.movement for row in found.rows]
    assert lengths == pytest.approx([np.linalg.norm(shift)] * 5)
    scale = runs[0].original.scale
    assert [r.relative for r in found.rows] == pytest.approx([np.linalg.norm(shift) / scale] * 5)


def test_movement_by_hand_with_labels_that_differ() -> None:
    before = moved(published(), LINE)
    after = moved(tuned(), {"a": [(3, 4)], "c": [(7, 0)], "z": [(50, 0)]})
    given = {tuned(): {"a": Interval(5, 4, 6, 0.95, 10)}}
    found = measure_movement(arrange_runs([before, after]), intervals=given)
    assert {r.label: r.movement for r in found.rows} == pytest.approx({"a": 5, "c": 0})
    assert [(r.low, r.high) for r in found.rows if r.label == "a"] == [(4, 6)]
    assert [note.partition(": ")[2] for note in found.notes] == [
        "labels only before: b, d.",
        "labels only after: z.",
    ]


def test_movement_between_other_dimensions() -> None:
    before = moved(published(), LINE)
    after = measure(squares(LINE, n_dims=3), cell=tuned())
    with pytest.raises(InputError, match=r"2 dimensions .* and of 3"):
        measure_movement(arrange_runs([before, after]))


# directions


def test_difference_vectors_by_hand() -> None:
    before = {"a": [(0, 0)], "b": [(10, 0)], "c": [(0, 10)], "d": [(10, 10)]}
    # Two labels go right, two left; one of each faster.
    after = {"a": [(2, 0)], "b": [(11, 0)], "c": [(-2, 10)], "d": [(9, 10)]}
    runs = arrange_runs([moved(published(), before), moved(tuned(), after)])
    found = difference_vectors(runs)
    assert [r.length for r in found.rows] == pytest.approx([2, 1, 2, 1])
    x = np.array([r.x for r in found.rows])
    np.testing.assert_allclose(x * np.sign(x[0]), [2, 1, -2, -1], atol=1e-9)
    assert [r.y for r in found.rows] == pytest.approx([0] * 4, abs=1e-9)
    assert found.origins[1, 0] == pytest.approx((0, 0), abs=1e-9)
    assert found.explained[1, 0] == pytest.approx((1, 0))
    # Of six pairs two point the same way and four against each other.
    assert found.mean_cosine[1, 0] == pytest.approx(-1 / 3)


def test_all_labels_moved_alike_point_the_same_way() -> None:
    runs = arrange_runs([moved(published(), LINE), moved(tuned(), scaled(LINE, 1.0, shift=(2, 1)))])
    found = difference_vectors(runs)
    assert found.mean_cosine[1, 0] == pytest.approx(1)
    assert [r.length for r in found.rows] == pytest.approx([5**0.5] * 4)
    assert found.drift[1, 0][:2] == pytest.approx((5**0.5, 1))
    assert np.isnan(found.drift[1, 0].mean_cosine)


def test_drift_is_what_all_labels_share() -> None:
    before = {"a": [(0, 0)], "b": [(10, 0)], "c": [(0, 10)], "d": [(10, 10)]}
    # All go 3 up; besides, two labels go right and two left.
    after = {"a": [(1, 3)], "b": [(11, 3)], "c": [(-1, 13)], "d": [(9, 13)]}
    found = difference_vectors(arrange_runs([moved(published(), before), moved(tuned(), after)]))
    drift = found.drift[1, 0]
    assert drift.length == pytest.approx(3)
    assert drift.share == pytest.approx(9 / 10)
    assert found.mean_cosine[1, 0] == pytest.approx((2 * 1.0 + 4 * 0.8) / 6)
    assert drift.mean_cosine == pytest.approx(-1 / 3)
    titles = [found.plot(drift=way).get_title() for way in (True, False)]
    assert titles[0] == "layer 1: mean cosine 0.87"
    assert titles[1] == "layer 1: mean cosine -0.33, without the drift (90% of the movement)"


def test_difference_vectors_agree_with_scikit_learn() -> None:
    start, end = random_space(1), random_space(2)
    runs = arrange_runs([measure(start, cell=published()), measure(end, cell=tuned())])
    found = difference_vectors(runs)
    vectors = runs[0].last.centroids - runs[0].original.centroids
    pca = PCA(n_components=2).fit(vectors)
    np.testing.assert_allclose(
        np.abs([(r.x, r.y) for r in found.rows]), np.abs(pca.transform(vectors)), atol=1e-9
    )
    np.testing.assert_allclose(
        np.abs(found.origins[1, 0]), np.abs(pca.transform(np.zeros((1, 8)))[0]), atol=1e-9
    )


def test_mean_cosine_agrees_with_a_plain_loop() -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 4)) + 0.5
    plain = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for i, a in enumerate(vectors)
        for b in vectors[:i]
    ]
    assert mean_cosine(vectors) == pytest.approx(np.mean(plain))
    assert np.isnan(mean_cosine(np.array([[0.0, 0], [1, 0]])))


def test_difference_vectors_need_two_labels() -> None:
    before = moved(published(), LINE)
    after = moved(tuned(), {"a": [(1, 0)], "z": [(9, 0)]})
    with pytest.raises(InputError, match="there are 1 of 2"):
        difference_vectors(arrange_runs([before, after]))


# other tasks


def test_cross_task_by_hand() -> None:
    before = moved(published(), LINE, test=squares(LINE))
    # b goes next to a, d far away: smallest distances 2, 2, 3, 4 become 1, 1, 4, 9.
    after = {"a": [(0, 0)], "b": [(2, 0)], "c": [(7, 0)], "d": [(17, 0)]}
    other = moved(tuned(tuned_on="dep"), after, test=squares(LINE))
    runs = arrange_runs([before, other])
    scores = {before.cell: [0.5, 0.7], other.cell: [0.4]}
    found = compare_tasks(runs, classifier=scores, head={tuned(): 0.9})
    (row,) = found.rows
    assert (row.task, row.tuned_on, row.n_labels) == ("pos", "dep", 4)
    assert (row.n_increased, row.n_decreased, row.n_unchanged) == (2, 2, 0)
    assert row.mean_change == pytest.approx((-1 - 1 + 1 + 5) / 4)
    assert [c.change for c in found.changes] == pytest.approx([-1, -1, 1, 5])
    # Held out are the original squares. d's corners at 11.5 are nearer to c (7.5) than to d (16.5),
    # those at 12.5 are nearer to d; b's corners at 2.5 are inside the moved b and at 3.5 nearest.
    assert (row.accuracy_before, row.accuracy_after) == (1.0, 14 / 16)
    assert row.accuracy_change == pytest.approx(-2 / 16)
    assert row.change_low <= row.accuracy_change <= row.change_high <= 0
    assert (row.classifier_before, row.classifier_after) == pytest.approx((0.6, 0.4))
    assert row.classifier_before_std == pytest.approx(0.02**0.5)
    assert np.isnan([row.classifier_after_std, row.head]).all()
    assert found.notes == ()


def test_matrices_of_cross_tunings() -> None:
    before = moved(published(), LINE, test=squares(LINE))
    own, other = (moved(tuned(tuned_on=task), LINE, test=squares(LINE)) for task in ("pos", "dep"))
    found = compare_tasks(
        arrange_runs([before, own, other]),
        classifier={before.cell: [0.5], own.cell: [0.8]},
        head={own.cell: 0.9},
    )
    shown = {
        measure: [text.get_text() for text in found.plot(measure=measure).texts]
        for measure in found.measures
    }
    assert shown["classifier"] == ["0.500 to \N{EN DASH}", "0.500 to 0.800\nhead 0.900"]
    assert shown["accuracy"] == ["1.000 to 1.000", "1.000 to 1.000\nhead 0.900"]
    assert len(shown["mean_change"]) == 2
    with pytest.raises(InputError, match="measure is one of"):
        found.plot(measure="head")


def test_cross_task_without_a_change_counts_none() -> None:
    runs = arrange_runs([line(published()), line(tuned())])
    found = compare_tasks(runs)
    assert found.rows[0].n_unchanged == 4
    assert found.rows[0].mean_change == pytest.approx(0, abs=1e-9)
    assert "no test units" in found.notes[0]
    assert np.isnan(found.rows[0].accuracy_change)


def test_cross_task_takes_the_last_layer_and_notes_other_units(growing: list[Geometry]) -> None:
    runs = arrange_runs(growing)
    assert {r.layer for r in compare_tasks(runs).rows} == {2}
    assert {r.layer for r in compare_tasks(runs, layer=1).rows} == {1}
    with pytest.raises(InputError, match=r"layer 9 .* are 1, 2"):
        compare_tasks(runs, layer=9)
    tests = squares(LINE), squares({k: LINE[k] for k in "ab"})
    ends = [
        moved(cell, LINE, test=test)
        for cell, test in zip((published(), tuned()), tests, strict=True)
    ]
    assert "no interval" in compare_tasks(arrange_runs(ends)).notes[0]


def test_cross_task_labels_that_differ() -> None:
    runs = arrange_runs([moved(published(), LINE), moved(tuned(), SPLIT)])
    found = compare_tasks(runs)
    assert found.rows[0].n_labels == 0
    assert np.isnan(found.rows[0].mean_change)
    assert any("only before: a, b, c, d" in note for note in found.notes)
