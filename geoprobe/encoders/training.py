"""Training of an encoder with a linear head, one update at a time.

Every update is a function of the weights and the optimiser before it, the seed and its number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch  # noqa: TID253  (only what fine-tunes imports this module)

from geoprobe.encoders.alignment import Alignment
from geoprobe.encoders.batches import make_batch, pool
from geoprobe.encoders.linear import FastLinear
from geoprobe.encoders.options import TuningOptions, updates_per_epoch
from geoprobe.encoders.word_pieces import IntArray
from geoprobe.errors import GeoprobeError
from geoprobe.tasks.units import Join

# What one more forward and backward pass costs, in pieces: on a CPU mostly the gradient of the
# embeddings, which is as large as the vocabulary; on a GPU the launching of small kernels.
_PASS_COST_CPU = 64
_PASS_COST_GPU = 2048
_HEAD, _DROPOUT, _ORDER = 1, 2, 3
_STANDARD_DEVIATION = 0.02
_DROPOUTS = ("classifier_dropout", "hidden_dropout_prob", "resid_pdrop", "dropout")


class TuningError(GeoprobeError):
    """Fine-tuning that cannot go on."""


@dataclass(frozen=True)
class TrainingData:
    """Aligned text and labels to fine-tune an encoder on.

    Attributes
    ----------
    alignment : Alignment
        Of the training split.
    targets : Tensor of int64, shape (n_units,)
        Position of each unit's label among the labels; on the device of the encoder.
    join : {"single", "concat", "difference"}
    """

    alignment: Alignment
    targets: torch.Tensor
    join: Join

    @cached_property
    def sizes(self) -> IntArray:
        """Pieces that each sentence takes, shape (n_sentences of the split,).

        Every window of a sentence is padded to its longest.
        """
        sentence, lengths = self.alignment.sentence, self.alignment.lengths
        longest = np.zeros(int(sentence.max()) + 1, np.int64)
        np.maximum.at(longest, sentence, lengths)
        return longest * np.bincount(sentence)


class Training:
    """An encoder with its head and its optimiser, after some updates.

    Parameters
    ----------
    model : torch.nn.Module
        Is changed.
    head : LinearHead
    data : TrainingData
    options : TuningOptions
        With their number of epochs.

    Attributes
    ----------
    module : torch.nn.ModuleDict
        Encoder and head.
    optimizer : torch.optim.AdamW
    step : int
        Updates done.
    n_updates, updates_per_epoch : int
    """

    def __init__(
        self,
        model: torch.nn.Module,
        head: LinearHead,
        data: TrainingData,
        options: TuningOptions,
    ) -> None:
        self.model = model
        self.head = head
        self.module = torch.nn.ModuleDict({"encoder": model, "head": head})
        self.optimizer = _optimizer(self.module, options)
        self.data = data
        self.options = options
        self.step = 0
        self.updates_per_epoch = updates_per_epoch(len(data.alignment.used), options.batch_size)
        self.n_updates = (options.epochs or 0) * self.updates_per_epoch
        self._device = data.targets.device
        self._order: tuple[int, IntArray] | None = None

    def update(self) -> float:
        """Take one step on the next batch.

        Returns
        -------
        float
            The cross-entropy of the batch before the step, the mean over its units, in nats.

        Raises
        ------
        TuningError
            If the loss is not finite, or the device has too little memory.
        """
        rate = self.options.learning_rate_at(self.step, self.n_updates)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.module.train()
        torch.manual_seed(dropout_seed(self.options.seed, self.step))
        try:
            loss = self._accumulate(self._next_batch())
        except torch.OutOfMemoryError as error:
            raise TuningError(
                f"{self._device} has too little memory for update {self.step + 1}. Make "
                f"max_pieces smaller: {self.options.max_pieces} word pieces are taken at once. It "
                f"changes no batch."
            ) from error
        if not math.isfinite(loss):
            raise TuningError(
                f"the loss is {loss} in update {self.step + 1} of {self.n_updates}. Try a learning "
                f"rate below {self.options.learning_rate:g}."
            )
        if self.options.max_grad_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.options.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return loss

    def _next_batch(self) -> IntArray:
        epoch, place = divmod(self.step, self.updates_per_epoch)
        if self._order is None or self._order[0] != epoch:
            order = sentence_order(len(self.data.alignment.used), self.options.seed, epoch)
            self._order = epoch, self.data.alignment.used[order]
        size = self.options.batch_size
        return self._order[1][place * size : (place + 1) * size]

    def _accumulate(self, sentences: IntArray) -> float:
        """Add up the gradient of a batch, part by part, and return its loss."""
        n_units = len(self.data.alignment.units_of(sentences))
        cost = _PASS_COST_CPU if self._device.type == "cpu" else _PASS_COST_GPU
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for part in parts(self.data.sizes[sentences], self.options.max_pieces, cost):
            loss = self._loss(sentences[part]) / n_units
            loss.backward()
            total += loss.detach()
        return float(total)

    def _loss(self, sentences: IntArray) -> torch.Tensor:
        """Return the cross-entropy of some sentences, summed over their units."""
        data = self.data
        batch = make_batch(data.alignment, sentences, join=data.join, device=self._device)
        in_bfloat16 = self.options.precision == "bfloat16"
        with FastLinear(), torch.autocast(self._device.type, torch.bfloat16, enabled=in_bfloat16):
            hidden = self.model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        logits = self.head(pool(hidden, batch))
        targets = data.targets[torch.from_numpy(batch.rows).to(self._device)]
        return torch.nn.functional.cross_entropy(logits, targets, reduction="sum")


def _optimizer(module: torch.nn.Module, options: TuningOptions) -> torch.optim.AdamW:
    """Return AdamW that spares biases and normalisation weights, which are vectors, from decay."""
    learning = [each for each in module.parameters() if each.requires_grad]
    groups = [
        {
            "params": [each for each in learning if each.ndim > 1],
            "weight_decay": options.weight_decay,
        },
        {"params": [each for each in learning if each.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate, fused=True)


class LinearHead(torch.nn.Module):  # type: ignore[misc]
    """Dropout and one linear layer from a unit's vector to the labels.

    Parameters
    ----------
    n_dims : int
        Of a unit's vector, after its words are joined.
    n_labels : int
    dropout : float
    seed : int
        Of the run; the first weights are drawn on the CPU, so that they are the same on every
        device: normal with standard deviation 0.02 as in BERT, biases zero.
    """

    def __init__(self, n_dims: int, n_labels: int, dropout: float, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(head_seed(seed))
        weight = torch.empty(n_labels, n_dims)
        weight.normal_(0.0, _STANDARD_DEVIATION, generator=generator)
        self.dropout = torch.nn.Dropout(dropout)
        self.weight = torch.nn.Parameter(weight)
        self.bias = torch.nn.Parameter(torch.zeros(n_labels))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return logits (n_units, n_labels) of vectors (n_units, n_dims)."""
        return torch.nn.functional.linear(self.dropout(vectors), self.weight, self.bias)


