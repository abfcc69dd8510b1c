"""Performance, memorisation, linearity, what stands in between, and several seeds."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from geoprobe.errors import InputError
from geoprobe.findings import (
    Network,
    compare_linearity,
    compare_memorisation,
    compare_performance,
    over_seeds,
    spatial_similarity,
    standing_between,
    subtrain_curves,
    subtrain_split,
)
from geoprobe.geometry import Cell
from geoprobe.probes import measure
from geoprobe.spaces import Space
from tests.support.findings_cases import LINE, SPLIT, line, published, scaled, squares, tuned

NAN = float("nan")


# performance


def test_performance_by_hand() -> None:
    spread = squares({"a": [(0, 0)], "b": [(3, 0)], "c": [(6, 0)], "d": [(12, 0)]})
    before = line(published(), test=squares(LINE))
    between = line(tuned(step=5), test=squares(LINE))
    after = line(tuned(step=10), 1.0, test=spread)
    found = compare_performance(
        [after, between, before],
        classifier={before.cell: [0.5, 0.7, 0.6]},
        networks={before.cell: Network((32, 256), 1e-3)},
        head={after.cell: 0.9},
    )
    first, last = found.rows
    assert (first.tuned_on, first.seed, last.tuned_on, last.step) == ("", None, "pos", 10)
    assert (first.directprobe, first.directprobe_low, first.directprobe_high) == (1, 1, 1)
    # Two of c's corners, at 5.5, have moved away from c (6.5) towards b (3.5), not far enough.
    assert last.directprobe == 1.0
    assert first.similarity == pytest.approx(1)
    assert last.similarity == spatial_similarity(after, after.test).value
    assert 0.9 < last.similarity < 1
    assert first.classifier == pytest.approx(0.6)
    assert first.classifier_std == pytest.approx(0.1)
    assert np.isnan([last.classifier, last.classifier_std, first.head]).all()
    assert last.head == 0.9
    assert (first.n_labels, first.n_clusters, first.is_linear) == (4, 4, True)
    assert (first.hidden_sizes, first.weight_decay) == ("32 x 256", 1e-3)
    assert last.hidden_sizes == ""
    assert np.isnan(last.weight_decay)
    assert found.notes == ()


def test_performance_says_where_a_space_is_not_linear() -> None:
    split = measure(squares(SPLIT), cell=published(), test=squares(SPLIT))
    bare = measure(squares(SPLIT), cell=published(), clusters=False)
    found = compare_performance([split])
    (row,) = found.rows
    assert (row.n_labels, row.n_clusters, row.is_linear) == (3, 4, False)
    assert found.notes == tuple(
        f"pos tiny layer 1{which}: not linear (4 clusters) for 3 labels; the distance of two "
        f"labels is the mean over all pairs of their clusters."
        for which in ("", ", test units")
    )
    notes = compare_performance([split], reduce="hull").notes
    assert notes[0].endswith(": not linear (4 clusters) for 3 labels; the distance of two labels "
                             "is 0 where their hulls overlap.")  # fmt: skip
    assert compare_performance([bare], reduce="hull").rows[0].n_clusters is None


def test_performance_takes_the_last_layer_or_the_one_asked_for() -> None:
    spaces = [line(published(layer)) for layer in (0, 1, 2)]
    assert [row.layer for row in compare_performance(spaces).rows] == [2]
    assert [row.layer for row in compare_performance(spaces, layer=0).rows] == [0]
    with pytest.raises(InputError, match="layer 7 was given; the layers are: 0, 1, 2"):
        compare_performance(spaces, layer=7)
    with pytest.raises(InputError, match="none"):
        compare_performance([])


def test_performance_says_what_is_missing() -> None:
    found = compare_performance([line(published())])
    assert np.isnan(found.rows[0].directprobe)
    assert "no test space" in found.rows[0].undefined
    assert found.notes == ("pos tiny layer 1: no test units were predicted.",)
    test = squares({"a": [(0, 0)], "z": [(9, 9)], "y": [(4, 4)]})
    found = compare_performance([line(published(), test=test)])
    assert found.rows[0].directprobe == pytest.approx(1 / 3)
    assert "3 pairs" in found.rows[0].undefined
    assert "count as wrong: y, z" in found.notes[0]
    assert "only in the second space: y, z" in found.notes[2]


def test_performance_over_seeds() -> None:
    cells = [tuned(seed=n) for n in (0, 1, 2)]
    spaces = [line(published()), *(line(cell) for cell in cells)]
    head = dict(zip(cells, (0.7, 0.8, 0.9), strict=True))
    summary = compare_performance(spaces, head=head).over_seeds()
    assert summary["tuned_on"] == ["", "pos"]
    assert summary["n_seeds"] == [1, 3]
    assert summary["head_mean"][1] == pytest.approx(0.8)
    assert summary["head_std"][1] == pytest.approx(0.1)
    assert np.isnan(summary["head_std"][0])


def test_over_seeds_by_hand() -> None:
    columns = {"k": ["x", "y", "x"], "v": [1, 5, 3], "w": [NAN, 1, 2]}
    found = over_seeds(columns, ["k"], ["v", "w"])
    assert found["k"] == ["x", "y"]
    assert found["n_seeds"] == [2, 1]
    assert found["v_mean"] == [2, 5]
    assert found["v_std"][0] == pytest.approx(2**0.5)
    assert np.isnan(found["v_std"][1])
    assert np.isnan(found["w_mean"][0])


# linearity


def test_linearity_by_hand() -> None:
    linear = line(published())
    split = measure(squares(SPLIT), cell=tuned())
    found = compare_linearity([split, linear])
    assert [
        (r.n_units, r.n_labels, r.n_clusters, r.is_linear, r.overlapping_pairs) for r in found.rows
    ] == [(16, 4, 4, True, 0), (16, 3, 4, False, 1)]
    assert [r.clusters_per_label for r in found.rows] == pytest.approx([1, 4 / 3])
    assert found.notes == ()


def test_linearity_counts_points_that_contradict() -> None:
    points = np.array([[0.0, 0], [0, 0], [5, 0], [9, 0]])
    space = Space(points, np.array(["a", "b", "a", "b"]))
    found = compare_linearity([measure(space)])
    assert found.rows[0].contradictory_points == 2
    assert not found.rows[0].is_linear


def test_linearity_notes_what_was_not_measured() -> None:
    bare = measure(squares(SPLIT), clusters=False)
    found = compare_linearity([bare])
    assert found.rows == ()
    assert "clusters were not measured" in found.notes[0]
    assert found.columns()["n_clusters"] == []


def test_standing_between_by_hand() -> None:
    found = standing_between(measure(squares(SPLIT), cell=published()))
    (row,) = found.rows
    assert (row.label, row.size_a, row.size_b) == ("s", 4, 4)
    assert (row.between_label, row.between_size) == ("t", 4)
    assert row.gap == pytest.approx(0, abs=1e-6)
    assert found.by_label() == [("s", "t", 1)]
    assert standing_between(line(published())).rows == ()
    with pytest.raises(InputError, match="clusters=False"):
        standing_between(measure(squares(SPLIT), clusters=False))


def test_standing_between_is_true_of_real_hulls() -> None:
    """The hull of both clusters together meets that of the one in between, found afresh."""
    from geoprobe import DirectProbe, hulls_overlap

    rng = np.random.default_rng(1)
    space = Space(rng.normal(size=(50, 2)), np.repeat(["x", "y"], 25))
    g = measure(space)
    cluster = DirectProbe().fit(space.points, space.labels).labels_
    rows = standing_between(g).rows
    assert len(rows) > 10
    for row in rows:
        both = space.points[np.isin(cluster, [row.cluster_a, row.cluster_b])]
        other = space.points[cluster == row.between]
        assert hulls_overlap(both, other, scale=g.scale)
        assert set(space.labels[cluster == row.between]) == {row.between_label} != {row.label}


# memorisation


def test_split_is_a_split() -> None:
    first, second = subtrain_split(100, seed=3)
    assert (len(first), len(second)) == (80, 20)
    assert sorted([*first, *second]) == list(range(100))
    again = subtrain_split(100, seed=3)
    np.testing.assert_array_equal(first, again[0])
    assert subtrain_split(100, seed=4)[1].tolist() != second.tolist()


def test_split_keeps_groups_together() -> None:
    groups = np.repeat([f"s{k}" for k in range(10)], [1, 5, 2, 9, 3, 4, 1, 1, 2, 7])
    first, second = subtrain_split(len(groups), groups=groups)
    assert not set(groups[first]) & set(groups[second])
    assert len(set(groups[second])) == 2


@pytest.mark.parametrize(
    ("n", "options"),
    [(1, {}), (0, {}), (5, {"fraction": 1.0}), (5, {"groups": ["s"] * 5}), (5, {"groups": ["s"]})],
)
def test_bad_splits(n: int, options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        subtrain_split(n, **options)


def nearest_centroid(
    X: np.ndarray, y: np.ndarray, evaluate: dict[str, Any], n_epochs: int = 3
) -> dict[str, np.ndarray]:
    """Use one more tenth of the points in every epoch."""
    found = {name: np.empty(n_epochs) for name in evaluate}
    for epoch in range(n_epochs):
        some = slice(0, (epoch + 1) * len(X) // n_epochs)
        names = np.unique(y[some])
        centroids = np.array([X[some][y[some] == name].mean(axis=0) for name in names])
        for part, (points, labels) in evaluate.items():
            apart = np.linalg.norm(points[:, None] - centroids, axis=2)
            found[part][epoch] = np.mean(names[apart.argmin(axis=1)] == labels)
    return found


def test_curves_of_a_memorised_space() -> None:
    """Training units lie in tight labels, test units anywhere: subtest rises, test does not."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(["a", "b", "c"], 40))
    place = {"a": (0, 0), "b": (9, 0), "c": (0, 9)}
    train = Space(np.array([place[k] for k in labels]) + 0.1 * rng.normal(size=(120, 2)), labels)
    test = Space(9 * rng.random((60, 2)), np.repeat(["a", "b", "c"], 20))
    tight = subtrain_curves(train, test, train=nearest_centroid)
    assert tight["subtest"].shape == (1, 3)
    assert tight["subtrain"][0, -1] == tight["subtest"][0, -1] == 1.0
    assert tight["test"][0, -1] < 0.6
    loose = Space(9 * rng.random((120, 2)), labels)
    open_ = subtrain_curves(loose, test, train=functools.partial(nearest_centroid, n_epochs=4))
    found = compare_memorisation({tuned(): tight, published(): open_})
    assert [gap.cell for gap in found.gaps] == [published(), tuned()]
    assert found.gaps[1].gap == pytest.approx(1 - tight["test"][0, -1])
    assert abs(found.gaps[0].gap) < 0.3
    assert len(found.rows) == 3 * 4 + 3 * 3
    assert found.gaps[1].subtrain == 1.0
    assert [r.epoch for r in found.rows[:4]] == [1, 2, 3, 4]
    assert found.notes == ()


