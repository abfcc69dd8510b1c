"""Files that cannot be read: each gives a FormatError that names the file and the fault."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import FormatError, InputError
from geoprobe.spaces import SUFFIXES, read_space

X = np.array([[0.0, 1.5], [2.0, -3.0], [4.0, 0.25]])
Y = np.array(["b", "a", "b"])


class Bomb:
    """An object that shows when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("unpickled",)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("y.txt").write_text("b\na\nb\n")
    return tmp_path


def refuse(match: str, path: str, *, at: str | None = None, line: int | None = None, **how) -> None:
    with pytest.raises(FormatError, match=match) as caught:
        read_space(path, **how)
    assert caught.value.path == Path(at or path)
    assert caught.value.line == line
    assert str(caught.value).startswith(at or path)
    assert not Path("unpickled").exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing(suffix: str) -> None:
    refuse("no such file", f"none{suffix}", labels="y.txt")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_folder(suffix: str) -> None:
    Path(f"folder{suffix}").mkdir()
    is_zarr = suffix in (".zarr", ".zip")
    match = "not a zarr store: the folder holds none" if is_zarr else "not a file"
    refuse(match, f"folder{suffix}", labels="y.txt")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_zero_size(suffix: str) -> None:
    Path(f"empty{suffix}").touch()
    refuse("is empty", f"empty{suffix}", labels="y.txt")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_noise(suffix: str) -> None:
    Path(f"noise{suffix}").write_bytes(np.random.default_rng(0).bytes(4096))
    refuse(".", f"noise{suffix}", labels="y.txt")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_unreadable() -> None:
    Path("x.csv").write_text("a,label\n1,b\n")
    Path("x.csv").chmod(0)
    refuse("cannot be opened", "x.csv")


@pytest.mark.parametrize("name", ["x.mat", "x", "x.npz.gz", "x.json"])
def test_unknown_ending(name: str) -> None:
    Path(name).write_text("something")
    refuse(r"but one of \.npz, .*\.npy, .* is expected", name)


@pytest.mark.parametrize("name", ["x.pt", "x.pkl", "x.joblib"])
def test_pickles_are_not_opened(name: str) -> None:
    Path(name).write_bytes(pickle.dumps(Bomb()))
    refuse("never unpickles", name)


def test_pickle_with_another_name() -> None:
    for name in ("x.npy", "x.npz"):
        Path(name).write_bytes(pickle.dumps(Bomb()))
        refuse("this is a pickle", name, labels="y.txt")


