"""Tables that no spreadsheet runs, and arrays that are refused by their headers."""

from __future__ import annotations

import csv
import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import FormatError
from geoprobe.files import array_headers
from geoprobe.files.atomic import is_unfinished, new_folder, unfinished_of, write_file
from geoprobe.files.csv_files import as_cell, from_cell, write_table
from geoprobe.files.json_files import read_json, write_json
from geoprobe.files.npz_files import read_npz, write_npz
from geoprobe.memory import free_memory
from geoprobe.spaces import read_space

FORMULAS = ["=1+1", "+", "-", "--", "@SUM(A1)", "-5+cmd|' /C calc'!A0", "\t=1", "\r=1", "\uff1d1"]
HARMLESS = ["NOUN", "", "'", "''", "'s", "-5", "+.5e-3", "-1.", "a=b", "1-2", " ", "\u00e9"]


def test_text_that_a_spreadsheet_would_run_is_shielded() -> None:
    assert all(as_cell(text) == f"'{text}" for text in FORMULAS)
    assert [as_cell(text) for text in HARMLESS] == HARMLESS


def test_texts_come_back_as_they_were(tmp_path: Path) -> None:
    texts = [*FORMULAS, *HARMLESS, *(f"'{text}" for text in FORMULAS), "''-", "'-5"]
    columns = {
        "label": texts,
        "again": np.array(texts, dtype=object),
        "k": np.arange(len(texts)) - 7,
        "x": -1.0 / (1.0 + np.arange(len(texts))),
    }
    path = tmp_path / "t.csv"
    write_table(path, columns)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [from_cell(row["label"]) for row in rows] == texts
    assert [from_cell(row["again"]) for row in rows] == texts
    # Numbers stay numbers for every other reader.
    assert [int(row["k"]) for row in rows] == columns["k"].tolist()
    assert [float(row["x"]) for row in rows] == columns["x"].tolist()
    assert not [row["label"] for row in rows if row["label"][:1] in set("=@\t\r\uff1d")]


def test_cells_of_text_are_one_to_one() -> None:
    rng = np.random.default_rng(0)
    texts = {"".join(rng.choice(list("'=+-@5a.e\t"), rng.integers(0, 5))) for _ in range(5000)}
    assert len({as_cell(text) for text in texts}) == len(texts)
    assert {from_cell(as_cell(text)) for text in texts} == texts
    assert all(from_cell(as_cell(text)) == text for text in texts)


def test_tables_of_a_report_are_no_formulas() -> None:
    from geoprobe.report.figure_files import to_csv

    table = to_csv({"label": ["-", "NOUN"], "x": [-1.5, 2.0], "n": [-3, 4]})
    assert table == b"label,x,n\n'-,-1.5,-3\nNOUN,2.0,4\n"


