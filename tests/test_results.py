"""What is written is read back to the last bit."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from results_by_hand import ASSIGNMENT, LABELS, POINTS, TAU, distances_by_hand, probe_by_hand
from results_by_hand import space_by_hand as plane

from geoprobe.errors import FormatError, InputError
from geoprobe.files.csv_files import ANY_TEXT, FINITE, WHOLE, one_of, read_table, write_table
from geoprobe.geometry.label_table import label_table
from geoprobe.results import (
    Predictions,
    read_results,
    verify_results,
    write_distances,
    write_results,
)
from geoprobe.results.layout import COLUMNS
from geoprobe.results.supports_io import read_supports
from geoprobe.spaces import Space


def same(one: object, other: object) -> None:
    """Assert that two dataclasses of arrays hold the same bits."""
    for field in dataclasses.fields(one):  # type: ignore[arg-type]
        a, b = getattr(one, field.name), getattr(other, field.name)
        if dataclasses.is_dataclass(a):
            same(a, b)
        else:
            assert np.array_equal(a, b), field.name


def test_round_trip(tmp_path: Path) -> None:
    probe = probe_by_hand()
    results = read_results(write_results(probe, plane(), tmp_path / "out"))
    same(results.distances, probe.distances_)
    same(results.blocks, probe.blocks_)
    assert np.array_equal(results.labels, probe.labels_)
    assert np.array_equal(results.classes, probe.classes_)
    assert np.array_equal(results.cluster_labels, probe.cluster_labels_)
    assert np.array_equal(results.cluster_sizes, probe.cluster_sizes_)
    assert results.predictions is None
    assert results.summary["scale"] == probe.scale_
    assert results.summary["tau"] == TAU
    assert results.summary["is_linear"] is False
    assert results.summary["counts"]["merges"] == 7
    assert results.summary["timings"] == {"merging": 0.25, "distances": 0.5}
    assert results.summary["input"]["path"] is None


@pytest.mark.parametrize(
    "names",
    [
        {"a": "-1", "b": "0", "c": "x"},
        {"a": " a, b", "b": "né\nλ", "c": 'say "no"'},
        {"a": "", "b": "\r", "c": "#"},
        {"a": -1, "b": 0, "c": 12},
        {"a": -(2**63), "b": 0, "c": 2**63 - 1},
    ],
)
def test_labels_of_every_kind(tmp_path: Path, names: dict[str, object]) -> None:
    labels = np.array([names[label] for label in LABELS])
    space = plane(labels)
    folder = write_results(probe_by_hand(labels=labels), space, tmp_path / "out")
    results = read_results(folder)
    assert results.classes.dtype.kind == labels.dtype.kind
    assert results.classes.tolist() == sorted(names.values())
    verify_results(folder, POINTS, labels)


def test_boolean_labels(tmp_path: Path) -> None:
    points = np.array([[0.0], [1.0], [5.0]])
    space = Space(points, np.array([True, True, False]))
    codes = np.array([1, 1, 0])
    table = distances_by_hand(np.c_[points, 0 * points], codes, [(0, 1)], 3.0)
    folder = write_distances(table, space, tmp_path / "out", timings={"distances": 0.1})
    verify_results(folder, points, space.labels)
    assert read_results(folder).classes.tolist() == [False, True]


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (write_results(probe_by_hand(), plane(), tmp_path / name) for name in "ab")
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()


def test_tables_are_tidy(tmp_path: Path) -> None:
    folder = write_results(probe_by_hand(), plane(), tmp_path / "out")
    for path in folder.glob("*.csv"):
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        assert tuple(header) == COLUMNS[path.name]
        assert rows
        assert {len(row) for row in rows} == {len(header)}


def test_label_distances_follow_from_cluster_distances() -> None:
    probe = probe_by_hand()
    d = probe.distances_
    codes = np.searchsorted(probe.classes_, probe.cluster_labels_)
    table = label_table(codes[d.first], codes[d.second], d.lower, d.upper, d.distance)
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


def test_predictions(tmp_path: Path) -> None:
    test = Space(
        np.array([[0.5, 0.5], [8.0, 0.0], [3.0, 0.0]]), np.array(["a", "b", "new"]), "held"
    )
    predictions = Predictions(test, np.array([0, 1, 2]), np.array([0.0, 1.0, 0.25]))
    folder = write_results(probe_by_hand(), plane(), tmp_path / "out", test=predictions)
    results = read_results(folder)
    assert results.summary["test"]["right"] == 1
    assert results.summary["test"]["accuracy"] == 1 / 3
    assert results.predictions is not None
    assert results.predictions.cluster.tolist() == [0, 1, 2]
    assert results.predictions.label.tolist() == ["a", "b", "new"]
    report = verify_results(folder, POINTS, LABELS)
    assert dict(report.checks)["predictions consistent"] == 3


def test_where_the_data_came_from_is_kept(tmp_path: Path) -> None:
    space = plane(source=Path("here.npz"))
    folder = write_results(probe_by_hand(), space, tmp_path / "o", options={"labels": "role"})
    noted = read_results(folder).summary["input"]
    assert noted["path"] == str(Path("here.npz").resolve())
    assert noted["options"] == {"labels": "role"}
    assert noted["points_sha256"] == space.fingerprints()["points"]


def test_certificates_are_small_and_not_pickled(tmp_path: Path) -> None:
    folder = write_results(probe_by_hand(), plane(), tmp_path / "out")
    with np.load(folder / "certificates.npz", allow_pickle=False) as arrays:
        kinds = {name: arrays[name].dtype.str for name in arrays.files}
    assert len(kinds) == 12
    assert {kind for name, kind in kinds.items() if "weight" in name} == {"<f8"}
    assert {kind for name, kind in kinds.items() if "weight" not in name} == {"<i4"}


def test_pickled_certificates_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "certificates.npz"
    np.savez(path, **{"blocks_start_a": np.array([{}], dtype=object)})
    with pytest.raises(FormatError, match="should be"):
        read_supports(path, "distances", "blocks")
    names = [f"x_{p}_{s}" for s in "ab" for p in ("start", "index", "weight")]
    np.savez(path, **{name: np.array([{}], dtype=object) for name in names})
    with pytest.raises(FormatError, match="allow_pickle"):
        read_supports(path, "x")


def test_a_probe_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fit"):
        write_results(SimpleNamespace(), plane(), tmp_path / "out")


def test_another_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="14 points"):
        write_results(probe_by_hand(), Space(POINTS[:5], LABELS[:5]), tmp_path / "out")
    with pytest.raises(InputError, match="other labels"):
        write_results(probe_by_hand(), plane(np.char.upper(LABELS)), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_floats_keep_every_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000) * 10.0 ** rng.integers(-300, 300, 2000)
    values = np.concatenate([values, [0.0, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3]])
    write_table(tmp_path / "t.csv", {"x": values, "k": np.arange(len(values))})
    table = read_table(tmp_path / "t.csv", {"x": FINITE, "k": WHOLE})
    assert table["x"].tobytes() == values.tobytes()
    assert np.array_equal(table["k"], np.arange(len(values)))


def test_tables_longer_than_one_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoprobe.files.csv_files.ROWS_AT_ONCE", 7)
    path = tmp_path / "t.csv"
    write_table(path, {"k": np.arange(20), "word": ["yes"] * 20})
    table = read_table(path, {"k": WHOLE, "word": one_of(["no", "yes"])})
    assert table["k"].tolist() == list(range(20))
    assert table["word"].tolist() == [1] * 20
    path.write_text(path.read_text().replace("17,yes", "17,perhaps"))
    with pytest.raises(FormatError, match=r"t\.csv, line 19: word .*one of no, yes.*'perhaps'"):
        read_table(path, {"k": WHOLE, "word": one_of(["no", "yes"])})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the columns should be k,x"),
        ("k,y\n", "line 1: the columns should be k,x"),
        ("k,x\n1,2.0,3\n", "line 2: 2 cells expected, 3 found"),
        ("k,x\n1,2.0\n1\n", "line 3: 2 cells expected, 1 found"),
        ("k,x\n1.5,2.0\n", "line 2: k should be a whole number of 64 bits, not '1.5'"),
        (f"k,x\n{2**63},2.0\n", "line 2: k should be a whole number of 64 bits"),
        ("k,x\n1,nan\n", "line 2: x should be a finite number, not 'nan'"),
        ("k,x\n1,2\n1,1e999\n", "line 3: x should be a finite number, not '1e999'"),
        ('k,x\n1,"2\n', "cannot be read"),
        ("k,x\n1,\ud800\n", "line 2: x should be a finite number"),
    ],
)
def test_malformed_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(FormatError, match=message) as caught:
        read_table(path, {"k": WHOLE, "x": FINITE})
    assert caught.value.path == path


def test_a_table_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"k\n\xff\xfe\n")
    with pytest.raises(FormatError, match="cannot be read"):
        read_table(path, {"k": ANY_TEXT})


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "{",
        '{"format": NaN}',
        '{"format": "geoprobe results", "format": "geoprobe results"}',
        "[" * 100_000,
        "\u00e9",
    ],
)
def test_malformed_summaries(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=r"summary\.json"):
        read_results(tmp_path)


def test_distances_of_whole_labels(tmp_path: Path) -> None:
    """Labels as they are, of which two overlap, which no partition of clusters would allow."""
    points = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, -1.0], [1.0, 1.0], [9.0, 0.0]])
    space = Space(points, np.array([3, 3, 5, 5, 7]))
    codes = np.array([0, 0, 1, 1, 2])
    scale = float(np.linalg.norm(points - points.mean(axis=0), axis=1).max())
    table = distances_by_hand(points, codes, [(0, 1), (0, 2), (1, 2)], scale)
    # The segments cross in the middle.
    crossing = distances_by_hand(np.array([[1.0, 0.0]] * 2), np.array([0, 1]), [(0, 1)], scale)
    assert crossing.upper[0] == 0
    s = table.supports
    first = [([0, 1], [0.5, 0.5]), *(s.side_a(k) for k in (1, 2))]
    second = [([2, 3], [0.5, 0.5]), *(s.side_b(k) for k in (1, 2))]
    from results_by_hand import supports

    table = dataclasses.replace(
        table,
        lower=np.r_[0.0, table.lower[1:]],
        upper=np.r_[0.0, table.upper[1:]],
        status=np.r_[np.uint8(1), table.status[1:]],
        supports=supports(first, second),
    )
    folder = write_distances(table, space, tmp_path / "out")
    report = verify_results(folder, points, space.labels)
    assert dict(report.checks)["pairs overlapping"] == 1
    results = read_results(folder)
    assert results.summary["kind"] == "distances"
    assert results.summary["is_linear"] is False
    assert results.summary["n_clusters"] == 3
    assert len(results.blocks) == 0


def test_many_rows_are_written_in_blocks_of_seconds(tmp_path: Path) -> None:
    """200,000 rows of eight columns; a generous limit that only a slow way of writing breaks."""
    import time

    n_rows = 200_000
    rng = np.random.default_rng(1)
    columns = {name: rng.integers(0, 999, n_rows) for name in "abcdef"}
    began = time.perf_counter()
    write_table(tmp_path / "t.csv", {**columns, "x": rng.random(n_rows), "y": rng.random(n_rows)})
    assert time.perf_counter() - began < 10


def test_importing_the_room_loads_no_engine(repository: Path) -> None:
    code = (
        "import sys, geoprobe.results as r; r.verify_results;"
        "bad = [m for m in sys.modules if m.startswith(('geoprobe.kernels', 'geoprobe.hulls',"
        " 'geoprobe.probes', 'numba', 'highspy', 'scipy', 'sklearn', 'faiss'))];"
        "print(bad); sys.exit(bool(bad))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_unknown_names_are_refused() -> None:
    import geoprobe.results

    with pytest.raises(AttributeError, match="nothing_like_it"):
        geoprobe.results.nothing_like_it  # noqa: B018


def test_the_summary_is_ascii_json(tmp_path: Path) -> None:
    names = {"a": "ä", "b": "ö", "c": "ü"}
    labels = np.array([names[label] for label in LABELS])
    folder = write_results(probe_by_hand(labels=labels), plane(labels), tmp_path / "out")
    summary = json.loads((folder / "summary.json").read_bytes().decode("ascii"))
    assert summary["labels"] == ["ä", "ö", "ü"]
    assert len(ASSIGNMENT) == summary["n_points"]
