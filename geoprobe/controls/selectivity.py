"""Selectivity of a classifier: its accuracy less that on labels which only memory can give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from geoprobe.arrays import as_labels, as_points
from geoprobe.controls.groups import group_codes
from geoprobe.errors import InputError
from geoprobe.geometry.measured import FloatArray
from geoprobe.probes.classifier import ClassifierProbe
from geoprobe.progress import Progress, ProgressCallback


class ControlTask(NamedTuple):
    """Random labels of types, for the units to train and to test."""

    train: NDArray[Any]
    test: NDArray[Any]


def control_tasks(
    y: Any, types: Any, test_types: Any, *, n_controls: int = 3, seed: int = 0
) -> Iterator[ControlTask]:
    """Give every type a label at random, and every unit that of its type (Hewitt & Liang 2019).

    Labels are drawn as often as ``y`` has them. Whoever knows the type of a unit can learn its
    label by heart; nothing else in a representation helps.

    Parameters
    ----------
    y : array-like, shape (n_units,)
        Labels of the task itself.
    types : array-like, shape (n_units,)
        What a unit is beside its context, such as the word.
    test_types : array-like, shape (n_test_units,)
    n_controls : int, default=3
    seed : int, default=0
        Control k depends on the seed and k alone.

    Yields
    ------
    ControlTask

    Raises
    ------
    InputError
        If an array cannot be used, or there is one type or one label only.
    """
    if n_controls < 1:
        raise InputError(f"n_controls is at least 1, but it is {n_controls!r}.")
    names, codes = as_labels(y, len(y), min_labels=2)
    of_train = as_labels(types, len(codes), name="types", min_labels=2)
    of_test = as_labels(test_types, len(test_types), name="test_types")
    texts = [of[0].astype(str)[of[1]] for of in (of_train, of_test)]
    known = group_codes(np.concatenate(texts), sum(map(len, texts)), name="types")
    return (
        _control(names, codes, known, np.random.default_rng([seed, k])) for k in range(n_controls)
    )


def _control(
    names: NDArray[Any],
    codes: NDArray[np.int32],
    types: NDArray[np.int64],
    rng: np.random.Generator,
) -> ControlTask:
    n_train = len(codes)
    while True:
        labels = names[rng.choice(codes, size=int(types.max()) + 1)][types]
        # With few types they may all draw one label, which is no task.
        if len(np.unique(labels[:n_train])) > 1:
            return ControlTask(labels[:n_train], labels[n_train:])


@dataclass(frozen=True, eq=False)
class Selectivity:
    """Accuracies on the test units of a task and of its controls.

    Attributes
    ----------
    accuracy : float
        On the task.
    controls : ndarray of float64, shape (n_controls,)
        On each control task.
    seen : float
        Share of test units whose type is in train: no classifier can know the control label of
        others.
    n_units, n_test_units, n_types : int
        Units to train and to test, and types of both.
    """

    accuracy: float
    controls: FloatArray
    seen: float
    n_units: int
    n_test_units: int
    n_types: int

    @property
    def value(self) -> float:
        """Accuracy on the task less the mean accuracy on its controls."""
        return self.accuracy - float(self.controls.mean())

    @property
    def std(self) -> float:
        """Its standard deviation over the controls; NaN for a single one."""
        return float(self.controls.std(ddof=1)) if len(self.controls) > 1 else float("nan")

    def __str__(self) -> str:
        """Give the selectivity beside both accuracies."""
        return (
            f"selectivity {self.value:.3f} ± {self.std:.3f}: accuracy {self.accuracy:.3f}, "
            f"{self.controls.mean():.3f} on {len(self.controls)} control tasks "
            f"({self.n_test_units} test units, {self.seen:.0%} of types in train)"
        )


def measure_selectivity(
    X: Any,
    y: Any,
    types: Any,
    X_test: Any,
    y_test: Any,
    test_types: Any,
    *,
    probe: Any = None,
    n_controls: int = 3,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> Selectivity:
    """Train a classifier on a task and on control tasks of the same units.

    Parameters
    ----------
    X : array-like, shape (n_units, n_dims)
    y, types : array-like, shape (n_units,)
    X_test : array-like, shape (n_test_units, n_dims)
    y_test, test_types : array-like, shape (n_test_units,)
    probe : estimator of scikit-learn, optional
        A classifier, cloned for every task; by default a
        :class:`geoprobe.probes.classifier.ClassifierProbe` of two layers of 256, of which the mean
        accuracy over its initialisations counts.
    n_controls, seed
        As in :func:`control_tasks`.
    progress : callable, optional

    Returns
    -------
    Selectivity

    Raises
    ------
    InputError
        If an array cannot be used.
    GeoprobeError
        Without torch, for the classifier probe.
    """
    train, test = as_points(X, name="X"), as_points(X_test, name="X_test")
    names, codes = as_labels(y, len(train), min_labels=2)
    test_names, test_codes = as_labels(y_test, len(test), name="y_test")
    for what, values, n in (("types", types, len(train)), ("test_types", test_types, len(test))):
        as_labels(values, n, name=what)
    if probe is None:
        probe = ClassifierProbe(hidden_sizes=(256,), weight_decays=(1e-4,), random_state=seed)
    tasks = [
        ControlTask(names[codes], test_names[test_codes]),
        *control_tasks(y, types, test_types, n_controls=n_controls, seed=seed),
    ]
    accuracies = []
    for task in tasks:
        fitted = clone(probe).fit(train, task.train)
        accuracies.append(_accuracy(fitted, test, task.test))
        if progress is not None:
            progress(Progress("control tasks", len(accuracies), len(tasks)))
    known = {str(each) for each in np.asarray(types).tolist()}
    there = [str(each) in known for each in np.asarray(test_types).tolist()]
    return Selectivity(
        accuracy=accuracies[0],
        controls=np.array(accuracies[1:]),
        seen=float(np.mean(there)),
        n_units=len(train),
        n_test_units=len(test),
        n_types=len(known | {str(each) for each in np.asarray(test_types).tolist()}),
    )


def _accuracy(fitted: Any, X: NDArray[Any], y: NDArray[Any]) -> float:
    if isinstance(fitted, ClassifierProbe):
        return fitted.accuracies(X, y).mean
    return float(fitted.score(X, y))
