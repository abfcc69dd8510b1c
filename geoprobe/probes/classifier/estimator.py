"""The classifier probe as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import _check_feature_names, _check_n_features

from geoprobe.arrays import as_labels, as_points
from geoprobe.errors import InputError
from geoprobe.probes.checking import need_labels, new_points
from geoprobe.probes.classifier.recipe import (
    HIDDEN_SIZES,
    WEIGHT_DECAYS,
    Accuracies,
    Recipe,
    Sizes,
    as_single,
    check_torch,
    checked_grid,
    checked_seed,
    whole,
)
from geoprobe.progress import ProgressCallback
from geoprobe.threads import checked_threads

FloatArray = NDArray[np.float64]


class ClassifierProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A two-layer ReLU network, chosen by cross-validation and trained several times.

    The classifier of Zhou & Srikumar (2022): sizes of the two hidden layers and weight
    decay are chosen by cross-validation on the training points, the best combination is trained
    from several initialisations, and the mean and the standard deviation of their accuracies are
    reported (:meth:`accuracies`). All networks of the grid that share a shape and a fold are
    trained as one batch.

    Parameters
    ----------
    hidden_sizes : sequence of int or of (int, int), default=(32, 64, 128, 256)
        Both hidden layers take each of these; pairs are taken as they are.
    weight_decays : sequence of float, default=(1e-7, 1e-6, ..., 1e0)
        scikit-learn's ``alpha``: a minibatch of m points adds ``decay / (2 m) * |weights|^2``
        (biases apart) to its mean loss; in torch's terms, a weight decay of ``decay / m``.
    n_folds : int, default=5
    n_initialisations : int, default=5
    search : {"full", "quick"}, default="full"
        How the networks of the cross-validation are trained: ``"full"`` as the final ones are;
        ``"quick"``, an approximation, with six times the learning rate, twice the minibatch, and a
        patience of 1 at most. Every combination is trained on every fold either way. A grid of
        one combination is not searched.
    learning_rate : float, default=1e-3
        Of Adam. This and the following are the defaults of scikit-learn's ``MLPClassifier``.
    batch_size : int, default=200
    max_epochs : int, default=1000
    patience : int, default=10
        Training stops after more epochs than this in a row without gain of accuracy on the
        points held out for early stopping, and the best epoch counts.
    tolerance : float, default=1e-4
        The least gain that counts.
    validation_fraction : float, default=0.1
        Share of the training points held out for early stopping, label by label; a label's last
        point is never held out.
    early_stopping : bool, default=True
        False holds no points out: every network is trained on all for ``max_epochs``, and the last
        epoch counts. The paper names 1,000 iterations and no stopping rule.
    random_state : int or None, default=0
        The same number gives the same bits on the same machine.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"``, or the GPU if there is one.
    n_threads : int, optional
        All processors by default; the outcome does not depend on it.
    progress : callable, optional
        Called with a :class:`geoprobe.progress.Progress` now and then.

    Attributes
    ----------
    classes_ : ndarray, shape (n_labels,)
        The labels, sorted.
    best_params_ : dict
        ``"hidden_sizes"`` (h1, h2) and ``"weight_decay"``.
    best_score_ : float
        Mean accuracy of the best combination over the folds; nan if nothing was searched.
    cv_results_ : dict of str to column
        One row per combination, as scikit-learn's searches have; empty if nothing was searched.
    rare_labels_ : ndarray
        Labels with fewer points than folds, which are missing from some folds.
    networks_ : list of Weights
        The final networks, in NumPy.
    epochs_ : ndarray of int64, shape (n_initialisations,)
        Epochs that each of them was trained for.
    converged_ : ndarray of bool, shape (n_initialisations,)
        False where ``max_epochs`` ended the training before early stopping did.
    n_features_in_ : int

    Notes
    -----
    Prediction is that of the first network, a single classifier like those whose mean accuracy
    is reported; a vote of all would be a better and another one.

    Examples
    --------
    >>> from geoprobe.probes.classifier import ClassifierProbe
    >>> probe = ClassifierProbe(hidden_sizes=(32, 64), weight_decays=(1e-4, 1e-2))
    >>> probe.search
    'full'
    """

    def __init__(
        self,
        *,
        hidden_sizes: Sequence[int] | Sequence[Sizes] = HIDDEN_SIZES,
        weight_decays: Sequence[float] = WEIGHT_DECAYS,
        n_folds: int = 5,
        n_initialisations: int = 5,
        search: str = "full",
        learning_rate: float = 1e-3,
        batch_size: int = 200,
        max_epochs: int = 1000,
        patience: int = 10,
        tolerance: float = 1e-4,
        validation_fraction: float = 0.1,
        early_stopping: bool = True,
        random_state: int | None = 0,
        device: str = "auto",
        n_threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.weight_decays = weight_decays
        self.n_folds = n_folds
        self.n_initialisations = n_initialisations
        self.search = search
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.tolerance = tolerance
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.random_state = random_state
        self.device = device
        self.n_threads = n_threads
        self.progress = progress

    def fit(self, X: Any, y: Any) -> ClassifierProbe:
        """Search the grid and train the best combination.

        Parameters
        ----------
        X : array-like, shape (n_points, n_dims)
            Brought to float32.
        y : array-like, shape (n_points,)

        Returns
        -------
        ClassifierProbe
            The fitted probe itself.

        Raises
        ------
        InputError
            If an array or a parameter cannot be used, there is only one label, or no label has
            as many points as there are folds.
        GeoprobeError
            Without torch.
        """
        check_torch()
        from geoprobe.probes.classifier.search import Workplace, cross_validate, train_best

        if self.search not in ("full", "quick"):
            raise InputError(f"search must be 'full' or 'quick', but it is {self.search!r}.")
        recipe = Recipe(**{part.name: getattr(self, part.name) for part in fields(Recipe)})
        grid = checked_grid(self.hidden_sizes, self.weight_decays, self.n_folds)
        n_initialisations = whole(self.n_initialisations, "n_initialisations", 1)
        seed = checked_seed(self.random_state)
        threads = checked_threads(self.n_threads)
        points = as_single(as_points(X))
        need_labels(self, y)
        classes, codes = as_labels(y, len(points), min_labels=2)
        _check_feature_names(self, X, reset=True)
        _check_n_features(self, points, reset=True)
        place = Workplace(points, codes, len(classes), self.device, threads, seed, self.progress)
        counts = np.bincount(codes)
        self.classes_ = classes
        self.rare_labels_ = classes[counts < grid.n_folds]
        sizes, decay = grid.sizes[0], grid.decays[0]
        self.cv_results_: dict[str, Any] = {}
        self.best_score_ = float("nan")
        if len(grid.sizes) * len(grid.decays) > 1:
            self._check_counts(counts, grid.n_folds)
            how = recipe.quick() if self.search == "quick" else recipe
            validation = cross_validate(place, grid, how)
            sizes, decay = validation.best
            self.cv_results_ = validation.table()
            self.best_score_ = float(self.cv_results_["mean_test_score"].max())
        self.best_params_ = {"hidden_sizes": sizes, "weight_decay": decay}
        self.networks_, self.epochs_, self.converged_ = train_best(
            place, sizes, decay, n_initialisations, recipe
        )
        return self

    def _check_counts(self, counts: NDArray[np.int64], n_folds: int) -> None:
        if counts.max() < n_folds:
            raise InputError(
                f"n_folds is {n_folds}, but no label has that many points: the most frequent, "
                f"{self.classes_[counts.argmax()].item()!r}, has {counts.max()}."
            )

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict labels by the first network.

        Parameters
        ----------
        X : array-like, shape (n_points, n_dims)

        Returns
        -------
        ndarray, shape (n_points,)
        """
        points = as_single(new_points(self, X))
        predicted: NDArray[Any] = self.classes_[self.networks_[0].logits(points).argmax(axis=1)]
        return predicted

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the probabilities that the first network gives the labels.

        Parameters
        ----------
        X : array-like, shape (n_points, n_dims)

        Returns
        -------
        ndarray of float64, shape (n_points, n_labels)
            Columns in the order of ``classes_``.
        """
        points = as_single(new_points(self, X))
        share: FloatArray = softmax(self.networks_[0].logits(points), axis=1)
        return share

    def accuracies(self, X: Any, y: Any) -> Accuracies:
        """Score every final network.

        Parameters
        ----------
        X : array-like, shape (n_points, n_dims)
        y : array-like, shape (n_points,)
            A label that was not in the training points counts as missed.

        Returns
        -------
        Accuracies
            Mean, standard deviation, and each.
        """
        points = as_single(new_points(self, X))
        names, codes = as_labels(y, len(points))
        right = [
            np.mean(self.classes_[network.logits(points).argmax(axis=1)] == names[codes])
            for network in self.networks_
        ]
        return Accuracies(tuple(float(share) for share in right))