def test_pickled_objects_in_npy() -> None:
    np.save("x.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    refuse("never unpickles", "x.npy", labels="y.txt")
    np.save("good.npy", X)
    refuse("never unpickles", "good.npy", at="x.npy", labels="x.npy")


def test_pickled_objects_in_npz() -> None:
    np.savez("x.npz", X=np.array([Bomb()], dtype=object), y=Y)
    refuse("array 'X' holds pickled.*never unpickles", "x.npz")
    np.savez("x.npz", X=X, y=np.array([Bomb()], dtype=object))
    refuse("array 'y' holds pickled.*never unpickles", "x.npz")


def test_npz_without_the_arrays() -> None:
    np.savez("x.npz", role=Y)
    refuse("no array 'X' to take the points from; the arrays are: 'role'", "x.npz")
    np.savez("x.npz", points=X, role=Y)
    refuse("no array 'y' to take the labels from; the arrays are: 'points', 'role'", "x.npz")
    refuse("no array 'tag'", "x.npz", points="points", labels="tag")


def test_npz_without_any_array() -> None:
    np.savez("x.npz")
    data = Path("x.npz").read_bytes()
    assert data.startswith(b"PK\x05\x06")
    refuse(".", "x.npz")


@pytest.mark.parametrize("kept", [3, 30, 300, -200, -30, -1])
def test_npz_cut_off(kept: int) -> None:
    np.savez("x.npz", X=X, y=Y)
    Path("x.npz").write_bytes(Path("x.npz").read_bytes()[:kept])
    refuse("cut off", "x.npz")


def test_npz_with_a_changed_byte() -> None:
    np.savez("x.npz", X=X, y=Y)
    data = bytearray(Path("x.npz").read_bytes())
    data[data.index(X.tobytes()) + 5] ^= 1
    Path("x.npz").write_bytes(data)
    refuse("array 'X' is damaged", "x.npz")


@pytest.mark.parametrize("kept", [3, 8, 60, 128, -1])
def test_npy_cut_off(kept: int) -> None:
    np.save("x.npy", X)
    Path("x.npy").write_bytes(Path("x.npy").read_bytes()[:kept])
    refuse("cut off", "x.npy", labels="y.txt")


def test_npy_with_a_bad_header() -> None:
    np.save("x.npy", X)
    Path("x.npy").write_bytes(Path("x.npy").read_bytes().replace(b"'shape'", b"'shake'"))
    refuse("damaged", "x.npy", labels="y.txt")


def test_npy_and_npz_taken_for_each_other() -> None:
    np.save("a.npy", X)
    Path("a.npy").rename("x.npz")
    refuse(r"this is an npy file, but its name ends in \.npz", "x.npz")
    np.savez("b.npz", X=X, y=Y)
    Path("b.npz").rename("x.npy")
    refuse(r"this is an npz file, but its name ends in \.npy", "x.npy", labels="y.txt")


def test_text_that_claims_to_be_npy() -> None:
    Path("x.npy").write_text("0 1\n2 3\n")
    refuse("not an npy file: it starts with b'0 1", "x.npy", labels="y.txt")


def test_labels_that_are_needed() -> None:
    np.save("x.npy", X)
    refuse("holds no labels", "x.npy")
    Path("x.txt").write_text("0 1\n")
    refuse("holds no labels", "x.txt")


def test_label_files() -> None:
    np.save("x.npy", X)
    refuse("no such file", "x.npy", labels="none.txt", at="none.txt")
    Path("tags.json").write_text("[]")
    refuse(r"ends in '\.json', but a file of labels", "x.npy", labels="tags.json", at="tags.json")
    Path("gap.txt").write_text("b\n\na\n")
    refuse("the label is empty", "x.npy", labels="gap.txt", at="gap.txt", line=2)
    Path("mixed.txt").write_text("b\nword\ta\nb\n")
    refuse("has a tab", "x.npy", labels="mixed.txt", at="mixed.txt", line=2)
    Path("entities.txt").write_text("word\tb\na\nword\tb\n")
    refuse(r"1 part\(s\)", "x.npy", labels="entities.txt", at="entities.txt", line=2)
    Path("y.csv").write_text("id,tag\n1,b\n")
    refuse(
        "no column 'label' to take the labels from; the columns are: 'id', 'tag'",
        "x.npy",
        labels="y.csv",
        at="y.csv",
    )
    Path("bad.txt").write_bytes(b"b\n\xff\nb\n")
    refuse("UTF-8", "x.npy", labels="bad.txt", at="bad.txt")


def test_counts_that_differ() -> None:
    np.save("x.npy", X[:2])
    refuse("labels has 3 labels, but there are 2 points", "x.npy", labels="y.txt")
    np.savez("x.npz", X=X, y=Y[:2])
    refuse("labels has 2 labels, but there are 3 points", "x.npz")


@pytest.mark.parametrize(
    ("points", "match"),
    [
        (X * np.nan, "nan in row 0"),
        (X * 1e300, "overflow"),
        (X * 1e-300, "underflow"),
        (X.astype(complex), "Complex"),
        (X.astype(str), "dtype"),
        (X[0], "shape"),
        (X[:, :0], "0 feature"),
        (X[:0], "labels has 3 labels, but there are 0 points"),
        (np.full((3, 1), 2**60), "2\\*\\*53"),
    ],
)
def test_arrays_that_are_no_points(points: np.ndarray, match: str) -> None:
    np.savez("x.npz", X=points, y=Y)
    refuse(match, "x.npz")
    np.save("x.npy", points)
    refuse(match, "x.npy", labels="y.txt")


def test_arrays_that_are_no_labels() -> None:
    for labels, match in ((X, "shape"), (X[:, 0] + 0.5, "continuous"), (X[:, 0] * np.nan, "nan")):
        np.savez("x.npz", X=X, y=labels)
        refuse(match, "x.npz")


def test_test_part_of_another_size() -> None:
    np.savez("x.npz", X=X, y=Y, X_test=X[:, :1], y_test=Y)
    refuse("test points have 1 dimensions", "x.npz")
    np.savez("x.npz", X=X, y=Y, X_test=X + np.inf, y_test=Y)
    refuse("row 0", "x.npz")


@pytest.mark.parametrize(
    ("text", "line", "match"),
    [
        (
            "a,b\n1,2\n",
            None,
            "no column 'label' to take the labels from; the columns are: 'a', 'b'",
        ),
        ("a,a,label\n1,2,x\n", 1, "column 'a' is there more than once"),
        ("label\nx\n", None, "no column for the points; the columns are: 'label'"),
        ("a,label\n", None, "no row below"),
        ("a,label\n1,x\n2\n", 3, "row has 1 cells, but there are 2 columns"),
        ("a,label\n1,x,y\n", 2, "row has 3 cells"),
        ("a,label\n1,x\ntwo,x\n", 3, "column 'a' is 'two', but a finite number"),
        ("a,label\n1,x\n,x\n", 3, "column 'a' is ''"),
        ("a,label\nnan,x\n", 2, "column 'a' is 'nan'"),
        ("a,label\n1,x\n1e999,x\n", 3, "column 'a' is '1e999'"),
        ("a,label\n1_000,x\n", 2, "column 'a' is '1_000'"),
        ("a,word,label\n1,dog,x\n", 2, "column 'word' is 'dog'"),
        ("a,label\n1,x\n2, \n", 3, "the label is empty"),
        ('a,label\n1,x\n"2,x\n', 3, "no valid row"),
        ("a,label\n1,x\x00\n", 2, "NUL"),
        ("\n", None, "no column for the points; the columns are: none at all"),
    ],
)
def test_tables(text: str, line: int | None, match: str) -> None:
    Path("x.csv").write_text(text)
    with pytest.raises(FormatError, match=match) as caught:
        read_space("x.csv")
    assert str(caught.value).startswith("x.csv")
    if line is not None:
        assert caught.value.line == line


def test_table_in_another_encoding() -> None:
    Path("x.csv").write_bytes("a,label\n1,ä\n".encode("latin-1"))
    refuse("UTF-8", "x.csv")


def test_table_without_the_chosen_column() -> None:
    Path("x.csv").write_text("a,label\n1,x\n")
    refuse("no column 'q'", "x.csv", points=["a", "q"])


@pytest.mark.parametrize(
    ("text", "line", "match"),
    [
        ("0 1\n2\n3 4\n", 2, "1 numbers, but 2 are expected"),
        ("0 1\n2 3\n3 4 5\n", 3, "3 numbers, but 2 are expected"),
        ("0 1\n2 x\n3 4\n", 2, "value 2 is 'x', but a finite number"),
        ("0 1\nnan 1\n3 4\n", 2, "value 1 is 'nan'"),
        ("0 1\n1 -inf\n3 4\n", 2, "value 2 is '-inf'"),
        ("0 1\n\n2 3\n3 4\n", 2, "0 numbers"),
        ("\n", 1, "0 numbers"),
    ],
)
def test_embeddings(text: str, line: int, match: str) -> None:
    Path("x.txt").write_text(text)
    refuse(match, "x.txt", labels="y.txt", line=line)


def test_label_outside_the_label_set() -> None:
    np.savez("x.npz", X=X, y=Y)
    Path("tags.txt").write_text("a\nc\n")
    refuse("label 'b' of row 0 is not in the label set tags.txt", "x.npz", label_set="tags.txt")


def test_safetensors_faults() -> None:
    numpy_files = pytest.importorskip("safetensors.numpy")
    numpy_files.save_file({"points": X}, "x.safetensors")
    refuse("no array 'y'.*'points'", "x.safetensors")
    whole = Path("x.safetensors").read_bytes()
    for kept in (4, 20, len(whole) - 1):
        Path("x.safetensors").write_bytes(whole[:kept])
        refuse("cut off", "x.safetensors")
    head = json.dumps({"X": {"dtype": "F8_E5M2", "shape": [2, 1], "data_offsets": [0, 2]}}).encode()
    Path("x.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + b"\0\0")
    refuse("F8_E5M2 cannot be read|no array 'y'", "x.safetensors")


def test_options_without_meaning() -> None:
    np.save("x.npy", X)
    with pytest.raises(InputError, match="no meaning for"):
        read_space("x.npy", points="X", labels="y.txt")
    np.savez("x.npz", X=X, y=Y)
    with pytest.raises(InputError, match="name of one array"):
        read_space("x.npz", points=["X", "Z"])
