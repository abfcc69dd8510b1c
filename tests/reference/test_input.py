"""Configs and data files of the reference implementation: what is read and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import FormatError, GeoprobeError
from geoprobe.reference.config import Config, Family, read_config
from geoprobe.reference.inputs import (
    clusters_file,
    load_test,
    load_train,
    majority_labels,
    read_clusters,
)

CLUSTERS = """\
[run]
# a comment
output_path = results/some/

[data]
common = data/some
label_set_path = ${common}/tags.txt
entities_path = ${common}/train.txt
embeddings_path = ${common}/train_vectors.txt
test_entities_path = ${common}/test.txt
test_embeddings_path = ${common}/test_vectors.txt

[clustering]
enable_cuda = True
rate=0.01
mode = probing
# mode = prediction
probing_cluster_path = results/some/
"""

LABELS = """\
[run]
comments = [probing] some role
output_path = results/some/

[data]
common = ./data/some
label_set_path = ${common}/tags.txt
entities_path = ${common}/train.txt
test_entities_path = ${common}/nowhere.txt
embeddings_path = ${common}/train_vectors.txt
test_embeddings_path = ${common}/nowhere.txt
batch_embeddings_path =

[clustering]
enable_cuda = True
rate=0.05
mode = probing
probing_cluster_path =
"""

DATA = {
    "tags.txt": "a\nb\n-1\nunused\n",
    "train.txt": "one\ta\ntwo words\tb\nthree\ta\nfour\t-1\n",
    "train_vectors.txt": "0 0.5\n1 0.1\n2 3\n4 5\n",
    "test.txt": "five\tunused\nsix\t-1\n",
    "test_vectors.txt": "0.1 0.2\n0.3 0.4\n",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/some")
    folder.mkdir(parents=True)
    for name, text in DATA.items():
        (folder / name).write_text(text)
    return tmp_path


def config(text: str = CLUSTERS, *changes: tuple[str, str]) -> Config:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    Path("config.ini").write_text(text)
    return read_config("config.ini")


def test_config_of_the_first_repository() -> None:
    found = config()
    assert found.family is Family.CLUSTERS
    assert found.mode == "probing"
    assert found.output == Path("results/some")
    assert found.label_set == Path("data/some/tags.txt")
    assert found.test_embeddings == Path("data/some/test_vectors.txt")
    assert found.clusters is None
    assert (found.subsample, found.seed) == (None, None)
    assert found.unused == ("common", "enable_cuda", "rate", "probing_cluster_path")


def test_config_of_the_second_repository() -> None:
    found = config(LABELS)
    assert found.family is Family.LABELS
    assert found.test_entities is None
    assert found.clusters is None
    assert load_test(found, load_train(found)) is None


def test_prediction_mode_needs_clusters() -> None:
    predict = ("mode = probing", "mode = prediction")
    assert config(CLUSTERS, predict).clusters == Path("results/some")
    with pytest.raises(FormatError, match="'probing_cluster_path' has no value"):
        config(LABELS, predict)


def test_config_with_a_byte_order_mark_and_windows_line_ends() -> None:
    Path("config.ini").write_bytes(("\ufeff" + CLUSTERS.replace("\n", "\r\n")).encode())
    assert read_config("config.ini").mode == "probing"


def test_values_from_another_section() -> None:
    found = config(CLUSTERS, ("${common}/tags.txt", "${data:common}/tags.txt"))
    assert found.label_set == Path("data/some/tags.txt")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("mode = probing", "mode = guess"), "mode is 'guess', but probing or prediction"),
        (("mode = probing", "mode = batch_probing"), "'batch_embeddings_path' is missing"),
        (("mode = probing", ""), "key 'mode' is missing; the keys are: output_path"),
        (("output_path = results/some/", ""), "key 'output_path' is missing"),
        (("output_path = results/some/", "output_path ="), "'output_path' has no value"),
        (("label_set_path", "label_path"), "key 'label_set_path' is missing"),
        (("entities_path = ${common}/train", "x = ${common}/train"), "'entities_path' is missing"),
        (("embeddings_path = ${common}/train", "x = ${common}"), "'embeddings_path' is missing"),
        (("test_entities_path", "x"), "'test_entities_path' is missing"),
        (("test_embeddings_path", "x"), "'test_embeddings_path' is missing"),
        (("common = data", "other = data"), "no valid config.*common"),
        (("[run]", ""), "no valid config"),
        (("[clustering]", "[data]"), "no valid config.*data"),
        (("mode = probing", "mode = probing\nmode = probing"), "no valid config.*mode"),
        (("mode = probing", "mode = probing\noutput_path = x"), "'output_path' is there again"),
        (("rate=0.01", "subsample = some"), "'subsample' is 'some', but a whole number from 1"),
        (("rate=0.01", "subsample = 0"), "'subsample' is '0'"),
        (("rate=0.01", "seed = -1"), "'seed' is '-1', but a whole number from 0"),
    ],
)
def test_config_refused(change: tuple[str, str], match: str) -> None:
    with pytest.raises(FormatError, match=match) as caught:
        config(CLUSTERS, change)
    assert caught.value.path == Path("config.ini")


def test_config_files_refused() -> None:
    with pytest.raises(FormatError, match="no such file"):
        read_config("none.ini")
    with pytest.raises(FormatError, match="not a file"):
        read_config("data")
    Path("empty.ini").touch()
    with pytest.raises(FormatError, match="is empty"):
        read_config("empty.ini")
    Path("bytes.ini").write_bytes(b"[run]\nx = \xff\n")
    with pytest.raises(FormatError, match="UTF-8"):
        read_config("bytes.ini")


def test_data() -> None:
    found = config()
    train = load_train(found)
    assert train.points.dtype == np.float32
    np.testing.assert_array_equal(train.points[1], np.float32([1, 0.1]))
    assert train.labels.tolist() == ["a", "b", "a", "-1"]
    assert train.label_set == ["-1", "a", "b", "unused"]
    test = load_test(found, train)
    assert test is not None
    assert test.points.dtype == np.float64
    assert test.labels.tolist() == ["unused", "-1"]


def test_label_set_with_an_empty_line_has_the_empty_label() -> None:
    Path("data/some/tags.txt").write_text("a\nb\n-1\nunused\n\n")
    assert load_train(config()).label_set == ["", "-1", "a", "b", "unused"]


@pytest.mark.parametrize(
    ("name", "text", "line", "match"),
    [
        ("train_vectors.txt", "0 1\n2\n3 4\n5 6\n", 2, "1 numbers, but 2 are expected"),
        ("train_vectors.txt", "0 1\n2 x\n3 4\n5 6\n", 2, "value 2 is 'x'"),
        ("train_vectors.txt", "0 1\n2 nan\n3 4\n5 6\n", 2, "value 2 is 'nan'"),
        ("train_vectors.txt", "0 1\n2 1e39\n3 4\n5 6\n", None, "vector 2 .* float32"),
        ("train_vectors.txt", "0 1\n2 1e300\n3 4\n5 6\n", None, "overflow"),
        ("train_vectors.txt", "0 1\n2 3\n4 5\n", None, "3 vectors, but .*train.txt has 4 entities"),
        ("train_vectors.txt", "0 1\n" * 5, None, "5 vectors, but .*train.txt has 4 entities"),
        ("train_vectors.txt", "", None, "is empty"),
        (
            "train.txt",
            "one\ta\ntwo b\nthree\ta\nfour\tb\n",
            2,
            r"1 part\(s\), but an entity, a tab",
        ),
        ("train.txt", "one\ta\n\nthree\ta\nfour\tb\n", 2, r"1 part\(s\)"),
        ("train.txt", "one\ta\tb\ntwo\tb\nthree\ta\nfour\tb\n", 1, r"3 part\(s\)"),
        ("train.txt", "one\ta\ntwo\tzz\nthree\ta\nfour\tb\n", 2, "'zz' is not in the label set"),
        ("train.txt", "one\ta\n" * 4, None, "all 4 entities have the label 'a'"),
        ("train.txt", "", None, "is empty"),
        ("tags.txt", "a\nb\n", None, "."),
        ("test.txt", "five\tzz\nsix\ta\n", 1, "'zz' is not in the label set"),
        ("test.txt", "five\ta\n", None, "."),
        ("test_vectors.txt", "1 2 3\n4 5 6\n", None, "have 3 numbers, but those of .* have 2"),
        ("test_vectors.txt", "1 2\n4\n", 2, "1 numbers"),
        ("test_vectors.txt", "1 2\n", None, "1 vectors, but .*test.txt has 2 entities"),
    ],
)
def test_data_refused(name: str, text: str, line: int | None, match: str) -> None:
    Path("data/some", name).write_text(text)
    found = config()
    with pytest.raises(FormatError, match=match) as caught:
        load_test(found, load_train(found))
    if match != ".":
        assert caught.value.path == Path("data/some", name)
        assert caught.value.line == line


@pytest.mark.parametrize("name", DATA)
def test_missing_data(name: str) -> None:
    Path("data/some", name).unlink()
    found = config()
    with pytest.raises(FormatError, match="no such file") as caught:
        load_test(found, load_train(found))
    assert caught.value.path == Path("data/some", name)


def test_paths_start_at_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    config()
    Path("other").mkdir()
    monkeypatch.chdir("other")
    with pytest.raises(FormatError, match=r"start at the working folder.*run it from \.\."):
        load_train(read_config("../config.ini"))


def test_fork_with_npy_and_csv() -> None:
    np.save("vectors.npy", np.arange(8, dtype=np.float64).reshape(4, 2))
    Path("train.csv").write_text('text,label\n"one, two",a\nthree,b\nfour,a\nfive,-1\n')
    found = config(
        CLUSTERS,
        ("${common}/train.txt", "train.csv"),
        ("embeddings_path = ${common}/train_vectors.txt", "embeddings_path = vectors.npy"),
    )
    train = load_train(found)
    assert train.points.dtype == np.float32
    assert train.points.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert train.labels.tolist() == ["a", "b", "a", "-1"]


def test_fork_that_draws_a_subsample() -> None:
    whole = load_train(config())
    part = load_train(config(CLUSTERS, ("rate=0.01", "subsample = 3\nseed = 7")))
    np.random.seed(7)  # noqa: NPY002 - this is what the fork does
    rows = np.random.choice(4, size=3, replace=False)  # noqa: NPY002
    np.testing.assert_array_equal(part.points, whole.points[rows])
    assert part.labels.tolist() == whole.labels[rows].tolist()
    first, again = (
        load_train(config(CLUSTERS, ("rate=0.01", "subsample = 3\nseed ="))) for _ in "12"
    )
    np.testing.assert_array_equal(first.points, again.points)
    large = load_train(config(CLUSTERS, ("rate=0.01", "subsample = 4")))
    np.testing.assert_array_equal(large.points, whole.points)


def test_clusters() -> None:
    Path("clusters.txt").write_text("0\n11\n2\n" + "".join(f"{i}\n" for i in range(11)))
    found = read_clusters("clusters.txt", 14, "train.txt")
    assert found.tolist() == [0, 11, 2, *range(11)]
    assert clusters_file(".") == Path("clusters.txt")
    assert clusters_file("clusters.txt") == Path("clusters.txt")


@pytest.mark.parametrize(
    ("text", "line", "match"),
    [
        ("0\n1\n", None, "2 lines, but there are 3 points in train.txt"),
        ("0\n1\n1\n1\n", None, "4 lines"),
        ("0\n-1\n1\n", 2, "'-1', but the id of a cluster"),
        ("0\n1.0\n1\n", 2, "'1.0'"),
        ("0\n\n1\n", 2, "''"),
        ("0\na\n1\n", 2, "'a'"),
        ("0\n2\n2\n", None, "no point is in cluster 1, but the largest id is 2"),
        ("0\n1\n999999999\n", None, "no point is in cluster 2"),
        ("0\n1\n99999999999\n", 3, "the id of a cluster"),
        ("", None, "is empty"),
    ],
)
def test_clusters_refused(text: str, line: int | None, match: str) -> None:
    Path("clusters.txt").write_text(text)
    with pytest.raises(FormatError, match=match) as caught:
        read_clusters("clusters.txt", 3, "train.txt")
    assert (caught.value.path, caught.value.line) == (Path("clusters.txt"), line)


def test_majority_labels() -> None:
    labels = np.array(["a", "b", "b", "-1", "c", "c", "-1"])
    clusters = np.array([0, 0, 0, 1, 2, 1, 1])
    assert majority_labels(clusters, labels).tolist() == ["b", "-1", "c"]
    assert majority_labels(np.array([0, 0]), np.array(["z", "a"])).tolist() == ["z"]


def test_every_refusal_is_one_kind_of_error() -> None:
    assert issubclass(FormatError, GeoprobeError)
