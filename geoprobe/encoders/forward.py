"""Forward passes: the vectors of all units of an aligned split, layer by layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch  # noqa: TID253  (only what runs models imports this module)
from numpy.typing import NDArray

from geoprobe.encoders.alignment import Alignment
from geoprobe.encoders.batches import Batch, make_batch, make_batches, pool
from geoprobe.encoders.environment import Precision, autocast, checked_precision
from geoprobe.encoders.linear import FastLinear
from geoprobe.encoders.load import Encoder
from geoprobe.encoders.word_pieces import IntArray
from geoprobe.errors import GeoprobeError, InputError
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.tasks.units import Join

FloatArray = NDArray[np.float32]
Write = Callable[[int, IntArray, FloatArray], None]
"""Takes a layer, rows and their vectors."""

MAX_PIECES = {"cpu": 1024, "cuda": 16384}
"""Most word pieces of a batch, padding included, by the kind of device."""
_WASTE = {"cpu": 64, "cuda": 1024}
"""What a further pass costs, in word pieces, by the kind of device."""
_BUFFER_BYTES = 256 * 2**20
"""Vectors of all layers together that wait to be written, unless one batch has more."""


def extract(
    encoder: Encoder,
    alignment: Alignment,
    *,
    join: Join,
    write: Write,
    layers: Sequence[int] | None = None,
    max_pieces: int | None = None,
    precision: Precision = "float32",
    progress: ProgressCallback | None = None,
    phase: str = "extracting",
) -> None:
    """Compute the vectors of the units of an aligned split.

    Sentences go through the model in batches of similar length, sentences with the same pieces
    once, sentences without units not at all, and no further than to the highest layer chosen.

    Parameters
    ----------
    encoder : Encoder
        Is set to evaluation, and put back.
    alignment : Alignment
    join : {"single", "concat", "difference"}
    write : callable
        Takes a layer, rows of units, ascending, and their vectors, float32 of shape
        (n_rows, n_dims), which are its to keep. Each row comes once for each layer.
    layers : sequence of int, optional
        All by default; 0 is the output of the embedding layer.
    max_pieces : int, optional
        Most word pieces of a batch, with padding; longer sentences are batches by themselves.
    precision : {"float32", "bfloat16", "float16"}
        The latter two run the model under autocast: vectors of MiniLM then differ from those of a
        plain pass by up to 1.4 % of their length (bfloat16) or 0.3 % (float16). float32 differs
        by rounding alone, less than 1e-5 of the length, from torch's plain pass of one sentence.
        Pooling is in float32 always.
    progress : callable, optional
    phase : str
        What the progress is called.

    Raises
    ------
    InputError
        If a layer is not there, the precision is unknown, or the join does not fit the units.
    GeoprobeError
        If the device has too little memory.
    """
    chosen = checked_layers(layers, encoder)
    kind = checked_precision(precision)
    n_words = alignment.window.shape[1]
    if (join == "single") != (n_words == 1):
        raise InputError(f"join={join!r} does not fit units of {n_words} words.")
    alignment = alignment.without_repeats()
    limit = max_pieces or MAX_PIECES[encoder.device.type]
    batches = group_sentences(alignment, limit, encoder.device.type)
    n_units, done, detail = len(alignment.unit_sentence), 0, _padding(alignment, batches)
    rows = RowBuffer(write, chosen, n_units, encoder.unit_dims(join))
    forward = Forward(encoder.model, encoder.n_layers, chosen)
    waiting: _Pooled | None = None
    with evaluating(encoder.model), torch.inference_mode(), autocast(encoder.device, kind):
        for sentences in batches:
            batch = make_batch(alignment, sentences, join=join, device=encoder.device)
            pooled = _pooled(encoder, forward, batch, limit)
            # While a GPU works on this batch, the one before goes to where it is kept.
            if waiting is not None:
                rows.add(waiting.rows, waiting.arrays())
            waiting = pooled
            done += len(batch.rows)
            if progress is not None:
                progress(Progress(phase, done, n_units, detail))
    if waiting is not None:
        rows.add(waiting.rows, waiting.arrays())
    rows.flush()


def extract_arrays(
    encoder: Encoder, alignment: Alignment, *, join: Join, layers: Sequence[int], **options: Any
) -> dict[int, FloatArray]:
    """Return the vectors of the units of an aligned split in memory.

    Parameters
    ----------
    encoder, alignment, join, layers
        As in :func:`extract`.
    **options
        The others of :func:`extract`.

    Returns
    -------
    dict of int to ndarray of float32, shapes (n_units, n_dims)
        By layer.
    """
    shape = len(alignment.unit_sentence), encoder.unit_dims(join)
    arrays = {layer: np.empty(shape, np.float32) for layer in layers}

    def write(layer: int, rows: IntArray, points: FloatArray) -> None:
        arrays[layer][rows] = points

    extract(encoder, alignment, join=join, write=write, layers=layers, **options)
    return arrays


def checked_layers(layers: Sequence[int] | None, encoder: Encoder) -> tuple[int, ...]:
    """Return the layers to extract, ascending.

    Raises
    ------
    InputError
        If there is none, or one is not there.
    """
    if layers is None:
        return tuple(range(encoder.n_layers + 1))
    if not layers:
        raise InputError("layers is empty, but one layer at least is expected.")
    for layer in layers:
        if not 0 <= layer <= encoder.n_layers:
            raise InputError(
                f"layer {layer} was asked for, but {encoder.name} has the layers 0 to "
                f"{encoder.n_layers}."
            )
    return tuple(sorted({int(layer) for layer in layers}))


def _pooled(encoder: Encoder, forward: Forward, batch: Batch, limit: int) -> _Pooled:
    """Let the model read a batch, and start the vectors on their way back."""
    try:
        with FastLinear():
            states = forward(batch.ids, batch.mask)
        vectors = {layer: pool(state, batch) for layer, state in states.items()}
    except torch.OutOfMemoryError as error:
        raise GeoprobeError(
            f"{encoder.device} has too little memory for a batch of {tuple(batch.ids.shape)} word "
            f"pieces with {encoder.name}; give a max_pieces below {limit}."
        ) from error
    if encoder.device.type != "cuda":
        return _Pooled(batch.rows, vectors, None)
    on_host = {}
    for layer, points in vectors.items():
        on_host[layer] = torch.empty(points.shape, dtype=points.dtype, pin_memory=True)
        on_host[layer].copy_(points, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()
    return _Pooled(batch.rows, on_host, arrived)


def group_sentences(alignment: Alignment, max_pieces: int, device: str) -> list[IntArray]:
    """Return the sentences of each batch, the longest first; those without units are left out.

    All windows of a sentence go through together, since a unit may take words from several.

    Parameters
    ----------
    alignment : Alignment
    max_pieces : int
        Most word pieces of a batch, with padding.
    device : {"cpu", "cuda"}
        Its kind decides how much padding is worth a pass less.
    """
    begins = alignment.first_window
    in_windows = np.diff(begins)[alignment.used] > 1
    long, short = alignment.used[in_windows], alignment.used[~in_windows]
    lengths = alignment.lengths[begins[short]]
    return [
        *(np.array([sentence]) for sentence in long.tolist()),
        *(short[group] for group in make_batches(lengths, max_pieces, _WASTE[device])),
    ]


def _padding(alignment: Alignment, batches: Sequence[IntArray]) -> str:
    """Say how much goes through the model, and what share of it is padding."""
    lengths = [alignment.lengths[alignment.windows_of(sentences)] for sentences in batches]
    pieces = sum(int(of_batch.sum()) for of_batch in lengths)
    padded = sum(int(of_batch.max()) * len(of_batch) for of_batch in lengths)
    return f"{pieces} word pieces, {100 * (padded - pieces) / padded:.1f}% padding"


@dataclass(frozen=True, eq=False)
class _Pooled:
    """The vectors of a batch, on their way from the device."""

    rows: IntArray
    points: dict[int, torch.Tensor]
    arrived: torch.cuda.Event | None

    def arrays(self) -> dict[int, FloatArray]:
        """Wait for them to arrive and return them."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return {layer: points.numpy() for layer, points in self.points.items()}


