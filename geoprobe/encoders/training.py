"""The training loop, one update at a time; each is a function of the state and its number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch  # noqa: TID253  (only what fine-tunes imports this module)
from numpy.typing import NDArray

from geoprobe.encoders.alignment import Alignment
from geoprobe.encoders.batches import make_batch
from geoprobe.encoders.head import LinearHead
from geoprobe.encoders.linear import FastLinear
from geoprobe.encoders.options import TuningOptions
from geoprobe.encoders.pooling import pool
from geoprobe.encoders.updates import dropout_seed, parts, sentence_order, updates_per_epoch
from geoprobe.errors import GeoprobeError
from geoprobe.tasks.units import Join

IntArray = NDArray[np.int64]

# What one more forward and backward pass costs, in pieces: on a CPU mostly the gradient of the
# embeddings, which is as large as the vocabulary; on a GPU the launching of small kernels.
_PASS_COST_CPU = 64
_PASS_COST_GPU = 2048


class TuningError(GeoprobeError):
    """Fine-tuning that cannot go on."""


@dataclass(frozen=True)
class TrainingData:
    """What an encoder is fine-tuned on.

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
