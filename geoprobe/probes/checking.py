"""Checks that both probes make of what they are given."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_feature_names, check_is_fitted

from geoprobe.arrays import as_points
from geoprobe.errors import InputError


def need_labels(probe: BaseEstimator, y: Any) -> None:
    """Refuse a fit without labels."""
    if y is None:
        raise InputError(
            f"{type(probe).__name__} requires y to be passed, but the target y is None: "
            f"expected one label per point."
        )


def new_points(probe: BaseEstimator, X: Any) -> NDArray[Any]:
    """Return points of as many dimensions as those that a probe was fitted to."""
    check_is_fitted(probe)
    points = as_points(X)
    _check_feature_names(probe, X, reset=False)
    if points.shape[1] != probe.n_features_in_:
        raise InputError(
            f"X has {points.shape[1]} features, but {type(probe).__name__} is expecting "
            f"{probe.n_features_in_} features as input."
        )
    return points
