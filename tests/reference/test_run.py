"""Whole runs of configs, with a plain engine in place of the fast one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import FormatError, OutputError
from geoprobe.geometry import Clusters, PairwiseDistances, Status, Supports
from geoprobe.geometry.clusters import NO_BLOCKS
from geoprobe.progress import Progress
from geoprobe.reference import ReferenceRun, batch, run, run_config
from geoprobe.reference.engine import Partition
from geoprobe.reference.inputs import LabelledPoints, majority_labels
from geoprobe.tolerances import TAU
from tests.support.reference import qp_distance, textbook_clustering

CONFIG = """\
[run]
output_path = results/some/
[data]
common = .
label_set_path = ${{common}}/tags.txt
entities_path = ${{common}}/train.txt
embeddings_path = ${{common}}/train_vectors.txt
test_entities_path = ${{common}}/test.txt
test_embeddings_path = ${{common}}/test_vectors.txt
{extra}
[clustering]
enable_cuda = True
rate = 0.01
mode = {mode}
probing_cluster_path = {clusters}
"""

# A band of -1 splits the points of "a": one cluster below it, two points above. The label "b"
# lies apart in a block of six.
POINTS = {
    "a": [(x, 0.0) for x in range(6)] + [(1.0, 4.0), (3.0, 4.0)],
    "-1": [(x, 2.0) for x in range(-1, 7)],
    "b": [(x, y) for x in (20.0, 21.0) for y in (0.0, 1.0, 2.5)],
}
TEST = [("a", (2.0, 0.5)), ("-1", (0.0, 2.0)), ("a", (2.0, 3.5)), ("b", (18.0, 0.0)), ("b", (2, 4))]
RESULTS = Path("results/some")


def plain(points: np.ndarray, labels: np.ndarray, clusters: np.ndarray, smallest: int) -> Partition:
    """Measure clusters by dense quadratic programs."""
    own = majority_labels(clusters, labels)
    sets = [points[clusters == cluster].astype(np.float64) for cluster in range(len(own))]
    pairs = [
        (i, j)
        for i in range(len(own))
        for j in range(i + 1, len(own))
        if own[i] != own[j] and min(len(sets[i]), len(sets[j])) >= smallest
    ]

    def rank(new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        table = np.array([[qp_distance(each, p[None]) for each in sets] for p in new])
        order = np.argsort(table, axis=1, kind="stable")
        return np.take_along_axis(table, order, axis=1), order

    upper = np.array([qp_distance(sets[i], sets[j]) for i, j in pairs])
    return Partition(
        clusters=Clusters(
            assignment=clusters,
            label=np.unique(own, return_inverse=True)[1],
            distances=PairwiseDistances(
                names=np.arange(len(own)),
                first=np.array([i for i, _ in pairs], dtype=np.int64),
                second=np.array([j for _, j in pairs], dtype=np.int64),
                lower=upper,
                upper=upper,
                status=np.where(upper > 0, Status.DISJOINT, Status.OVERLAP).astype(np.uint8),
                stage=np.zeros(len(pairs), np.uint8),
                supports=Supports.of([]),
                scale=1.0,
                tau=TAU,
            ),
            blocks=NO_BLOCKS,
        ),
        names=own,
        rank=rank,
    )


@pytest.fixture(params=["plain", "fast"], autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":

        def cluster(train: LabelledPoints, **_) -> Partition:
            found = textbook_clustering(train.points, train.labels)
            return plain(train.points, train.labels, found.clusters, 1)

        def measure(
            train: LabelledPoints, clusters: np.ndarray, smallest: int = 1, **_
        ) -> Partition:
            return plain(train.points, train.labels, clusters, smallest)

        monkeypatch.setattr(run, "cluster", cluster)
        monkeypatch.setattr(run, "measure_partition", measure)
        monkeypatch.setattr(batch, "measure_partition", measure)
    return request.param


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tags.txt").write_text("b\na\nabsent\n-1\n")
    named = [(label, point) for label, points in POINTS.items() for point in points]
    write("train", named)
    write("test", TEST)
    return tmp_path


def write(name: str, named: list) -> None:
    Path(f"{name}.txt").write_text("".join(f"some words\t{label}\n" for label, _ in named))
    vectors = "".join(" ".join(map(str, point)) + "\n" for _, point in named)
    Path(f"{name}_vectors.txt").write_text(vectors)


def go(mode: str = "probing", clusters: str = "", extra: str = "", **how) -> ReferenceRun:
    Path("config.ini").write_text(CONFIG.format(mode=mode, clusters=clusters, extra=extra))
    return run_config("config.ini", **how)


def read(name: str) -> list[str]:
    return (RESULTS / name).read_text().splitlines()


def said(pattern: str) -> str:
    found = [match[1] for line in read("log.txt") if (match := re.search(pattern, line))]
    assert len(found) == 1, (pattern, read("log.txt"))
    return found[0]


BATCH = "batch_embeddings_path ="


def test_probing() -> None:
    done = go()
    assert done.files == ("log.txt", "clusters.txt", "prediction.txt", "dis.txt")
    assert sorted(path.name for path in RESULTS.iterdir()) == sorted(done.files)
    assert (done.n_points, done.n_dims, done.n_labels, done.n_clusters) == (22, 2, 3, 4)
    assert done.accuracy == 0.8
    # Clusters are numbered by label: 0 is -1, 1 and 2 are a, 3 is b.
    assert read("clusters.txt") == ["1"] * 6 + ["2"] * 2 + ["0"] * 8 + ["3"] * 6
    assert read("dis.txt") == [
        "(0--1, 1-a): 2.0000",
        "(0--1, 2-a): 2.0000",
        "(0--1, 3-b): 14.0000",
        "(1-a, 3-b): 15.0000",
        f"(2-a, 3-b): {np.hypot(17, 1.5):.4f}",
    ]
    assert read("prediction.txt")[0] == "a\t1-a,0.5000\t0--1,1.5000\t2-a,3.5000\t3-b,18.0000"
    assert read("prediction.txt")[1].startswith("-1\t0--1,0.0000\t")
    assert read("prediction.txt")[4].startswith("b\t2-a,0.0000\t")
    assert said(r"Acc=(.*)") == "0.8"
    assert said(r"Final number of clusters: (\d+)") == "4"
    assert said(r"This space is (.*)!") == "non-linear"
    assert float(said(r"MinConvexDistance=(.*)")) == pytest.approx(2.0)
    assert float(said(r"MaxConvexDistance=(.*)")) == pytest.approx(np.hypot(17, 1.5))
    assert said(r"Label size=(\d+)") == "4"


def test_prediction_from_the_clusters_of_a_run() -> None:
    go()
    first = {name: read(name) for name in ("prediction.txt", "dis.txt")}
    RESULTS.rename("results/before")
    for named in ("results/before/", "results/before/clusters.txt"):
        done = go("prediction", named)
        assert done.files == ("log.txt", "prediction.txt", "dis.txt")
        assert sorted(path.name for path in RESULTS.iterdir()) == sorted(done.files)
        assert {name: read(name) for name in first} == first
        assert (done.n_clusters, done.accuracy) == (4, 0.8)
        RESULTS.rename(f"results/{len(list(Path('results').iterdir()))}")


def test_prediction_with_clusters_of_mixed_labels() -> None:
    # Points of -1 in the lower cluster of a: the hulls overlap, the majority names the cluster.
    ids = ["1"] * 6 + ["2"] * 2 + [*"00011000"] + ["3"] * 6
    Path("mine.txt").write_text("\n".join(ids) + "\n")
    go("prediction", "mine.txt")
    assert read("dis.txt")[0] == "(0--1, 1-a): 0.0000"
    assert "WARNING: 2 points are in clusters of another label" in "\n".join(read("log.txt"))


def test_second_repository() -> None:
    done = go(extra=BATCH)
    names = ["log.txt", "clusters.txt", "vec.txt", "outside_min.txt", "inside_mean.txt"]
    assert list(done.files) == [*names, "inside_max.txt"]
    assert sorted(path.name for path in RESULTS.iterdir()) == sorted(done.files)
    assert done.accuracy is None
    # The two points of a above the band are too few to count.
    assert read("vec.txt") == [
        "-1---a,2.0000",
        "-1---absent,0.0000",
        "-1---b,14.0000",
        "a---absent,0.0000",
        "a---b,15.0000",
        "absent---b,0.0000",
    ]
    assert read("outside_min.txt") == ["-1,2.0000", "a,2.0000", "absent,0.0000", "b,14.0000"]
    assert read("inside_max.txt") == ["-1,7.0000", "a,5.0000", "absent,0.0000", "b,2.6926"]
    assert read("inside_mean.txt")[:3] == ["-1,3.0000", "a,2.3333", "absent,0.0000"]
    assert float(said("global min dis=(.*)")) == pytest.approx(2.0)
    assert float(said("max inside max dis=(.*)")) == pytest.approx(7.0)
    assert float(said("Inside max / outside min = (.*)")) == pytest.approx(
        np.mean([7 / 2, 5 / 2, np.hypot(1, 2.5) / 14])
    )


def test_second_repository_from_given_clusters() -> None:
    go(extra=BATCH)
    RESULTS.rename("results/before")
    done = go("prediction", "results/before/clusters.txt", BATCH)
    assert "clusters.txt" not in done.files
    for name in done.files[1:]:
        assert read(name) == Path("results/before", name).read_text().splitlines()


def write_layer(path: str, scale: float, shift: float = 0.0) -> None:
    """Write the points to train, enlarged, and those of b moved towards the others."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    named = [(label, point) for label, points in POINTS.items() for point in points]
    moved = [(scale * (x - shift * (label == "b")), scale * y) for label, (x, y) in named]
    place.write_text("".join(f"{x} {y}\n" for x, y in moved))


