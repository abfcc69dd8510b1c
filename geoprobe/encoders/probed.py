"""Seam between the Trainer's callback and controls: what is probed, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray


class Probed(NamedTuple):
    """What a probe of one layer is of."""

    points: NDArray[Any]
    """Shape (n_units, n_dims)."""
    labels: NDArray[Any]
    groups: NDArray[Any]
    """The sentence of each unit, shape (n_units,)."""
    test_points: NDArray[Any] | None
    """Shape (n_test_units, n_dims); None where a split was given, and no task."""
    test_labels: NDArray[Any] | None


class Controls(Protocol):
    """Measures a layer's controls: :class:`geoprobe.controls.LiveControls`, or one's own."""

    def __call__(self, probed: Probed, *, n_threads: int | None) -> Mapping[str, float]:
        """Return numbers by name, which are logged with the others of the layer."""
