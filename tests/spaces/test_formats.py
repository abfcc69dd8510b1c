"""Formats of other libraries: what is read from small real files, by rows and as a space."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoprobe import DirectProbe
from geoprobe.errors import FormatError, InputError, InputWarning
from geoprobe.spaces import open_points, read_space
from geoprobe.spaces.formats import named_arrays
from tests.support.format_files import WRITERS, table, write_npz

FORMATS = pytest.mark.parametrize("kind", WRITERS)
TABLES = ("parquet", "feather", "arrow stream", "datasets")
rng = np.random.default_rng(0)
X = rng.normal(size=(10, 4)).astype(np.float16)
Y = list("abcabacbab")


def written(kind: str, folder: Path, points: Any = X, labels: Any = Y) -> Path:
    name, write = WRITERS[kind]
    if "zarr" in kind:
        pytest.importorskip("zarr", reason="it needs Python 3.11")
    write(folder / name, points, labels)
    return folder / name


@FORMATS
def test_a_file_becomes_a_space(kind: str, tmp_path: Path) -> None:
    path = written(kind, tmp_path)
    space = read_space(path)
    np.testing.assert_array_equal(space.points, X)
    assert space.points.dtype == np.float32
    assert space.labels.tolist() == Y
    assert (space.name, space.source) == ("s", path)


@FORMATS
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_numbers_come_as_they_are_stored(kind: str, dtype: str, tmp_path: Path) -> None:
    points = (X * 8).astype(dtype)
    found = open_points(written(kind, tmp_path, points, [0, 1] * 5))
    assert (found.shape, found.dtype, found.name) == ((10, 4), dtype, "X")
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1] * 5
    # In any order: files that are unpacked from the front begin again.
    for begin, end in ((0, 2), (2, 7), (1, 4), (8, 99), (5, 5), (7, 3), (-2, 10)):
        part = found.rows(begin, end)
        assert part.dtype == dtype
        np.testing.assert_array_equal(part, points[begin:end])
    np.testing.assert_array_equal(found.array(), points)


@FORMATS
def test_points_are_the_only_copy_in_memory(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = rng.normal(size=(20_000, 50)).astype(np.float16)
    found = open_points(written(kind, tmp_path, points, [0, 1] * 10_000))
    monkeypatch.setattr(named_arrays, "_BLOCK_ELEMENTS", 1000 * 50)
    tracemalloc.start()
    array = found.array()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(array, points)
    # Beside the float32 copy, a block of a few thousand rows.
    assert peak < array.nbytes * 1.5


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_tables_in_text_are_read_by_rows(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = rng.normal(size=(4000, 20))
    tab = "," if suffix == ".csv" else "\t"
    lines = [tab.join([f'"{at % 2}"', *map(repr, row)]) for at, row in enumerate(points.tolist())]
    header = tab.join(["label", *(f"x{at}" for at in range(20))])
    path = tmp_path / f"s{suffix}"
    path.write_text("\n".join([header, *lines]))
    found = open_points(path)
    assert (found.shape, found.dtype) == ((4000, 20), "float64")
    assert found.labels is not None
    assert found.labels.tolist() == ["0", "1"] * 2000
    # In any order: the file is read from the front, and begun again where that is behind.
    for begin, end in ((0, 2), (2, 7), (1, 4), (3990, 9999), (5, 5), (7, 3), (-2, 4000)):
        np.testing.assert_array_equal(found.rows(begin, end), points[begin:end])
    monkeypatch.setattr(named_arrays, "_BLOCK_ELEMENTS", 100 * 20)
    tracemalloc.start()
    array = found.array()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(array, points)
    assert peak < array.nbytes * 1.5
    path.write_text("\n".join([header, *lines[:70]]))
    with pytest.raises(FormatError, match="the table ends before row 70"):
        found.rows(60, 80)


def test_mapped_points_stay_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    found = open_points(tmp_path / "x.npy", labels=Y)
    assert isinstance(found.array().base, np.memmap)
    assert found.labels is not None
    assert found.labels.tolist() == Y


def test_points_without_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    assert open_points(tmp_path / "x.npy").labels is None
    np.savez(tmp_path / "x.npz", X=X)
    assert open_points(tmp_path / "x.npz").labels is None
    with pytest.raises(FormatError, match="no array 'y' to take the labels from; the arrays are"):
        read_space(tmp_path / "x.npz")


def test_bfloat16_where_it_cannot_be_known(tmp_path: Path) -> None:
    """As ml_dtypes saves it: two bytes that may be anything."""
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    bare = X.view("V2")
    np.save(tmp_path / "x.npy", bare)
    np.savez(tmp_path / "x.npz", X=bare)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["X"] = bare
    for name in ("x.npy", "x.npz", "x.h5"):
        with pytest.raises(FormatError, match=r"may be bfloat16.* as float32, .* safetensors"):
            open_points(tmp_path / name)
    zarr.create_array(str(tmp_path / "x.zarr"), data=X)
    noted = tmp_path / "x.zarr" / "zarr.json"
    noted.write_text(noted.read_text().replace('"float16"', '"bfloat16"'))
    with pytest.raises(FormatError, match=r"is of bfloat16, which .* zarr does not read; save it"):
        open_points(tmp_path / "x.zarr")


def test_a_zip_file_of_a_zarr_folder(tmp_path: Path) -> None:
    """Packed with the folder around it, and one that holds no store."""
    path = written("zarr", tmp_path)
    shutil.make_archive(str(path), "zip", tmp_path, path.name)
    np.testing.assert_array_equal(read_space(f"{path}.zip").points, X)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("y.txt", "a")
    with pytest.raises(FormatError, match=r"not a zarr store: the zip file holds none of zarr\.js"):
        read_space(tmp_path / "x.zip")


def test_rows_of_columns_written_one_by_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", X=np.asfortranarray(X), y=Y)
    found = open_points(tmp_path / "x.npz")
    np.testing.assert_array_equal(found.rows(3, 6), X[3:6])
    np.testing.assert_array_equal(found.array(), X)


def test_bfloat16_of_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    tensors = {"X": torch.tensor(X).bfloat16(), "y": torch.arange(10) % 2}
    torch.save(tensors, tmp_path / "x.pt")
    safetensors.save_file(tensors, tmp_path / "x.safetensors")
    expected = tensors["X"].float().numpy()
    for source in (tmp_path / "x.pt", tmp_path / "x.safetensors", tensors):
        found = open_points(source)
        assert found.dtype == "bfloat16"
        for part, whole in ((found.rows(2, 5), expected[2:5]), (found.array(), expected)):
            assert part.dtype == np.float32
            np.testing.assert_array_equal(part, whole)


def test_bfloat16_of_hdf5(tmp_path: Path) -> None:
    """Without a type of NumPy's, the library gives it as float32."""
    h5py = pytest.importorskip("h5py")
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_size(2)
    kind.set_ebias(127)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        h5py.h5d.create(file.id, b"X", kind, h5py.h5s.create_simple(X.shape))
        file["X"][...] = np.round(X * 4)
    found = open_points(tmp_path / "x.h5", labels=Y)
    assert found.dtype == "bfloat16"
    np.testing.assert_array_equal(found.array(), np.round(X * 4))


