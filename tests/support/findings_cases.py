"""Spaces of unit squares, whose distances are known by hand, and fine-tunings made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geoprobe.geometry import Cell, Geometry
from geoprobe.probes import measure
from geoprobe.spaces import Space

CORNERS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])

Centres = Mapping[str, Sequence[tuple[float, ...]]]

# On a line: gaps are differences of centres less 1.
LINE: Centres = {"a": [(0, 0)], "b": [(3, 0)], "c": [(7, 0)], "d": [(12, 0)]}
LINE_PAIRS = {"ab": 2.0, "ac": 6.0, "ad": 11.0, "bc": 3.0, "bd": 8.0, "cd": 4.0}

# The two squares of "s" have that of "t" between them.
SPLIT: Centres = {"s": [(-4, 0), (6, 0)], "t": [(0, 0)], "u": [(0, 10)]}


def squares(centres: Centres, name: str = "squares", n_dims: int = 2, **more: Any) -> Space:
    """Four corners of a unit square at every centre; further dimensions are the centre's."""
    points, labels = [], []
    for label, places in centres.items():
        for place in places:
            middle = np.zeros(n_dims)
            middle[: len(place)] = place
            block = np.tile(middle, (4, 1))
            block[:, :2] += CORNERS
            points.append(block)
            labels += [label] * 4
    return Space(np.concatenate(points), np.array(labels), name=name, **more)


def scaled(centres: Centres, factor: float, shift: tuple[float, ...] = (0, 0)) -> Centres:
    """Centres drawn apart by a factor, then moved."""
    return {
        label: [tuple(factor * x + s for x, s in zip(place, shift, strict=True)) for place in some]
        for label, some in centres.items()
    }


def tuned(
    layer: int = 1, step: int = 10, seed: int = 0, task: str = "pos", tuned_on: str | None = None
) -> Cell:
    return Cell(task, "tiny", layer, tuned_on or task, seed, step)


def published(layer: int = 1, task: str = "pos") -> Cell:
    return Cell(task, "tiny", layer)


def line(cell: Cell, factor: float = 1.0, **options: Any) -> Geometry:
    """The line of squares, drawn apart by a factor; measured."""
    return measure(squares(scaled(LINE, factor)), cell=cell, n_threads=1, **options)


def random_space(seed: int, n_labels: int = 5, n_dims: int = 8, n_each: int = 6) -> Space:
    """Labels around random centres, linear."""
    rng = np.random.default_rng(seed)
    centres = 4.0 * rng.normal(size=(n_labels, n_dims))
    points = np.repeat(centres, n_each, axis=0)
    points = points + 0.3 * rng.normal(size=points.shape)
    labels = np.repeat([f"label {k}" for k in range(n_labels)], n_each)
    return Space(points, labels, name=f"random {seed}")