def dropout_of(config: Any) -> float:
    """Return the dropout before a classification head that a model's config asks for.

    It is the first of ``classifier_dropout``, ``hidden_dropout_prob`` (BERT), ``resid_pdrop``
    (GPT-2) and ``dropout`` (DistilBERT) that is set, and 0 where none is.
    """
    for name in _DROPOUTS:
        value = getattr(config, name, None)
        if isinstance(value, (int, float)):
            return float(value)
    return 0.0


def head_seed(seed: int) -> int:
    """Return the seed of the head's first weights."""
    return _mixed_seed(seed, _HEAD)


def dropout_seed(seed: int, update: int) -> int:
    """Return the seed of the dropout in an update, counted from 0.

    Seeding every update anew makes the state of the generators no part of the state of training,
    so whatever draws random numbers between two updates changes nothing.
    """
    return _mixed_seed(seed, _DROPOUT, update)


def sentence_order(n_sentences: int, seed: int, epoch: int) -> IntArray:
    """Return the order, shape (n_sentences,), in which an epoch goes through the sentences."""
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(n_sentences)


def parts(lengths: Sequence[int] | IntArray, max_pieces: int, pass_cost: int) -> list[IntArray]:
    """Cut a batch into parts of sentences of similar length.

    Of all ways to cut the sentences, sorted by length, the one with the fewest pieces to compute
    is chosen: those of every part padded to its longest sentence, and ``pass_cost`` for the part
    itself.

    Parameters
    ----------
    lengths : sequence of int
        Word pieces of each sentence, special ones included.
    max_pieces : int
        Largest padded size of a part; a longer sentence is a part by itself.
    pass_cost : int
        What one more forward and backward pass costs, in pieces.

    Returns
    -------
    list of ndarray of int64
        Positions in ``lengths``; the parts with the longest sentences come first.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    longest = np.asarray(lengths)[order].tolist()
    best = [0.0] + [math.inf] * len(longest)
    begin = [0] * (len(longest) + 1)
    for end in range(1, len(longest) + 1):
        for start in range(end - 1, -1, -1):
            size = (end - start) * longest[start]
            if size > max_pieces and end - start > 1:
                break
            if best[start] + size + pass_cost < best[end]:
                best[end], begin[end] = best[start] + size + pass_cost, start
    cut: list[IntArray] = []
    end = len(longest)
    while end:
        cut.append(order[begin[end] : end])
        end = begin[end]
    return cut[::-1]


def _mixed_seed(*entropy: int) -> int:
    """Return 63 well-mixed bits."""
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)