@FORMATS
def test_names_that_are_not_there(kind: str, tmp_path: Path) -> None:
    path = written(kind, tmp_path)
    what = {"hdf5": "dataset"}.get(kind, "column" if kind in TABLES else "array")
    for option in ("points", "labels"):
        match = f"no {what} 'Z' to take the {option} from; the {what}s are: 'X', '(y|label)'"
        with pytest.raises(FormatError, match=match) as caught:
            open_points(path, **{option: "Z"})
        assert caught.value.path == path


@FORMATS
def test_numbers_that_are_not_finite(kind: str, tmp_path: Path) -> None:
    points = X.copy()
    points[6, 1] = np.nan
    path = written(kind, tmp_path, points)
    with pytest.raises(FormatError, match="nan in row 6, column 1") as caught:
        read_space(path)
    assert caught.value.path == path


@FORMATS
def test_files_that_are_cut_off(kind: str, tmp_path: Path) -> None:
    path = written(kind, tmp_path)
    files = [path] if path.is_file() else [p for p in path.rglob("*") if _holds_numbers(p)]
    for file in files:
        content = file.read_bytes()
        for kept in (len(content) // 2, len(content) - 3):
            file.write_bytes(content[:kept])
            with pytest.raises(FormatError, match=r"damaged|cut off") as caught:
                read_space(path)
            assert caught.value.path == path
        file.write_bytes(content)
    assert files
    assert read_space(path).n_points == 10


def _holds_numbers(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".arrow" or "X/c/" in path.as_posix())


@FORMATS
def test_names_with_another_ending(kind: str, tmp_path: Path) -> None:
    path = written(kind, tmp_path)
    if path.is_dir():
        return
    for suffix in (".npz", ".h5", ".parquet", ".feather", ".pt"):
        if suffix == path.suffix or {suffix, path.suffix} in (
            {".feather", ".arrow"},
            {".pt", ".pth"},
        ):
            continue
        other = path.with_suffix(suffix)
        other.write_bytes(path.read_bytes())
        with pytest.raises(FormatError) as caught:
            read_space(other)
        assert caught.value.path == other
    other = path.with_suffix(".txt")
    other.write_bytes(path.read_bytes())
    with pytest.raises(FormatError):
        read_space(other, labels=other)


def test_another_format_is_named(tmp_path: Path) -> None:
    for kind, suffix, match in (
        ("npz", ".h5", "an npz file, but its name ends in .h5"),
        ("npz", ".pt", "an npz file, but its name ends in .pt"),
        ("hdf5", ".parquet", "an HDF5 file, but its name ends in .parquet"),
        ("parquet", ".h5", "a parquet file, but its name ends in .h5"),
        ("feather", ".parquet", "an Arrow file, but its name ends in .parquet"),
        ("torch", ".h5", "a torch file, but its name ends in .h5"),
    ):
        path = written(kind, tmp_path)
        with pytest.raises(FormatError, match=match):
            read_space(path.rename(tmp_path / f"other{suffix}"))


@FORMATS
def test_labels_of_another_number(kind: str, tmp_path: Path) -> None:
    path = written(kind, tmp_path)
    match = r"the points 'X', of shape \(10, 4\): labels has 11 labels, but there are 10 points"
    with pytest.raises(FormatError, match=match):
        open_points(path, labels=[*Y, "a"])
    (tmp_path / "y.txt").write_text("a\n" * 9)
    with pytest.raises(FormatError, match="labels has 9 labels, but there are 10 points"):
        open_points(path, labels=tmp_path / "y.txt")


@pytest.mark.parametrize(
    ("module", "extra", "kind"),
    [
        ("h5py", "hdf5", "hdf5"),
        ("pyarrow", "parquet", "parquet"),
        ("pyarrow", "parquet", "feather"),
        ("datasets", "datasets", "datasets"),
        ("zarr", "zarr", "zarr"),
        ("torch", "pt", "torch"),
    ],
)
def test_a_missing_library_is_named(
    module: str, extra: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(kind, tmp_path)
    for name in [name for name in sys.modules if name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    match = rf'needs {module}, which is not installed: pip install "geoprobe-engine\[{extra}\]"'
    with pytest.raises(FormatError, match=match) as caught:
        read_space(path)
    assert caught.value.path == path


@pytest.mark.full
def test_no_library_is_imported_for_another_format(tmp_path: Path) -> None:
    write_npz(tmp_path / "s.npz", X, Y)
    code = (
        "import sys; from geoprobe import read_space; read_space(sys.argv[1]);"
        "libraries = {'h5py', 'pyarrow', 'datasets', 'zarr', 'torch', 'pandas', 'safetensors'};"
        "print(sorted((libraries | {'sklearn', 'numba'}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s.npz")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


def test_arrays_of_groups_and_test_parts(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "groups.h5"
    with h5py.File(path, "w") as file:
        for layer in (5, 6):
            file[f"layer_{layer}/X"] = X + layer
            file[f"layer_{layer}/X_test"] = X[:3] + layer
        file["tags"] = np.array(Y, dtype="S1")
        file["tags_test"] = np.array(Y[:3], dtype=object)
    several = r"several datasets could be the points: 'layer_5/X', 'layer_5/X_test', "
    with pytest.raises(FormatError, match=several):
        read_space(path)
    space = read_space(path, points="layer_6/X", labels="tags")
    np.testing.assert_array_equal(space.points, (X + 6).astype(np.float32))
    assert space.labels.tolist() == Y
    assert space.test is not None
    assert space.test.labels.tolist() == Y[:3]


def test_the_only_array_of_points_needs_no_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", vectors=X, labels=Y, notes=np.array([{}], dtype=object))
    found = open_points(tmp_path / "x.npz")
    assert (found.name, found.shape) == ("vectors", (10, 4))
    assert found.labels is not None


def test_hdf5_that_holds_no_arrays_of_numbers(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        ragged = file.create_dataset("X", (2,), dtype=h5py.vlen_dtype(np.float32))
        ragged[0], ragged[1] = [1, 2], [3]
        file["pairs"] = np.zeros(2, dtype=[("a", "f4"), ("b", "f4")])
        file["empty"] = h5py.Empty("f4")
        file["names"] = np.array([["a"], ["b"]], dtype=object)
    for name, match in (
        ("X", r"'X' of shape \(2,\) holds rows of different lengths"),
        ("pairs", "holds the type"),
        ("empty", "shape None"),
        ("names", "the points 'names' has dtype str, but numbers"),
    ):
        with pytest.raises(FormatError, match=match):
            read_space(path, points=name, labels=["a", "b"])


def test_more_than_memory_is_refused_before_it_is_taken(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    zarr = pytest.importorskip("zarr")
    torch = pytest.importorskip("torch")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("X", (10**9, 10**6), "f4", chunks=(1000, 1000))
    zarr.create_array(
        str(tmp_path / "x.zarr"), shape=(10**9, 10**6), dtype="f4", chunks=(10**6,) * 2
    )
    torch.save({"X": torch.zeros(1, 1).expand(10**9, 10**6)}, tmp_path / "x.pt")
    for each in [open_points(tmp_path / name) for name in ("x.h5", "x.zarr", "x.pt")]:
        with pytest.raises(FormatError, match=r"4\.0 PB|4000\.0 TB"):
            each.array()


def test_missing_chunks_of_zarr_are_told(tmp_path: Path) -> None:
    path = written("zarr", tmp_path)
    (path / "X" / "c" / "2" / "0").unlink()
    with pytest.warns(InputWarning, match=r"1 of the 5 chunks of 'X' are not there"):
        space = read_space(path)
    assert not space.points[4:6].any()


def test_zarr_that_unpickles(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    (tmp_path / "x.zarr" / "X").mkdir(parents=True)
    (tmp_path / "x.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    (tmp_path / "x.zarr" / "X" / ".zarray").write_text(
        '{"zarr_format": 2, "shape": [2, 2], "chunks": [2, 2], "dtype": "<f4", "order": "C",'
        '"compressor": {"id": "pickle", "protocol": 5}, "fill_value": 0, "filters": null}'
    )
    (tmp_path / "x.zarr" / "X" / "0.0").write_bytes(b"\x80")
    with pytest.raises(FormatError, match="packed as pickles, which geoprobe never unpickles"):
        read_space(tmp_path / "x.zarr", labels=["a", "b"])


@pytest.mark.parametrize("kind", ["parquet", "feather", "datasets"])
def test_as_many_columns_as_a_model_has_dimensions(kind: str, tmp_path: Path) -> None:
    """A file is neither opened nor read once for each column."""
    pa = pytest.importorskip("pyarrow")
    points = rng.normal(size=(30, 2000)).astype(np.float32)
    content = pa.table({f"x{at}": column for at, column in enumerate(points.T)} | {"label": Y * 3})
    if kind == "parquet":
        pytest.importorskip("pyarrow.parquet").write_table(content, tmp_path / "x.parquet")
    elif kind == "feather":
        pytest.importorskip("pyarrow.feather").write_feather(content, tmp_path / "x.feather")
    else:
        datasets = pytest.importorskip("datasets")
        datasets.disable_progress_bars()
        datasets.Dataset(content).save_to_disk(str(tmp_path / "x.data"))
    found = open_points(next(tmp_path.iterdir()))
    np.testing.assert_array_equal(found.array(), points)
    assert found.labels is not None
    assert found.labels.tolist() == Y * 3


def test_columns_of_numbers(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    columns = {"a": X[:, 0], "tag": pa.array(Y).dictionary_encode(), "b": X[:, 1].astype("f4")}
    pq.write_table(pa.table(columns), path)
    found = open_points(path, labels="tag")
    assert (found.shape, found.dtype, found.name) == ((10, 2), "float32", "a,b")
    np.testing.assert_array_equal(found.array(), X[:, :2])
    assert found.labels is not None
    assert found.labels.tolist() == Y
    np.testing.assert_array_equal(open_points(path, points=["b", "a"]).rows(2, 4), X[2:4, [1, 0]])
    np.testing.assert_array_equal(open_points(path, points="b").array(), X[:, 1:2])
    with pytest.raises(FormatError, match="the column 'tag' has dtype str, but numbers"):
        open_points(path)
    pq.write_table(pa.table({"X": X[:, 0], "Y": X[:, 1], "Z": X[:, 2], "label": Y}), path)
    assert open_points(path).name == "X,Y,Z"


@pytest.mark.parametrize("kind", ["parquet", "feather", "arrow stream"])
def test_columns_with_gaps(kind: str, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")

    def file(column: Any, labels: Any = Y) -> Path:
        name, _ = WRITERS[kind]
        content = pa.table({"X": column, "label": labels})
        if kind == "parquet":
            import pyarrow.parquet as pq

            pq.write_table(content, tmp_path / name, row_group_size=3)
        else:
            new = pa.ipc.new_file if kind == "feather" else pa.ipc.new_stream
            with new(str(tmp_path / name), content.schema) as writer:
                writer.write_table(content, max_chunksize=3)
        return tmp_path / name

    rows: list[Any] = X.astype(float).tolist()
    for bad, match in (
        ([*rows[:7], rows[7][:3], *rows[8:]], "'X' has 3 numbers in row 7, but 4 are expected"),
        ([*rows[:9], rows[9][:3]], "'X' has 3 numbers in row 9, but 4 are expected"),
        ([*rows[:7], None, *rows[8:]], "'X' has no value in row 7"),
        ([*rows[:7], [1.0, 2.0, None, 3.0], *rows[8:]], "'X' has no value in row 7"),
    ):
        with pytest.raises(FormatError, match=match):
            open_points(file(pa.array(bad))).array()
    with pytest.raises(FormatError, match="'label' has no value in row 4"):
        open_points(file(pa.array(rows), [*Y[:4], None, *Y[5:]]))
    nested = pa.array([[row, row] for row in rows])
    with pytest.raises(FormatError, match=r"'X' has the type list<.*list<.*but numbers, lists of"):
        open_points(file(nested), points="X")


def test_no_rows_at_all(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(table(X, Y).slice(0, 0), tmp_path / "x.parquet")
    with pytest.raises(FormatError, match=r"0 sample|0 points|0 labels|shape \(0, 0\)"):
        read_space(tmp_path / "x.parquet")


def test_datasets_of_several_splits(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    classes = datasets.ClassLabel(names=["noun", "verb"])
    features = datasets.Features(
        {"X": datasets.Sequence(datasets.Value("float32")), "kind": classes}
    )
    rows = {"X": X.astype("f4"), "kind": [0, 1] * 5}
    split = datasets.Dataset.from_dict(rows, features=features)
    both = datasets.DatasetDict(train=split, test=split.select(range(3)))
    both.save_to_disk(str(tmp_path / "both"))
    with pytest.raises(FormatError, match="the splits 'train', 'test'; name one of them, such as"):
        read_space(tmp_path / "both")
    space = read_space(tmp_path / "both" / "train", column="kind")
    assert space.labels.tolist() == ["noun", "verb"] * 5
    np.testing.assert_array_equal(read_space(split, column="kind").points, space.points)
    with pytest.raises(InputError, match=r"no column 'tag'.*the columns are: 'X', 'kind'"):
        read_space(split, labels="tag")
    (tmp_path / "none").mkdir()
    with pytest.raises(
        FormatError, match="neither a zarr store nor one of the library datasets, but one of"
    ):
        read_space(tmp_path / "none")


def test_torch_files_run_no_code(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "unpickled",)

    for number, zipped in enumerate((True, False)):
        path = tmp_path / f"{number}.pt"
        torch.save({"X": torch.eye(3), "y": Bomb()}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(FormatError, match=r"holds pickled Python objects.*never unpickles"):
            read_space(path)
    torch.save({"X": np.eye(3)}, tmp_path / "numpy.pt")
    with pytest.raises(FormatError, match=r"holds pickled Python objects.*never unpickles"):
        read_space(tmp_path / "numpy.pt")
    assert not (tmp_path / "unpickled").exists()


def test_a_torch_that_is_not_safe_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.eye(3), tmp_path / "x.pt")
    assert open_points(tmp_path / "x.pt").name == "tensor"
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(FormatError, match=r"torch 2\.5\.1\+cpu .* version 2\.6 or later is needed"):
        open_points(tmp_path / "x.pt")


def test_tensors_that_are_no_points(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "x.pt"
    for content, match in (
        ({"X": torch.eye(3).to_sparse()}, "is sparse, but a dense one"),
        ({"X": torch.eye(3, dtype=torch.complex64)}, "Complex data not supported"),
        ({"X": torch.zeros(3)}, r"of shape \(3,\): the shape \(n_points, n_dims\) is expected"),
        ({"X": "text"}, "'X' is of type str"),
        ({"X": [torch.zeros(1, 5, 8), torch.zeros(1, 7, 8)]}, r"shapes \(1, 5, 8\), \(1, 7, 8\)"),
        ({"X": [[1.0, 2.0], [3.0]]}, "lists of different lengths, 1 and 2"),
        ({"a": torch.eye(3), "b": torch.eye(3)}, "could be the points: 'a', 'b'; name one"),
    ):
        torch.save(content, path)
        with pytest.raises(FormatError, match=match):
            read_space(path, labels=[1, 2, 1], points="X" if "X" in content else None)
    torch.save([torch.eye(3), torch.eye(4)], path)
    assert open_points(path, points="1").shape == (4, 4)


class Cache:
    """What a cache of activations offers, without being a mapping."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.keys, self.items, self.get = found.keys, found.items, found.__getitem__

    def __getitem__(self, name: str) -> Any:
        return self.get(name)


RESIDUAL = "blocks.6.hook_resid_post"


@pytest.fixture
def cache() -> Cache:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    names = ("blocks.5.hook_resid_post", RESIDUAL, "blocks.6.attn.hook_pattern")
    shapes = ((3, 5, 8), (3, 5, 8), (3, 2, 5, 5))
    return Cache({name: torch.randn(shape) for name, shape in zip(names, shapes, strict=True)})


def test_activations_of_one_position(cache: Cache) -> None:
    space = read_space(cache, points=RESIDUAL, labels=["a", "b", "a"], position=-1)
    np.testing.assert_array_equal(space.points, cache[RESIDUAL][:, -1].numpy())
    assert (space.name, space.source) == (RESIDUAL, None)


def test_activations_of_every_position(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cache[RESIDUAL].numpy()
    tags = np.array([["a", "b", "c", "", ""], ["a", "b", "", "", ""], ["a", "c", "b", "a", "b"]])
    kept = tags != ""
    for block in (1, 50, 1 << 22):
        monkeypatch.setattr(named_arrays, "_BLOCK_ELEMENTS", block)
        for labels in (tags, tags.tolist(), tags[kept]):
            found = open_points(cache, points=RESIDUAL, labels=labels, mask=kept)
            assert found.labels is not None
            assert found.labels.tolist() == tags[kept].tolist()
            np.testing.assert_array_equal(found.array(), whole[kept])
            np.testing.assert_array_equal(found.rows(3, 8), whole[kept][3:8])
        every = open_points(cache, points=RESIDUAL)
        np.testing.assert_array_equal(every.array(), whole.reshape(15, 8))
        np.testing.assert_array_equal(
            open_points(cache, points=RESIDUAL, position=2).array(), whole[:, 2]
        )


def test_activations_in_a_file(cache: Cache, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    whole = cache[RESIDUAL].numpy()
    kept = np.arange(15).reshape(3, 5) % 4 != 3
    with h5py.File(tmp_path / "acts.h5", "w") as file:
        file.update({RESIDUAL: whole, "kept": kept, "y": np.arange(15).reshape(3, 5) % 2})
    found = open_points(tmp_path / "acts.h5", mask="kept")
    np.testing.assert_array_equal(found.array(), whole[kept])
    assert found.labels is not None
    assert found.labels.tolist() == (np.arange(15).reshape(3, 5) % 2)[kept].tolist()


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({}, "could be the points: 'blocks.5.hook_resid_post', 'blocks.6.hook_resid_post'"),
        ({"points": "resid"}, "no array 'resid' to take the points from; the arrays are: 'blocks"),
        ({"points": "blocks.6.attn.hook_pattern"}, r"of shape \(3, 2, 5, 5\): the shape"),
        ({"points": RESIDUAL, "position": 5}, "no position 5; there are 5, counted from 0"),
        ({"points": RESIDUAL, "labels": [1, 2, 1]}, r"\(3, 5\) or \(15,\); position=-1 takes"),
        ({"points": RESIDUAL, "mask": np.ones((3, 4), bool)}, r"mask has the shape \(3, 4\)"),
        ({"points": RESIDUAL, "mask": np.full((3, 5), 2)}, "mask should hold true and false"),
        (
            {"points": RESIDUAL, "mask": np.ones((3, 5), bool), "position": 1},
            "position takes one point of every text, so that mask has no meaning",
        ),
    ],
)
def test_activations_that_do_not_fit(cache: Cache, how: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        open_points(cache, **how)


def test_options_for_activations_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"position is for activations of shape \(batch"):
        open_points({"X": X}, position=1)
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(FormatError, match=r"position is for activations of shape \(batch"):
        open_points(tmp_path / "x.npy", position=1)
    with pytest.raises(InputError, match="not from an object of type ndarray"):
        open_points(X)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="should be the name of one array"):
        open_points({"X": X}, points=["X", "Y"])


def test_points_for_the_estimator(tmp_path: Path) -> None:
    found = open_points(written("hdf5", tmp_path))
    probe = DirectProbe().fit(found.array(), found.labels)
    assert probe.n_clusters_ >= 3