def npy_header(shape: object, dtype: str = "<f4") -> bytes:
    """Return the header of an npy file that declares this shape."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def long_header() -> bytes:
    """Return the begin of an npy file whose header would be 4 GB long."""
    return b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + b"{'descr': '<f4'"


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def labels(n: int = 2) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(n) % 2)
    return buffer.getvalue()


def refused_at_once(path: Path, match: str, read: Callable[[Path], object] = read_space) -> None:
    """Check that a file is refused with these words and without taking memory for it."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=match):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """A file of 0.3 MB that holds 300 MB of zeros."""
    path = tmp_path / "bomb.npz"
    rows = 300_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("X.npy", "w") as member:
            member.write(npy_header((rows, 250)))
            for _ in range(rows // 1000):
                member.write(bytes(1_000_000))
        archive.writestr("y.npy", labels(rows))
    return path


@pytest.mark.full
def test_a_zip_bomb_is_not_unpacked(bomb: Path) -> None:
    refused_at_once(bomb, r" kB \(\d+ bytes\) would unpack to 300\.0 MB .* for the array 'X'")
    refused_at_once(bomb, r"for 2 arrays", lambda path: read_npz(path, "geometry", 1))


@pytest.mark.parametrize("shape", [(10**12, 10**6), (3, 2), (10**30, 1), (1,), (-4, -1)])
def test_npz_headers_that_do_not_fit(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = npz(tmp_path / "x.npz", X=npy_header(shape) + bytes(16), y=labels())
    refused_at_once(path, r"'X' (declares the shape|is damaged)")


def test_headers_that_never_end(tmp_path: Path) -> None:
    path = npz(tmp_path / "x.npz", X=long_header() + b" " * 50_000_000, y=labels())
    refused_at_once(path, "declares a length of 4.3 GB .*, at most 10000 bytes")
    (tmp_path / "x.npy").write_bytes(long_header() + b" " * 50_000_000)
    refused_at_once(
        tmp_path / "x.npy",
        "declares a length of 4.3 GB",
        lambda path: read_space(path, labels=path),
    )


def test_npy_headers_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for shape in [(10**12, 10**6), (3, 2), (10**30, 1)]:
        path.write_bytes(npy_header(shape) + bytes(16))
        refused_at_once(
            path,
            r"declares an array of shape .* but 16 bytes follow",
            lambda p: read_space(p, labels=p),
        )


@pytest.mark.parametrize("length", [2**63 - 1, 2**40, 90_000_000])
def test_safetensors_headers_that_do_not_fit(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + b'{"X":{}}')
    refused_at_once(path, r"its header would be .*, the file is 16 bytes")


def test_more_than_the_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.numpy import save_file

    monkeypatch.setattr(array_headers, "free_memory", lambda: 1_000_000)
    points = np.random.default_rng(0).normal(size=(1000, 200))
    codes = np.arange(1000) % 2
    np.savez(tmp_path / "x.npz", X=points, y=codes)
    save_file({"X": points, "y": codes}, tmp_path / "x.safetensors")
    told = (
        r"1\.6 MB \(1600000 bytes\) of memory are needed for the points 'X' of shape "
        r"\(1000, 200\), but 1\.0 MB \(1000000 bytes\)"
    )
    for name in ("x.npz", "x.safetensors"):
        with pytest.raises(FormatError, match=told):
            read_space(tmp_path / name)
    monkeypatch.setattr(array_headers, "free_memory", lambda: None)
    assert read_space(tmp_path / "x.npz").n_points == 1000


def test_npz_that_is_written_is_read_by_numpy_and_has_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = {
        "x": np.arange(6.0).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "none": np.empty((0, 4), np.float32),
        "one": np.array(7, np.uint8),
        "text": np.array(["a", "\u65e5"]),
    }
    about = {"format": "x", "format_version": 1}
    write_npz(tmp_path / "a.npz", about, arrays)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_npz(tmp_path / "b.npz", about, arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read, ours = np.load(tmp_path / "a.npz"), read_npz(tmp_path / "a.npz", "x", 1)[1]
    assert set(read.files) == {*arrays, "about"} and set(ours) == set(arrays)
    for name, array in arrays.items():
        for other in (read[name], ours[name]):
            assert other.dtype == array.dtype and other.shape == array.shape
            assert np.array_equal(other, array)


@pytest.mark.parametrize("dtype", ["f4", ">f8", "i1", "?", "U7", "c16", "S3", "O", [("a", "f4")]])
@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 3), (2, 0, 4)])
def test_headers_are_read_as_numpy_reads_them(dtype: object, shape: tuple[int, ...]) -> None:
    for version in ((1, 0), (2, 0)):
        file = io.BytesIO()
        array = np.zeros(shape, dtype, order="F")  # type: ignore[call-overload]
        np.lib.format.write_array(file, array, version=version)
        file.seek(0)
        header = array_headers.read_npy_header(file)
        assert header.length == file.tell()
        file.seek(0)
        np.lib.format.read_magic(file)
        read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
        assert (header.shape, header.columns_first, header.dtype) == read(file)


@pytest.mark.parametrize("said", ["(3)", "(03,)", "(-3,)", "(3,) + (1,)", "3"])
def test_odd_headers_are_left_to_numpy(said: str) -> None:
    with pytest.raises(ValueError):
        array_headers.read_npy_header(io.BytesIO(npy_header(said)))


def test_free_memory_is_a_plausible_number() -> None:
    free = free_memory()
    assert free is None or 1 << 20 < free < 1 << 50


DEAD = 2**22 + 1
"""No process has this number."""


def test_files_and_folders_clear_away_what_the_dead_have_left(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with new_folder(target) as place:
        (place / "half.txt").write_text("half")
        (living,) = unfinished_of(target)
        host = living.name.split(".")[2].rsplit("-", 2)[0]
        dead = tmp_path / f".out.{host}-{DEAD}-0123abcd.unfinished"
        elsewhere = tmp_path / f".out.not_{host}-{DEAD}-0123abcd.unfinished"
        # Version 0.1 did not say on which computer its process ran.
        old = tmp_path / f".out.{DEAD}-0123abcd.unfinished"
        for folder in (dead, elsewhere, old):
            folder.mkdir()
            assert is_unfinished(folder)
        write_file(target, lambda path: path.write_text("whole"))
        assert unfinished_of(target) == sorted([living, elsewhere, old])
        target.unlink()
    assert (target / "half.txt").read_text() == "half"
    assert unfinished_of(target) == sorted([elsewhere, old])


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out") as place:
        (place / "half.txt").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", ["1e400", "[" * 900 + "]" * 900, '"b"'])
def test_json_that_no_seal_fits(tmp_path: Path, said: str) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"format": "x", "format_version": 1, "value": "a"})
    path.write_text(path.read_text(encoding="ascii").replace('"a"', said), encoding="ascii")
    with pytest.raises(FormatError, match="changed after it was written"):
        read_json(path, "x", 1)
