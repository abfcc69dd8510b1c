"""Training a batch of networks by Adam, each stopped on its own when validation says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch  # noqa: TID253  (only what trains networks imports this module)
from numpy.typing import NDArray
from torch import Tensor  # noqa: TID253

from geoprobe.probes.classifier.descent import Adam
from geoprobe.probes.classifier.networks import (
    Layers,
    Scratch,
    Shape,
    gradients,
    keep_networks,
    layers_of,
    logits,
    scratch,
)
from geoprobe.probes.classifier.recipe import Recipe

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_CHUNK = 1024


@dataclass(frozen=True)
class Labelled:
    """Points (n_points, n_dims) of float32, and the position (n_points,) of each one's label."""

    points: Tensor
    codes: Tensor

    def __len__(self) -> int:
        return len(self.codes)


@dataclass
class Trained:
    """Networks as they were at their best epochs.

    Attributes
    ----------
    parameters : Tensor of float32, shape (n * shape.n_parameters,)
        Laid out by :func:`geoprobe.probes.classifier.networks.layers_of`.
    scores : ndarray of float64, shape (n,)
        Accuracy on the validation points at the best epoch.
    best_epochs, epochs : ndarray of int64, shape (n,)
        The best epoch, and how many were trained; counted from 1.
    converged : ndarray of bool, shape (n,)
        Whether validation stopped the network, rather than ``max_epochs``.
    """

    parameters: Tensor
    scores: FloatArray
    best_epochs: IntArray
    epochs: IntArray
    converged: NDArray[np.bool_]


Watcher = Callable[[int, Layers], None]
"""Called after each epoch with its number, from 1, and the networks still in training."""


