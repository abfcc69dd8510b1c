"""Input of the classifier probe, checked before torch is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import GeoprobeError, InputError
from geoprobe.probes.classifier.recipe import Grid, positive, whole

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
            "The classifier probe trains with torch, which is not installed: pip install "
            '"geoprobe[bert]".'
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


def checked_grid(hidden_sizes: Sequence[int], weight_decays: Sequence[float], n_folds: int) -> Grid:
    """Return the grid of all combinations.

    Raises
    ------
    InputError
        For no or repeated values, sizes below 1, negative decays, or fewer than two folds.
    """
    sizes = [whole(size, "each of hidden_sizes", 1) for size in _listed(hidden_sizes, "sizes")]
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
    return Grid.over(sizes, decays, whole(n_folds, "n_folds", 2))


def _listed(values: Any, name: str) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        raise InputError(f"the {name} must be a sequence, but they are {values!r}.") from None
