"""Verification accepts what is right and refuses every value that is not."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_by_hand import LABELS, POINTS, distances_by_hand, probe_by_hand, space_by_hand

from geoprobe.errors import InputError, VerificationError
from geoprobe.progress import Progress
from geoprobe.results import Predictions, verify_results, write_distances, write_results
from geoprobe.results.layout import (
    ASSIGNMENTS,
    BLOCKS,
    CERTIFICATES,
    CLUSTERS,
    DISTANCES,
    LABEL_DISTANCES,
    PREDICTIONS,
    SUMMARY,
)
from geoprobe.results.summary import write_summary
from geoprobe.results.verify_geometry import Geometry
from geoprobe.spaces import Space


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    test = Space(np.array([[0.5, 0.5], [8.0, 0.0], [3.0, 0.0]]), np.array(["a", "b", "b"]))
    predictions = Predictions(test, np.array([0, 1, 2]), np.array([0.0, 1.0, 0.25]))
    folder = tmp_path_factory.mktemp("original") / "out"
    return write_results(probe_by_hand(), space_by_hand(), folder, test=predictions)


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "out"))


def reseal(folder: Path) -> None:
    """Write the hashes anew, as a forger would."""
    summary = json.loads((folder / SUMMARY).read_text())
    (folder / SUMMARY).unlink()
    for key in ("format", "format_version", "files", "summary_sha256"):
        del summary[key]
    write_summary(folder, summary)


def change_summary(folder: Path, **values: Any) -> None:
    summary = json.loads((folder / SUMMARY).read_text())
    summary.update(values)
    (folder / SUMMARY).write_text(json.dumps(summary))
    reseal(folder)


def change_arrays(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    with np.load(folder / CERTIFICATES) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(folder / CERTIFICATES, **arrays)
    reseal(folder)


def table(folder: Path, name: str) -> list[list[str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.reader(file))


def put_table(folder: Path, name: str, rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    (folder / name).write_text(text.getvalue())
    reseal(folder)


def change_cell(folder: Path, name: str, row: int, column: str, value: str) -> None:
    rows = table(folder, name)
    rows[row + 1][rows[0].index(column)] = value
    put_table(folder, name, rows)


def refused(folder: Path, match: str | None = None) -> str:
    with pytest.raises(VerificationError, match=match) as caught:
        verify_results(folder, POINTS, LABELS)
    return str(caught.value)


def test_right_results_pass(original: Path) -> None:
    seen: list[Progress] = []
    report = verify_results(original, POINTS, LABELS, progress=seen.append)
    checks = dict(report.checks)
    assert checks["files unchanged"] == 8
    assert checks["pairs of clusters listed once"] == 15
    assert checks["pairs disjoint, both bounds hold"] == 11
    assert checks["pairs overlapping"] == 1
    assert checks["pairs that cannot merge"] == 3
    assert report.n_checks == sum(checks.values())
    assert report.n_unproved == 0
    assert 0 <= report.worst_gap < 1e-12
    assert 0 <= report.worst_row < 12
    assert report.rounding < report.tolerance < 1e-9
    assert {step.phase for step in seen} == {
        "verifying files",
        "verifying distances",
        "verifying blocks",
    }
    assert all(0 <= step.done <= step.total for step in seen)


def test_resealing_alone_changes_nothing(folder: Path) -> None:
    reseal(folder)
    verify_results(folder, POINTS, LABELS)


@pytest.mark.parametrize(
    "name",
    [SUMMARY, CLUSTERS, DISTANCES, LABEL_DISTANCES, ASSIGNMENTS, BLOCKS, PREDICTIONS],
)
def test_every_single_digit_counts(folder: Path, name: str) -> None:
    """One digit in a file, each in turn, and no hash made good."""
    path = folder / name
    whole = path.read_bytes()
    places = [k for k, byte in enumerate(whole) if chr(byte).isdigit()]
    assert places
    for k in places:
        path.write_bytes(whole[:k] + str((int(chr(whole[k])) + 1) % 10).encode() + whole[k + 1 :])
        message = refused(folder)
        assert name in message or SUMMARY in message
    path.write_bytes(whole)
    verify_results(folder, POINTS, LABELS)


def test_every_byte_of_the_certificates_counts(folder: Path) -> None:
    path = folder / CERTIFICATES
    whole = path.read_bytes()
    for k in range(0, len(whole), 37):
        path.write_bytes(whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :])
        assert CERTIFICATES in refused(folder)


def cells() -> list[tuple[str, str]]:
    from geoprobe.results.layout import COLUMNS

    # The stage says who found an answer, which no data can tell; predictions carry no
    # certificates.
    unprovable = {(DISTANCES, "stage"), (PREDICTIONS, "distance"), (PREDICTIONS, "cluster")}
    return [
        (name, column)
        for name, columns in COLUMNS.items()
        for column in columns
        if (name, column) not in unprovable
    ]


@pytest.mark.parametrize(("name", "column"), cells())
def test_every_cell_counts_even_with_new_hashes(folder: Path, name: str, column: str) -> None:
    """Each cell of each table in turn, changed to another value of its kind, hashes made good."""
    rows = table(folder, name)
    at = rows[0].index(column)
    words = {"status": ["disjoint", "overlap", "unproved"], "label": ["a", "b", "c"]}
    for row in range(1, len(rows)):
        cell = rows[row][at]
        kind = "status" if column == "status" else "label"
        if column == "status" or "label" in column or column == "predicted":
            others = [word for word in words[kind] if word != cell]
        elif cell.lstrip("-").isdigit():
            others = [str(int(cell) + 1), str(int(cell) - 1), "1000000"]
        else:
            value = float(cell)
            others = [repr(value + 1e-6), repr(value - 1e-6), repr(-value - 1), "1e300"]
        for other in others:
            changed = [list(each) for each in rows]
            changed[row][at] = other
            put_table(folder, name, changed)
            assert refused(folder)


@pytest.mark.parametrize("value", ["2", "-1", "6", "1.5"])
def test_a_predicted_cluster_of_another_label(folder: Path, value: str) -> None:
    change_cell(folder, PREDICTIONS, 0, "cluster", value)
    refused(folder, rf"{PREDICTIONS}, line 2: ")


def test_a_predicted_distance_below_zero(folder: Path) -> None:
    change_cell(folder, PREDICTIONS, 1, "distance", "-1.0")
    refused(folder, rf"{PREDICTIONS}, line 3: distance")


@pytest.mark.parametrize("labels", [np.array([4, 1, 2]), np.array([True, False, True])])
def test_test_labels_of_another_type(tmp_path: Path, labels: np.ndarray) -> None:
    test = Space(np.zeros((3, 2)), labels)
    predictions = Predictions(test, np.array([0, 1, 2]), np.zeros(3))
    out = write_results(probe_by_hand(), space_by_hand(), tmp_path / "out", test=predictions)
    verify_results(out, POINTS, LABELS)
    change_cell(out, PREDICTIONS, 2, "label", "a")
    refused(out, "not those of the test points")


@pytest.mark.parametrize("which", ["distances", "blocks"])
@pytest.mark.parametrize("side", ["a", "b"])
def test_every_weight_counts(folder: Path, which: str, side: str) -> None:
    with np.load(folder / CERTIFICATES) as archive:
        n_entries = len(archive[f"{which}_weight_{side}"])
    original = (folder / CERTIFICATES).read_bytes()
    for k in range(n_entries):
        for value in (-1e-9, 1e-9, 0.01, np.nan, np.inf):

            def change(arrays: dict[str, np.ndarray], k: int = k, value: float = value) -> None:
                arrays[f"{which}_weight_{side}"][k] += value

            (folder / CERTIFICATES).write_bytes(original)
            change_arrays(folder, change)
            assert CERTIFICATES in refused(folder, "weight")


@pytest.mark.parametrize("which", ["distances", "blocks"])
@pytest.mark.parametrize("side", ["a", "b"])
def test_every_row_of_a_certificate_counts(folder: Path, which: str, side: str) -> None:
    with np.load(folder / CERTIFICATES) as archive:
        index = archive[f"{which}_index_{side}"]
    original = (folder / CERTIFICATES).read_bytes()
    for k, row in itertools.product(range(len(index)), [-1, *range(len(POINTS)), 10**6]):
        if 0 <= row < len(POINTS) and np.array_equal(POINTS[row], POINTS[index[k]]):
            # The same vector; the labels of rows 9 and 10 differ, and are checked below.
            continue

        def change(arrays: dict[str, np.ndarray], k: int = k, row: int = row) -> None:
            arrays[f"{which}_index_{side}"][k] = row

        (folder / CERTIFICATES).write_bytes(original)
        change_arrays(folder, change)
        assert refused(folder)


def test_a_row_of_another_cluster_with_the_same_vector(folder: Path) -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays["distances_index_b"][1] = 10

    change_arrays(folder, change)
    refused(folder, "row 10 of cluster 4, not of cluster 3")


@pytest.mark.parametrize(
    ("array", "change"),
    [
        ("distances_start_a", lambda x: x + 1),
        ("distances_start_a", lambda x: x[:-1]),
        ("distances_start_b", lambda x: np.r_[0, 0, x[2:]]),
        ("blocks_start_a", lambda x: x[:1]),
        ("blocks_weight_b", lambda x: x[:-1]),
        ("blocks_weight_b", lambda x: x.astype(np.int64)),
        ("blocks_index_b", lambda x: x.astype(np.float64)),
        ("blocks_index_b", lambda x: x[:, None]),
    ],
)
def test_arrays_that_do_not_fit(
    folder: Path, array: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    change_arrays(folder, lambda arrays: arrays.update({array: change(arrays[array])}))
    assert CERTIFICATES in refused(folder)


def test_a_missing_array(folder: Path) -> None:
    change_arrays(folder, lambda arrays: arrays.pop("blocks_index_a"))
    refused(folder, "blocks_index_a")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "distances"),
        ("n_points", 13),
        ("n_dims", 3),
        ("n_labels", 4),
        ("labels", ["a", "b", "d"]),
        ("labels", ["a", "c", "b"]),
        ("tau", -1e-7),
        ("tau", 1.0),
        ("scale", 8.725118),
        ("scale", 1e9),
        ("n_clusters", 5),
        ("n_clusters", True),
        ("is_linear", True),
        ("status", "unproved"),
        ("overlapping_pairs", 0),
        ("unproved_pairs", 1),
        ("smallest_distance", 2.5),
        ("counts", {"merges": 7, "duplicate_points": 2, "contradictory_points": 2}),
        ("counts", {"merges": 8, "duplicate_points": 0, "contradictory_points": 2}),
        ("counts", {"merges": 6, "duplicate_points": 1, "contradictory_points": 2}),
        ("counts", {"merges": 7, "duplicate_points": 1, "contradictory_points": 0}),
        ("counts", {}),
        ("input", {}),
        ("test", {"n_points": 3, "right": 3, "accuracy": 1.0}),
        ("test", {"n_points": 3, "right": 2, "accuracy": 1.0}),
        ("test", None),
        ("scale", "8.7"),
    ],
)
def test_every_number_of_the_summary_counts(folder: Path, key: str, value: Any) -> None:
    change_summary(folder, **{key: value})
    refused(folder)


def test_another_vector_or_label(original: Path) -> None:
    points = POINTS.copy()
    points[3, 1] = np.nextafter(points[3, 1], 2)
    for data, labels in (
        (points, LABELS),
        (POINTS[::-1], LABELS),
        (POINTS[:-1], LABELS[:-1]),
        (POINTS.astype(np.float32), LABELS),
        (np.c_[POINTS, POINTS], LABELS),
        (POINTS, LABELS[::-1]),
        (POINTS, np.char.upper(LABELS)),
    ):
        with pytest.raises(VerificationError, match=SUMMARY):
            verify_results(original, data, labels)


def test_bad_data_is_not_a_bad_result(original: Path) -> None:
    with pytest.raises(InputError):
        verify_results(original, POINTS * np.nan, LABELS)
    with pytest.raises(InputError):
        verify_results(original, POINTS, LABELS[:3])


def without_row(folder: Path, name: str, row: int) -> None:
    rows = table(folder, name)
    del rows[row + 1]
    put_table(folder, name, rows)


def drop_certificate(arrays: dict[str, np.ndarray], which: str, k: int) -> None:
    for side in "ab":
        start = arrays[f"{which}_start_{side}"]
        gone = slice(start[k], start[k + 1])
        for part in ("index", "weight"):
            key = f"{which}_{part}_{side}"
            arrays[key] = np.delete(arrays[key], gone)
        sizes = np.delete(np.diff(start), k)
        arrays[f"{which}_start_{side}"] = np.r_[0, np.cumsum(sizes)].astype(start.dtype)


@pytest.mark.parametrize(("name", "which"), [(DISTANCES, "distances"), (BLOCKS, "blocks")])
def test_no_pair_may_be_missing(folder: Path, name: str, which: str) -> None:
    without_row(folder, name, 2)
    if name == DISTANCES:
        change_arrays(folder, lambda arrays: drop_certificate(arrays, which, 2))
    refused(folder, "first missing is")


def test_no_pair_may_occur_twice(folder: Path) -> None:
    rows = table(folder, BLOCKS)
    put_table(folder, BLOCKS, [*rows[:2], rows[1], *rows[2:]])
    refused(folder, "twice")


def test_a_made_up_lower_bound(folder: Path) -> None:
    """A lower bound above what the hyperplane leaves, yet below the upper bound's tolerance."""
    change_cell(folder, DISTANCES, 0, "lower", repr(2.0 + 1e-9))
    refused(folder, rf"{DISTANCES}, line 2: lower is 2\.000000001")


