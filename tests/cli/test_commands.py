"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoprobe import __version__, cli
from geoprobe.errors import UnprovedError
from geoprobe.geometry import Geometry, Status, Supports, read_results, write_results
from geoprobe.geometry.clusters import NO_BLOCKS, Clusters
from geoprobe.hulls import Stage
from geoprobe.hulls.fallback import resolve
from geoprobe.tolerances import TAU
from geoprobe.verify import verify_results
from tests.conftest import Run
from tests.support.geometry_by_hand import LABELS, POINTS, geometry_by_hand
from tests.support.report_reading import Reader


@pytest.fixture
def plane(tmp_path: Path) -> Path:
    path = tmp_path / "plane.npz"
    np.savez(path, X=POINTS, y=LABELS, X_test=POINTS[:3] + 0.1, y_test=LABELS[:3])
    return path


def in_a_process(repository: Path, *args: object, **options: Any) -> subprocess.Popen[str]:
    # A shell that started the tests in the background had them ignore the signal.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from geoprobe.cli import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_probe_says_what_was_found(run: Run, plane: Path) -> None:
    code, out, err = run("probe", plane, "--out", "out")
    assert code == 0
    assert "plane: 14 points of 2 dimensions, 3 labels." in out
    assert "6 clusters: not linear" in out
    assert "repeat an earlier point of their label: 1." in out
    assert "which nothing can separate: 2." in out
    lines = [line.split() for line in out.splitlines()]
    # The contradictory pair comes first, at distance 0.
    assert ["b", "3", "1", "c", "4", "1", "0"] in lines
    assert ["a", "0", "5", "b", "2", "2", "2"] in lines
    assert ["a", "2", "5,", "3", "b"] in lines
    assert "Results: out\nLook at them: out/summary.html\nCheck them: geoprobe verify out" in out
    assert "merging: done in" in err
    assert read_results("out").summary["n_clusters"] == 6


def test_the_verify_command_named_works(run: Run, plane: Path, tmp_path: Path) -> None:
    code, out, _ = run("probe", plane, "--out", "with blank")
    assert code == 0
    assert "geoprobe verify 'with blank'" in out
    code, out, _ = run("verify", "with blank")
    assert code == 0
    assert "no failure" in out
    assert ["pairs", "of", "clusters", "overlapping", "1"] in [
        line.split() for line in out.splitlines()
    ]
    plane.rename(tmp_path / "moved.npz")
    code, _, err = run("verify", "with blank")
    assert code == 2
    assert "plane.npz" in err
    assert run("verify", "with blank", "moved.npz")[0] == 0


def test_probe_as_json(run: Run, plane: Path) -> None:
    code, out, err = run("probe", plane, "--out", "out", "--json", "--tau", "1e-7")
    assert code == 0
    answer = json.loads(out)
    assert Path(answer.pop("folder")) == Path("out").resolve()
    assert answer == read_results("out").summary
    assert "merging" in err


def test_the_page_of_a_probe_shows_hostile_labels_as_text(run: Run) -> None:
    pytest.importorskip("matplotlib", reason="the page needs the extra report")
    labels = np.repeat(["<script>alert(1)</script>", "\u202eturned", "x" * 3000, "]]>&amp;"], 3)
    points = np.random.default_rng(0).normal(size=(12, 2)) + np.repeat(np.arange(4), 3)[:, None]
    np.savez("<b>.npz", X=points, y=labels)
    for out in ("one", "two"):
        assert run("probe", "<b>.npz", "--out", out)[0] == 0
    page = Path("one", "summary.html").read_text(encoding="utf8")
    # The same space gives the same page.
    assert page == Path("two", "summary.html").read_text(encoding="utf8")
    reader = Reader(page)
    assert sum(element == "script" for element, _ in reader.elements) == 1
    assert sum(element == "svg" for element, _ in reader.elements) == 3
    assert not any(element == "b" for element, _ in reader.elements)
    assert not any(
        name.startswith("on") for _, attributes in reader.elements for name in attributes
    )
    assert len(reader.ids) == len(set(reader.ids))
    assert "\u202e" not in page and "http://" not in page.replace("http://www.w3.org", "")
    assert any("<script>alert(1)</script>" in row for table in reader.tables for row in table.rows)
    assert run("verify", "one")[0] == 0


