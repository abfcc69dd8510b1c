"""Options of fine-tuning: hyperparameters, and the schedule of checkpoints."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from geoprobe.errors import InputError
from geoprobe.schema import Number, Positive, Record, Whole

_LAYERS_OF_BASE = 12
_SCHEDULES = (
    "a schedule of checkpoints is 'linear:N', 'log:N', 'every:N', 'epochs', or 'steps:' and whole "
    "numbers between commas, of which one may be 'last'"
)
_SCHEDULE = re.compile(
    "epochs|(linear|log|every):[1-9][0-9]{0,8}|steps:([0-9]{1,18}|last)(,([0-9]{1,18}|last))*"
)


class TuningOptions(Record):
    """Hyperparameters of fine-tuning.

    Those of Zhou & Srikumar (2022, section 3.3 and appendix A) are the defaults of ``epochs``,
    ``learning_rate``, ``warmup`` and ``batch_size``; theirs are also the linear decay to zero
    after the warm-up and Adam, which AdamW without weight decay is. The paper names neither
    clipping nor the head's dropout: ours are those of Hugging Face's classification models and
    Trainer.

    Attributes
    ----------
    epochs : int or None
        Passes over the training split. None is the papers' choice by the model's own layers:
        3 from twelve layers on, as of their bert-base, else 10.
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

    epochs: Positive | None = None
    learning_rate: Annotated[Number, Field(gt=0)] = 3e-4
    batch_size: Positive = 32
    warmup: Annotated[Number, Field(ge=0, le=1)] = 0.1
    weight_decay: Annotated[Number, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[Number, Field(ge=0)] = 1.0
    seed: Annotated[Whole, Field(lt=2**63)] = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    max_pieces: Positive = 8192

    def epochs_for(self, n_layers: int) -> int:
        """Return the number of epochs for a model of so many layers, whatever its name."""
        if self.epochs is not None:
            return self.epochs
        return 3 if n_layers >= _LAYERS_OF_BASE else 10

    def learning_rate_at(self, update: int, n_updates: int) -> float:
        """Return the learning rate of an update, counted from 0.

        It rises from zero over the first ``ceil(warmup * n_updates)`` updates and falls to zero
        at ``n_updates``, both in a straight line.
        """
        n_warm = math.ceil(self.warmup * n_updates)
        if update < n_warm:
            return self.learning_rate * (update / n_warm)
        return self.learning_rate * ((n_updates - update) / max(1, n_updates - n_warm))

    def chosen_for(self, n_layers: int) -> TuningOptions:
        """Return the options with the number of epochs that they leave to the model."""
        return self.replaced(epochs=self.epochs_for(n_layers))


class Schedule(Record):
    """Checkpoints of a fine-tuning run, known before the number of updates is.

    The original representation (step 0) and the last update always belong to it.

    Parameters
    ----------
    text : str
        ``"linear:8"``: eight checkpoints after the original, evenly apart, the last update the
        eighth. ``"log:8"``: eight from update 1 to the last, in geometric progression; where
        neighbours round to the same update there are fewer. ``"every:5"``: every fifth update.
        ``"epochs"``: the end of every epoch. ``"steps:10,50"``: these updates; ``last`` may be
        among them.

    Raises
    ------
    InputError
        If the text is none of these.

    Examples
    --------
    >>> Schedule("linear:4").steps(n_updates=100, updates_per_epoch=10)
    (0, 25, 50, 75, 100)
    >>> Schedule("log:3").steps(n_updates=100, updates_per_epoch=10)
    (0, 1, 10, 100)
    """

    text: str = "epochs"

    def __init__(self, text: str = "epochs") -> None:
        super().__init__(text=text)

    @field_validator("text", mode="before")
    @classmethod
    def _check_text(cls, text: Any) -> str:
        """Refuse what :meth:`steps` could not read."""
        without_spaces = text.replace(" ", "") if isinstance(text, str) else ""
        if not _SCHEDULE.fullmatch(without_spaces):
            raise InputError(f"{_SCHEDULES}; {text!r} came.")
        return without_spaces

    def steps(self, n_updates: int, updates_per_epoch: int) -> tuple[int, ...]:
        """Return the updates after which to extract, ascending, from 0 to ``n_updates``.

        Parameters
        ----------
        n_updates : int
            Updates of the whole run.
        updates_per_epoch : int

        Raises
        ------
        InputError
            If a named step lies beyond the last update.
        """
        kind, _, rest = self.text.partition(":")
        if kind == "steps":
            chosen = [n_updates if part == "last" else int(part) for part in rest.split(",")]
            if max(chosen) > n_updates:
                raise InputError(
                    f"the schedule {self.text!r} names update {max(chosen)}, but fine-tuning "
                    f"takes {n_updates} updates."
                )
        elif kind == "epochs":
            chosen = list(range(0, n_updates, updates_per_epoch))
        elif kind == "every":
            chosen = list(range(0, n_updates, int(rest)))
        elif kind == "linear":
            chosen = np.linspace(0, n_updates, int(rest) + 1).round().astype(int).tolist()
        else:
            chosen = np.geomspace(n_updates, 1, int(rest)).round().astype(int).tolist()
        return tuple(sorted({0, n_updates, *chosen}))


def updates_per_epoch(n_sentences: int, batch_size: int) -> int:
    """Return how many updates an epoch takes; its last may be of fewer sentences."""
    return math.ceil(n_sentences / batch_size)
