"""Accuracy after every epoch, to see what a classifier memorises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import InputError
from geoprobe.probes.classifier.recipe import (
    Recipe,
    as_single,
    check_torch,
    checked_grid,
    checked_seed,
    whole,
)
from geoprobe.progress import ProgressCallback
from geoprobe.threads import checked_threads

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LearningCurves:
    """Accuracies after every epoch.

    Attributes
    ----------
    accuracies : dict of str to ndarray of float64, shape (n_initialisations, n_epochs)
        For each evaluation set; column 0 is after the first epoch.
    """

    accuracies: dict[str, FloatArray]

    @property
    def n_epochs(self) -> int:
        """How many epochs the networks were trained for."""
        return int(next(iter(self.accuracies.values())).shape[1])


def learning_curves(
    X: Any,
    y: Any,
    evaluate: Mapping[str, tuple[Any, Any]],
    *,
    hidden_sizes: tuple[int, int] = (256, 256),
    weight_decay: float = 1e-4,
    n_epochs: int = 100,
    n_initialisations: int = 5,
    learning_rate: float = 1e-3,
    batch_size: int = 200,
    random_state: int | None = 0,
    device: str = "auto",
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> LearningCurves:
    """Train networks for a fixed number of epochs and score them after each.

    All training points are trained on and nothing stops early: the curves are to show what comes
    after the best epoch too. The networks share the minibatches and differ in their starts.

    Parameters
    ----------
    X : array-like, shape (n_points, n_dims)
    y : array-like, shape (n_points,)
    evaluate : mapping of str to (X, y)
        Points to score on, by name. Labels that ``y`` lacks count as missed.
    hidden_sizes : (int, int)
        Of the two hidden layers; ``best_params_`` of a fitted probe has them, and the decay.
    weight_decay : float
        As of :class:`ClassifierProbe`.
    n_epochs, n_initialisations : int
    learning_rate, batch_size : float, int
    random_state : int or None
    device : str
    n_threads : int, optional
        All processors by default; the outcome does not depend on it.
    progress : callable, optional

    Returns
    -------
    LearningCurves

    Raises
    ------
    InputError
        If an array or a parameter cannot be used, or there is nothing to evaluate on.
    GeoprobeError
        Without torch.
    """
    check_torch()
    from geoprobe.probes.classifier.search import Workplace, follow_curves

    recipe = Recipe(learning_rate, batch_size, whole(n_epochs, "n_epochs", 1))
    n_networks = whole(n_initialisations, "n_initialisations", 1)
    seed = checked_seed(random_state)
    if len(tuple(hidden_sizes)) != 2:
        raise InputError(f"hidden_sizes must be two numbers, but it is {hidden_sizes!r}.")
    h1, h2 = (whole(size, "each of hidden_sizes", 1) for size in hidden_sizes)
    decay = checked_grid((h1,), (weight_decay,), 2).decays[0]
    if not evaluate:
        raise InputError("evaluate names no points to score on, but at least one set is needed.")
    points = as_single(as_points(X))
    classes, codes = as_labels(y, len(points), min_labels=2)
    threads = checked_threads(n_threads)
    place = Workplace(points, codes, len(classes), device, threads, seed, progress)
    sets = {
        name: place.placed(*_evaluation_set(name, given, classes, points.shape[1]))
        for name, given in evaluate.items()
    }
    return LearningCurves(follow_curves(place, sets, (h1, h2), decay, n_networks, recipe))


def _evaluation_set(
    name: str, given: tuple[Any, Any], classes: NDArray[Any], n_dims: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return points, and positions in ``classes`` of their labels, -1 for those it lacks."""
    points = as_single(as_points(given[0], name=name), name)
    if points.shape[1] != n_dims:
        raise InputError(
            f"{name} has {points.shape[1]} dimensions, but the training points have {n_dims}."
        )
    names, codes = as_labels(given[1], len(points), name=f"labels of {name}")
    place = {label: k for k, label in enumerate(classes.tolist())}
    of_name = np.array([place.get(label, -1) for label in names.tolist()], dtype=np.int64)
    return points, of_name[codes]
