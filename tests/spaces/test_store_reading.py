"""Files of the store as files among others: read_space and the commands take them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from geoprobe.cli import app
from geoprobe.errors import FormatError
from geoprobe.spaces import SpaceKey, SpaceStore, read_space
from tests.support.store_by_hand import KEY, LABELS, TUNED, fill, points

TEST = SpaceKey("ps-role", "minilm", "test")


@pytest.fixture
def store(tmp_path: Path) -> SpaceStore:
    return SpaceStore(tmp_path / "store")


def test_the_last_layer_is_the_default(store: SpaceStore) -> None:
    space = read_space(fill(store, TUNED))
    np.testing.assert_array_equal(space.points, points(11))
    np.testing.assert_array_equal(space.labels, LABELS)
    assert space.name == "ps-role minilm tuned on pos seed 3 step 120 layer 11"
    assert space.test is None


def test_a_layer_by_name(store: SpaceStore) -> None:
    path = fill(store)
    for space in (
        read_space(path, points="layer_2"),
        read_space(path, points="layer_2", labels="labels"),
    ):
        np.testing.assert_array_equal(space.points, store.open(KEY).space(2).points)
        np.testing.assert_array_equal(space.labels, LABELS)
        assert space.name == store.open(KEY).space(2).name
    assert read_space(path, points="layer_2", name="mine").name == "mine"


def test_a_layer_that_is_not_there(store: SpaceStore) -> None:
    path = fill(store)
    with pytest.raises(FormatError, match=r"no array 'layer_1' .* 'labels', 'layer_0', 'layer_11'"):
        read_space(path, points="layer_1")


def test_the_test_split_beside(store: SpaceStore) -> None:
    path = fill(store)
    fill(store, TEST, salt=5, labels=LABELS[:3])
    for name, layer in [(None, 11), ("layer_0", 0)]:
        test = read_space(path, points=name).test
        assert test is not None
        np.testing.assert_array_equal(test.points, points(layer, salt=5, n_units=3))
        np.testing.assert_array_equal(test.labels, LABELS[:3])
        assert test.source == store.path(TEST)
        assert test.name == f"ps-role minilm test layer {layer}"
    assert read_space(store.path(TEST)).test is None


def test_a_test_split_that_does_not_match(store: SpaceStore) -> None:
    path = fill(store)
    fill(store, TEST, layers=(0,))
    assert read_space(path).test is None
    assert read_space(path, points="layer_0").test is not None
    other = fill(store, SpaceKey("ps-role", "other", "test"))
    store.path(TEST).write_bytes(other.read_bytes())
    assert read_space(path, points="layer_0").test is None


def test_labels_from_another_file(store: SpaceStore, tmp_path: Path) -> None:
    path = fill(store)
    fill(store, TEST)
    (tmp_path / "y.txt").write_text("a\nb\na\nb\na\n")
    space = read_space(path, labels=tmp_path / "y.txt")
    assert space.labels.tolist() == list("ababa")
    assert space.test is None


def test_an_ordinary_file_is_read_as_before(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    codes = np.array([0, 1, 0, 1, 1], dtype=np.int32)
    save_file({"X": points(0), "labels": codes}, tmp_path / "train.safetensors", {"format": "np"})
    space = read_space(tmp_path / "train.safetensors", labels="labels")
    np.testing.assert_array_equal(space.labels, codes)
    assert space.name == "train"


@pytest.mark.parametrize(
    ("metadata", "match"),
    [
        ({"version": "2"}, "version '2', but version 1"),
        ({"version": "1"}, "damaged: 'key'"),
        ({"version": "1", "key": "{", "label_names": "[]"}, "damaged"),
        ({"version": "1", "key": "{}", "label_names": "[]"}, "a key has task"),
        ({"version": "1", "key": "{}", "label_names": "[1]"}, "names of the labels"),
    ],
)
def test_damaged_metadata(tmp_path: Path, metadata: dict[str, str], match: str) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "a.safetensors"
    save_file({"layer_0": points(0)}, path, {"format": "geoprobe-spaces"} | metadata)
    with pytest.raises(FormatError, match=match):
        read_space(path)


def test_the_commands_take_a_file_of_the_store(store: SpaceStore, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(["left", "right"], 20)
    for key in (KEY, TEST):
        cloud = rng.normal(size=(40, 3)) + np.where(labels == "left", 9, -9)[:, None]
        with store.writer(key, layers=[0, 1], labels=labels, n_dims=3, provenance={}) as writer:
            for layer in (0, 1):
                writer.write(layer, np.arange(40), cloud + layer)
    train = str(store.path(KEY))
    for options in (["--points", "layer_0", "--labels", "labels"], []):
        out = tmp_path / f"out{len(options)}"
        done = CliRunner().invoke(
            app, ["probe", train, *options, "--test", train, "--out", str(out), "--json"]
        )
        assert done.exit_code == 0, done.output
        summary = json.loads(done.stdout)
        assert "left" in json.dumps(summary)
        done = CliRunner().invoke(app, ["verify", str(out)])
        assert done.exit_code == 0, done.output
