"""The store gives back what was written, and refuses what it could not keep."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from geoprobe.errors import FormatError, InputError
from geoprobe.spaces import (
    DiskSpaceError,
    SpaceKey,
    SpaceStore,
    check_disk,
    describe_store,
    estimate_bytes,
)
from tests.support.store_by_hand import KEY, LABELS, LAYERS, N_DIMS, PROVENANCE, TUNED, fill, points


@pytest.fixture
def store(tmp_path: Path) -> SpaceStore:
    return SpaceStore(tmp_path / "store")


@pytest.mark.parametrize("key", [KEY, TUNED])
def test_round_trip(store: SpaceStore, key: SpaceKey) -> None:
    fill(store, key)
    stored = store.open(key, verify=True)
    assert (stored.key, stored.layers, stored.n_units, stored.n_dims) == (key, LAYERS, 5, N_DIMS)
    assert stored.provenance == PROVENANCE
    np.testing.assert_array_equal(stored.labels, LABELS)
    for layer in LAYERS:
        np.testing.assert_array_equal(stored.points(layer), points(layer))
        assert stored.points(layer).dtype == np.float32


def test_places(store: SpaceStore) -> None:
    assert fill(store).relative_to(store.root) == Path("ps-role/minilm/original/train.safetensors")
    expected = Path("ps-role/minilm/pos-seed3/step-00000120/train.safetensors")
    path = fill(store, TUNED)
    assert path.relative_to(store.root) == expected
    assert sorted(p.name for p in path.parent.iterdir()) == ["train.json", "train.safetensors"]


def test_the_bytes_are_those_of_version_0_1(store: SpaceStore) -> None:
    """What 0.1 wrote must be read, and hashes that studies keep must hold."""
    path = fill(store)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.startswith("6d1b2f378c20fdaa")
    sidecar = path.with_suffix(".json").read_text(encoding="ascii")
    fixed = re.sub(r'"(created|checksum)": "[^"]*"', r'"\1": ""', sidecar)
    assert hashlib.sha256(fixed.encode("ascii")).hexdigest().startswith("6dc6c0b8f71e94fa")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_file_is_what_the_safetensors_library_reads(store: SpaceStore, dtype: str) -> None:
    tensors = load_file(fill(store, dtype=dtype))
    assert sorted(tensors) == ["labels", "layer_0", "layer_11", "layer_2"]
    np.testing.assert_array_equal(np.unique(LABELS)[tensors["labels"]], LABELS)
    for layer in LAYERS:
        np.testing.assert_array_equal(tensors[f"layer_{layer}"], points(layer).astype(dtype))


@pytest.mark.full
@settings(max_examples=40, deadline=None)
@given(
    n_units=st.integers(1, 9),
    n_dims=st.integers(1, 5),
    layers=st.sets(st.integers(0, 30), min_size=1, max_size=4),
    dtype=st.sampled_from(["float32", "float16"]),
    seed=st.integers(0, 2**20),
)
def test_any_order_of_rows_gives_the_same_file(
    tmp_path_factory: pytest.TempPathFactory,
    n_units: int,
    n_dims: int,
    layers: set[int],
    dtype: str,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    store = SpaceStore(tmp_path_factory.mktemp("store"))
    cloud = {layer: rng.normal(size=(n_units, n_dims)) for layer in layers}
    labels = rng.choice(["a", "b", "ccc"], n_units)
    files = []
    for key, order in [(KEY, np.arange(n_units)), (TUNED, rng.permutation(n_units))]:
        with store.writer(
            key, layers=sorted(layers), labels=labels, n_dims=n_dims, provenance={}, dtype=dtype
        ) as writer:
            for rows in np.array_split(order, rng.integers(1, n_units + 1)):
                for layer in rng.permutation(sorted(layers)):
                    writer.write(layer, rows, cloud[layer][rows])
        stored = store.open(key, verify=True)
        files.append([stored.points(layer).tobytes() for layer in sorted(layers)])
        assert load_file(stored.path).keys() == {"labels", *(f"layer_{n}" for n in layers)}
        np.testing.assert_array_equal(stored.labels, labels)
        assert stored.path.stat().st_size <= estimate_bytes(n_units, n_dims, len(layers), dtype)
    assert files[0] == files[1] == [cloud[n].astype(dtype).tobytes() for n in sorted(layers)]


def test_the_same_points_make_the_same_bytes(store: SpaceStore) -> None:
    first = fill(store).read_bytes()
    assert fill(store, provenance={"other": 1}).read_bytes() == first
    assert store.open(KEY).provenance == {"other": 1}


def test_points_are_mapped_and_read_only(store: SpaceStore) -> None:
    fill(store)
    cloud = store.open(KEY).points(2)
    assert isinstance(cloud, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        cloud[0, 0] = 1.0


def test_opening_reads_no_points(store: SpaceStore) -> None:
    path = fill(store)
    damaged = bytearray(path.read_bytes())
    damaged[store.open(KEY)._layout.layer_start(11)] ^= 1
    path.write_bytes(damaged)
    stored = store.open(KEY)
    np.testing.assert_array_equal(stored.points(0), points(0))
    np.testing.assert_array_equal(stored.labels, LABELS)
    with pytest.raises(FormatError, match="damaged: its SHA-256 is"):
        store.open(KEY, verify=True)


def test_spaces_have_names(store: SpaceStore) -> None:
    test = SpaceKey("ps-role", "minilm", "test", "pos", 3, 120)
    for key in (KEY, TUNED, test):
        fill(store, key)
    assert store.open(KEY).space(2).name == "ps-role minilm layer 2"
    assert store.open(TUNED).space(0).name == (
        "ps-role minilm tuned on pos seed 3 step 120 layer 0"
    )
    space = store.open(test).space(11)
    assert space.name == "ps-role minilm tuned on pos seed 3 step 120 test layer 11"
    np.testing.assert_array_equal(space.points, points(11))
    np.testing.assert_array_equal(space.labels, LABELS)
    assert space.source == store.path(test)


def test_half_precision_becomes_single_in_a_space(store: SpaceStore) -> None:
    fill(store, dtype="float16")
    stored = store.open(KEY)
    assert stored.points(2).dtype == np.float16
    np.testing.assert_array_equal(stored.space(2).points, points(2).astype(np.float16))


def test_keys_are_sorted_and_complete(store: SpaceStore) -> None:
    wanted = [
        SpaceKey("dep", "tiny", "test"),
        SpaceKey("dep", "tiny", "train"),
        SpaceKey("dep", "tiny", "train", "dep", 0, 9),
        SpaceKey("dep", "tiny", "train", "dep", 0, 10),
        SpaceKey("dep", "tiny", "train", "dep", 10, 1),
        SpaceKey("dep", "tiny", "train", "pos-seed1", 0, 10**9),
        SpaceKey("pos", "tiny", "test"),
    ]
    assert store.keys() == []
    for key in reversed(wanted):
        assert key not in store
        fill(store, key)
        assert key in store
    assert store.keys() == wanted
    store.path(wanted[0]).with_suffix(".json").unlink()
    store.path(wanted[1]).unlink()
    assert store.keys() == wanted[2:]
    assert store.leftovers() == [store.path(wanted[0])]


def test_foreign_files_are_no_spaces(store: SpaceStore) -> None:
    path = fill(store)
    for place in (
        "ps-role/minilm/notes/train.safetensors",
        "ps-role/minilm/pos-seed03/step-00000120/train.safetensors",
        "ps-role/minilm/pos-seed3/step-120/train.safetensors",
        "ps-role/minilm/original/dev.safetensors",
        "ps-role/minilm/train.safetensors",
    ):
        (store.root / place).parent.mkdir(parents=True, exist_ok=True)
        (store.root / place).write_bytes(path.read_bytes())
    assert store.keys() == [KEY]
    assert store.leftovers() == []


def test_a_second_writing_replaces_the_first(store: SpaceStore) -> None:
    fill(store)
    before = store.open(KEY).points(0)
    fill(store, salt=1, labels=np.array(["x", "y", "z"]))
    stored = store.open(KEY, verify=True)
    np.testing.assert_array_equal(stored.points(0), points(0, salt=1, n_units=3))
    np.testing.assert_array_equal(before, points(0))


def test_a_key_and_its_cells() -> None:
    assert TUNED.cell(5).layer == 5
    assert SpaceKey.of(TUNED.cell(5), TUNED.split) == TUNED
    assert SpaceKey.of(KEY.cell(0), KEY.split) == KEY


def test_the_original_of_a_tuned_key() -> None:
    assert TUNED.original == KEY
    assert KEY.original == KEY
    assert SpaceKey.from_dict(json.loads(json.dumps(TUNED.as_dict()))) == TUNED


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", ".a", "a.", "-a", "a b", "a" * 101])
def test_names_that_are_no_folders(name: str) -> None:
    for names in [(name, "m", None), ("t", name, None), ("t", "m", name)]:
        task, model, tuned_on = names
        with pytest.raises(InputError, match="becomes the name of a folder"):
            run = () if tuned_on is None else (tuned_on, 0, 1)
            SpaceKey(task, model, "train", *run)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("t", "m", "dev"), "'train' or 'test', but 'dev'"),
        (("t", "m", "train", None, 1), "no seed and step 0"),
        (("t", "m", "train", None, None, 5), "no seed and step 0"),
        (("t", "m", "train", "t"), "seed of a run"),
        (("t", "m", "train", "t", -1, 5), "seed of a run"),
        (("t", "m", "train", "t", True, 5), "seed of a run"),
        (("t", "m", "train", "t", 1, 0), "step 0 is the original"),
        (("t", "m", "train", "t", 1, 2.0), "step of at least 1"),
    ],
)
def test_keys_that_make_no_sense(arguments: tuple, match: str) -> None:
    with pytest.raises(InputError, match=match):
        SpaceKey(*arguments)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"layers": ()}, "one or more integers"),
        ({"layers": (0, -1)}, "one or more integers"),
        ({"layers": (1, 1)}, "each is named once"),
        ({"labels": np.array([], dtype=str)}, "at least one string"),
        ({"labels": np.arange(5)}, "at least one string"),
        ({"labels": np.array([["a"]])}, "at least one string"),
        ({"labels": np.array(["a", None], dtype=object)}, "unit 1 is None"),
        ({"labels": np.array(["a", "b\0c"])}, "unit 1"),
        ({"labels": np.array(["\ud800"])}, "unit 0"),
        ({"n_dims": 0}, "n_dims is 0"),
        ({"dtype": "float64"}, "float32 or float16"),
        ({"provenance": {"a": object()}}, "cannot be written as JSON"),
        ({"provenance": {"a": float("nan")}}, "cannot be written as JSON"),
    ],
)
def test_what_the_store_does_not_keep(store: SpaceStore, changes: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        fill(store, **changes)
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("layer", "rows", "cloud", "match"),
    [
        (1, [0], np.zeros((1, 6)), "layer 1 is none of those announced, 0, 2, 11"),
        (0, [5], np.zeros((1, 6)), "row 5 of layer 0 does not exist"),
        (0, [-1], np.zeros((1, 6)), "row -1 of layer 0 does not exist"),
        (0, [2, 2], np.zeros((2, 6)), "row 2 of layer 0 comes twice"),
        (0, [3], np.zeros((1, 6)), "row 3 of layer 0 has been written already"),
        (0, [0.0], np.zeros((1, 6)), "array of integers"),
        (0, [[0]], np.zeros((1, 6)), "array of integers"),
        (0, [0], np.zeros((1, 5)), r"shape \(1, 6\), but their shape is \(1, 5\)"),
        (0, [0], np.zeros((1, 6), dtype=int), "dtype int64"),
        (0, [1, 0], np.array([[0] * 6, [0, 0, np.nan, 0, 0, 0]]), "nan in row 0, column 2"),
        (0, [1], np.full((1, 6), 1e39), "finite in float32"),
    ],
)
def test_points_that_do_not_fit(
    store: SpaceStore, layer: int, rows: list, cloud: np.ndarray, match: str
) -> None:
    asked = {"layers": LAYERS, "labels": LABELS, "n_dims": N_DIMS, "provenance": {}}
    with pytest.raises(InputError, match=match), store.writer(KEY, **asked) as writer:
        writer.write(0, np.array([3]), np.zeros((1, 6)))
        writer.write(layer, np.array(rows), cloud)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_missing_rows_are_named(store: SpaceStore) -> None:
    asked = {"layers": (0, 1), "labels": LABELS, "n_dims": N_DIMS, "provenance": {}}
    match = "2 of 5 rows of layer 1 of ps-role minilm were never written; the first is row 3"
    with pytest.raises(InputError, match=match), store.writer(KEY, **asked) as writer:
        writer.write(0, np.arange(5), points(0))
        writer.write(1, np.arange(3), points(1)[:3])
        writer.write(1, np.arange(0), points(1)[:0])
    assert store.keys() == store.leftovers() == []


def test_a_writer_serves_one_block(store: SpaceStore) -> None:
    writer = store.writer(KEY, layers=[0], labels=LABELS, n_dims=N_DIMS, provenance={})
    with pytest.raises(InputError, match="inside the writer's with block"):
        writer.write(0, np.arange(5), points(0))
    with writer:
        writer.write(0, np.arange(5), points(0))
    with pytest.raises(InputError, match="one with block only"), writer:
        pass
    assert KEY in store


def test_unknown_layer(store: SpaceStore) -> None:
    fill(store)
    with pytest.raises(InputError, match=r"train.safetensors: .* layer 1; the layers are 0, 2, 11"):
        store.open(KEY).points(1)


def test_rows_of_a_list(store: SpaceStore) -> None:
    fill(store, TUNED)
    fill(store, dtype="float16")
    original, tuned = describe_store(store)
    assert (original.tuned_on, original.seed, original.step, original.dtype) == (
        None,
        None,
        0,
        "float16",
    )
    assert (tuned.tuned_on, tuned.seed, tuned.step, tuned.split) == ("pos", 3, 120, "train")
    assert (tuned.layers, tuned.n_units, tuned.n_dims, tuned.n_labels) == (LAYERS, 5, N_DIMS, 3)
    assert tuned.n_bytes == store.path(TUNED).stat().st_size


def test_estimate_is_close() -> None:
    assert 0 < estimate_bytes(16858, 384, 7) - 7 * 16858 * 384 * 4 < 200_000
    with pytest.raises(InputError, match="float32 or float16"):
        estimate_bytes(1, 1, 1, "int8")


def test_disk_that_is_too_small_names_both_numbers(tmp_path: Path) -> None:
    check_disk(tmp_path / "not" / "yet", 1)
    stat = os.statvfs(tmp_path)
    with pytest.raises(DiskSpaceError, match=r"1152921504606846976 bytes\) are needed") as caught:
        check_disk(tmp_path / "not" / "yet", 2**60)
    assert "are free" in str(caught.value)
    assert stat.f_bavail * stat.f_frsize < 2**60


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FormatError, match="folder of a store"):
        SpaceStore(tmp_path / "file")