def test_without_the_libraries_there_is_a_note_instead_of_a_page(
    run: Run, plane: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = run("probe", plane, "--out", "out")
    assert code == 0
    assert "summary.html is not written" in err and "pip install" in err
    assert "Look at them" not in out
    assert not Path("out", "summary.html").exists()
    assert run("verify", "out")[0] == 0


def test_a_default_folder_is_always_free(run: Run, plane: Path) -> None:
    for name in ("plane", "plane-2", "plane-3"):
        code, out, _ = run("probe", plane)
        assert code == 0
        assert f"Results: {Path('geoprobe-results', name)}\n" in out
        assert run("verify", Path("geoprobe-results", name))[0] == 0


def test_probe_with_a_test_part(run: Run, plane: Path) -> None:
    code, out, _ = run("probe", plane, "--test", plane, "--out", "out")
    assert code == 0
    assert "Prediction of plane_test: 3 of 3 right, 100.00%." in out
    assert read_results("out").geometry.predictions is not None
    assert run("verify", "out")[0] == 0


def test_probe_with_a_test_file(run: Run, plane: Path) -> None:
    np.savez("new.npz", X=POINTS, y=LABELS)
    code, out, _ = run("probe", plane, "--test", "new.npz", "--out", "out")
    assert code == 0
    assert "Prediction of new: 13 of 14 right" in out
    code, _, err = run("probe", "new.npz", "--test", "new.npz")
    assert code == 2
    assert "_test" in err
    np.savez("wide.npz", X=np.ones((2, 5)), y=["a", "b"])
    code, _, err = run("probe", plane, "--test", "wide.npz")
    assert code == 2
    assert "5 dimensions" in err


def test_test_points_whose_labels_lie_in_a_file(run: Run) -> None:
    np.save("points.npy", POINTS)
    np.save("labels.npy", LABELS)
    np.save("new.npy", POINTS[:3])
    np.save("new_labels.npy", LABELS[:3])
    said = ("probe", "points.npy", "--labels", "labels.npy", "--test", "new.npy")
    code, _, err = run(*said)
    assert code == 2
    assert "--test-labels" in err
    code, out, _ = run(*said, "--test-labels", "new_labels.npy", "--json")
    assert code == 0
    assert json.loads(out)["test"]["n_points"] == 3


@pytest.mark.full
def test_json_stays_json_where_highs_is_asked(repository: Path, tmp_path: Path) -> None:
    # R is 1, and the test point lies tau * R from a cluster: float64 can prove neither side.
    points, new = np.array([[-1.0, 0.0], [1.0, 0.0]]), np.array([[1.0 + 1e-7, 0.0]])
    answer = resolve(np.r_[points, new], np.array([1]), np.array([2]), TAU)
    assert answer.stage is Stage.HIGHS
    np.savez(tmp_path / "s.npz", X=points, y=["a", "b"], X_test=new, y_test=["b"])
    process = in_a_process(repository, "probe", "s.npz", "--test", "s.npz", "--json", cwd=tmp_path)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out)["test"]["n_points"] == 1


def test_names_of_arrays_are_remembered(run: Run) -> None:
    np.savez("named.npz", vectors=POINTS, role=LABELS)
    code, _, err = run("probe", "named.npz", "--out", "out")
    assert code == 2
    assert "vectors" in err
    code, *_ = run("probe", "named.npz", "--points", "vectors", "--labels", "role", "--out", "out")
    assert code == 0
    assert read_results("out").summary["input"]["options"] == {
        "points": "vectors",
        "labels": "role",
    }
    assert run("verify", "out")[0] == 0
    code, _, err = run("verify", "out", "--labels", "vectors")
    assert code == 2


def test_columns_and_label_files_are_remembered(run: Run, tmp_path: Path) -> None:
    rows = [f"{x!r},{y!r},{label}" for (x, y), label in zip(POINTS.tolist(), LABELS, strict=True)]
    Path("t.csv").write_text("\n".join(["x,y,kind", *rows]))
    code, *_ = run("probe", "t.csv", "--points", "x,y", "--labels", "kind", "--out", "out")
    assert code == 0
    assert run("verify", "out")[0] == 0
    np.save("p.npy", POINTS)
    Path("labels.txt").write_text("\n".join(LABELS))
    assert run("probe", "p.npy", "--labels", "labels.txt", "--out", "two")[0] == 0
    os.chdir(tmp_path.parent)
    assert run("verify", tmp_path / "two")[0] == 0


