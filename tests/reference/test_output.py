"""The result files of the reference implementation, character by character."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import OutputError
from geoprobe.reference import outputs
from geoprobe.reference.label_figures import label_figures
from geoprobe.reference.log import RunLog

# What scripts do with the files: the patterns are those that follow from the published format.
DIS = re.compile(r"\((\d+)-(.*), (\d+)-(.*)\): (\d+\.\d{4})")
PREDICTED = re.compile(r"(\d+)-(.*),(\d+\.\d{4})")


def lines(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    assert "\r" not in text
    return text[:-1].split("\n")


def test_clusters(tmp_path: Path) -> None:
    outputs.write_clusters(tmp_path / "clusters.txt", np.array([0, 12, 3, 0]))
    assert (tmp_path / "clusters.txt").read_bytes() == b"0\n12\n3\n0\n"


def test_distances(tmp_path: Path) -> None:
    labels = np.array(["-1", "p.Agent", *["x"] * 8, "a-b, c", "ä"])
    outputs.write_distances(
        tmp_path / "dis.txt",
        np.array([0, 0, 1, 10]),
        np.array([1, 10, 11, 11]),
        np.array([0.0, 1.23456, 1234.5, 0.00004]),
        labels,
    )
    assert lines(tmp_path / "dis.txt") == [
        "(0--1, 1-p.Agent): 0.0000",
        "(0--1, 10-a-b, c): 1.2346",
        "(1-p.Agent, 11-ä): 1234.5000",
        "(10-a-b, c, 11-ä): 0.0000",
    ]
    for line in lines(tmp_path / "dis.txt"):
        found = DIS.fullmatch(line)
        assert found is not None
        assert labels[int(found[1])] == found[2]
        assert labels[int(found[3])] == found[4]


def test_predictions(tmp_path: Path) -> None:
    labels = np.array(["-1", *["x"] * 9, "b"])
    outputs.write_predictions(
        tmp_path / "prediction.txt",
        ["-1", "b"],
        np.array([[0.0, 1.5, 20.25], [0.12344, 0.12346, 3.0]]),
        np.array([[0, 10, 3], [10, 0, 9]]),
        labels,
    )
    assert lines(tmp_path / "prediction.txt") == [
        "-1\t0--1,0.0000\t10-b,1.5000\t3-x,20.2500",
        "b\t10-b,0.1234\t0--1,0.1235\t9-x,3.0000",
    ]
    for line in lines(tmp_path / "prediction.txt"):
        for part in line.split("\t")[1:]:
            found = PREDICTED.fullmatch(part)
            assert found is not None
            assert labels[int(found[1])] == found[2]


def test_label_pairs(tmp_path: Path) -> None:
    names = outputs.pair_names(["-1", "a", "b---c"])
    outputs.write_values(tmp_path / "vec.txt", names, np.array([0.5, 0.0, 12.34567]))
    assert lines(tmp_path / "vec.txt") == [
        "-1---a,0.5000",
        "-1---b---c,0.0000",
        "a---b---c,12.3457",
    ]


def test_label_values(tmp_path: Path) -> None:
    outputs.write_values(tmp_path / "inside_max.txt", ["-1", "a,b"], np.array([0.0, 2.00005]))
    assert lines(tmp_path / "inside_max.txt") == ["-1,0.0000", "a,b,2.0000"]


def test_nothing_is_left_when_the_disk_is_full(tmp_path: Path, monkeypatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match=r"clusters\.txt cannot be written: No space left"):
        outputs.write_clusters(tmp_path / "clusters.txt", np.array([0, 1]))
    assert list(tmp_path.iterdir()) == []


def test_files_are_not_written_in_place(tmp_path: Path, monkeypatch) -> None:
    class Stop(Exception):
        pass

    def killed(self: Path, target: Path) -> Path:
        raise Stop

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(Stop):
        outputs.write_clusters(tmp_path / "clusters.txt", np.array([0, 1]))
    assert [path.name for path in tmp_path.iterdir()] == [".clusters.txt.unfinished"]


def test_label_figures() -> None:
    # Label 0 has a large cluster and one that is left out, label 1 two clusters, label 2 one,
    # label 3 none at all.
    square = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 4.0]])
    points = np.concatenate([square, [[50.0, 50.0]], square[:2] + 10, square[:3] + 20, square + 30])
    clusters = np.array([0] * 4 + [-1] + [2] * 2 + [3] * 3 + [4] * 4)
    cluster_labels = np.array([0, 0, 1, 1, 2])
    found = label_figures(
        points,
        clusters,
        cluster_labels,
        first=np.array([0, 0, 0, 2, 3]),
        second=np.array([2, 3, 4, 4, 4]),
        distance=np.array([1.0, 2.0, 7.0, 4.0, 0.0]),
        n_labels=4,
    )
    # Pairs 01, 02, 03, 12, 13, 23: means over the pairs of clusters; 0 for the absent label.
    np.testing.assert_allclose(found.pairs, [1.5, 7.0, 0.0, 2.0, 0.0, 0.0])
    np.testing.assert_allclose(found.outside_min, [1.5, 1.5, 2.0, 0.0])
    whole = (3 + 3 + 4 + 4 + 5 + 5) / 6
    np.testing.assert_allclose(found.inside_mean, [whole, (3 + (3 + 4 + 5) / 3) / 2, whole, 0.0])
    np.testing.assert_allclose(found.inside_max, [5.0, 5.0, 5.0, 0.0])


@pytest.mark.full
def test_label_figures_of_many_points() -> None:
    points = np.random.default_rng(0).normal(size=(2500, 3)).astype(np.float32)
    found = label_figures(
        points,
        np.zeros(2500, dtype=np.int64),
        np.array([1]),
        first=np.zeros(0, dtype=np.int64),
        second=np.zeros(0, dtype=np.int64),
        distance=np.zeros(0),
        n_labels=2,
    )
    wide = points.astype(np.float64)
    apart = np.sqrt(np.square(wide[:, None] - wide[None]).sum(axis=2))[np.triu_indices(2500, 1)]
    np.testing.assert_allclose(found.inside_mean, [0.0, apart.mean()])
    np.testing.assert_allclose(found.inside_max, [0.0, apart.max()])
    assert found.pairs.tolist() == [0.0]
    assert found.outside_min.tolist() == [0.0, 0.0]


def test_log(tmp_path: Path) -> None:
    with RunLog() as log:
        log.say("before")
        log.open(tmp_path / "log.txt")
        log.say("Acc=0.5")
    first, second = lines(tmp_path / "log.txt")
    form = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}-run\.py-INFO: (.*)"
    assert re.fullmatch(form, first)[1] == "before"
    assert re.fullmatch(form, second)[1] == "Acc=0.5"


def test_log_notes_an_early_end(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunLog() as log:
        log.open(tmp_path / "log.txt")
        raise KeyboardInterrupt
    assert lines(tmp_path / "log.txt")[-1].endswith("ERROR: the run ended early: KeyboardInterrupt")


def test_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"), RunLog() as log:
        log.open(tmp_path / "none" / "log.txt")
