"""From units to vectors, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch  # noqa: TID253  (only what runs models imports this module)

from geoprobe.encoders.alignment import Alignment, IntArray
from geoprobe.encoders.batches import Batch, make_batch, make_batches
from geoprobe.encoders.devices import Precision, autocast, checked_precision
from geoprobe.encoders.forward import Forward, evaluating
from geoprobe.encoders.linear import FastLinear
from geoprobe.encoders.load import Encoder
from geoprobe.encoders.pooling import pool
from geoprobe.encoders.rows import FloatArray, SortedRows, Write
from geoprobe.errors import GeoprobeError, InputError
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.tasks.units import Join

MAX_PIECES = {"cpu": 1024, "cuda": 16384}
"""Most word pieces of a batch, padding included, by the kind of device."""
_WASTE = {"cpu": 64, "cuda": 1024}
"""What a further pass costs, in word pieces, by the kind of device."""


@dataclass(frozen=True, eq=False)
class _Pooled:
    """The vectors of a batch, on their way from the device."""

    rows: IntArray
    points: dict[int, torch.Tensor]
    arrived: torch.cuda.Event | None

    def numbers(self) -> dict[int, FloatArray]:
        """Wait for them to arrive and return them."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return {layer: points.numpy() for layer, points in self.points.items()}


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
    """Represent the units of an aligned split.

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
    batched = groups(alignment, limit, encoder.device.type)
    report = _Reporter(alignment, batched, phase, progress)
    n_dims = encoder.n_dims * (2 if join == "concat" else 1)
    rows = SortedRows(write, chosen, len(alignment.unit_sentence), n_dims)
    forward = Forward(encoder.model, encoder.n_layers, chosen)
    waiting: _Pooled | None = None
    with evaluating(encoder.model), torch.inference_mode(), autocast(encoder.device, kind):
        for sentences in batched:
            batch = make_batch(alignment, sentences, join=join, device=encoder.device)
            pooled = _pooled(encoder, forward, batch, limit)
            # While a GPU works on this batch, the one before goes to where it is kept.
            if waiting is not None:
                rows.add(waiting.rows, waiting.numbers())
            waiting = pooled
            report.done(len(batch.rows))
    if waiting is not None:
        rows.add(waiting.rows, waiting.numbers())
    rows.flush()


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
    """Let the model represent a batch and start the vectors on their way back."""
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
    here = {}
    for layer, points in vectors.items():
        here[layer] = torch.empty(points.shape, dtype=points.dtype, pin_memory=True)
        here[layer].copy_(points, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()
    return _Pooled(batch.rows, here, arrived)


def groups(alignment: Alignment, max_pieces: int, device: str) -> list[IntArray]:
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
    several = np.diff(begins)[alignment.used] > 1
    long, short = alignment.used[several], alignment.used[~several]
    lengths = alignment.lengths[begins[short]]
    return [
        *(np.array([sentence]) for sentence in long.tolist()),
        *(short[group] for group in make_batches(lengths, max_pieces, _WASTE[device])),
    ]


class _Reporter:
    """Says how many units are done, and what share of the work is padding."""

    def __init__(
        self,
        alignment: Alignment,
        batched: Sequence[IntArray],
        phase: str,
        progress: ProgressCallback | None,
    ) -> None:
        self._progress = progress
        self._phase = phase
        self._total = len(alignment.unit_sentence)
        self._done = 0
        pieces, padded = map(sum, zip(*_sizes(alignment, batched), strict=True))
        self._detail = f"{pieces} word pieces, {100 * (padded - pieces) / padded:.1f}% padding"

    def done(self, n_units: int) -> None:
        self._done += n_units
        if self._progress is not None:
            self._progress(Progress(self._phase, self._done, self._total, self._detail))


def _sizes(alignment: Alignment, batched: Sequence[IntArray]) -> Iterator[tuple[int, int]]:
    """Yield the pieces of each batch, without and with padding."""
    for group in batched:
        lengths = alignment.lengths[alignment.windows_of(group)]
        yield int(lengths.sum()), int(lengths.max()) * len(lengths)
