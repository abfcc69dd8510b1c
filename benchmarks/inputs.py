"""The spaces that benchmarks run on."""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

SHARED = Path(
    os.environ.get("GEOPROBE_SHARED", Path(__file__).resolve().parents[2] / "shared")
).resolve()


def space(name: str, labels: str = "y") -> tuple[np.ndarray, np.ndarray]:
    """Return points (n_points, n_dims) and labels of a shared space; skip where it is absent."""
    path = SHARED / "spaces" / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"needs {path}; the variable GEOPROBE_SHARED names the folder above 'spaces'")
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["X"], arrays[labels]


def held_out(name: str, labels: str = "y") -> tuple[np.ndarray, np.ndarray]:
    """Return the test points of a shared space and their labels."""
    space(name, labels)
    with np.load(SHARED / "spaces" / f"{name}.npz", allow_pickle=False) as arrays:
        return arrays["X_test"], arrays[f"{labels}_test"]


def ps_part(n_points: int, n_dims: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the first points of a fixed permutation of PS roles, layer 6, reduced by PCA."""
    X, y = space("ps_layer6", "role")
    if n_points < len(X):
        rows = np.random.default_rng(0).permutation(len(X))[:n_points]
        X, y = X[rows], y[rows]
    if n_dims is not None:
        reduced = PCA(n_dims, random_state=0).fit_transform(X.astype(np.float64))
        X = reduced.astype(np.float32)
    return X, y


def label_pairs(X: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the points of the first and of the second label, for all pairs in order."""
    groups = [X[y == label] for label in np.unique(y)]
    return list(combinations(groups, 2))