def test_batch_of_the_second_repository() -> None:
    """One partition in every checkpoint and layer; 0 where its clusters overlap."""
    go(extra=BATCH)
    before = RESULTS.rename("results/before")
    for checkpoint, scale in (("0", 1.0), ("100", 2.0)):
        for layer in (2, 10, 1):
            # In layer 2 of checkpoint 100 the points of b lie among those of the others.
            shift = 17.0 if (checkpoint, layer) == ("100", 2) else 0.0
            write_layer(f"batch/{checkpoint}/{layer}.txt", scale * layer, shift)
    Path("batch/0/0.txt").write_text("the layer of the embeddings is not asked for")
    done = go("batch_probing", str(before), f"{BATCH} batch")
    folders = ("batch_vec", "outside_min", "inside_mean", "inside_max")
    assert done.files == (
        "log.txt",
        *(f"{folder}/{checkpoint}.txt" for checkpoint in ("0", "100") for folder in folders),
    )
    assert done.n_clusters == 4 and done.accuracy is None
    assert read("batch_vec/0.txt") == [
        " ,1,2,10",
        "-1---a,2.0000,4.0000,20.0000",
        "-1---absent,0.0000,0.0000,0.0000",
        "-1---b,14.0000,28.0000,140.0000",
        "a---absent,0.0000,0.0000,0.0000",
        "a---b,15.0000,30.0000,150.0000",
        "absent---b,0.0000,0.0000,0.0000",
    ]
    assert read("batch_vec/100.txt")[1] == "-1---a,4.0000,0.0000,40.0000"
    assert read("inside_max/100.txt")[:3] == [
        " ,1,2,10",
        "-1,14.0000,0.0000,140.0000",
        "a,10.0000,0.0000,100.0000",
    ]
    assert read("outside_min/0.txt")[1] == "-1,2.0000,4.0000,20.0000"
    # The layer that is the space of the first run has the figures of that run.
    for name, folder in (("vec", "batch_vec"), ("inside_mean", "inside_mean")):
        alone = (before / f"{name}.txt").read_text().splitlines()
        assert [",".join(line.split(",")[:2]) for line in read(f"{folder}/0.txt")[1:]] == alone
    log = "\n".join(read("log.txt"))
    assert log.count(" IS linearly separable") == 5
    assert "batch/100/2.txt is NOT linearly separable" in log
    assert "keys without effect: " in log and "embeddings_path" in log


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda: None, "a folder with a folder for each checkpoint"),
        (lambda: Path("batch").mkdir(), "one for each checkpoint is expected"),
        (lambda: Path("batch/0").mkdir(parents=True), "holds no layer, such as 1.txt"),
        (lambda: Path("batch/0/1.txt").write_text("1 2\n"), "1 vectors, but train.txt has 22"),
        (lambda: Path("batch/0/01.txt").write_text("1 2\n"), "layer 1 is there twice, in 01.txt"),
    ],
)
def test_batch_refused(spoil, match: str) -> None:
    go(extra=BATCH)
    before = RESULTS.rename("results/before")
    if "vectors" in match or "twice" in match:
        write_layer("batch/0/1.txt", 1.0)
    spoil()
    with pytest.raises(FormatError, match=match):
        go("batch_probing", str(before), f"{BATCH} batch")
    assert not RESULTS.exists()