def test_a_longer_vector_is_no_distance(folder: Path) -> None:
    """Weights on a farther corner: convex, of the right length, but with too small a margin."""

    def change(arrays: dict[str, np.ndarray]) -> None:
        at = arrays["distances_start_a"][3]
        assert arrays["distances_index_a"][at] == 3 or arrays["distances_index_a"][at] == 13
        arrays["distances_index_a"][at] = 0

    change_cell(folder, DISTANCES, 3, "upper", "5.0")
    change_arrays(folder, change)
    for lower in ("4.0", "5.0"):
        change_cell(folder, DISTANCES, 3, "lower", lower)
        rows = table(folder, LABEL_DISTANCES)
        d = [row for row in table(folder, DISTANCES)[1:] if (row[1], row[3]) == ("a", "c")]
        rows[2][3] = repr(min(float(row[4]) for row in d))
        rows[2][4] = repr(min(float(row[5]) for row in d))
        rows[2][5] = repr(float(np.mean([float(row[5]) for row in d])))
        put_table(folder, LABEL_DISTANCES, rows)
        if lower == "5.0":
            refused(folder, "lower is 5.0")
        else:
            assert verify_results(folder, POINTS, LABELS).worst_gap == pytest.approx(0.2)


def test_clusters_that_were_merged_on_paper(tmp_path: Path) -> None:
    """All tables consistent, label a declared one cluster, although b stands in between."""
    merged = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 4, 0])
    probe = probe_by_hand()
    first = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    second = np.array([1, 2, 3, 4, 3, 4, 3, 4])
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    probe.labels_ = merged
    probe.cluster_labels_ = np.array(list("abbcc"))
    probe.n_clusters_ = 5
    probe.distances_ = distances_by_hand(POINTS, merged, pairs, probe.scale_)
    blocks = probe.blocks_
    probe.counts_ = dataclasses.replace(probe.counts_, merges=8)
    probe.blocks_ = type(blocks)(
        first=blocks.first[1:] - 1,
        second=blocks.second[1:] - 1,
        blocker=blocks.blocker[1:] - 1,
        gap=blocks.gap[1:],
        certificate=blocks.certificate[1:],
        supports=blocks.supports,
    )
    # What the search over corners and edges finds is the truth for hulls that are disjoint only.
    assert probe.distances_.upper[0] > 0
    folder = write_results(probe, space_by_hand(), tmp_path / "out")
    refused(folder, rf"{DISTANCES}, line 2: ")