class RowBuffer:
    """A buffer of rows that come in any order, written in large sorted chunks.

    Sentences of one length lie all over a file; written one by one they would cost more than the
    pass of a small model.

    Parameters
    ----------
    write : callable
        Takes a layer, rows and points.
    layers : sequence of int
    n_rows : int
        How many there will be.
    n_dims : int
    memory : int
        Bytes to gather.
    """

    def __init__(
        self,
        write: Write,
        layers: Sequence[int],
        n_rows: int,
        n_dims: int,
        memory: int = _BUFFER_BYTES,
    ) -> None:
        self._write = write
        self._room = min(n_rows, max(1, memory // (4 * n_dims * len(layers))))
        self._rows = np.empty(self._room, np.int64)
        self._points = {layer: np.empty((self._room, n_dims), np.float32) for layer in layers}
        self._n_waiting = 0

    def add(self, rows: IntArray, points: dict[int, FloatArray]) -> None:
        """Take the points of rows, shape (n_rows, n_dims) for each layer."""
        begin = 0
        while begin < len(rows):
            if self._n_waiting == self._room:
                self.flush()
            end = min(len(rows), begin + self._room - self._n_waiting)
            free = slice(self._n_waiting, self._n_waiting + end - begin)
            self._rows[free] = rows[begin:end]
            for layer, waiting in self._points.items():
                waiting[free] = points[layer][begin:end]
            self._n_waiting += end - begin
            begin = end

    def flush(self) -> None:
        """Write what waits."""
        order = np.argsort(self._rows[: self._n_waiting], kind="stable")
        for layer, waiting in self._points.items():
            self._write(layer, self._rows[order], waiting[order])
        self._n_waiting = 0


class _HighestLayerError(Exception):
    """Ends a pass when the highest chosen layer is there."""


class Forward:
    """Computes chosen hidden states, and no layer above the highest of them where that is exact.

    Parameters
    ----------
    model : torch.nn.Module
        Of transformers, in evaluation mode.
    n_layers : int
        Its hidden states are 0 to ``n_layers``.
    layers : sequence of int

    Notes
    -----
    The hidden state ``k`` of nearly every model is the input of its block ``k``. Whether that holds
    is decided at the first pass, by comparing the two bit by bit; where it does not, or the blocks
    cannot be told, every pass goes to the end.
    """

    def __init__(self, model: torch.nn.Module, n_layers: int, layers: Sequence[int]) -> None:
        self._model = model
        self._layers = tuple(layers)
        self._blocks = _blocks(model, n_layers) if max(layers) < n_layers else None
        self._compared = False

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor | None) -> dict[int, torch.Tensor]:
        """Return the chosen hidden states by layer, each (n_windows, n_pieces, n_dims)."""
        if self._blocks is None:
            return self._whole(ids, mask)
        if not self._compared:
            self._compared = True
            sample = (ids[:2], None if mask is None else mask[:2])
            if not _same(self._part(*sample), self._whole(*sample)):
                self._blocks = None
                return self._whole(ids, mask)
        states = self._part(ids, mask)
        assert states is not None
        return states

    def _whole(self, ids: torch.Tensor, mask: torch.Tensor | None) -> dict[int, torch.Tensor]:
        states = self._model(
            input_ids=ids, attention_mask=mask, output_hidden_states=True
        ).hidden_states
        return {layer: states[layer] for layer in self._layers}

    def _part(self, ids: torch.Tensor, mask: torch.Tensor | None) -> dict[int, torch.Tensor] | None:
        """Take the inputs of blocks and stop at the last that is wanted; None if it never came."""
        assert self._blocks is not None
        states: dict[int, torch.Tensor] = {}

        def hook(layer: int) -> Callable[..., None]:
            def take(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
                states[layer] = args[0] if args else kwargs["hidden_states"]
                if layer == max(self._layers):
                    raise _HighestLayerError

            return take

        with contextlib.ExitStack() as stack:
            for layer in self._layers:
                handle = self._blocks[layer].register_forward_pre_hook(
                    hook(layer), with_kwargs=True
                )
                stack.callback(handle.remove)
            with contextlib.suppress(_HighestLayerError):
                self._model(input_ids=ids, attention_mask=mask)
                return None
        return states


@contextlib.contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Switch dropout off for a while; every part of the model goes back to the mode it was in."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _blocks(model: torch.nn.Module, n_layers: int) -> torch.nn.ModuleList | None:
    """Return the list of a model's blocks, if there is exactly one list of that length."""
    lists = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == n_layers
    ]
    return lists[0] if len(lists) == 1 else None


def _same(states: dict[int, torch.Tensor] | None, expected: dict[int, torch.Tensor]) -> bool:
    return states is not None and all(
        layer in states and torch.equal(states[layer], state) for layer, state in expected.items()
    )