def accuracies(parts: Layers, data: Labelled) -> FloatArray:
    """Return the share (n,) of points that each of n networks labels right."""
    right = torch.zeros(len(parts.w1), dtype=torch.int64, device=data.points.device)
    for start in range(0, len(data), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        # Three times as fast as argmax, and of equals the first as well.
        guesses = logits(parts, data.points[chunk]).max(1).indices
        right += (guesses == data.codes[chunk]).sum(1)
    share: FloatArray = right.cpu().numpy() / len(data)
    return share


class _Batch:
    """The networks still in training, with Adam's moments and their scratch space."""

    def __init__(self, flat: Tensor, shape: Shape, decays: Tensor, recipe: Recipe) -> None:
        self.shape = shape
        self.recipe = recipe
        self.n_steps = 0
        self._adopt(flat, (torch.zeros_like(flat), torch.zeros_like(flat)), decays)

    def _adopt(self, flat: Tensor, moments: tuple[Tensor, ...], decays: Tensor) -> None:
        self.n = len(decays)
        self.flat, self.moments, self.decays = flat, moments, decays
        sums = torch.zeros_like(flat)
        self.parts = layers_of(flat, self.n, self.shape)
        self.sums = layers_of(sums, self.n, self.shape)
        on_cpu = flat.device.type == "cpu"
        self.adam = Adam(self.shape, flat, sums, moments, decays, compiled=on_cpu)
        self._rooms: dict[int, Scratch] = {}

    def epoch(self, data: Labelled, order: Tensor) -> None:
        """Take a step of Adam on every minibatch of the points in the given order."""
        targets = torch.zeros(self.shape.n_labels, len(order), device=order.device)
        targets.scatter_(0, data.codes.index_select(0, order).unsqueeze(0), 1.0)
        for start in range(0, len(order), self.recipe.batch_size):
            batch = slice(start, start + self.recipe.batch_size)
            self._step(data.points, order[batch], targets[:, batch])

    def _step(self, points: Tensor, rows: Tensor, targets: Tensor) -> None:
        size = len(rows)
        if size not in self._rooms:
            self._rooms[size] = scratch(self.n, size, self.shape, points.device)
        room = self._rooms[size]
        # Gathered one by one, minibatches are still in the cache when they are multiplied.
        torch.index_select(points, 0, rows, out=room.points)
        gradients(self.parts, self.sums, room.points, targets, room)
        self.n_steps += 1
        self.adam.step(size, self.n_steps, self.recipe.learning_rate)

    def keep(self, rows: IntArray) -> None:
        """Go on with some of the networks only."""
        chosen = torch.from_numpy(rows).to(self.flat.device)
        flat, *moments = (
            keep_networks(each, self.n, self.shape, chosen) for each in (self.flat, *self.moments)
        )
        self._adopt(flat, tuple(moments), self.decays.index_select(0, chosen))

    def copy_to(self, best: Layers, rows: IntArray, places: IntArray) -> None:
        """Put the networks ``rows`` of this batch at ``places`` of another."""
        if not len(rows):
            return
        chosen = torch.from_numpy(rows).to(self.flat.device)
        where = torch.from_numpy(places).to(self.flat.device)
        for now, kept in zip(self.parts, best, strict=True):
            kept.index_copy_(0, where, now.index_select(0, chosen))


class _Stopper:
    """What early stopping knows; the rules of scikit-learn's MLPClassifier."""

    def __init__(self, n: int, recipe: Recipe) -> None:
        self.recipe = recipe
        self.alive: IntArray = np.arange(n)
        self.idle = np.zeros(n, dtype=np.int64)
        self.scores = np.full(n, -np.inf)

    def judge(self, scores: FloatArray) -> tuple[IntArray, IntArray]:
        """Take in the accuracies of an epoch; return rows that are best ever, and that go on."""
        best = self.scores[self.alive]
        idle = np.where(scores < best + self.recipe.tolerance, self.idle[self.alive] + 1, 0)
        self.idle[self.alive] = idle
        self.scores[self.alive] = np.maximum(scores, best)
        return np.flatnonzero(scores > best), np.flatnonzero(idle <= self.recipe.patience)


def train(
    start: Tensor,
    shape: Shape,
    decays: Sequence[float],
    data: tuple[Labelled, Labelled | None],
    recipe: Recipe,
    generator: torch.Generator,
    watch: Watcher | None = None,
) -> Trained:
    """Train n networks on the same minibatches until each stops improving.

    Parameters
    ----------
    start : Tensor of float32, shape (n * shape.n_parameters,)
        Where the networks start; left as it is.
    shape : Shape
    decays : sequence of n float
        Weight decay of each network: ``decay / (2 * size) * |weights|^2`` is added to the mean
        loss of a minibatch of that size.
    data : (Labelled, Labelled or None)
        What to train on, and what to validate on after every epoch. Without validation every
        network is trained for ``max_epochs`` and returned as it is then.
    recipe : Recipe
    generator : torch.Generator
        Of the CPU; orders the points anew in every epoch.
    watch : callable, optional

    Returns
    -------
    Trained
    """
    train_on, validate_on = data
    device = train_on.points.device
    n = len(decays)
    on_device = torch.tensor(decays, dtype=torch.float32, device=device)
    batch = _Batch(start.to(device, copy=True), shape, on_device, recipe)
    best = start.to(device, copy=True)
    best_parts = layers_of(best, n, shape)
    stopper = _Stopper(n, recipe)
    best_epochs, epochs = np.zeros((2, n), dtype=np.int64)
    for epoch in range(1, recipe.max_epochs + 1):
        order = torch.randperm(len(train_on), generator=generator).to(device)
        batch.epoch(train_on, order)
        epochs[stopper.alive] = epoch
        if watch is not None:
            watch(epoch, batch.parts)
        if validate_on is None:
            continue
        better, going = stopper.judge(accuracies(batch.parts, validate_on))
        batch.copy_to(best_parts, better, stopper.alive[better])
        best_epochs[stopper.alive[better]] = epoch
        if len(going) < len(stopper.alive):
            stopper.alive = stopper.alive[going]
            if not len(going):
                break
            batch.keep(going)
    if validate_on is None:
        return Trained(batch.flat, stopper.scores, epochs, epochs, np.zeros(n, dtype=bool))
    stopped = stopper.idle > recipe.patience
    return Trained(best, stopper.scores, best_epochs, epochs, stopped)