def test_an_overlap_declared_outright(tmp_path: Path) -> None:
    """The same, with the overlap admitted: then the clusters are no partition."""
    probe = probe_by_hand()
    table = probe.distances_
    k = 0
    status = table.status.copy()
    status[k] = 1
    upper, lower = table.upper.copy(), table.lower.copy()
    upper[k] = lower[k] = 0.0
    probe.distances_ = type(table)(
        **{**vars(table), "status": status, "upper": upper, "lower": lower}
    )
    folder = write_results(probe, space_by_hand(), tmp_path / "out")
    refused(folder, "overlap")


def test_a_block_of_the_own_label(folder: Path) -> None:
    change_cell(folder, BLOCKS, 1, "blocker", "2")
    rows = table(folder, BLOCKS)
    rows[2][rows[0].index("blocker_label")] = "b"
    put_table(folder, BLOCKS, rows)
    refused(folder, "of the two clusters itself")


def test_a_block_that_does_not_meet(tmp_path: Path) -> None:
    """Convex weights that lie in the right clusters but apart."""
    probe = probe_by_hand()
    probe.blocks_.supports.weight_a[:4] = [0.25, 0.25, 0.25, 0.25]
    folder = write_results(probe, space_by_hand(), tmp_path / "out")
    refused(folder, rf"{BLOCKS}, line 2: gap is 0\.0, but its convex weights give 0\.25")


