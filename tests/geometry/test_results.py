"""Results folders: what is written is read back to the last bit, and shown as tidy tables."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import FormatError, VerificationError
from geoprobe.files.csv_files import write_table
from geoprobe.geometry import Geometry, read_results, write_results
from geoprobe.geometry.label_table import label_table
from geoprobe.geometry.result_tables import tables
from geoprobe.probes import measure, measure_labels
from geoprobe.spaces import Space
from geoprobe.verify import verify_results
from tests.support.geometry_by_hand import LABELS, POINTS, TAU, geometry_by_hand
from tests.support.geometry_by_hand import space_by_hand as plane


def same(one: object, other: object) -> None:
    """Assert that two dataclasses of arrays hold the same bits; no file keeps timings."""
    for field in dataclasses.fields(one):  # type: ignore[arg-type]
        a, b = getattr(one, field.name), getattr(other, field.name)
        if dataclasses.is_dataclass(a):
            same(a, b)
        elif field.name not in ("timings", "names"):
            assert np.array_equal(a, b), field.name


def write(folder: Path, geometry: Geometry | None = None) -> Path:
    whole = geometry_by_hand(predictions=True) if geometry is None else geometry
    return write_results(whole, folder, timings=whole.timings)


def test_round_trip(tmp_path: Path) -> None:
    geometry = geometry_by_hand(predictions=True)
    results = read_results(write(tmp_path / "out", geometry))
    same(results.geometry, geometry)
    assert results.summary["scale"] == geometry.scale
    assert results.summary["tau"] == TAU
    assert results.summary["is_linear"] is False
    assert results.summary["counts"]["merges"] == 7
    assert results.summary["timings"] == {"merging": 0.25, "distances": 0.5}
    assert results.summary["test"]["right"] == 2
    assert results.origin.path is None


@pytest.mark.parametrize(
    "names",
    [
        {"a": "-1", "b": "0", "c": "x"},
        {"a": " a, b", "b": "né\nλ", "c": 'say "no"'},
        {"a": "", "b": "\r", "c": "=1+1"},
        {"a": -1, "b": 0, "c": 12},
        {"a": -(2**63), "b": 0, "c": 2**63 - 1},
    ],
)
def test_labels_of_every_kind(tmp_path: Path, names: dict[str, object]) -> None:
    labels = np.array([names[label] for label in LABELS])
    folder = write(tmp_path / "out", geometry_by_hand(labels=labels))
    results = read_results(folder)
    assert results.geometry.classes.dtype.kind == labels.dtype.kind
    assert results.geometry.classes.tolist() == sorted(names.values())
    verify_results(folder, POINTS, labels)


def test_boolean_labels(tmp_path: Path) -> None:
    space = Space(np.array([[0.0], [1.0], [5.0]]), np.array([True, True, False]))
    folder = write(tmp_path / "out", measure_labels(space))
    verify_results(folder, space.points, space.labels)
    assert read_results(folder).geometry.classes.tolist() == [False, True]


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (write(tmp_path / name) for name in "ab")
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()


def test_tables_are_tidy(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    expected = tables(geometry_by_hand(predictions=True))
    assert {path.name for path in folder.glob("*.csv")} == set(expected)
    for path in folder.glob("*.csv"):
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header == list(expected[path.name])
        assert rows
        assert {len(row) for row in rows} == {len(header)}


def test_label_distances_follow_from_cluster_distances() -> None:
    g = geometry_by_hand()
    d, codes = g.clusters.distances, g.clusters.label
    table = g.label_table()
    assert list(zip(table.first, table.second, strict=True)) == [(0, 1), (0, 2), (1, 2)]
    for k in range(3):
        rows = (codes[d.first] == table.first[k]) & (codes[d.second] == table.second[k])
        assert table.pairs[k] == rows.sum() == 4
        assert table.lower[k] == d.lower[rows].min()
        assert table.upper[k] == d.upper[rows].min()
        assert table.mean[k] == pytest.approx(d.distance[rows].mean(), rel=1e-15)


def test_one_label_has_no_pairs() -> None:
    none = np.empty(0, np.int64)
    assert [len(column) for column in label_table(none, none, *[np.empty(0)] * 3)] == [0] * 6


def test_unseen_labels_of_the_test_space_are_named(tmp_path: Path) -> None:
    test = Space(np.array([[0.5, 0.5], [8.0, 0.0], [3.0, 0.0]]), np.array(["a", "b", "new"]))
    folder = write(tmp_path / "out", measure(plane(), test=test, alone=False))
    summary = read_results(folder).summary["test"]
    assert summary["unseen_labels"] == ["new"]
    assert summary["right"] == 1
    assert summary["accuracy"] == 1 / 3


def test_where_the_data_came_from_is_kept(tmp_path: Path) -> None:
    folder = write_results(
        geometry_by_hand(), tmp_path / "o", source="here.npz", options={"labels": "role"}
    )
    results = read_results(folder)
    assert results.origin.path == str(Path("here.npz").resolve())
    assert results.origin.options == {"labels": "role"}
    assert results.summary["points_sha256"] == plane().fingerprints()["points"]


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    np.savez(folder / "geometry.npz", about=np.array([{}], dtype=object))
    with pytest.raises(FormatError, match=r"geometry\.npz"):
        read_results(folder)


@pytest.mark.full
def test_every_single_digit_of_tables_and_summary_counts(tmp_path: Path) -> None:
    """One digit in a file, each in turn; what only notes how it went may be anything."""
    folder = write(tmp_path / "out")
    free = [(folder / "summary.json").read_bytes().index(b'"input"'), 10**9]
    for path in [*sorted(folder.glob("*.csv")), folder / "summary.json"]:
        whole = path.read_bytes()
        places = [k for k, byte in enumerate(whole) if chr(byte).isdigit()]
        if path.name == "summary.json":
            places = [k for k in places if not free[0] <= k < free[1]]
        assert places
        for k in places:
            digit = str((int(chr(whole[k])) + 1) % 10).encode()
            path.write_bytes(whole[:k] + digit + whole[k + 1 :])
            try:
                verify_results(folder, POINTS, LABELS)
            except (VerificationError, FormatError) as error:
                assert path.name in str(error)
            else:
                # The last digits of a mean may differ between machines.
                assert path.name == "label_distances.csv"
                assert whole[:k].rpartition(b"\n")[2].count(b",") == 5
                assert len(whole[:k].rpartition(b",")[2]) > 12
        path.write_bytes(whole)
    verify_results(folder, POINTS, LABELS)


@pytest.mark.full
def test_every_byte_of_the_geometry_counts(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    path = folder / "geometry.npz"
    whole = path.read_bytes()
    before = read_results(folder).geometry
    for k in range(0, len(whole), 37):
        path.write_bytes(whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :])
        try:
            # Some bytes of a zip file mean nothing, such as dates.
            same(read_results(folder).geometry, before)
        except FormatError as error:
            assert path.name in str(error)


@pytest.mark.parametrize("name", ["clusters.csv", "distances.csv", "blocks.csv"])
def test_rows_that_are_missing_added_or_moved(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "out") / name
    lines = path.read_text().splitlines()
    for changed, line in (
        (lines[:-1], len(lines)),
        ([*lines, lines[-1]], len(lines) + 1),
        ([lines[0], *lines[2:3], lines[1], *lines[3:]], 2),
        (lines[1:], 1),
    ):
        path.write_text("\n".join(changed) + "\n")
        with pytest.raises(VerificationError, match=rf"{name}, line {line}: "):
            verify_results(tmp_path / "out", POINTS, LABELS)


def test_folders_of_the_first_version_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"format": "geoprobe results", "format_version": 1}')
    with pytest.raises(FormatError, match="geoprobe probe"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["[1]", "{", '{"format": NaN}', "[" * 100_000, "\u00e9", '{"format": "geoprobe results"}'],
)
def test_malformed_summaries(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=r"summary\.json"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    "noted",
    [None, 1, [], {}, {"name": "x", "path": 1}, {"name": "x", "options": {"labels": 3}}],
)
def test_a_forged_origin_is_refused_in_words(tmp_path: Path, noted: object) -> None:
    path = write(tmp_path / "out") / "summary.json"
    summary = json.loads(path.read_text())
    path.write_text(json.dumps({**summary, "input": noted}))
    with pytest.raises(FormatError, match=r"summary\.json"):
        read_results(tmp_path / "out")


def test_floats_keep_every_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000) * 10.0 ** rng.integers(-300, 300, 2000)
    values = np.concatenate([values, [0.0, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3]])
    write_table(tmp_path / "t.csv", {"x": values, "k": np.arange(len(values))})
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert np.array([float(row["x"]) for row in rows]).tobytes() == values.tobytes()
    assert [int(row["k"]) for row in rows] == list(range(len(values)))


def test_tables_longer_than_one_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoprobe.files.csv_files.ROWS_AT_ONCE", 7)
    write_table(tmp_path / "t.csv", {"k": np.arange(20), "word": ["yes"] * 20})
    with (tmp_path / "t.csv").open(newline="") as file:
        assert [row["k"] for row in csv.DictReader(file)] == [str(k) for k in range(20)]


def test_distances_of_whole_labels(tmp_path: Path) -> None:
    """Labels as they are, of which two overlap, which no partition of clusters would allow."""
    points = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, -1.0], [1.0, 1.0], [9.0, 0.0]])
    space = Space(points, np.array([3, 3, 5, 5, 7]))
    folder = write(tmp_path / "out", measure_labels(space))
    report = verify_results(folder, points, space.labels)
    assert dict(report.checks)["pairs of labels overlapping"] == 1
    results = read_results(folder)
    assert results.summary["kind"] == "distances"
    assert results.summary["is_linear"] is False
    assert results.geometry.clusters is None
    assert {path.name for path in folder.glob("*.csv")} == {"label_distances.csv"}


def test_importing_the_room_loads_no_engine(repository: Path) -> None:
    code = (
        "import sys, geoprobe.geometry as g; g.read_results;"
        "bad = [m for m in sys.modules if m.startswith(('geoprobe.kernels', 'geoprobe.hulls',"
        " 'geoprobe.probes', 'numba', 'highspy', 'scipy', 'sklearn', 'faiss'))];"
        "print(bad); sys.exit(bool(bad))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_summary_is_ascii_json(tmp_path: Path) -> None:
    names = {"a": "ä", "b": "ö", "c": "ü"}
    labels = np.array([names[label] for label in LABELS])
    folder = write(tmp_path / "out", geometry_by_hand(labels=labels))
    summary = json.loads((folder / "summary.json").read_bytes().decode("ascii"))
    assert summary["labels"] == ["ä", "ö", "ü"]
    assert summary["n_points"] == len(POINTS)
