"""Spaces, and every file format that is read into one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import FormatError, InputError, InputWarning
from geoprobe.spaces import Space, digits, read_space

X = np.array([[0.0, 1.5], [2.0, -3.0], [4.0, 0.25], [1.0, 1.0]])
Y = np.array(["b", "a", "b", "-1"])


def test_space_validates_and_normalises() -> None:
    space = Space(X.astype(np.float16), [2.0, 1.0, 2.0, 1.0], "some")
    assert space.points.dtype == np.float32
    assert space.labels.tolist() == [2, 1, 2, 1]
    assert (space.n_points, space.n_dims, space.name) == (4, 2, "some")
    assert space.source is None
    assert space.test is None


def test_space_refuses_bad_arrays() -> None:
    with pytest.raises(InputError, match="labels has 3 labels, but there are 4 points"):
        Space(X, Y[:3])
    with pytest.raises(InputError, match=r"points contains nan in row 0"):
        Space(X * np.nan, Y)
    with pytest.raises(InputError, match="test points have 1 dimensions, but the points have 2"):
        Space(X, Y, test=Space(X[:, :1], Y))


def test_fingerprints_see_every_change() -> None:
    first = Space(X, Y).fingerprints()
    assert set(first) == {"points", "labels"}
    assert all(len(value) == 64 for value in first.values())
    assert Space(np.asfortranarray(X).astype(">f8"), list(Y)).fingerprints() == first
    moved = X.copy()
    moved[3, 1] = np.nextafter(1.0, 2.0)
    assert Space(moved, Y).fingerprints()["points"] != first["points"]
    assert Space(X.astype(np.float32), Y).fingerprints()["points"] != first["points"]
    assert Space(X.reshape(2, 4), Y[:2]).fingerprints()["points"] != first["points"]
    assert Space(X, Y[::-1]).fingerprints()["labels"] != first["labels"]
    numbers, words = Space(X, [1, 2, 3, 4]), Space(X, ["1", "2", "3", "4"])
    assert numbers.fingerprints()["labels"] != words.fingerprints()["labels"]


def test_digits() -> None:
    space = digits()
    assert space.points.shape == (1797, 64)
    assert space.labels.dtype == np.int64
    assert sorted(set(space.labels.tolist())) == list(range(10))
    assert space.name == "digits"


def check(space: Space, path: Path) -> None:
    np.testing.assert_array_equal(space.points, X)
    assert space.labels.tolist() == Y.tolist()
    assert space.source == path
    assert space.name == path.stem


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, save) -> None:
    path = tmp_path / "some.npz"
    save(path, X=X, y=Y)
    space = read_space(path)
    check(space, path)
    assert space.test is None


def test_npz_with_other_names_and_a_test_part(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez(path, layer=X, role=Y, layer_test=X[:2], role_test=Y[:2], function=Y[::-1])
    space = read_space(path, points="layer", labels="role", name="other")
    assert space.name == "other"
    assert space.test is not None
    assert space.test.name == "other_test"
    np.testing.assert_array_equal(space.test.points, X[:2])
    assert space.test.labels.tolist() == Y[:2].tolist()
    assert read_space(path, points="layer", labels="function").test is None


def test_npz_reads_nothing_that_is_not_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez(path, X=X, y=Y, note=np.array([{"an": "object"}], dtype=object))
    check(read_space(path), path)


def test_npz_with_labels_beside_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", X=X)
    (tmp_path / "tags.txt").write_text("b\na\nb\n-1\n")
    check(read_space(tmp_path / "some.npz", labels=tmp_path / "tags.txt"), tmp_path / "some.npz")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_npy_of_any_type(tmp_path: Path, dtype: type) -> None:
    np.save(tmp_path / "x.npy", (X * 4).astype(dtype))
    np.save(tmp_path / "y.npy", Y)
    space = read_space(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    np.testing.assert_array_equal(space.points, X * 4)
    assert space.labels.tolist() == Y.tolist()


def test_npy_stays_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", np.arange(4))
    space = read_space(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    assert isinstance(space.points.base, np.memmap)
    assert not space.points.flags.writeable
    assert space.labels.tolist() == [0, 1, 2, 3]


LABEL_FILES = {
    "lines.txt": "b\na\nb\n-1\n",
    "no_end.txt": "b\na\nb\n-1",
    "windows.txt": "b\r\na\r\nb\r\n-1\r\n",
    "entities.txt": "one\tb\ntwo\ta\nthree\tb\nfour\t-1\n",
    "table.csv": "id,label\n1,b\n2,a\n3,b\n4,-1\n",
    "table.tsv": "id\tlabel\n1\tb\n2\ta\n3\tb\n4\t-1\n",
    "marked.csv": "\ufefflabel,id\nb,1\na,2\nb,3\n-1,4\n",
}


@pytest.mark.parametrize("name", LABEL_FILES)
def test_npy_with_labels_of_every_kind(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "x.npy", X)
    (tmp_path / name).write_text(LABEL_FILES[name], encoding="utf-8", newline="")
    check(read_space(tmp_path / "x.npy", labels=tmp_path / name), tmp_path / "x.npy")


def test_label_column_of_a_table_beside(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "y.csv").write_text("tag,label\nb,1\na,1\nb,1\n-1,1\n")
    space = read_space(tmp_path / "x.npy", labels=tmp_path / "y.csv", column="tag")
    check(space, tmp_path / "x.npy")


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text('p,label,q\n0,b,1.5\n2,"a",-3\n\n4e0, b ,.25\n1,-1,"1"\n')
    check(read_space(path), path)


def test_csv_with_chosen_columns(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("q,word,p,tag\n1.5,x,0,b\n-3,y,2,a\n.25,z,4,b\n1,w,1,-1\n")
    check(read_space(path, points=["p", "q"], labels="tag"), path)
    check(read_space(path, points=["p", "q"], column="tag"), path)
    assert read_space(path, points="q", labels="tag").n_dims == 1


def test_tsv(tmp_path: Path) -> None:
    path = tmp_path / "some.tsv"
    path.write_text("p\tq\tlabel\n0\t1.5\tb\n2\t-3\ta\n4\t.25\tb\n1\t1\t-1\n")
    check(read_space(path), path)


def test_a_row_that_sets_the_scale_is_named_with_its_space(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    points[41] = 3e38
    np.savez(tmp_path / "letters.npz", X=points, y=np.arange(300) % 3)
    with pytest.warns(InputWarning, match=r"letters\.npz, letters: row 41 lies 6e\+38"):
        read_space(tmp_path / "letters.npz")


def test_test_points_without_rows(tmp_path: Path) -> None:
    """They are none: reading goes on without them, and says so when they are asked for."""
    from geoprobe.spaces.source import Source

    path = tmp_path / "x.npz"
    empty = np.empty((0, 2))
    np.savez(path, X=np.eye(2), y=["a", "b"], X_test=empty, y_test=np.array([], dtype=str))
    space = read_space(path)
    assert space.test is None
    with pytest.raises(FormatError, match=r"no points to predict: .* or they have no rows"):
        Source(path).read_test(path, space)


def test_test_labels_of_another_type_are_named(tmp_path: Path) -> None:
    """Compared with text, the number 1 would never be right."""
    from geoprobe.spaces.source import Source

    path = tmp_path / "x.npz"
    np.savez(path, X=np.eye(2), y=["1", "a"], X_test=np.eye(2), y_test=[1, 1])
    source = Source(path)
    with pytest.raises(
        InputError, match=r"test points .* integers such as 1.* are strings such as '1'"
    ):
        source.read_test(path, source.read())
    other = tmp_path / "y.npz"
    np.savez(other, X=np.eye(2), y=[False, True])
    with pytest.raises(InputError, match=r"booleans such as False, but .* strings such as '1'"):
        source.read_test(other, source.read())


def test_directprobe_text(tmp_path: Path) -> None:
    path = tmp_path / "12.txt"
    path.write_text("0 1.5 \n2 -3\n 4\t.25\n1e0 1\n")
    (tmp_path / "train.txt").write_text("in the house\tb\nat\ta\non\tb\nof\t-1\n")
    (tmp_path / "tags.txt").write_text("-1\na\nb\nunused\n")
    space = read_space(path, labels=tmp_path / "train.txt", label_set=tmp_path / "tags.txt")
    check(space, path)


def test_safetensors(tmp_path: Path) -> None:
    numpy_files = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "some.safetensors"
    tags = np.array([3, 1, 3, 2])
    arrays = {"X": X.astype(np.float32), "y": tags, "X_test": X[:1], "y_test": tags[:1]}
    numpy_files.save_file(arrays, path)
    space = read_space(path)
    assert space.points.dtype == np.float32
    np.testing.assert_array_equal(space.points, X)
    assert space.labels.tolist() == tags.tolist()
    assert space.test is not None
    (tmp_path / "tags.txt").write_text("b\na\nb\n-1\n")
    check(read_space(path, labels=tmp_path / "tags.txt"), path)


def test_safetensors_with_bfloat16(tmp_path: Path) -> None:
    values = np.array([[0.5, -2.0], [1.0, 3.0]], dtype=np.float32)
    halves = (values.view(np.uint32) >> 16).astype("<u2")
    header = {
        "y": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]},
        "X": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [16, 24]},
    }
    head = json.dumps(header).encode()
    path = tmp_path / "half.safetensors"
    labels = np.array([0, 1], dtype="<i8")
    path.write_bytes(len(head).to_bytes(8, "little") + head + labels.tobytes() + halves.tobytes())
    space = read_space(path)
    np.testing.assert_array_equal(space.points, values)
    assert space.labels.tolist() == [0, 1]


def test_upper_case_endings(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", X=X, y=Y)
    path = (tmp_path / "some.npz").rename(tmp_path / "some.NPZ")
    check(read_space(str(path)), path)
