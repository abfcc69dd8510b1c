"""Extraction: the vectors of one sentence after another, and what the store keeps of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from geoprobe.encoders import MissingModelError, extract_to_store, load_encoder  # noqa: E402
from geoprobe.encoders.alignment import align  # noqa: E402
from geoprobe.encoders.extract import extract  # noqa: E402
from geoprobe.encoders.load import Encoder  # noqa: E402
from geoprobe.errors import FormatError, InputError  # noqa: E402
from geoprobe.progress import Progress  # noqa: E402
from geoprobe.spaces import DiskSpaceError, SpaceKey, SpaceStore  # noqa: E402
from geoprobe.tasks import Sentence, Split, Task, Unit, load_task  # noqa: E402
from tests.support import encoder_models as models  # noqa: E402

TEXT = (
    "the cats sleep in the houses",
    "sleeping",
    "don't walk on cats abc",
    "the cats sleep in the houses",
    "a in on",
    "unknown 😀 cafe\u0301 12.5 words",
)


def task(join: Any = "single", *, whole: bool = False, name: str = "toy") -> Task:
    split = models.words_split(*TEXT)
    units: tuple[Unit, ...] = split.units
    if join != "single":
        units = tuple(
            Unit(number, (word, (word + 2) % len(sentence.words)), "x" if word % 2 else "y")
            for number, sentence in enumerate(split.sentences)
            for word in range(len(sentence.words))
            if len(sentence.words) > 2
        )
    elif whole:
        units = tuple(Unit(number, (), "xy"[number % 2]) for number in (5, 0, 3, 1))
    train = Split("train", split.sentences, units)
    test = Split("test", split.sentences[:3], tuple(u for u in units if u.sentence < 3))
    return Task(name, train, test, join=join)


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    return load_encoder(models.save("bert", tmp_path / "tiny"), device="cpu")


def one_by_one(encoder: Encoder, units: Split, join: str) -> np.ndarray:
    """Return points (n_layers + 1, n_units, n_dims): plain passes without batches, no window."""
    rows = align(encoder, units)
    points = []
    for row, unit in enumerate(units.units):
        ids = torch.from_numpy(rows.pieces[unit.sentence])[None]
        with torch.no_grad():
            states = encoder.model(input_ids=ids, output_hidden_states=True).hidden_states
        layers = torch.cat(states).double().numpy()
        words = [
            layers[:, first:last].mean(axis=1)
            for first, last in zip(rows.first[row], rows.last[row], strict=True)
        ]
        points.append(
            words[0] - words[1] if join == "difference" else np.concatenate(words, axis=-1)
        )
    return np.stack(points, axis=1)


def extracted(encoder: Encoder, units: Split, join: Any, **options: Any) -> dict[int, np.ndarray]:
    points, write = models.compute_findings(units.n_units)
    extract(encoder, align(encoder, units), join=join, write=write, **options)
    return points


@pytest.mark.full
@pytest.mark.parametrize("max_pieces", [None, 1, 17])
@pytest.mark.parametrize("family", models.FAMILIES)
def test_batches_do_not_show(family: str, max_pieces: int | None, tmp_path: Path) -> None:
    encoder = load_encoder(models.save(family, tmp_path / family), device="cpu")
    units = task().train
    found = extracted(encoder, units, "single", max_pieces=max_pieces)
    expected = one_by_one(encoder, units, "single")
    assert sorted(found) == list(range(models.N_LAYERS + 1))
    for layer, points in found.items():
        assert points.dtype == np.float32
        size = np.linalg.norm(expected[layer], axis=1, keepdims=True)
        assert (np.abs(points - expected[layer]) <= 1e-5 * size).all()
    # Contexts matter, or a mix-up of words would not show.
    same_word = [(row, word) for row, word in enumerate("the cats sleep in the".split())]
    first, second = same_word[0][0], same_word[4][0]
    assert np.abs(found[1][first] - found[1][second]).max() > 1e-2


@pytest.mark.full
@pytest.mark.parametrize(
    ("join", "whole"), [("concat", False), ("difference", False), ("single", True)]
)
def test_pairs_and_whole_sentences(join: Any, whole: bool, encoder: Encoder) -> None:
    units = task(join, whole=whole).train
    found = extracted(encoder, units, join)
    expected = one_by_one(encoder, units, join)
    for layer, points in found.items():
        assert points.shape[1] == models.N_DIMS * (2 if join == "concat" else 1)
        np.testing.assert_allclose(points, expected[layer], rtol=0, atol=1e-5)


def test_the_order_of_a_pair_counts(encoder: Encoder) -> None:
    split = models.words_split("the cats sleep")
    units = Split("train", split.sentences, (Unit(0, (0, 1), "a"), Unit(0, (1, 0), "b")))
    found = extracted(encoder, units, "difference")
    np.testing.assert_array_equal(found[2][0], -found[2][1])
    joined = extracted(encoder, units, "concat")
    np.testing.assert_array_equal(joined[2][0], np.roll(joined[2][1], models.N_DIMS))


@pytest.mark.full
def test_chosen_layers_are_those_of_all(encoder: Encoder) -> None:
    units = task().train
    everything = extracted(encoder, units, "single")
    for layers in ([0], [2, 1], [3]):
        some = extracted(encoder, units, "single", layers=layers)
        assert sorted(some) == sorted(layers)
        for layer, points in some.items():
            np.testing.assert_array_equal(points, everything[layer])


@pytest.mark.full
@pytest.mark.parametrize("layers", [[], [4], [-1], [0, 9]])
def test_layers_that_are_not_there(layers: list[int], encoder: Encoder) -> None:
    with pytest.raises(InputError, match="layer"):
        extracted(encoder, task().train, "single", layers=layers)


@pytest.mark.full
def test_wrong_join_and_precision(encoder: Encoder) -> None:
    with pytest.raises(InputError, match="does not fit units of 1 words"):
        extracted(encoder, task().train, "concat")
    with pytest.raises(InputError, match="the precision is one of"):
        extracted(encoder, task().train, "single", precision="int8")


@pytest.mark.full
@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.05), ("float16", 0.005)])
def test_lower_precision_is_near(precision: str, tolerance: float, encoder: Encoder) -> None:
    units = task().train
    exact = extracted(encoder, units, "single")
    found = extracted(encoder, units, "single", precision=precision)
    for layer, points in found.items():
        assert points.dtype == np.float32
        error = np.linalg.norm(points - exact[layer], axis=1)
        assert (error <= tolerance * np.linalg.norm(exact[layer], axis=1)).all()
    assert (found[3] != exact[3]).any()


@pytest.mark.full
def test_training_goes_on_as_it_was(encoder: Encoder) -> None:
    encoder.model.train()
    before = torch.get_rng_state()
    first = extracted(encoder, task().train, "single")
    assert encoder.model.training
    assert torch.equal(torch.get_rng_state(), before)
    again = extracted(encoder, task().train, "single")
    for layer, points in first.items():
        np.testing.assert_array_equal(points, again[layer])
    assert all(each.grad is None for each in encoder.model.parameters())


@pytest.mark.full
def test_long_sentences_in_windows(encoder: Encoder) -> None:
    letters = [f"{a}{b}" for a in "abcdefgh" for b in "klmnopq"]
    words = tuple(letters)
    units = Split(
        "train",
        (Sentence(("the", "cat"), "t:1"), Sentence(words, "t:2")),
        (Unit(0, (1, 0), "x"), Unit(1, (0, len(words) - 1), "x"), Unit(1, (30, 31), "y")),
    )
    with pytest.raises(InputError, match="at t:2 has 114 pieces, but tiny takes 40 at most"):
        align(encoder, units)
    aligned = align(encoder, units, overlong="split")
    points, write = models.compute_findings(3)
    extract(encoder, aligned, join="concat", write=write)
    for row in range(3):
        for k, place in ((0, 0), (1, models.N_DIMS)):
            ids = torch.from_numpy(aligned.pieces[aligned.window[row, k]])[None]
            with torch.no_grad():
                state = encoder.model(input_ids=ids, output_hidden_states=True).hidden_states[2]
            mean = state[0, aligned.first[row, k] : aligned.last[row, k]].mean(dim=0).numpy()
            found = points[2][row, place : place + models.N_DIMS]
            np.testing.assert_allclose(found, mean, rtol=0, atol=1e-5)
    # Its first and last word cannot lie in one window of 40 pieces.
    assert aligned.window[1, 0] != aligned.window[1, 1]


@pytest.mark.full
def test_same_sentences_pass_once(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = encoder.model.forward

    def counted(*args: Any, **options: Any) -> Any:
        seen.append(options["input_ids"].shape[0])
        return real(*args, **options)

    monkeypatch.setattr(encoder.model, "forward", counted)
    units = task().train
    found = extracted(encoder, units, "single")
    assert sum(seen) == len(set(TEXT))
    rows = [[r for r, unit in enumerate(units.units) if unit.sentence == s] for s in (0, 3)]
    np.testing.assert_array_equal(found[3][rows[0]], found[3][rows[1]])


@pytest.mark.full
def test_progress_and_padding_are_told(encoder: Encoder) -> None:
    told: list[Progress] = []
    units = task().train
    extracted(encoder, units, "single", max_pieces=30, progress=told.append, phase="here")
    assert [step.phase for step in told] == ["here"] * len(told)
    assert told[-1].done == told[-1].total == units.n_units
    assert "padding" in told[0].detail


def test_an_error_in_writing_puts_training_back(encoder: Encoder) -> None:
    encoder.model.train()

    def fail(*args: Any) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        extract(encoder, align(encoder, task().train), join="single", write=fail)
    assert encoder.model.training


@pytest.mark.parametrize("join", ["single", pytest.param("concat", marks=pytest.mark.full)])
def test_store(join: Any, encoder: Encoder, tmp_path: Path) -> None:
    store, units = SpaceStore(tmp_path / "store"), task(join)
    keys = extract_to_store(encoder, units, store, layers=[3, 0])
    assert keys == [SpaceKey("toy", "tiny", "train"), SpaceKey("toy", "tiny", "test")]
    for key in keys:
        stored, split = store.open(key, verify=True), units.splits[key.split]
        assert stored.layers == (0, 3)
        assert stored.labels.tolist() == split.labels.tolist()
        expected = one_by_one(encoder, split, join)
        for layer in (0, 3):
            np.testing.assert_allclose(stored.points(layer), expected[layer], rtol=0, atol=1e-5)
        noted = stored.provenance
        assert noted["task_fingerprint"] == units.fingerprint
        assert noted["weights_sha256"] == encoder.provenance["weights_sha256"]
        assert (noted["join"], noted["layers"], noted["precision"]) == (join, [0, 3], "float32")
        assert {"torch", "transformers", "tokenizers"} <= set(noted["versions"])
    assert store.leftovers() == []


def test_sentences_of_several_tasks_are_read_once(encoder: Encoder, tmp_path: Path) -> None:
    store, told = SpaceStore(tmp_path / "store"), list[Progress]()
    words, whole = task(), task(whole=True, name="whole")
    extract_to_store(encoder, words, store, splits=["train"], layers=[2], progress=told.append)
    alone = told[-1].detail
    there = store.path(store.keys()[0]).read_bytes()
    told.clear()
    keys = extract_to_store(
        encoder, [words, whole], store, splits=["train"], layers=[2], progress=told.append
    )
    # The whole sentences are among those with words.
    assert {step.detail for step in told} == {alone}
    assert store.path(keys[0]).read_bytes() == there
    for key, of in zip(keys, (words, whole), strict=True):
        stored = store.open(key, verify=True)
        assert (key.task, stored.labels.tolist()) == (of.name, of.train.labels.tolist())
        expected = one_by_one(encoder, of.train, "single")[2]
        np.testing.assert_allclose(stored.points(2), expected, rtol=0, atol=1e-5)


@pytest.mark.full
def test_what_is_there_is_not_made_again(encoder: Encoder, tmp_path: Path) -> None:
    store, units = SpaceStore(tmp_path / "store"), task()
    (train,) = extract_to_store(encoder, units, store, splits=["train"])
    created = store.open(train).created
    stamp = store.path(train).stat().st_mtime_ns
    told: list[Progress] = []
    keys = extract_to_store(encoder, units, store, layers=[1], progress=told.append)
    assert len(keys) == 2
    assert {step.phase for step in told} == {f"extracting {keys[1]}"}
    assert (store.open(train).created, store.path(train).stat().st_mtime_ns) == (created, stamp)


@pytest.mark.full
def test_something_else_under_the_same_key_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    store, units = SpaceStore(tmp_path / "store"), task()
    extract_to_store(encoder, units, store, layers=[1, 2])

    def refused(said: str, **options: Any) -> None:
        given = {"encoder": encoder, "tasks": units, "store": store, "layers": [1]} | options
        with pytest.raises(FormatError, match=said) as caught:
            extract_to_store(**given)
        assert "train.safetensors" in str(caught.value)

    other = Task("toy", Split("train", units.train.sentences, units.train.units[1:]), units.test)
    refused("task_fingerprint is '", tasks=other)
    refused("the layers 0, 3 are missing", layers=[0, 1, 3])
    refused("precision is 'float32', not 'bfloat16'", precision="bfloat16")
    refused("dtype is 'float32', not 'float16'", dtype="float16")
    refused("run is None, not 'a'", provenance={"run": "a"})
    weights = encoder.provenance | {"weights_sha256": "0" * 64}
    changed = Encoder(**{**vars(encoder), "provenance": weights})
    refused("weights_sha256 is '", encoder=changed)


@pytest.mark.full
def test_fine_tuned_keys(encoder: Encoder, tmp_path: Path) -> None:
    store = SpaceStore(tmp_path / "store")
    tuned = {"tuned_on": "other", "seed": 3, "step": 20}
    keys = extract_to_store(encoder, task(), store, splits=["test"], layers=[0], **tuned)
    assert keys == store.keys() == [SpaceKey("toy", "tiny", "test", **tuned)]


@pytest.mark.full
def test_an_error_in_the_last_split_comes_before_any_work(encoder: Encoder, tmp_path: Path) -> None:
    store, units = SpaceStore(tmp_path / "store"), task()
    long = (Sentence(("the",) * 50, "test.txt:9"),)
    broken = Task("toy", units.train, Split("test", long, (Unit(0, (1,), "x"),)))
    with pytest.raises(InputError, match=r"test.txt:9 has 52 pieces"):
        extract_to_store(encoder, broken, store)
    assert store.keys() == []
    assert store.leftovers() == []
    keys = extract_to_store(encoder, broken, store, overlong="split")
    assert store.open(keys[1]).provenance["n_split"] == 1
    with pytest.raises(FormatError, match="overlong is 'split', not 'error'"):
        extract_to_store(encoder, broken, store)


def test_disk_too_small_is_said_before_any_work(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    told: list[Progress] = []
    with pytest.raises(DiskSpaceError, match=r"are needed, but 1\.0 kB"):
        extract_to_store(encoder, task(), SpaceStore(tmp_path / "s"), progress=told.append)
    assert told == []
    assert not (tmp_path / "s").exists()


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    try:
        return load_encoder("minilm", device="cpu")
    except MissingModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def corpora(repository: Path) -> Path:
    """The folder of the public corpora; skips the test where they are absent."""
    folder = Path(os.environ.get("GEOPROBE_SHARED", repository.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}; the variable GEOPROBE_SHARED names the folder above 'data'")
    return folder


@pytest.mark.full
def test_real_spaces_are_reproduced(
    minilm: Encoder, corpora: Path, shared_space: Callable[[str], dict[str, np.ndarray]]
) -> None:
    """The test side of PS-role, whose vectors were made by another program."""
    units = load_task("ps-role", data=corpora).test
    found = extracted(minilm, units, "single", layers=[0, 3, 6])
    for layer, points in found.items():
        there = shared_space(f"ps_layer{layer}")
        assert units.labels.tolist() == there["role_test"].tolist()
        np.testing.assert_allclose(points, there["X_test"], rtol=0, atol=1e-4)


@pytest.mark.slow
def test_all_real_spaces_are_reproduced(
    minilm: Encoder, corpora: Path, shared_space: Callable[[str], dict[str, np.ndarray]]
) -> None:
    """All of PS-role, and whole sentences."""
    for name, layers, labels in (("ps-role", [0, 3, 6], "role"), ("trec-50", [6], "y")):
        units = load_task(name, data=corpora).train
        found = extracted(minilm, units, "single", layers=layers)
        for layer, points in found.items():
            there = shared_space(f"{'ps' if name == 'ps-role' else 'trec50'}_layer{layer}")
            assert units.labels.tolist() == there[labels].tolist()
            np.testing.assert_allclose(points, there["X"], rtol=0, atol=1e-4)


@pytest.mark.full
def test_precision_of_a_real_model(minilm: Encoder, corpora: Path) -> None:
    """The tolerances that are documented."""
    units = load_task("ps-role", data=corpora).test
    units = Split("test", units.sentences, units.units[:60])
    plain = one_by_one(minilm, units, "single")
    for precision, tolerance in (("float32", 1e-5), ("bfloat16", 0.03), ("float16", 0.003)):
        for layer, points in extracted(minilm, units, "single", precision=precision).items():
            error = np.linalg.norm(points - plain[layer], axis=1)
            assert (error <= tolerance * np.linalg.norm(plain[layer], axis=1)).all()


@pytest.mark.full
def test_sidecars_are_plain_json(encoder: Encoder, tmp_path: Path) -> None:
    store = SpaceStore(tmp_path / "store")
    (key,) = extract_to_store(encoder, task(), store, splits=["train"], layers=[0])
    sidecar = json.loads(store.path(key).with_suffix(".json").read_text())
    assert "architecture" in json.dumps(sidecar)
