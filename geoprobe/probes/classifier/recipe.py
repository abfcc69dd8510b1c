"""How a network is trained, apart from its shape and its weight decay; and the paper's grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real

from geoprobe.errors import InputError

HIDDEN_SIZES = (32, 64, 128, 256)
"""Both hidden layers take every one of these sizes (Zhou & Srikumar 2022)."""

WEIGHT_DECAYS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0)
"""The weight decays tried with every pair of sizes."""

Sizes = tuple[int, int]

_QUICK_RATE, _QUICK_BATCH, _QUICK_PATIENCE = 6.0, 2, 1


@dataclass(frozen=True)
class Recipe:
    """Adam with minibatches and early stopping; the defaults are those of scikit-learn's MLP.

    Parameters
    ----------
    learning_rate : float
        Of Adam (Kingma & Ba 2015), whose other constants are 0.9, 0.999 and 1e-8.
    batch_size : int
        Points per step; the last minibatch of an epoch may be smaller.
    max_epochs : int
    patience : int
        A network stops after more than this many epochs in a row without improvement.
    tolerance : float
        What the accuracy on the validation points has to gain to count as improvement.
    validation_fraction : float
        Share of the training points that only early stopping looks at.

    Raises
    ------
    InputError
        If a number is out of its range.
    """

    learning_rate: float = 1e-3
    batch_size: int = 200
    max_epochs: int = 1000
    patience: int = 10
    tolerance: float = 1e-4
    validation_fraction: float = 0.1

    def __post_init__(self) -> None:
        positive(self.learning_rate, "learning_rate")
        whole(self.batch_size, "batch_size", 1)
        whole(self.max_epochs, "max_epochs", 1)
        whole(self.patience, "patience", 0)
        positive(self.tolerance, "tolerance", or_zero=True)
        if positive(self.validation_fraction, "validation_fraction") >= 1:
            raise InputError(
                f"validation_fraction must lie between 0 and 1, but it is "
                f"{self.validation_fraction!r}."
            )

    def quick(self) -> Recipe:
        """Return the recipe of a quick search: fewer, larger and bolder steps, less patience.

        Accuracies come out lower than with the whole recipe, by about 0.01 on real spaces; which
        combinations are good comes out much the same.
        """
        return replace(
            self,
            learning_rate=self.learning_rate * _QUICK_RATE,
            batch_size=self.batch_size * _QUICK_BATCH,
            patience=min(self.patience, _QUICK_PATIENCE),
        )


@dataclass(frozen=True)
class Grid:
    """What is searched.

    Attributes
    ----------
    sizes : tuple of (h1, h2)
    decays : tuple of float
    n_folds : int
    """

    sizes: tuple[Sizes, ...]
    decays: tuple[float, ...]
    n_folds: int

    @staticmethod
    def over(hidden_sizes: Sequence[int], decays: Sequence[float], n_folds: int) -> Grid:
        """Pair every size of the first hidden layer with every one of the second."""
        sizes = tuple((h1, h2) for h1 in hidden_sizes for h2 in hidden_sizes)
        return Grid(sizes, tuple(decays), n_folds)


def whole(value: object, name: str, least: int) -> int:
    """Return a whole number of at least ``least``, or raise InputError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise InputError(f"{name} must be a whole number of at least {least}, but it is {value!r}.")
    return int(value)


def positive(value: object, name: str, *, or_zero: bool = False) -> float:
    """Return a finite number above 0 (or at 0, where allowed), or raise InputError."""
    good = isinstance(value, Real) and not isinstance(value, bool)
    number = float(value) if isinstance(value, Real) else math.nan
    if not good or not math.isfinite(number) or number < 0 or (number == 0 and not or_zero):
        least = "of at least 0" if or_zero else "above 0"
        raise InputError(f"{name} must be a finite number {least}, but it is {value!r}.")
    return number
