"""How an encoder is fine-tuned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from geoprobe.encoders.names import short_name
from geoprobe.errors import InputError

TuningPrecision = Literal["float32", "bfloat16"]

_FEW_EPOCHS = "bert-base"


@dataclass(frozen=True)
class TuningOptions:
    """Hyperparameters of fine-tuning.

    Those of Zhou & Srikumar (2022, section 3.3 and appendix A) are the defaults of ``epochs``,
    ``learning_rate``, ``warmup`` and ``batch_size``; theirs are also the linear decay to zero
    after the warm-up and Adam, which AdamW without weight decay is. The paper names neither
    clipping nor the head's dropout: ours are those of Hugging Face's classification models and
    Trainer.

    Attributes
    ----------
    epochs : int or None
        Passes over the training split. None is the papers' choice: 3 for bert-base, else 10.
    learning_rate : float
        The highest one, reached at the end of the warm-up. 3e-4 suits the small models of the
        paper.
    batch_size : int
        Sentences of one update; sentences without units are left out.
    warmup : float
        Share of all updates over which the learning rate rises from zero.
    weight_decay : float
        Decoupled; biases and normalisation weights are exempt.
    max_grad_norm : float
        Longer gradients are cut to this Euclidean length; 0 leaves them as they are.
    seed : int
        Decides the head's first weights, the order of the sentences and the dropout.
    precision : {"float32", "bfloat16"}
        bfloat16 runs the forward pass under autocast; weights and optimiser stay in float32.
    max_pieces : int
        Word pieces, with padding, of one forward pass; longer batches are taken in parts whose
        gradients add up to that of the batch.

    Raises
    ------
    InputError
        If a value is of the wrong type or out of its range.
    """

    epochs: int | None = None
    learning_rate: float = 3e-4
    batch_size: int = 32
    warmup: float = 0.1
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    seed: int = 0
    precision: TuningPrecision = "float32"
    max_pieces: int = 8192

    def __post_init__(self) -> None:
        """Refuse values that cannot be used."""
        if self.epochs is not None:
            _check_whole("epochs", self.epochs, 1)
        _check_whole("batch_size", self.batch_size, 1)
        _check_whole("seed", self.seed, 0)
        _check_whole("max_pieces", self.max_pieces, 1)
        _check_number("learning_rate", self.learning_rate)
        if self.learning_rate == 0:
            raise InputError("learning_rate is 0, with which nothing would change.")
        _check_number("warmup", self.warmup, most=1.0)
        _check_number("weight_decay", self.weight_decay)
        _check_number("max_grad_norm", self.max_grad_norm)
        if self.seed >= 2**63:
            raise InputError(f"seed must be below 2**63, but it is {self.seed}.")
        if self.precision not in get_args(TuningPrecision):
            raise InputError(
                f"precision is one of {', '.join(get_args(TuningPrecision))}, not "
                f"{self.precision!r}."
            )

    def epochs_for(self, model: str) -> int:
        """Return the number of epochs for a model, by its short name or its id on the hub."""
        if self.epochs is not None:
            return self.epochs
        return 3 if short_name(model) == _FEW_EPOCHS else 10

    def learning_rate_at(self, update: int, n_updates: int) -> float:
        """Return the learning rate of an update, counted from 0.

        It rises from zero over the first ``ceil(warmup * n_updates)`` updates and falls to zero
        at ``n_updates``, both in a straight line.
        """
        n_warm = math.ceil(self.warmup * n_updates)
        if update < n_warm:
            return self.learning_rate * (update / n_warm)
        return self.learning_rate * ((n_updates - update) / max(1, n_updates - n_warm))


def _check_whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} must be a whole number from {least} on, but it is {value!r}.")


def _check_number(name: str, value: Any, most: float = math.inf) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= most:
        span = "from 0 on" if most == math.inf else f"from 0 to {most:g}"
        raise InputError(f"{name} must be a number {span}, but it is {value!r}.")