def test_a_changed_digit_ends_with_1(run: Run, plane: Path) -> None:
    run("probe", plane, "--out", "out")
    table = Path("out", "distances.csv")
    line = table.read_text().splitlines()[-1].split(",")
    changed = [*line[:5], line[5][:-1] + str((int(line[5][-1]) + 1) % 10), *line[6:]]
    table.write_text(table.read_text().replace(",".join(line), ",".join(changed)))
    code, out, err = run("verify", "out")
    assert code == 1
    assert out == ""
    assert err.startswith("The results do not hold: ")
    assert "distances.csv" in err
    assert err.count("\n") == 1
    code, out, _ = run("verify", "out", "--json")
    assert code == 1
    answer = json.loads(out)
    assert answer["verified"] is False
    assert "distances.csv" in answer["error"]
    summary = Path("out", "summary.json")
    summary.write_text(summary.read_text().replace('"n_points": 14', '"n_points": 15'))
    assert run("verify", "out")[0] == 1


def test_verify_as_json(run: Run, plane: Path) -> None:
    run("probe", plane, "--out", "out")
    code, out, _ = run("verify", "out", "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["verified"] is True
    assert answer["checks"]["pairs of clusters that cannot merge"] == 3
    assert answer["worst_gap"] < 1e-12


ONLY_CONSISTENT = "Predictions were checked for consistency only"


def test_what_is_claimed_is_said_before_it_holds(run: Run, plane: Path) -> None:
    run("probe", plane, "--test", plane, "--out", "out")
    code, out, _ = run("verify", "out")
    assert code == 0
    claimed, held = out.split("Checked")
    lines = [line.split() for line in claimed.splitlines()]
    for line in (["data", "plane"], ["clusters", "6"], ["linear", "no"], ["tau", "1e-07"]):
        assert line in lines
    for word in ("largest_gap", "accuracy"):
        assert word in claimed
    assert held.rstrip().endswith("no failure.")
    assert ["predictions", "computed", "again", "3"] in [line.split() for line in held.splitlines()]
    assert ONLY_CONSISTENT not in out


def test_test_points_that_moved_or_changed(run: Run, plane: Path) -> None:
    np.savez("new.npz", X=POINTS[:3] + 0.1, y=LABELS[:3])
    run("probe", plane, "--test", "new.npz", "--out", "out")
    Path("new.npz").rename("moved.npz")
    code, out, _ = run("verify", "out")
    assert code == 0
    assert ONLY_CONSISTENT in out
    code, out, _ = run("verify", "out", "--test", "moved.npz")
    assert code == 0
    assert ONLY_CONSISTENT not in out
    # Another file, or none of ours, at the place that is remembered is not what was predicted.
    np.savez("new.npz", X=POINTS[:3] + 0.2, y=LABELS[:3])
    code, out, _ = run("verify", "out")
    assert code == 0
    assert ONLY_CONSISTENT in out
    Path("new.npz").write_bytes(b"something else")
    code, out, _ = run("verify", "out")
    assert code == 0
    assert ONLY_CONSISTENT in out
    np.savez("new.npz", X=POINTS[:3] + 0.2, y=LABELS[:3])
    code, _, err = run("verify", "out", "--test", "new.npz")
    assert code == 1
    assert "hash of the test points" in err


def test_test_points_where_nothing_was_predicted(run: Run, plane: Path) -> None:
    run("probe", plane, "--out", "out")
    code, _, err = run("verify", "out", "--test", plane)
    assert code == 2
    assert "nothing was predicted" in err


def forged(folder: str, change: Callable[[Geometry], Geometry], source: Path) -> None:
    """Write a whole new folder, whose every file and number agrees with what is claimed."""
    honest = read_results("out")
    write_results(
        change(honest.geometry),
        folder,
        source=source,
        test_source=honest.origin.test_path,
        options=honest.origin.options,
    )


def with_predictions(g: Geometry, **columns: Any) -> Geometry:
    return dataclasses.replace(g, predictions=dataclasses.replace(g.predictions, **columns))


def with_distances(g: Geometry, **columns: Any) -> Geometry:
    distances = dataclasses.replace(g.clusters.distances, **columns)
    return dataclasses.replace(g, clusters=dataclasses.replace(g.clusters, distances=distances))


def all_right(g: Geometry) -> Geometry:
    """Every test point in the first cluster of its own label, and inside."""
    first = np.searchsorted(g.clusters.label, g.predictions.true)
    zeros = np.zeros(len(first))
    return with_predictions(g, predicted=g.predictions.true, cluster=first, distance=zeros)


def times_22(g: Geometry) -> Geometry:
    """Upper bounds between points far apart, lower bounds as they are."""
    d = g.clusters.distances
    k = int(np.flatnonzero(d.status == Status.DISJOINT)[0])
    rows = [np.flatnonzero(g.clusters.assignment == c[k]) for c in (d.first, d.second)]
    lengths = np.linalg.norm(POINTS[rows[0]][:, None] - POINTS[rows[1]][None], axis=2)
    i, j = np.unravel_index(lengths.argmax(), lengths.shape)
    sides = [(*d.supports.side_a(m), *d.supports.side_b(m)) for m in range(len(d))]
    sides[k] = (rows[0][i : i + 1], np.ones(1), rows[1][j : j + 1], np.ones(1))
    along = (POINTS[rows[0][i]] - POINTS[rows[1][j]]) / lengths.max()
    margin = (POINTS[rows[0]] @ along).min() - (POINTS[rows[1]] @ along).max()
    upper, lower = d.upper.copy(), d.lower.copy()
    upper[k], lower[k] = lengths.max(), margin - 1e-14
    return with_distances(g, upper=upper, lower=lower, supports=Supports.of(sides))


def merged(g: Geometry, status: Status) -> Geometry:
    """Label a one cluster although b lies within, its distances of such a status."""
    label = np.arange(3)
    lower, names = g.hulls.lower.copy(), np.arange(3)
    statuses = np.where(g.hulls.status == Status.OVERLAP, status, g.hulls.status).astype(np.uint8)
    upper = np.where(statuses == Status.UNPROVED, 2e-7 * g.scale, g.hulls.upper)
    hulls = dataclasses.replace(g.hulls, status=statuses, lower=lower, upper=upper)
    clusters = Clusters(
        np.searchsorted(np.array(["a", "b", "c"]), LABELS),
        label,
        dataclasses.replace(hulls, names=names),
        NO_BLOCKS,
    )
    counters = dataclasses.replace(g.counters, merges=10, contradictory_points=0)
    return dataclasses.replace(
        g, hulls=hulls, clusters=clusters, counters=counters, predictions=None
    )


def huge_tau(g: Geometry) -> Geometry:
    """Every point at most tau * R from every other, so that all overlap and none can merge."""
    hulls = dataclasses.replace(g.hulls, tau=3.0, status=np.full(3, Status.OVERLAP, np.uint8))
    return dataclasses.replace(with_distances(g, tau=3.0), hulls=hulls, predictions=None)


def zero_for_all(g: Geometry) -> Geometry:
    return with_predictions(g, distance=np.zeros(len(g.predictions)))


def one_more_label(g: Geometry) -> Geometry:
    p = g.predictions
    return with_predictions(g, names=(*p.names, "new"), unseen=("new",))


def unproved_labels(g: Geometry) -> Geometry:
    """Labels plainly apart whose distance is said to be open, and so may be anything."""
    k = int(np.flatnonzero(g.hulls.status == Status.DISJOINT)[0])
    status, lower = g.hulls.status.copy(), g.hulls.lower.copy()
    status[k], lower[k] = Status.UNPROVED, 0.0
    return dataclasses.replace(g, hulls=dataclasses.replace(g.hulls, status=status, lower=lower))


def larger_scale(g: Geometry) -> Geometry:
    """A larger R, of which tau is a larger share: more may count as overlap."""
    hulls = dataclasses.replace(g.hulls, scale=1e3 * g.scale)
    return dataclasses.replace(with_distances(g, scale=1e3 * g.scale), hulls=hulls)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: merged(g, Status.UNPROVED), "distances of labels, row 0"),
        (lambda g: merged(g, Status.DISJOINT), "distances of labels, row 0"),
        (all_right, r"predictions, row \d+"),
        (times_22, "max_gap accepts more"),
        (huge_tau, "tau must lie between"),
        (zero_for_all, r"predictions, row \d+: the distance"),
        (one_more_label, "unseen labels"),
        (unproved_labels, "max_gap accepts more"),
        (larger_scale, "R is"),
    ],
    ids=lambda case: getattr(case, "__name__", "") or "",
)
def test_forged_folders_whose_files_agree_are_refused(
    run: Run, change: Callable[[Geometry], Geometry], words: str
) -> None:
    new = np.array([[0.5, 0.5], [8.0, 0.0], [3.0, 0.0]])
    np.savez("space.npz", X=POINTS, y=LABELS, X_test=new, y_test=["a", "b", "c"])
    assert run("probe", "space.npz", "--test", "space.npz", "--out", "out")[0] == 0
    assert run("verify", "out")[0] == 0
    forged("forged", change, Path("space.npz"))
    code, out, err = run("verify", "forged")
    assert code == 1
    assert out == ""
    assert re.search(words, err)


