"""Files of the store that were damaged, cut off, moved or edited are refused by name."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import FormatError
from geoprobe.spaces import SpaceStore, read_space
from tests.support.store_by_hand import KEY, LABELS, TUNED, fill, points


@pytest.fixture
def store(tmp_path: Path) -> SpaceStore:
    store = SpaceStore(tmp_path)
    fill(store)
    return store


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(store: SpaceStore, name: str, match: str) -> None:
    with pytest.raises(FormatError, match=match) as caught:
        store.open(KEY)
    assert caught.value.path is not None
    assert caught.value.path.name == name
    assert KEY not in store
    assert store.keys() == []


def test_nothing_there(tmp_path: Path) -> None:
    refused(SpaceStore(tmp_path / "none"), "train.safetensors", "no spaces of ps-role minilm")


def test_without_a_sidecar(store: SpaceStore) -> None:
    store.path(KEY).with_suffix(".json").unlink()
    refused(store, "train.safetensors", "train.json is missing. Write them again")
    assert store.leftovers() == [store.path(KEY)]


def test_without_the_data(store: SpaceStore) -> None:
    store.path(KEY).unlink()
    refused(store, "train.safetensors", "no spaces of")


@pytest.mark.parametrize("change", [-1, -200, 1])
def test_another_length(store: SpaceStore, change: int) -> None:
    path = store.path(KEY)
    content = path.read_bytes()
    path.write_bytes(content[:change] if change < 0 else content + b"x")
    refused(store, "train.safetensors", f"has {len(content) + change} bytes, .* {len(content)}")


def test_another_header(store: SpaceStore) -> None:
    path = store.path(KEY)
    path.write_bytes(path.read_bytes().replace(b"layer_2", b"layer_3"))
    refused(store, "train.safetensors", "header does not fit the sidecar")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"n_units": 4}, "damaged or was edited"),
        ({"provenance": {}}, "damaged or was edited"),
        ({"checksum": "0" * 64}, "damaged or was edited"),
        ({"checksum": None}, "damaged or was edited"),
        ({"layers": "0"}, "layers is '0': a list is expected"),
        ({"layers": [0, 1.5]}, r"layers\.1 is 1\.5: a whole number is expected"),
        ({"dtype": "float64"}, "dtype is 'float64': input should be 'float32' or 'float16'"),
        ({"layer": [0]}, "there is no key 'layer'; the nearest known one is 'layers'"),
        ({"version": 2}, "has version 2, but version 1 is expected"),
        ({"format": "other"}, "not the sidecar of a file of spaces"),
    ],
)
def test_edited_sidecars(store: SpaceStore, changes: dict, match: str) -> None:
    edit(store.path(KEY).with_suffix(".json"), **changes)
    refused(store, "train.json", match)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe{}", b"[" * 100_000, b"null"])
def test_sidecars_that_are_none(store: SpaceStore, content: bytes) -> None:
    store.path(KEY).with_suffix(".json").write_bytes(content)
    refused(store, "train.json", "no JSON in UTF-8|a JSON object is expected")


def test_a_sidecar_that_is_nested_deeply(store: SpaceStore) -> None:
    path = store.path(KEY).with_suffix(".json")
    edit(path, provenance={"a": "here"})
    path.write_text(path.read_text().replace('"here"', "[" * 950 + "]" * 950))
    refused(store, "train.json", "damaged or was edited|no JSON")


def test_moved_files(store: SpaceStore) -> None:
    fill(store, TUNED)
    for suffix in (".safetensors", ".json"):
        store.path(TUNED).with_suffix(suffix).replace(store.path(KEY).with_suffix(suffix))
    refused(store, "train.json", "belongs to ps-role minilm tuned on pos seed 3 step 120, not to")


def test_removed_after_opening(store: SpaceStore) -> None:
    stored = store.open(KEY)
    store.path(KEY).write_bytes(b"")
    with pytest.raises(FormatError, match="has 0 bytes"):
        stored.points(2)
    store.path(KEY).unlink()
    for use in (lambda: stored.points(2), lambda: stored.labels, stored.verify):
        with pytest.raises(FormatError, match=r"train\.safetensors"):
            use()


def test_replaced_after_opening(store: SpaceStore) -> None:
    stored = store.open(KEY)
    fill(store, layers=(0, 2, 12), salt=1)
    with pytest.raises(FormatError, match="the header does not fit"):
        stored.points(2)
    np.testing.assert_array_equal(store.open(KEY).points(2), points(2, salt=1))


def test_codes_without_a_label(store: SpaceStore) -> None:
    path = store.path(KEY)
    content = bytearray(path.read_bytes())
    content[store.open(KEY)._layout.labels_start + 4] = 3
    path.write_bytes(content)
    with pytest.raises(FormatError, match="codes of the labels go from 0 to 3"):
        _ = store.open(KEY).labels
    with pytest.raises(FormatError, match="some have no label"):
        read_space(path)


def test_numbers_that_are_not_finite(store: SpaceStore) -> None:
    path = store.path(KEY)
    content = bytearray(path.read_bytes())
    start = store.open(KEY)._layout.layer_start(2)
    content[start : start + 4] = np.float32(np.inf).tobytes()
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"train\.safetensors: .*inf in row 0, column 0"):
        store.open(KEY).space(2)


def change_byte(content: bytearray, rng: random.Random) -> None:
    content[rng.randrange(len(content))] = rng.randrange(256)


def cut(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def insert(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content) + 1)
    content[at:at] = rng.randbytes(rng.randrange(1, 9))


@pytest.mark.full
@pytest.mark.parametrize("damage", [change_byte, cut, insert])
@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_random_damage_is_found(
    store: SpaceStore, damage: Callable[[bytearray, random.Random], None], suffix: str
) -> None:
    path = store.path(KEY).with_suffix(suffix)
    whole = path.read_bytes()
    for seed in range(60):
        content = bytearray(whole)
        damage(content, random.Random(seed))
        path.write_bytes(content)
        # What is not noticed has changed nothing: the case of white space in the sidecar.
        try:
            stored = store.open(KEY, verify=True)
        except FormatError:
            continue
        assert bytes(content) == whole or suffix == ".json"
        np.testing.assert_array_equal(stored.points(2), points(2))
        np.testing.assert_array_equal(stored.labels, LABELS)
