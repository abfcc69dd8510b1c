"""Cells of a study: one layer of one model at one moment of its fine-tuning."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, fields, replace
from typing import Any

from geoprobe.errors import InputError


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
        Of the fine-tuning. A model as published seldom has one: it is the start of every run.
    step : int
        Updates of the fine-tuning; 0 exactly when ``tuned_on`` is None.
    group : tuple of (str, str)
        Names and values that tell it from other cells besides, such as ``("pooling", "mean")``;
        sorted by name.
    """

    task: str
    model: str = ""
    layer: int = 0
    tuned_on: str | None = None
    seed: int | None = None
    step: int = 0
    group: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse a moment that cannot be."""
        tuned = self.tuned_on is not None
        if (tuned and self.seed is None) or tuned != (self.step > 0) or self.step < 0:
            raise InputError(
                f"a fine-tuned model has tuned_on, a seed and a step above 0, and a model as "
                f"published has neither tuned_on nor a step; but tuned_on={self.tuned_on!r}, "
                f"seed={self.seed!r}, step={self.step!r}."
            )
        if self.layer < 0:
            raise InputError(f"layers are counted from 0, but layer={self.layer!r}.")

    @property
    def original(self) -> Cell:
        """The same layer of the model as published."""
        return replace(self, tuned_on=None, seed=None, step=0)

    def start(self, cells: Container[Cell]) -> Cell:
        """Return the start of this cell's fine-tuning: the same layer of the model as published.

        Parameters
        ----------
        cells : container of Cell
            Where one of them has the seed of this cell it is that one; else the one without a seed,
            which may not be there.
        """
        own = replace(self, tuned_on=None, step=0)
        return own if own in cells else self.original

    @property
    def representation(self) -> str:
        """The model with what tells it from others of its name: ``"bert, pooling mean"``."""
        return ", ".join([self.model, *(f"{name} {value}" for name, value in self.group)])

    @property
    def order(self) -> tuple[Any, ...]:
        """A key to sort by: task, model, group, the model as published first, seed, step, layer."""
        return (
            self.task,
            self.model,
            self.group,
            self.tuned_on is not None,
            self.tuned_on or "",
            -1 if self.seed is None else self.seed,
            self.step,
            self.layer,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name; without a group there is no ``group``."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        del plain["group"]
        return plain | ({"group": dict(self.group)} if self.group else {})

    @classmethod
    def from_dict(cls, noted: dict[str, Any]) -> Cell:
        """Return the cell that :meth:`as_dict` describes.

        Raises
        ------
        InputError
            If it is no such description.
        """
        try:
            return cls(**{**noted, "group": tuple(sorted(noted.get("group", {}).items()))})
        except (AttributeError, TypeError) as error:
            raise InputError(
                f"a cell is described by its fields, but {noted!r:.200} came."
            ) from error

    def __str__(self) -> str:
        """Describe the cell for a person."""
        who = f"{self.task} {self.representation}".rstrip()
        if self.tuned_on is None:
            seed = "" if self.seed is None else f"seed {self.seed} "
            return f"{who} {seed}layer {self.layer}"
        moment = f"tuned on {self.tuned_on}, seed {self.seed}, step {self.step}"
        return f"{who} {moment}, layer {self.layer}"