def test_other_data_end_with_1(run: Run, plane: Path) -> None:
    run("probe", plane, "--out", "out")
    np.savez("other.npz", X=POINTS + 1, y=LABELS)
    code, _, err = run("verify", "out", "other.npz")
    assert code == 1
    assert "hash of the points" in err


def test_an_occupied_folder_is_refused_before_any_work(
    run: Run, plane: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError("work was begun")

    monkeypatch.setattr("geoprobe.spaces.read_space", never)
    Path("out").mkdir()
    Path("out", "mine").touch()
    for command in ("probe", "distances"):
        code, out, err = run(command, plane, "--out", "out")
        assert code == 2
        assert out == ""
        assert "not empty" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("probe", "none.npz"), "none.npz"),
        (("probe", "."), "neither a zarr store nor one of the library datasets"),
        (("probe", "--labels", "y"), "no file is named"),
        (("probe", "plane.npz", "--labels", "role"), "role"),
        (("distances", "none.npz"), "none.npz"),
        (("verify", "none"), "does not exist"),
        (("verify", "."), "no summary.json"),
        (("directprobe", "none.ini"), "none.ini"),
    ],
)
def test_bad_input_is_one_sentence(
    run: Run, plane: Path, args: tuple[str, ...], message: str
) -> None:
    code, out, err = run(*args)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "args",
    [
        ("probe", "--no-such-option"),
        ("probe", "--threads", "two"),
        ("probe", "--tau", "small"),
        ("probe", "a", "b"),
        ("nothing",),
        ("verify",),
        ("directprobe",),
        (),
    ],
)
def test_bad_arguments_end_with_2(run: Run, args: tuple[str, ...]) -> None:
    assert run(*args)[0] == 2


