"""The parts of a pass, each against a plain version: batches, pooling, layers, products, rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from geoprobe.encoders import linear, load_encoder  # noqa: E402
from geoprobe.encoders.alignment import Alignment, align  # noqa: E402
from geoprobe.encoders.batches import make_batch, make_batches, pool  # noqa: E402
from geoprobe.encoders.environment import environment_of  # noqa: E402
from geoprobe.encoders.forward import (  # noqa: E402
    Forward,
    RowBuffer,
    evaluating,
    extract_arrays,
)
from geoprobe.encoders.linear import FastLinear, has_onednn  # noqa: E402
from geoprobe.tasks import Split, Unit  # noqa: E402
from tests.support import encoder_models as models  # noqa: E402

CPU = torch.device("cpu")
TEXT = ("the cats sleep in the houses", "sleeping", "don't walk on cats abc", "cat", "a in on")


@pytest.mark.parametrize("seed", range(20))
def test_batches_hold_everything_once_within_their_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 60, size=int(rng.integers(0, 200)))
    max_pieces, waste = int(rng.integers(1, 400)), int(rng.integers(0, 100))
    batches = make_batches(lengths, max_pieces, waste)
    assert sorted(itertools.chain.from_iterable(batches)) == list(range(len(lengths)))
    longest = [int(lengths[batch].max()) for batch in batches]
    assert longest == sorted(longest, reverse=True)
    for batch, most in zip(batches, longest, strict=True):
        assert len(batch) == 1 or most * len(batch) <= max_pieces
        assert most * len(batch) - lengths[batch].sum() <= waste


def test_equal_lengths_fill_batches() -> None:
    batches = make_batches(np.full(10, 5), max_pieces=20)
    assert [batch.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def plainly_pooled(
    hidden: np.ndarray, alignment: Alignment, windows: list[int], row: int, join: str
) -> np.ndarray:
    """Return the vector of a unit: each word's pieces averaged, one after another."""
    words = []
    for k in range(alignment.window.shape[1]):
        first, last = int(alignment.first[row, k]), int(alignment.last[row, k])
        line = hidden[windows.index(int(alignment.window[row, k]))]
        words.append(np.mean([line[place] for place in range(first, last)], axis=0))
    if join == "difference":
        return words[0] - words[1]
    return np.concatenate(words)


def aligned(join: str, max_pieces: int = 512) -> Alignment:
    split = models.words_split(*TEXT)
    if join != "single":
        pairs = [(0, (2, 0)), (2, (4, 1)), (0, (5, 1)), (4, (0, 2)), (2, (0, 4))]
        split = Split("train", split.sentences, tuple(Unit(s, w, "x") for s, w in pairs))
    encoder = SimpleNamespace(name="t", tokenizer=models.wordpiece(), max_pieces=max_pieces)
    return align(encoder, split, overlong="split")


@pytest.mark.full
@pytest.mark.parametrize("max_pieces", [512, 9])
@pytest.mark.parametrize("join", ["single", "concat", "difference"])
def test_pooling(join: Any, max_pieces: int) -> None:
    alignment = aligned(join, max_pieces)
    assert (alignment.n_split > 0) == (max_pieces == 9)
    sentences = np.array([4, 0, 2])
    batch = make_batch(alignment, sentences, join=join, device=CPU)
    windows = alignment.windows_of(sentences).tolist()
    assert (
        batch.rows.tolist() == np.flatnonzero(np.isin(alignment.unit_sentence, sentences)).tolist()
    )
    for line, window in enumerate(windows):
        n = int(alignment.lengths[window])
        assert batch.ids[line, :n].tolist() == alignment.pieces[window].tolist()
        assert batch.mask is None or batch.mask[line].tolist() == [1] * n + [0] * (
            batch.mask.shape[1] - n
        )
    hidden = torch.randn(*batch.ids.shape, 6, generator=torch.Generator().manual_seed(1))
    hidden.requires_grad_()
    vectors = pool(hidden, batch)
    expected = [
        plainly_pooled(hidden.detach().numpy(), alignment, windows, row, join)
        for row in batch.rows.tolist()
    ]
    np.testing.assert_allclose(vectors.detach().numpy(), expected, rtol=0, atol=1e-6)
    assert torch.autograd.gradcheck(lambda x: pool(x, batch), hidden.double(), atol=1e-3, eps=1e-2)


