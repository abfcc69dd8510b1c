"""Search of the grid and learning curves: what is trained on which rows, and what came of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch  # noqa: TID253  (only what trains networks imports this module)
from numpy.typing import NDArray

from geoprobe.devices import checked_device
from geoprobe.probes.classifier.networks import (
    Layers,
    Shape,
    initial,
    layers_of,
    stacked,
    training_arithmetic,
)
from geoprobe.probes.classifier.recipe import Grid, Recipe, Sizes, folds, holdout
from geoprobe.probes.classifier.training import Labelled, Trained, accuracies, train
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import in_order

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

# What a seed is for, so that no two purposes share a stream of random numbers.
FOLDS, HOLDOUT, START, ORDER = range(4)


@dataclass(frozen=True)
class Job:
    """Networks of one shape and start, one for each weight decay, trained on the same points.

    Attributes
    ----------
    shape : Shape
    rows, test_rows : ndarray of int64
        What to train on (early stopping takes its share from it) and what to score on.
    seed : tuple of int
        Decides the split for early stopping, the start and the order of the points.
    """

    shape: Shape
    rows: IntArray
    test_rows: IntArray
    seed: tuple[int, ...]

    @property
    def cost(self) -> int:
        """Multiplications for one point and network, the measure of how long it takes."""
        into, h1, h2, out = self.shape.widths
        return (2 * into * h1 + 3 * h1 * h2 + 3 * h2 * out) * len(self.rows)


@dataclass(frozen=True)
class Done:
    """What a job came to.

    Attributes
    ----------
    trained : Trained
        Without parameters if there were ``test_rows``: nobody needs a whole grid's.
    scores : ndarray of float64, shape (n,)
        Accuracies on ``test_rows``; nan without any.
    """

    trained: Trained
    scores: FloatArray


@dataclass(frozen=True)
class Bench:
    """The points that all jobs share, on the device, and how to train on them."""

    data: Labelled
    host_codes: NDArray[np.int32]
    decays: tuple[float, ...]
    recipe: Recipe

    def part(self, rows: IntArray) -> Labelled:
        """Return some of the points."""
        chosen = torch.from_numpy(rows).to(self.data.codes.device)
        return Labelled(self.data.points[chosen], self.data.codes[chosen])


def stream(purpose: int, seed: Sequence[int]) -> np.random.Generator:
    """Return random numbers for one purpose."""
    return np.random.default_rng([purpose, *seed])


def torch_stream(purpose: int, seed: Sequence[int]) -> torch.Generator:
    """Return random numbers of torch for one purpose, on the CPU."""
    number = int(stream(purpose, seed).integers(2**63 - 1))
    return torch.Generator().manual_seed(number)


def run_job(job: Job, bench: Bench) -> Done:
    """Train and score the networks of one job, in the calling thread."""
    torch.set_num_threads(1)
    train_on, watched = bench.part(job.rows), None
    if bench.recipe.early_stopping:
        train_rows, watched_rows = holdout(
            bench.host_codes[job.rows], bench.recipe.validation_fraction, stream(HOLDOUT, job.seed)
        )
        train_on, watched = bench.part(job.rows[train_rows]), bench.part(job.rows[watched_rows])
    with torch.no_grad():
        start = initial(job.shape, torch_stream(START, job.seed))
        n = len(bench.decays)
        trained = train(
            stacked([start] * n, job.shape),
            job.shape,
            bench.decays,
            (train_on, watched),
            bench.recipe,
            torch_stream(ORDER, job.seed),
        )
        if not len(job.test_rows):
            return Done(trained, np.full(n, np.nan))
        parts = layers_of(trained.parameters, n, job.shape)
        scores = accuracies(parts, bench.part(job.test_rows))
    return Done(replace(trained, parameters=torch.empty(0)), scores)


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
        outputs = np.empty((len(points), len(self.intercepts[-1])))
        layers = [
            (coef.astype(np.float64), intercept.astype(np.float64))
            for coef, intercept in zip(self.coefs, self.intercepts, strict=True)
        ]
        for start in range(0, len(points), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            values = points[chunk].astype(np.float64) @ layers[0][0] + layers[0][1]
            for coef, intercept in layers[1:]:
                values = np.maximum(values, 0) @ coef + intercept
            outputs[chunk] = values
        return outputs


def weights_of(parameters: torch.Tensor, shape: Shape) -> Weights:
    """Return a network of torch, a flat buffer of one, in NumPy."""
    parts = layers_of(parameters.cpu(), 1, shape)
    coefs = tuple(np.ascontiguousarray(w[0].numpy().T) for w in parts.weights)
    biases = tuple(b[0, :, 0].numpy().copy() for b in (parts.b1, parts.b2, parts.b3))
    return Weights(coefs, biases)


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

    def placed(self, points: NDArray[np.float32], codes: NDArray[Any]) -> Labelled:
        """Put labelled points on the device."""
        device = checked_device(self.device)
        on_device = torch.from_numpy(codes.astype(np.int64)).to(device)
        return Labelled(torch.from_numpy(points).to(device), on_device)

    def bench(self, decays: tuple[float, ...], recipe: Recipe) -> Bench:
        """Put the points to train on on the device."""
        return Bench(self.placed(self.points, self.codes), self.codes, decays, recipe)

    def shape(self, sizes: Sizes) -> Shape:
        """Return all widths of a network of these hidden sizes."""
        return Shape(self.points.shape[1], *sizes, self.n_labels)

    def run(self, jobs: Sequence[Job], bench: Bench, phase: str) -> list[Done]:
        """Train all jobs, the longest first, and return what came of them in their order.

        A GPU takes them one by one; the outcome does not depend on how many threads train.
        """
        threads = self.n_threads if bench.data.points.device.type == "cpu" else 1
        in_turn = sorted(range(len(jobs)), key=lambda k: -jobs[k].cost)
        finished: dict[int, Done] = {}
        with training_arithmetic():
            answers = in_order(lambda k: run_job(jobs[k], bench), in_turn, threads)
            for k, done in zip(in_turn, answers, strict=True):
                finished[k] = done
                if self.progress is not None:
                    h1, h2 = jobs[k].shape.h1, jobs[k].shape.h2
                    detail = f"{len(bench.decays)} networks of {h1} x {h2}"
                    self.progress(Progress(phase, len(finished), len(jobs), detail))
        return [finished[k] for k in range(len(jobs))]


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
    networks = [weights_of(each.parameters, shape) for each in done]
    epochs = np.array([each.epochs[0] for each in done])
    return networks, epochs, np.array([each.converged[0] for each in done])


_CURVES = 2


def follow_curves(
    place: Workplace,
    sets: Mapping[str, Labelled],
    sizes: Sizes,
    decay: float,
    n: int,
    recipe: Recipe,
) -> dict[str, FloatArray]:
    """Train n networks on all points; return the accuracies (n, n_epochs) on every set by name."""
    shape = place.shape(sizes)
    train_on = place.bench((decay,), recipe).data

    def follow(members: Sequence[int]) -> dict[str, FloatArray]:
        torch.set_num_threads(1)
        seeds = [(place.random_state, _CURVES, k) for k in members]
        start = stacked([initial(shape, torch_stream(START, seed)) for seed in seeds], shape)
        curves = {name: np.empty((len(members), recipe.max_epochs)) for name in sets}

        def watch(epoch: int, parts: Layers) -> None:
            for name, points in sets.items():
                curves[name][:, epoch - 1] = accuracies(parts, points)

        order = torch_stream(ORDER, (place.random_state, _CURVES))
        decays = (decay,) * len(members)
        with torch.no_grad():
            train(start, shape, decays, (train_on, None), recipe, order, watch)
        return curves

    # A processor trains networks beside each other, a GPU all as one batch.
    alone = train_on.points.device.type == "cpu"
    groups = [[k] for k in range(n)] if alone else [list(range(n))]
    curves: list[dict[str, FloatArray]] = []
    with training_arithmetic():
        for of_group in in_order(follow, groups, place.n_threads if alone else 1):
            curves.append(of_group)
            if place.progress is not None:
                place.progress(Progress("learning curves", len(curves), len(groups)))
    return {name: np.concatenate([of_group[name] for of_group in curves]) for name in sets}