def test_version_and_help(run: Run) -> None:
    code, out, _ = run("--version")
    assert (code, out) == (0, f"geoprobe {__version__}\n")
    code, out, _ = run("--help")
    assert code == 0
    for command in ("probe", "distances", "verify", "directprobe"):
        assert command in out
        assert run(command, "--help")[0] == 0


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UnprovedError("nothing is proved."), 2, "nothing is proved."),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (MemoryError(), 2, "not enough memory"),
        (PermissionError(13, "Permission denied", "place"), 2, "Permission denied"),
    ],
)
def test_what_goes_wrong_inside(
    run: Run,
    plane: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    message: str,
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("geoprobe.probes.DirectProbe.fit", broken)
    found, out, err = run("probe", plane, "--out", "out")
    assert (found, out) == (code, "")
    assert message in err
    assert not Path("out").exists()
    assert [path.name for path in Path().iterdir()] == ["plane.npz"]


def test_leftovers_are_named(run: Run, plane: Path) -> None:
    left = Path(".out.1-abcd.unfinished")
    left.mkdir()
    _, out, _ = run("probe", plane, "--out", "out")
    assert str(left) in out
    code, _, err = run("verify", left)
    assert code == 2
    assert "unfinished" in err


def test_help_loads_nothing_heavy(repository: Path) -> None:
    code = (
        "import sys; sys.argv = ['geoprobe', 'probe', '--help']\n"
        "from geoprobe.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numba', 'scipy', 'sklearn', 'numpy', 'highspy', 'faiss', 'rich.progress'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# From here on with the engine itself.


def test_the_built_in_digits(run: Run) -> None:
    code, out, err = run("probe")
    assert code == 0
    assert "digits: 1,797 points of 64 dimensions, 10 labels." in out
    assert "done in" in err
    assert run("verify", Path("geoprobe-results", "digits"))[0] == 0


def test_the_engine_gives_what_was_worked_out_by_hand(run: Run, plane: Path) -> None:
    assert run("probe", plane, "--out", "out")[0] == 0
    assert run("verify", "out")[0] == 0
    engine, hand = read_results("out").geometry, geometry_by_hand()
    for found, known in (
        (engine.hulls, hand.hulls),
        (engine.clusters.distances, hand.clusters.distances),
    ):
        assert np.allclose(found.distance, known.distance, rtol=1e-12, atol=1e-15)
        assert np.array_equal(found.status, known.status)
    assert np.array_equal(engine.clusters.assignment, hand.clusters.assignment)
    assert np.array_equal(engine.clusters.blocks.first, hand.clusters.blocks.first)
    assert np.array_equal(engine.clusters.blocks.blocker, hand.clusters.blocks.blocker)


def test_distances_of_labels(run: Run) -> None:
    np.savez("s.npz", X=np.array([[0.0, 0], [2, 0], [1, -1], [1, 1], [9, 0]]), y=[3, 3, 5, 5, 7])
    code, out, _ = run("distances", "s.npz", "--out", "out")
    assert code == 0
    assert "Overlapping pairs: 1 of 3." in out
    lines = [line.split() for line in out.splitlines()]
    assert ["3", "5", "0", "overlap"] in lines
    assert ["3", "7", "7", "disjoint"] in lines
    assert run("verify", "out")[0] == 0
    code, out, _ = run("distances", "s.npz", "--json")
    answer = json.loads(out)
    assert [row["status"] for row in answer["distances"]] == ["overlap", "disjoint", "disjoint"]
    assert answer["distances"][2]["upper"] == pytest.approx(8.0)
    assert answer["folder"] is None


@pytest.mark.full
def test_a_reader_that_leaves(repository: Path, tmp_path: Path) -> None:
    process = in_a_process(repository, "distances", "--json", cwd=tmp_path)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process.stderr as stream:
        errors = stream.read()
    assert process.wait(timeout=120) == 141
    assert "Traceback" not in errors and "BrokenPipe" not in errors


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "long.npz", X=rng.normal(size=(6000, 40)), y=rng.integers(0, 3, 6000))
    process = in_a_process(repository, "probe", "long.npz", "--out", "out", cwd=tmp_path)
    assert process.stderr is not None
    try:
        # The labels are done: merging has begun, and takes a while.
        assert process.stderr.readline().startswith("labels: done")
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert errors.endswith("Interrupted.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["long.npz"]


def test_a_config_of_directprobe(run: Run) -> None:
    Path("tags.txt").write_text("a\nb\n")
    for name in ("train", "test"):
        Path(f"{name}.txt").write_text("one\ta\ntwo\ta\nthree\tb\nfour\tb\n")
        Path(f"{name}_vectors.txt").write_text("0 0\n1 0\n5 0\n5 2\n")
    Path("config.ini").write_text(
        "[run]\noutput_path = out\n"
        "[data]\nlabel_set_path = tags.txt\n"
        "entities_path = train.txt\nembeddings_path = train_vectors.txt\n"
        "test_entities_path = test.txt\ntest_embeddings_path = test_vectors.txt\n"
        "[clustering]\nmode = probing\nprobing_cluster_path =\n"
    )
    code, out, _ = run("directprobe", "config.ini")
    assert code == 0
    assert "4 points of 2 dimensions, 2 labels.\nClusters: 2.\nAccuracy: 100.00%." in out
    assert Path("out", "clusters.txt").read_text().split() == ["0", "0", "1", "1"]
    code, _, err = run("directprobe", "config.ini")
    assert code == 2
    assert "not empty" in err
    text = Path("config.ini").read_text().replace("= out", "= more")
    Path("config.ini").write_text(text)
    code, out, _ = run("directprobe", "config.ini", "--json")
    assert code == 0
    assert json.loads(out)["n_clusters"] == 2


def test_python_m_is_the_program(repository: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "geoprobe", "--version"],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.startswith("geoprobe")


def test_warnings_are_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(sys, "argv", ["geoprobe", "--version"])
        with pytest.raises(SystemExit):
            cli.main()
        warnings.warn("two\nlines", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "Note: two lines\n"


@pytest.mark.full
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_failure(
    repository: Path, plane: Path, tmp_path: Path, closed: str
) -> None:
    command = f"{sys.executable} -m geoprobe probe plane.npz --out out {closed}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    # Nothing was written into a file that had got the number of a closed stream.
    verify_results(tmp_path / "out", POINTS, LABELS)


@pytest.mark.full
def test_labels_that_the_terminal_cannot_show(repository: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", X=[[0.0, 0], [1, 1], [5, 5]], y=["ä", "ä", "日本"])
    done = subprocess.run(
        [sys.executable, "-m", "geoprobe", "probe", "s.npz"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(repository),
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert r"\xe4" in done.stdout


@pytest.mark.parametrize("options", [("--tau", "5"), ("--threads", "0"), ("--tau", "nan")])
@pytest.mark.parametrize("command", ["probe", "distances"])
def test_bad_options_are_refused_before_the_data_is_read(
    run: Run, command: str, options: tuple[str, str]
) -> None:
    code, out, err = run(command, "none.npz", *options)
    assert (code, out) == (2, "")
    assert "none.npz" not in err
    assert options[0].strip("-") in err


def test_two_runs_with_the_default_folder(
    run: Run, plane: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second takes the next free name when the first was faster after all."""
    from geoprobe.geometry import results_folder

    write = results_folder.write_geometry

    def slow(*args: Any) -> Any:
        Path("geoprobe-results", "plane").mkdir(parents=True, exist_ok=True)
        Path("geoprobe-results", "plane", "of another run").touch()
        return write(*args)

    monkeypatch.setattr(results_folder, "write_geometry", slow)
    code, out, _ = run("probe", plane)
    assert code == 0
    assert f"Results: {Path('geoprobe-results', 'plane-2')}" in out


def test_activations_are_probed_and_verified(run: Run, tmp_path: Path) -> None:
    """How a file was read is remembered with the results."""
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(0)
    kept = rng.random((8, 6)) < 0.7
    tags = rng.integers(0, 2, size=(8, 6))
    points = rng.normal(size=(8, 6, 5)) + 9 * tags[:, :, None]
    with h5py.File(tmp_path / "acts.h5", "w") as file:
        file.update({"layer_6": points, "tags": tags, "first": tags[:, 0], "kept": kept})
    for number, how in enumerate(
        (
            ("--points", "layer_6", "--labels", "tags", "--mask", "kept"),
            ("--points", "layer_6", "--labels", "first", "--position", "0"),
        )
    ):
        code, out, _ = run("probe", "acts.h5", *how, "--out", f"out-{number}")
        assert code == 0
        assert f"{kept.sum() if number == 0 else 8} points of 5 dimensions, 2 labels" in out
        code, out, _ = run("verify", f"out-{number}")
        assert (code, "no failure" in out) == (0, True)


def test_a_split_of_a_data_set_predicts_another(run: Run, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    rng = np.random.default_rng(0)
    tags = np.array(["a", "b"] * 10)
    first, second = rng.normal(size=(2, 20)) + 9 * (tags == "b")
    split = datasets.Dataset.from_dict(
        {"first": first, "second": second, "word": tags, "tag": tags}
    )
    datasets.DatasetDict(train=split, test=split.select([0, 1, 2])).save_to_disk(tmp_path / "words")
    how = ("--points", "first,second", "--labels", "tag")
    code, out, _ = run("probe", "words/train", *how, "--test", "words/test", "--out", "out")
    assert code == 0
    assert "20 points of 2 dimensions, 2 labels" in out
    assert "Prediction of test: 3 of 3 right" in out
    code, out, _ = run("verify", "out")
    assert (code, "no failure" in out) == (0, True)
    assert "prediction" in out