def test_an_unproved_pair_is_counted(tmp_path: Path) -> None:
    probe = probe_by_hand()
    lower, status = probe.distances_.lower, probe.distances_.status
    lower[5], status[5] = 0.0, 2
    folder = write_results(probe, space_by_hand(), tmp_path / "out")
    assert json.loads((folder / SUMMARY).read_text())["status"] == "unproved"
    assert verify_results(folder, POINTS, LABELS).n_unproved == 1


def separated(seed: int, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points of labels whose hulls lie in different cells of a grid."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(n_labels), rng.integers(1, 6, n_labels)))
    return rng.uniform(-0.4, 0.4, (len(labels), 2)) + np.c_[labels % 3, labels // 3], labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("factor", "offset", "dtype"),
    [
        (1.0, 0.0, np.float64),
        (1e-100, 0.0, np.float64),
        (1e100, 0.0, np.float64),
        (1.0, 1e6, np.float64),
        (1.0, 100.0, np.float32),
        (1e-20, 0.0, np.float32),
    ],
)
def test_right_results_pass_whatever_the_units(
    tmp_path: Path, seed: int, factor: float, offset: float, dtype: type
) -> None:
    points, labels = separated(seed, 8)
    points = (points * factor + offset).astype(dtype)
    exact = points.astype(np.float64)
    exact -= exact.mean(axis=0)
    scale = float(np.linalg.norm(exact / factor, axis=1).max() * factor)
    pairs = list(itertools.combinations(range(8), 2))
    found = distances_by_hand(exact / factor, labels, pairs, scale / factor)
    distances = type(found)(
        **{
            **vars(found),
            "lower": found.lower * factor,
            "upper": found.upper * factor,
            "scale": scale,
        }
    )
    folder = write_distances(distances, Space(points, labels), tmp_path / "out")
    report = verify_results(folder, points, labels)
    assert dict(report.checks)["pairs disjoint, both bounds hold"] == 28
    assert report.worst_gap < 1e-10


def test_batches_change_nothing(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = verify_results(original, POINTS, LABELS)
    monkeypatch.setattr("geoprobe.results.verify_geometry.ELEMENTS_AT_ONCE", 6)
    small = verify_results(original, POINTS, LABELS)
    assert small.checks == whole.checks
    assert small.worst_gap == whole.worst_gap


def test_margins_against_a_loop() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(60, 4))
    assignment = np.r_[np.arange(12), rng.integers(0, 8, 48)]
    geometry = Geometry(points, assignment, 12)
    normals = rng.normal(size=(50, 4))
    clusters = rng.integers(0, 12, 50)
    found = geometry.lowest(normals, clusters)
    for k in range(50):
        own = geometry.centred[assignment == clusters[k]]
        assert found[k] == pytest.approx((own @ normals[k]).min(), rel=1e-13, abs=1e-13)


def test_combinations_against_a_loop() -> None:
    """Of one row, of a few and of many, which are summed in different ways."""
    rng = np.random.default_rng(4)
    geometry = Geometry(rng.normal(size=(40, 3)), np.zeros(40, dtype=np.int64), 1)
    for sizes in (np.ones(5, dtype=np.int64), rng.integers(1, 4, 9), rng.integers(1, 30, 50)):
        start = np.concatenate([[7], 7 + np.cumsum(sizes)])
        index = rng.integers(0, 40, start[-1])
        weight = rng.random(start[-1])
        found = geometry.combine(start, index, weight)
        for k in range(len(sizes)):
            part = slice(start[k], start[k + 1])
            share = weight[part] / weight[part].sum()
            assert found[k] == pytest.approx(share @ geometry.centred[index[part]], abs=1e-15)


def test_verification_loads_no_kernel_and_no_solver(original: Path, repository: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from geoprobe.results import verify_results\n"
        "import numpy as np\n"
        f"points = np.array({POINTS.tolist()!r}); labels = {LABELS.tolist()!r}\n"
        f"print(verify_results({str(original)!r}, points, labels).n_checks)\n"
        "loaded = [m for m in sys.modules if m.startswith(('geoprobe.kernels', 'geoprobe.hulls',"
        " 'geoprobe.probes', 'numba', 'llvmlite', 'highspy', 'scipy', 'sklearn', 'faiss'))]\n"
        "print(loaded)\n"
        "sys.exit(bool(loaded))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
