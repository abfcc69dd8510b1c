"""Description length of labels: bits to send them to a classifier that learns on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax

from geoprobe.arrays import as_labels, as_points
from geoprobe.controls.groups import group_codes
from geoprobe.errors import InputError
from geoprobe.geometry.measured import FloatArray, IntArray
from geoprobe.probes.classifier.recipe import (
    Recipe,
    as_single,
    check_torch,
    checked_grid,
    checked_seed,
    whole,
)
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import checked_threads, in_order

PORTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
"""Shares of the units at which a new classifier is trained (Voita & Titov 2020, section 2.2)."""


@dataclass(frozen=True, eq=False)
class DescriptionLength:
    """Bits to send the labels to somebody who has the points.

    Attributes
    ----------
    ends : ndarray of int64, shape (n_blocks,)
        Where each block of units ends; the last is the number of units.
    block_bits : ndarray of float64, shape (n_blocks,)
        Bits of each block's labels: the first by a uniform code, others by a classifier trained on
        all blocks before.
    n_labels : int
    """

    ends: IntArray
    block_bits: FloatArray
    n_labels: int

    @property
    def n_units(self) -> int:
        """The number of points."""
        return int(self.ends[-1])

    @property
    def bits(self) -> float:
        """Bits of all labels."""
        return float(self.block_bits.sum())

    @property
    def uniform_bits(self) -> float:
        """Bits without any knowledge: ``n_units * log2(n_labels)``."""
        return self.n_units * math.log2(self.n_labels)

    @property
    def compression(self) -> float:
        """How many times shorter the labels become; below 1, the classifier misleads."""
        return self.uniform_bits / self.bits

    def __str__(self) -> str:
        """Give the length, and the compression."""
        return (
            f"{self.bits:.0f} bits for {self.n_units} labels of {self.n_labels} kinds, compression "
            f"{self.compression:.2f}"
        )


def online_code(
    X: Any,
    y: Any,
    *,
    hidden_sizes: tuple[int, int] = (256, 256),
    weight_decay: float = 1e-4,
    portions: Sequence[float] = PORTIONS,
    groups: Any = None,
    n_epochs: int = 100,
    batch_size: int = 64,
    seed: int = 0,
    device: str = "auto",
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> DescriptionLength:
    """Measure the online code length of labels (Voita & Titov 2020, equation 3).

    Units are put in a random order and cut into blocks. Labels of the first block cost
    ``log2(n_labels)`` bits each; those of every later block what a network trained on all blocks
    before says of them, ``-log2`` of the probability of the true label. It is short where labels
    are easy to learn from few examples, and needs no choice of a test split.

    Parameters
    ----------
    X : array-like, shape (n_units, n_dims)
    y : array-like, shape (n_units,)
    hidden_sizes : (int, int), default=(256, 256)
    weight_decay : float, default=1e-4
    portions : sequence of float, default=(0.001, ..., 0.5, 1.0)
        Shares of the units at which blocks end. Blocks from which nothing can be learned yet,
        for want of two labels and of two units of one label, belong to the first one.
    groups : array-like, shape (n_units,), optional
        Groups stay together: no block begins within one.
    n_epochs : int, default=100
        Of each network. It counts as it was at the epoch that gave a tenth of its points, which it
        was not trained on, the highest likelihood.
    batch_size : int, default=64
    seed : int, default=0
        Of the order and of the networks.
    device, n_threads
        As in :class:`geoprobe.probes.classifier.ClassifierProbe`.
    progress : callable, optional

    Returns
    -------
    DescriptionLength

    Raises
    ------
    InputError
        If an array or an option cannot be used, there is one label only, or nothing can be learned
        before the last block.
    GeoprobeError
        Without torch.
    """
    check_torch()
    from geoprobe.probes.classifier.likelihood import train_by_likelihood
    from geoprobe.probes.classifier.search import Workplace

    points = as_single(as_points(X))
    names, codes = as_labels(y, len(points), min_labels=2)
    first_size, second_size = (whole(size, "each of hidden_sizes", 1) for size in hidden_sizes)
    checked_grid(sorted({first_size, second_size}), [weight_decay], 2)
    recipe = Recipe(batch_size=batch_size, max_epochs=whole(n_epochs, "n_epochs", 1))
    random_state, threads = checked_seed(seed), checked_threads(n_threads)
    order = _order(group_codes(groups, len(points)), random_state)
    ends = _ends(group_codes(groups, len(points))[order], portions)
    trainable = [k for k, end in enumerate(ends[:-1]) if _can_learn(codes[order[:end]])]
    if not trainable:
        raise InputError(
            f"nothing can be learned from the first {ends[:-1].max(initial=0)} of {len(points)} "
            f"units, which lack two labels or two units of one; the portions end too early."
        )
    ends = ends[trainable[0] :]

    def cost(block: int) -> float:
        known, coded = order[: ends[block - 1]], order[ends[block - 1] : ends[block]]
        # All labels have an output, those that were not seen yet as well: every label has a code.
        place = Workplace(points[known], codes[known], len(names), device, 1, random_state, None)
        network = train_by_likelihood(place, (first_size, second_size), weight_decay, recipe)
        logs = log_softmax(network.logits(points[coded]), axis=1)
        return float(-logs[np.arange(len(coded)), codes[coded]].sum() / math.log(2))

    # The longest first, so that no thread is left alone with it.
    blocks = range(len(ends) - 1, 0, -1)
    bits: list[float] = []
    for each in in_order(cost, blocks, threads):
        bits.append(each)
        if progress is not None:
            progress(Progress("online code", len(bits), len(blocks)))
    bits.append(float(ends[0]) * math.log2(len(names)))
    bits.reverse()
    return DescriptionLength(ends, np.array(bits), len(names))


def _order(belongs: IntArray, seed: int) -> IntArray:
    """Return the units in a random order of groups, and at random within each."""
    rng = np.random.default_rng(seed)
    turn = rng.permutation(int(belongs.max()) + 1)[belongs]
    return np.lexsort((rng.random(len(belongs)), turn)).astype(np.int64)


def _ends(belongs: IntArray, portions: Sequence[float]) -> IntArray:
    """Return where blocks end: at the end of the group in which their share does."""
    shares = np.asarray(portions, dtype=np.float64)
    rising = shares.ndim == 1 and len(shares) > 1 and (np.diff(shares) > 0).all()
    if not rising or shares[0] <= 0 or shares[-1] != 1.0:
        raise InputError(
            f"portions rise from above 0 to 1, two at least, but they are {tuple(portions)!r}."
        )
    last_of_group = np.flatnonzero(np.diff(belongs, append=-1)) + 1
    wanted = np.ceil(shares * len(belongs) - 1e-9)
    return np.unique(last_of_group[np.searchsorted(last_of_group, wanted)]).astype(np.int64)


def _can_learn(codes: Any) -> bool:
    """Whether a network can be trained and stopped on these labels."""
    counts = np.bincount(codes)
    return bool((counts > 0).sum() > 1 and counts.max() > 1)