def test_curves_of_several_initialisations_by_hand() -> None:
    subtest = np.array([[0.2, 0.6], [0.4, 0.8]])
    curves = {"subtrain": [0.9, 1.0], "subtest": subtest, "test": [0.1, 0.5]}
    network = Network((64, 128), 1e-2)
    found = compare_memorisation({published(): curves}, networks={published(): network})
    rows = {(r.part, r.epoch): r for r in found.rows}
    assert rows["subtest", 2].accuracy == pytest.approx(0.7)
    assert rows["subtest", 2].std == pytest.approx(0.2 / 2**0.5)
    assert np.isnan(rows["test", 1].std)
    assert found.gaps[0].gap == pytest.approx(0.2)
    assert (found.gaps[0].subtrain, found.gaps[0].hidden_sizes) == (1.0, "64 x 128")
    assert [tuple(row) for row in found.visibility] == [
        ("subtrain", True, True), ("subtest", True, False), ("test", False, False),
    ]  # fmt: skip
    assert "before and after" in found.notes[0]


def test_bad_curves() -> None:
    cell = Cell("pos")
    for test in ({}, {"test": []}):
        with pytest.raises(InputError, match="'test'"):
            compare_memorisation({cell: {"subtrain": [0.1], "subtest": [0.1], **test}})
    with pytest.raises(InputError, match="'subtrain' is missing"):
        compare_memorisation({cell: {"subtest": [0.1], "test": [0.1]}})
    with pytest.raises(InputError, match="no test space"):
        subtrain_curves(squares(LINE), train=nearest_centroid)
    with pytest.raises(InputError, match="'subtrain' is missing"):
        subtrain_curves(squares(LINE), squares(LINE), train=lambda X, y, evaluate: {})


def test_curves_of_the_classifier_probe() -> None:
    pytest.importorskip("torch", reason="the classifier probe needs torch: the extra bert")
    from geoprobe.probes.classifier import learning_curves

    train = functools.partial(
        learning_curves, hidden_sizes=(8, 8), n_epochs=4, n_initialisations=2, device="cpu"
    )
    wide = squares({k: scaled(LINE, 4)[k] * 5 for k in LINE})
    found = subtrain_curves(wide, wide, train=train)
    assert {part: curves.shape for part, curves in found.items()} == {
        "subtrain": (2, 4),
        "subtest": (2, 4),
        "test": (2, 4),
    }
    assert all(((0 <= c) & (c <= 1)).all() for c in found.values())
