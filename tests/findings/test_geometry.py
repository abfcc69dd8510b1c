"""The measured geometry of a space: by hand, on disk, and its pairs of labels."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geoprobe import DirectProbe, Status, pairwise_hull_distances
from geoprobe.errors import FormatError, GeoprobeError, InputError, OutputError
from geoprobe.files.npz_files import read_npz, write_npz
from geoprobe.findings import label_distances, match_labels
from geoprobe.geometry import Cell, Geometry, PairwiseDistances, read_geometry, write_geometry
from geoprobe.geometry.npz import FORMAT, FORMAT_VERSION
from geoprobe.probes import measure
from geoprobe.spaces import Space
from tests.support.findings_cases import LINE, LINE_PAIRS, SPLIT, line, published, squares, tuned


@pytest.fixture(scope="module")
def split() -> Geometry:
    return measure(squares(SPLIT), n_threads=1)


def assert_same(a: object, b: object) -> None:
    """Compare two geometries, arrays and all that they hold."""
    assert type(a) is type(b)
    if isinstance(a, (Geometry, PairwiseDistances)) or hasattr(a, "__dataclass_fields__"):
        for name in set(a.__dataclass_fields__) - {"timings"}:
            assert_same(getattr(a, name), getattr(b, name))
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


@pytest.mark.parametrize(
    "wrong",
    [
        {"tuned_on": "pos"},
        {"tuned_on": "pos", "seed": 0},
        {"tuned_on": "pos", "seed": 0, "step": -1},
        {"step": 3},
        {"layer": -1},
    ],
)
def test_cells_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Cell("pos", "tiny", **wrong)


def test_cells_with_groupings_are_told_apart() -> None:
    mean = Cell("pos", "tiny", 3, "pos", 1, 10, group=(("lang", "de"), ("pooling", "mean")))
    first = replace(mean, group=(("lang", "de"), ("pooling", "first")))
    assert len({mean, first}) == 2 and first.order < mean.order
    assert mean.representation == "tiny, lang de, pooling mean"
    assert str(mean) == f"pos {mean.representation} tuned on pos, seed 1, step 10, layer 3"
    assert Cell.from_dict(json.loads(json.dumps(mean.as_dict()))) == mean
    assert "group" not in tuned(layer=3).as_dict()
    assert Cell.from_dict(tuned(layer=3).as_dict()) == tuned(layer=3)
    with pytest.raises(InputError):
        Cell.from_dict({"task": "pos", "group": ["lang"]})


def test_a_run_starts_at_the_published_model_of_its_seed() -> None:
    cell = Cell("pos", "tiny", 3, "pos", 1, 10)
    shared, own = Cell("pos", "tiny", 3), Cell("pos", "tiny", 3, seed=1)
    assert cell.start({shared}) == cell.start(set()) == shared
    assert cell.start({shared, own}) == own
    assert own.start({own}) == own
    assert str(own) == "pos tiny seed 1 layer 3"


def test_the_cell_before_fine_tuning() -> None:
    cell = tuned(layer=3)
    assert cell.original == published(layer=3)
    assert "step 10" in str(cell)
    assert "step" not in str(cell.original)


def test_line_by_hand() -> None:
    g = line(published())
    assert g.labels == ("a", "b", "c", "d")
    assert g.counts.tolist() == [4, 4, 4, 4]
    assert (g.n_units, g.n_dims, g.n_clusters, g.is_linear) == (16, 2, 4, True)
    np.testing.assert_allclose(g.centroids, [[0, 0], [3, 0], [7, 0], [12, 0]])
    np.testing.assert_allclose(g.hulls.distance, list(LINE_PAIRS.values()), rtol=1e-9)
    assert len(g.clusters.blocks) == 0


def test_split_by_hand(split: Geometry) -> None:
    assert split.n_clusters == 4
    assert not split.is_linear
    assert split.clusters.size.tolist() == [4, 4, 4, 4]
    assert split.hulls.status.tolist() == [Status.OVERLAP, Status.DISJOINT, Status.DISJOINT]
    np.testing.assert_allclose(split.hulls.distance, [0, 9, 9], rtol=1e-9)
    blocks = split.clusters.blocks
    assert [blocks.first.tolist(), blocks.second.tolist()] == [[0], [1]]
    assert split.labels[split.clusters.label[blocks.blocker[0]]] == "t"


def test_agrees_with_the_probe_and_with_whole_labels() -> None:
    space = squares(SPLIT)
    g = measure(space, n_threads=1)
    probe = DirectProbe(n_threads=1).fit(space.points, space.labels)
    whole = pairwise_hull_distances(space.points, space.labels, n_threads=1)
    np.testing.assert_array_equal(g.clusters.distances.upper, probe.distances_.upper)
    np.testing.assert_array_equal(g.hulls.upper, whole.upper)
    np.testing.assert_array_equal(g.hulls.lower, whole.lower)
    linear = squares(LINE)
    np.testing.assert_array_equal(
        measure(linear, n_threads=1).hulls.upper,
        pairwise_hull_distances(linear.points, linear.labels, n_threads=1).upper,
    )


def test_threads_do_not_matter() -> None:
    assert_same(measure(squares(SPLIT), n_threads=1), measure(squares(SPLIT), n_threads=2))


def test_without_clusters(split: Geometry) -> None:
    g = measure(squares(SPLIT), clusters=False, n_threads=1)
    assert g.clusters is None
    np.testing.assert_array_equal(g.hulls.upper, split.hulls.upper)
    with pytest.raises(InputError, match="clusters=False"):
        label_distances(g)
    np.testing.assert_allclose(label_distances(g, reduce="hull").vector("stu"), [0, 9, 9])
    assert measure(squares(LINE), clusters=False, n_threads=1).n_clusters == 4


def test_held_out_units() -> None:
    test = Space(
        np.array([[0.0, 2], [3, 2], [7, 2], [7, 3], [0, 5]]), np.array(["a", "b", "c", "d", "new"])
    )
    g = measure(squares(LINE), test=test, n_threads=1)
    held = g.predictions
    assert held.correct.tolist() == [True, True, True, False, False]
    assert held.accuracy == pytest.approx(0.6)
    assert held.unseen == ("new",)
    assert [held.names[k] for k in held.predicted] == ["a", "b", "c", "c", "a"]
    np.testing.assert_allclose(held.distance, [1.5, 1.5, 1.5, 2.5, 4.5])
    assert g.test.labels == ("a", "b", "c", "d", "new")
    assert g.test.hulls.distance[0] == pytest.approx(3)


def test_held_out_in_the_space_itself_and_with_one_label() -> None:
    test = Space(np.array([[0.1, 0.1], [0, 0]]), np.array(["a", "a"]))
    g = measure(squares(LINE, test=test), n_threads=1)
    assert g.predictions.accuracy == 1.0
    assert g.test is None


def test_labels_need_not_be_text() -> None:
    space = squares(LINE)
    numbers = Space(space.points, np.repeat([10, 9, 2, 1], 4))
    g = measure(numbers, test=numbers, n_threads=1)
    assert g.labels == ("1", "2", "9", "10")
    assert g.predictions.accuracy == 1.0


def test_bad_spaces() -> None:
    one = Space(np.eye(3), np.array(["a", "a", "a"]))
    with pytest.raises(InputError, match="only one class"):
        measure(one)
    with pytest.raises(InputError, match="3 dimensions"):
        measure(squares(LINE), test=one)


@pytest.mark.parametrize("name", ["split", "held out"])
def test_file_reads_back(tmp_path: Path, name: str) -> None:
    space = squares(SPLIT)
    g = measure(space, test=None if name == "split" else space, cell=tuned(), n_threads=1)
    path = write_geometry(g, tmp_path / "deep" / "g.npz")
    assert_same(read_geometry(path), g)
    again = write_geometry(read_geometry(path), tmp_path / "again.npz")
    assert again.read_bytes() == path.read_bytes()
    assert [p.name for p in path.parent.iterdir()] == ["g.npz"]


def test_damaged_files(tmp_path: Path, split: Geometry) -> None:
    path = write_geometry(split, tmp_path / "g.npz")
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match=r"g\.npz"):
            read_geometry(path)
    for place in range(0, len(whole), 41):
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        path.write_bytes(changed)
        try:
            found = read_geometry(path)
        except FormatError:
            continue
        # Some bytes of a zip file mean nothing, such as dates.
        assert_same(found, split)
    with pytest.raises(FormatError, match="no such file"):
        read_geometry(tmp_path / "absent.npz")


def test_files_of_another_kind(tmp_path: Path, split: Geometry) -> None:
    path = tmp_path / "g.npz"
    np.savez(path, X=np.eye(2))
    with pytest.raises(FormatError, match="no geoprobe geometry"):
        read_geometry(path)
    write_geometry(split, path)
    about, arrays = read_npz(path, FORMAT, FORMAT_VERSION)
    for change, words in (
        ({"format_version": 99}, "99"),
        ({"classes": ["s"]}, "rows, not 1"),
        ({"classes": [1.5, 2, 3]}, "labels of one type"),
        ({"cell": {}}, "does not fit together"),
        ({"fingerprints": 3}, "does not fit together"),
        ({"scale": "large"}, "does not fit together"),
        ({"predictions": {}}, "does not fit together"),
    ):
        write_npz(path, {**about, **change}, arrays)
        with pytest.raises(FormatError, match=words):
            read_geometry(path)
    for name, array in arrays.items():
        for changed in (array[:-1], array.astype(np.complex128), array[None]):
            write_npz(path, about, {**arrays, name: changed})
            with pytest.raises(FormatError, match="does not fit together"):
                read_geometry(path)


def test_places_that_cannot_be_written(tmp_path: Path, split: Geometry) -> None:
    with pytest.raises(OutputError, match=r"\.npz"):
        write_geometry(split, tmp_path / "g.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(GeoprobeError, match="file"):
        write_geometry(split, tmp_path / "file" / "g.npz")


def test_labels_matched_by_name() -> None:
    assert match_labels(["z", "a", "b"], ["b", "c", "z"]) == (("z", "b"), ("a",), ("c",))


def test_reductions_by_hand(split: Geometry) -> None:
    def vector(**options: object) -> list[float]:
        return label_distances(split, **options).vector(["s", "t", "u"]).tolist()

    far, farther = np.hypot(3, 9), np.hypot(5, 9)
    assert vector(reduce="mean") == pytest.approx([4, (far + farther) / 2, 9])
    assert vector(reduce="minimum") == pytest.approx([3, far, 9])
    assert vector(reduce="hull") == pytest.approx([0, 9, 9])


def test_reductions_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    space = Space(rng.normal(size=(60, 2)), np.repeat(["x", "y", "z"], 20))
    g = measure(space, n_threads=1)
    c = g.clusters
    assert len(c) > 6
    for min_size in (1, 3):
        pools: dict[tuple[int, int], list[float]] = {}
        of_pair = zip(c.distances.first, c.distances.second, c.distances.distance, strict=True)
        for i, j, d in of_pair:
            if c.size[i] >= min_size and c.size[j] >= min_size:
                pools.setdefault((c.label[i], c.label[j]), []).append(d)
        for reduce, plain in (("mean", np.mean), ("minimum", np.min)):
            found = label_distances(g, reduce=reduce, min_cluster_size=min_size)
            for a, b in itertools.combinations(range(3), 2):
                expected = plain(pools[a, b]) if (a, b) in pools else np.nan
                np.testing.assert_allclose(found.matrix[a, b], expected)
                assert found.matrix[b, a] == pytest.approx(expected, nan_ok=True)


def test_small_clusters_left_out_only_when_asked() -> None:
    space = squares({**SPLIT, "s": [(-4, 0)]})
    lone = Space(np.vstack([space.points, [[6, 0]]]), np.append(space.labels, "s"))
    g = measure(lone, n_threads=1)
    assert sorted(g.clusters.size.tolist()) == [1, 4, 4, 4]
    assert label_distances(g).matrix[0, 1] == pytest.approx((3 + 5.5) / 2)
    assert label_distances(g).left_out == ()
    large = label_distances(g, min_cluster_size=2)
    assert large.matrix[0, 1] == pytest.approx(3)
    none = label_distances(g, min_cluster_size=5)
    assert none.left_out == ("s", "t", "u")
    assert np.isnan(none.minimum()[0]).all()
    assert none.minimum()[1] == ("", "", "")


def test_minimum_and_nearest() -> None:
    distance, nearest = label_distances(line(published())).minimum()
    np.testing.assert_allclose(distance, [2, 2, 3, 4])
    assert nearest == ("b", "a", "b", "c")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reduce": "median"}, "mean, minimum, hull"),
        ({"min_cluster_size": 0}, "at least 1"),
        ({"reduce": "hull", "min_cluster_size": 6}, "whole labels"),
    ],
)
def test_bad_reductions(split: Geometry, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        label_distances(split, **options)
