"""Cross-validation of all shapes and weight decays, and training of the best."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch  # noqa: TID253  (only what trains networks imports this module)
from numpy.typing import NDArray

from geoprobe.probes.classifier.arithmetic import chosen_device
from geoprobe.probes.classifier.jobs import FOLDS, Bench, Done, Job, run_jobs, stream
from geoprobe.probes.classifier.networks import Shape, blocks
from geoprobe.probes.classifier.recipe import Grid, Recipe, Sizes
from geoprobe.probes.classifier.splits import folds
from geoprobe.probes.classifier.training import Labelled
from geoprobe.progress import ProgressCallback

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

# The second number of a job's seed.
_SEARCH, _FINAL = range(2)
_CHUNK = 4096


@dataclass(frozen=True)
class Search:
    """Accuracies of the whole grid.

    Attributes
    ----------
    grid : Grid
    scores : ndarray of float64, shape (n_sizes, n_decays, n_folds)
        Accuracy on the fold left out.
    epochs : ndarray of int64, of the same shape
    converged : ndarray of bool, of the same shape
        False where ``max_epochs`` ended the training.
    """

    grid: Grid
    scores: FloatArray
    epochs: IntArray
    converged: NDArray[np.bool_]

    @property
    def best(self) -> tuple[Sizes, float]:
        """Sizes and decay with the highest mean accuracy; of equals the first in the grid."""
        means = self.scores.mean(axis=2)
        size, decay = np.unravel_index(int(means.argmax()), means.shape)
        return self.grid.sizes[size], self.grid.decays[decay]

    def table(self) -> dict[str, Any]:
        """Return one row per combination, in the columns of scikit-learn's ``cv_results_``."""
        n_sizes, n_decays, n_folds = self.scores.shape
        scores = self.scores.reshape(-1, n_folds)
        means = scores.mean(axis=1)
        chosen = list(itertools.product(self.grid.sizes, self.grid.decays))
        return {
            "param_hidden_sizes": [sizes for sizes, _ in chosen],
            "param_weight_decay": np.array([decay for _, decay in chosen]),
            **{f"split{fold}_test_score": scores[:, fold] for fold in range(n_folds)},
            "mean_test_score": means,
            "std_test_score": scores.std(axis=1),
            "rank_test_score": (means[:, None] < means[None, :]).sum(axis=1) + 1,
            "mean_epochs": self.epochs.reshape(n_sizes * n_decays, n_folds).mean(axis=1),
        }


@dataclass(frozen=True)
class Weights:
    """One trained network, in NumPy: weights (in, out) and biases (out,) layer by layer."""

    coefs: tuple[NDArray[np.float32], ...]
    intercepts: tuple[NDArray[np.float32], ...]

    def logits(self, points: NDArray[np.float32]) -> FloatArray:
        """Return the outputs (n_points, n_labels), computed in float64.

        In float32 the last digits would depend on which points are asked about together.
        """
        found = np.empty((len(points), len(self.intercepts[-1])))
        layers = [
            (coef.astype(np.float64), intercept.astype(np.float64))
            for coef, intercept in zip(self.coefs, self.intercepts, strict=True)
        ]
        for start in range(0, len(points), _CHUNK):
            some = slice(start, start + _CHUNK)
            values = points[some].astype(np.float64) @ layers[0][0] + layers[0][1]
            for coef, intercept in layers[1:]:
                values = np.maximum(values, 0) @ coef + intercept
            found[some] = values
        return found


@dataclass(frozen=True)
class Workplace:
    """Points and labels to train on, and with what."""

    points: NDArray[np.float32]
    codes: NDArray[np.int32]
    n_labels: int
    device: str
    n_threads: int
    random_state: int
    progress: ProgressCallback | None

    def bench(self, decays: tuple[float, ...], recipe: Recipe) -> Bench:
        """Put the points on the device."""
        device = chosen_device(self.device)
        points = torch.from_numpy(self.points).to(device)
        codes = torch.from_numpy(self.codes.astype(np.int64)).to(device)
        return Bench(Labelled(points, codes), self.codes, decays, recipe)

    def shape(self, sizes: Sizes) -> Shape:
        """Return all widths of a network of these hidden sizes."""
        return Shape(self.points.shape[1], *sizes, self.n_labels)

    def run(self, jobs: Sequence[Job], bench: Bench, phase: str) -> list[Done]:
        """Train all jobs; a GPU takes them one by one."""
        threads = self.n_threads if bench.data.points.device.type == "cpu" else 1
        return run_jobs(jobs, bench, threads, phase, self.progress)


def cross_validate(place: Workplace, grid: Grid, recipe: Recipe) -> Search:
    """Train every combination on all folds but one, and score it on that one.

    A job holds all weight decays of one shape and one fold: they share the start, the minibatches
    and the points that early stopping looks at, so that nothing but the decay differs.
    """
    seed = place.random_state
    parts = folds(place.codes, grid.n_folds, stream(FOLDS, (seed,)))
    jobs = [
        Job(place.shape(sizes), rows, test_rows, (seed, _SEARCH, fold))
        for sizes in grid.sizes
        for fold, (rows, test_rows) in enumerate(parts)
    ]
    done = place.run(jobs, place.bench(grid.decays, recipe), "cross-validation")
    shape = (len(grid.sizes), grid.n_folds, len(grid.decays))

    def gathered(values: list[NDArray[Any]]) -> NDArray[Any]:
        table: NDArray[Any] = np.stack(values).reshape(shape).transpose(0, 2, 1)
        return table

    return Search(
        grid,
        gathered([each.scores for each in done]),
        gathered([each.trained.epochs for each in done]),
        gathered([each.trained.converged for each in done]),
    )


def train_best(
    place: Workplace, sizes: Sizes, decay: float, n_initialisations: int, recipe: Recipe
) -> tuple[list[Weights], IntArray, NDArray[np.bool_]]:
    """Train one combination on all points, several times.

    As with several seeds of scikit-learn's classifier, the start, the order of the points and
    the points that early stopping looks at are drawn anew each time.

    Returns
    -------
    networks : list of Weights
    epochs : ndarray of int64, shape (n_initialisations,)
    converged : ndarray of bool, shape (n_initialisations,)
    """
    shape = place.shape(sizes)
    everything, nothing = np.arange(len(place.points)), np.zeros(0, dtype=np.int64)
    jobs = [
        Job(shape, everything, nothing, (place.random_state, _FINAL, k))
        for k in range(n_initialisations)
    ]
    done = [each.trained for each in place.run(jobs, place.bench((decay,), recipe), "training")]
    networks = []
    for each in done:
        parts = blocks(each.parameters.cpu(), 1, shape)
        coefs = tuple(np.ascontiguousarray(w[0].numpy().T) for w in parts.weights)
        biases = tuple(b[0, :, 0].numpy().copy() for b in (parts.b1, parts.b2, parts.b3))
        networks.append(Weights(coefs, biases))
    epochs = np.array([each.epochs[0] for each in done])
    return networks, epochs, np.array([each.converged[0] for each in done])