def test_no_mask_without_padding_and_float32_after_autocast() -> None:
    alignment = aligned("single")
    batch = make_batch(alignment, np.array([3]), join="single", device=CPU)
    assert batch.mask is None
    half = torch.ones(*batch.ids.shape, 4, dtype=torch.bfloat16)
    assert pool(half, batch).dtype == torch.float32


@pytest.mark.full
@pytest.mark.parametrize("family", models.FAMILIES)
def test_layers_below_the_last(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_encoder(models.save(family, tmp_path / "m"), device="cpu").model
    ids = torch.arange(3, 27).reshape(4, 6)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    with torch.inference_mode():
        expected = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        for layers in ([0], [1], [0, 2], [2], [3], [0, 1, 2, 3]):
            found = Forward(model, models.N_LAYERS, layers)(ids, mask)
            assert sorted(found) == layers
            for layer, states in found.items():
                assert torch.equal(states, expected.hidden_states[layer])
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.full
def test_a_pass_ends_at_the_highest_layer(tmp_path: Path) -> None:
    model = load_encoder(models.save("bert", tmp_path / "m"), device="cpu").model
    entered = []
    for number, block in enumerate(model.encoder.layer):
        block.attention.register_forward_pre_hook(lambda *_, n=number: entered.append(n))
    forward = Forward(model, models.N_LAYERS, [1])
    ids = torch.arange(3, 9)[None]
    with torch.inference_mode():
        forward(ids, None)
        entered.clear()
        forward(ids, None)
    assert entered == [0]


@pytest.mark.full
def test_blocks_that_do_not_give_the_states_are_not_trusted(tmp_path: Path) -> None:
    model = load_encoder(models.save("bert", tmp_path / "m"), device="cpu").model
    ids = torch.arange(3, 9)[None]
    with torch.inference_mode():
        expected = model(input_ids=ids, output_hidden_states=True).hidden_states[1]
        model.encoder.layer[1].register_forward_pre_hook(lambda _, args: (args[0] + 1, *args[1:]))
        found = Forward(model, models.N_LAYERS, [1])
        # Our hook comes after this one and sees its numbers.
        assert not torch.equal(found._part(ids, None)[1], expected)  # type: ignore[index]
        whole = model(input_ids=ids, output_hidden_states=True).hidden_states[1]
        assert torch.equal(found(ids, None)[1], whole)


def test_evaluating_puts_every_part_back() -> None:
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout())
    model[1].eval()
    with pytest.raises(KeyError), evaluating(model):
        assert not any(part.training for part in model.modules())
        raise KeyError
    assert [part.training for part in model.modules()] == [True, True, False]


needs_onednn = pytest.mark.skipif(not has_onednn(), reason="this torch lacks oneDNN's product")


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7,), (1, 7), (3, 5, 7), (2, 3, 4, 7)])
def test_products_and_gradients_are_those_of_torch(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(7, 9, bias=bias)
    points = torch.randn(shape, requires_grad=True)
    weighted = torch.randn(*shape[:-1], 9)

    def all_of(active: bool) -> list[torch.Tensor]:
        points.grad = None
        layer.zero_grad()
        if active:
            with FastLinear():
                found = layer(points)
        else:
            found = layer(points)
        (found * weighted).sum().backward()
        return [found, points.grad, *(each.grad for each in layer.parameters())]

    for one, other in zip(all_of(True), all_of(False), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@needs_onednn
def test_products_in_inference_and_of_gpt2() -> None:
    from transformers.pytorch_utils import Conv1D

    torch.manual_seed(0)
    layer, points = Conv1D(9, 7), torch.randn(4, 7)
    calls = []
    real = linear._multiply

    def counted(*args: Any) -> torch.Tensor:
        calls.append(args)
        return real(*args)

    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(linear, "_multiply", counted)
        expected = layer(points)
        assert not calls
        with FastLinear():
            found = layer(points)
        assert len(calls) == 1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@needs_onednn
@pytest.mark.parametrize(
    "points",
    [torch.ones(2, 3, dtype=torch.float64), torch.ones(0, 3), torch.ones(2, 3).bfloat16()],
)
def test_other_products_are_left_alone(points: torch.Tensor) -> None:
    weight = torch.ones(4, 3, dtype=points.dtype)
    with FastLinear():
        found = torch.nn.functional.linear(points, weight)
    assert (found.dtype, found.shape) == (points.dtype, (len(points), 4))
    with FastLinear(), torch.autocast("cpu", torch.bfloat16):
        assert (
            torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3)).dtype == torch.bfloat16
        )


