"""Recipe of the classifier probe: its grid, its checked input, its splits and its scores."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import GeoprobeError, InputError
from geoprobe.extras import installing

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
    early_stopping : bool
        False trains on all points for ``max_epochs``, and the last epoch counts.

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
    early_stopping: bool = True

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
        if not isinstance(self.early_stopping, bool):
            raise InputError(
                f"early_stopping must be True or False, but it is {self.early_stopping!r}."
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


def whole(value: object, name: str, least: int) -> int:
    """Return a whole number of at least ``least``, or raise InputError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise InputError(f"{name} must be a whole number of at least {least}, but it is {value!r}.")
    return int(value)


def checked_seed(random_state: object) -> int:
    """Return a seed: a whole number as it is, another one each time for None.

    Raises
    ------
    InputError
        For anything else.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return whole(random_state, "random_state", 0)


def positive(value: object, name: str, *, or_zero: bool = False) -> float:
    """Return a finite number above 0 (or at 0, where allowed), or raise InputError."""
    good = isinstance(value, Real) and not isinstance(value, bool)
    number = float(value) if isinstance(value, Real) else math.nan
    if not good or not math.isfinite(number) or number < 0 or (number == 0 and not or_zero):
        least = "of at least 0" if or_zero else "above 0"
        raise InputError(f"{name} must be a finite number {least}, but it is {value!r}.")
    return number


# Sums of products of larger numbers would leave the range of float32 within a network.
_LARGEST = 1e15


def check_torch() -> None:
    """Refuse to train without torch.

    Raises
    ------
    GeoprobeError
        Naming what to install.
    """
    if importlib.util.find_spec("torch") is None:
        raise GeoprobeError(
            f"The classifier probe trains with torch, which is not installed: {installing('bert')}."
        )


def as_single(points: NDArray[Any], name: str = "X") -> NDArray[np.float32]:
    """Bring checked points to float32.

    Raises
    ------
    InputError
        For values so large that training in float32 would overflow.
    """
    largest = float(np.abs(points).max())
    if largest > _LARGEST:
        row = int(np.argmax(np.abs(points).max(axis=1)))
        raise InputError(
            f"{name} contains the magnitude {largest:g} in row {row}, but networks are trained in "
            f"float32, on magnitudes up to {_LARGEST:g}. Rescale the points."
        )
    # torch takes no array that is read-only, such as one that is mapped from a file.
    return np.require(points, np.float32, "W")


def checked_grid(
    hidden_sizes: Sequence[int] | Sequence[Sizes], weight_decays: Sequence[float], n_folds: int
) -> Grid:
    """Return the grid of all combinations; sizes that are given in pairs are not paired again.

    Raises
    ------
    InputError
        For no or repeated values, sizes below 1, negative decays, or fewer than two folds.
    """
    given = _listed(hidden_sizes, "sizes")
    in_pairs = bool(given) and all(isinstance(each, (tuple, list)) for each in given)
    sizes: list[Any] = [
        _pair(each) if in_pairs else whole(each, "each of hidden_sizes", 1) for each in given
    ]
    decays = [
        positive(decay, "each of weight_decays", or_zero=True)
        for decay in _listed(weight_decays, "decays")
    ]
    for name, values in (("hidden_sizes", sizes), ("weight_decays", decays)):
        if not values or len(set(values)) < len(values):
            raise InputError(
                f"{name} must hold one value at least, and none of them twice, but it is "
                f"{values!r}."
            )
    folds = whole(n_folds, "n_folds", 2)
    if not in_pairs:
        sizes = [(h1, h2) for h1 in sizes for h2 in sizes]
    return Grid(tuple(sizes), tuple(decays), folds)


def _pair(sizes: Sequence[int]) -> Sizes:
    if len(sizes) != 2:
        raise InputError(f"each pair of hidden_sizes has two numbers, but one is {sizes!r}.")
    first, second = (whole(size, "each of hidden_sizes", 1) for size in sizes)
    return first, second


def _listed(values: Any, name: str) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        raise InputError(f"the {name} must be a sequence, but they are {values!r}.") from None


IntArray = NDArray[np.int64]

# Shares of points that are whole but for rounding are not rounded up.
_ROUNDING = 1e-9


def holdout(
    codes: NDArray[np.int32], fraction: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw the points that early stopping looks at, label by label.

    scikit-learn's stratified split refuses a label with a single point; here such a point stays
    in training, where alone it is of use.

    Parameters
    ----------
    codes : ndarray of int32, shape (n_points,)
        Labels as numbers from 0.
    fraction : float
        Share of the points to hold out.
    rng : numpy.random.Generator

    Returns
    -------
    train, held_out : ndarray of int64
        Rows in ascending order. Every label keeps at least one point in ``train``; of a label
        with m points, ``fraction * m`` rounded up or down are held out, so that together they
        come as close to ``fraction`` as that allows, and at least one point is.

    Raises
    ------
    InputError
        If no label has two points.
    """
    counts = np.bincount(codes)
    if counts.max(initial=0) < 2:
        raise InputError(
            f"early stopping holds points out, but none of the labels has two of the {len(codes)} "
            f"training points."
        )
    wanted = counts * fraction
    quota = np.minimum(np.floor(wanted).astype(np.int64), np.maximum(counts - 1, 0))
    missing = max(int(np.ceil(fraction * len(codes))), 1) - int(quota.sum())
    # Largest remainders first, equal ones in an order that the seed decides.
    shuffled = rng.permutation(len(counts))
    in_turn = shuffled[np.argsort(-(wanted - quota)[shuffled], kind="stable")]
    may_grow = (wanted - quota > _ROUNDING) & (quota < counts - 1)
    open_labels = in_turn[may_grow[in_turn]]
    quota[open_labels[:missing]] += 1
    out = [
        rng.permutation(np.flatnonzero(codes == code))[: quota[code]]
        for code in np.flatnonzero(quota)
    ]
    held_out = np.sort(np.concatenate(out))
    return np.setdiff1d(np.arange(len(codes)), held_out), held_out


def folds(
    codes: NDArray[np.int32], n_folds: int, rng: np.random.Generator
) -> list[tuple[IntArray, IntArray]]:
    """Deal the points of each label out to folds of equal size.

    Parameters
    ----------
    codes : ndarray of int32, shape (n_points,)
    n_folds : int
    rng : numpy.random.Generator

    Returns
    -------
    list of (train, test)
        Rows in ascending order; every point is in one ``test``. Labels with fewer points than
        folds are missing from some of them. Sizes of folds differ by one at most, and so do the
        numbers of a label's points in them.
    """
    order = np.concatenate(
        [rng.permutation(np.flatnonzero(codes == code)) for code in np.unique(codes)]
    )
    # Dealing on from label to label, not anew for each, keeps the folds equally large.
    dealt = np.empty(len(codes), dtype=np.int64)
    dealt[order] = np.arange(len(codes)) % n_folds
    return [
        (np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)) for fold in range(n_folds)
    ]


@dataclass(frozen=True)
class Accuracies:
    """Accuracies between 0 and 1.

    Attributes
    ----------
    each : tuple of float
        One per initialisation.
    """

    each: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(np.mean(self.each))

    @property
    def std(self) -> float:
        """Their standard deviation, as of a sample (n - 1); nan for a single one."""
        return float(np.std(self.each, ddof=1)) if len(self.each) > 1 else float("nan")

    def __str__(self) -> str:
        """Mean and standard deviation, for a person."""
        return f"{self.mean:.4f} ± {self.std:.4f}"