def test_two_digit_clusters() -> None:
    # Single points of two labels take turns on a line: every point is a cluster of its own.
    named = [("-1" if at % 2 else "a", (float(at), 0.0)) for at in range(24)]
    write("train", named)
    done = go()
    assert done.n_clusters == 24
    assert read("clusters.txt") == [str(12 * (at % 2 == 0) + at // 2) for at in range(24)]
    assert "(11--1, 23-a): 1.0000" in read("dis.txt")
    assert len(read("dis.txt")) == 144
    again = RESULTS.rename("results/before")
    assert go("prediction", str(again)).n_clusters == 24
    assert (again / "dis.txt").read_text() == (RESULTS / "dis.txt").read_text()


def test_linear() -> None:
    write("train", [("a", (0, 0)), ("a", (0, 1)), ("b", (1, 0)), ("b", (1, 1))])
    assert go().n_clusters == 2
    assert said(r"This space is (.*)!") == "linear"


def test_progress_is_reported() -> None:
    seen: list[Progress] = []
    go(progress=seen.append)
    assert [each.done for each in seen if each.phase == "reading"] == [0, 1, 2, 3]


def test_output_that_is_there_is_kept() -> None:
    RESULTS.mkdir(parents=True)
    (RESULTS / "clusters.txt").write_text("0\n")
    with pytest.raises(OutputError, match=r"results/some is not empty"):
        go()
    assert [path.name for path in RESULTS.iterdir()] == ["clusters.txt"]


def test_empty_output_is_taken() -> None:
    RESULTS.mkdir(parents=True)
    assert go().n_clusters == 4


def test_output_that_is_a_file() -> None:
    Path("results").mkdir()
    RESULTS.write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        go()


def test_output_below_a_file() -> None:
    Path("results").write_text("x")
    with pytest.raises(OutputError, match="cannot be made"):
        go()


def test_nothing_is_written_for_bad_input() -> None:
    Path("train_vectors.txt").write_text("0 1\n2\n")
    with pytest.raises(FormatError, match=r"train_vectors\.txt, line 2"):
        go()
    assert not RESULTS.exists()
    write("train", [("a", (0, 0)), ("b", (1, 0))])
    Path("mine.txt").write_text("0\n")
    with pytest.raises(FormatError, match=r"mine\.txt: the file has 1 lines"):
        go("prediction", "mine.txt")
    with pytest.raises(FormatError, match=r"nowhere\.txt: there is no such file"):
        go("prediction", "nowhere.txt")
    assert not RESULTS.exists()


def test_folder_without_clusters() -> None:
    Path("before").mkdir()
    with pytest.raises(FormatError, match=r"before/clusters\.txt: there is no such file"):
        go("prediction", "before")


def test_threads_and_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    go(n_threads=1)
    for at, queries in enumerate([1, 10]):
        RESULTS.rename(f"results/before{at}")
        monkeypatch.setattr("geoprobe.probes.ranking.MOST_QUERIES", queries)
        done = go(n_threads=2)
        for name in done.files[1:]:
            assert Path(f"results/before{at}", name).read_bytes() == (RESULTS / name).read_bytes()


def test_equal_vectors_under_two_labels() -> None:
    # The two at the origin cannot be told apart: they stay clusters of their own.
    named = [
        ("a", (0, 0)),
        ("b", (0, 0)),
        ("a", (5, 0)),
        ("a", (5, 1)),
        ("b", (9, 0)),
        ("b", (9, 1)),
    ]
    write("train", named)
    assert go().n_clusters == 4
    assert read("clusters.txt") == ["0", "2", "1", "1", "3", "3"]
    assert read("dis.txt")[0] == "(0-a, 2-b): 0.0000"
