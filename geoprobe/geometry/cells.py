"""Cells of a study: one layer of one model at one moment of its fine-tuning."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from geoprobe.errors import InputError


class Key(Protocol):
    """What :meth:`Cell.of` reads from the key of a stored space."""

    @property
    def task(self) -> str:
        """The task whose units were represented."""

    @property
    def model(self) -> str:
        """The encoder."""

    @property
    def tuned_on(self) -> str | None:
        """The task it was fine-tuned on."""

    @property
    def seed(self) -> int | None:
        """The seed of the fine-tuning."""

    @property
    def step(self) -> int:
        """Updates of the fine-tuning."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One layer of one model at one moment, looked at through the units of one task.

    Attributes
    ----------
    task : str
        Whose units were represented.
    model : str
        Short name of the encoder; may be empty for a space of unknown origin.
    layer : int
        0 is the output of the embedding layer.
    tuned_on : str or None
        The task the model was fine-tuned on; None is the model as published.
    seed : int or None
        Of the fine-tuning; None exactly when ``tuned_on`` is.
    step : int
        Updates of the fine-tuning; 0 exactly when ``tuned_on`` is None.
    """

    task: str
    model: str = ""
    layer: int = 0
    tuned_on: str | None = None
    seed: int | None = None
    step: int = 0

    def __post_init__(self) -> None:
        """Refuse a moment that cannot be."""
        tuned = self.tuned_on is not None
        if tuned != (self.seed is not None) or tuned != (self.step > 0) or self.step < 0:
            raise InputError(
                f"a fine-tuned model has tuned_on, a seed and a step above 0, and a model as "
                f"published has none of them; but tuned_on={self.tuned_on!r}, seed={self.seed!r}, "
                f"step={self.step!r}."
            )
        if self.layer < 0:
            raise InputError(f"layers are counted from 0, but layer={self.layer!r}.")

    @classmethod
    def of(cls, key: Key, layer: int) -> Cell:
        """Make the cell of one layer of a stored space; its split does not matter."""
        return cls(
            task=key.task,
            model=key.model,
            layer=int(layer),
            tuned_on=key.tuned_on,
            seed=key.seed,
            step=key.step,
        )

    @property
    def original(self) -> Cell:
        """The same layer of the model as published."""
        return Cell(self.task, self.model, self.layer)

    @property
    def order(self) -> tuple[Any, ...]:
        """A key to sort by: task, model, the model as published first, seed, step, layer."""
        return (
            self.task,
            self.model,
            self.tuned_on is not None,
            self.tuned_on or "",
            -1 if self.seed is None else self.seed,
            self.step,
            self.layer,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the six fields by name."""
        return asdict(self)

    def __str__(self) -> str:
        """Describe the cell for a person."""
        who = f"{self.task} {self.model}".rstrip()
        if self.tuned_on is None:
            return f"{who} layer {self.layer}"
        moment = f"tuned on {self.tuned_on}, seed {self.seed}, step {self.step}"
        return f"{who} {moment}, layer {self.layer}"