@pytest.fixture
def anew() -> Iterator[None]:
    """Let the operator be looked for anew, in the test and after it."""
    linear._operator_works.cache_clear()
    yield
    linear._operator_works.cache_clear()


def changed(points: torch.Tensor, weight: torch.Tensor, *further: Any) -> torch.Tensor:
    return torch.nn.functional.linear(points, weight) + 1


def with_other_arguments() -> None:
    """Stand for an operator of a later torch that is called otherwise."""


@pytest.mark.full
@needs_onednn
@pytest.mark.parametrize(
    "operators",
    [
        SimpleNamespace(),
        SimpleNamespace(_linear_pointwise=with_other_arguments),
        SimpleNamespace(_linear_pointwise=changed),
    ],
    ids=["gone", "other arguments", "another product"],
)
@pytest.mark.usefixtures("anew")
def test_without_the_operator_torch_does_it(
    operators: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole extraction and its gradients run, and a run of fine-tuning would note it."""
    encoder = load_encoder(models.save("bert", tmp_path / "m"), device="cpu")
    split = models.words_split(*TEXT)
    alignment = align(encoder, split)
    fast = extract_arrays(encoder, alignment, join="single", layers=[3])[3]
    assert environment_of(CPU)["linear_layers"] == "oneDNN"
    monkeypatch.setattr(torch.ops, "mkldnn", operators)
    linear._operator_works.cache_clear()
    assert not has_onednn()
    assert environment_of(CPU)["linear_layers"] == "torch"
    plain = extract_arrays(encoder, alignment, join="single", layers=[3])[3]
    np.testing.assert_allclose(plain, fast, rtol=0, atol=1e-5)
    points = torch.ones(2, 3, requires_grad=True)
    with FastLinear():
        torch.nn.functional.linear(points, torch.full((4, 3), 2.0)).sum().backward()
    assert torch.equal(points.grad, torch.full((2, 3), 8.0))


@needs_onednn
def test_torch_can_switch_the_operator_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert not has_onednn()
    monkeypatch.setattr(linear, "_multiply", with_other_arguments)
    with FastLinear():
        product = torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3))
    assert torch.equal(product, torch.full((2, 4), 3.0))


@pytest.mark.parametrize("room", [1, 3, 7, 100])
def test_rows_are_written_once_sorted_and_in_bounded_pieces(room: int) -> None:
    rng = np.random.default_rng(room)
    points = {layer: rng.normal(size=(50, 2)).astype(np.float32) for layer in (0, 4)}
    found, write = models.compute_findings(50)
    sizes = []

    def counted(layer: int, rows: np.ndarray, some: np.ndarray) -> None:
        sizes.append(len(rows))
        write(layer, rows, some)

    rows = RowBuffer(counted, (0, 4), 50, 2, memory=room * 2 * 2 * 4)
    order = rng.permutation(50)
    for some in np.split(order, [1, 2, 20, 33]):
        rows.add(some, {layer: each[some] for layer, each in points.items()})
    rows.flush()
    assert max(sizes) == min(room, 50)
    for layer, each in points.items():
        np.testing.assert_array_equal(found[layer], each)
