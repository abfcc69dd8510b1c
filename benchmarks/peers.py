"""Other programs that answer the same questions, called as their users call them."""

from __future__ import annotations

import warnings

import numpy as np
import qpsolvers
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

# Rows of one matrix product.
BLOCK = 8192


def svc_distance(a: np.ndarray, b: np.ndarray) -> tuple[float, bool]:
    """Return (distance, converged) of a linear SVM, with the reference's settings and rule.

    The distance is twice the margin where the SVM is right on every point, and 0 otherwise, even
    when it only has not converged.
    """
    X = np.concatenate([a, b])
    y = np.repeat([0, 1], [len(a), len(b)])
    model = SVC(C=1e6, kernel="linear", tol=1e-5, max_iter=50_000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
    if np.any(model.predict(X) != y):
        return 0.0, converged
    return 2 / float(np.linalg.norm(model.coef_)), converged


def piqp_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the distance by the dense quadratic program of the hard margin; 0 when infeasible.

    Variables are the normal and the offset of the hyperplane, centred and scaled by R; one row a
    point keeps it on its own side: ``min |w|^2 / 2``, ``side * (x @ w + c) >= 1``.
    """
    X = np.concatenate([a, b]).astype(np.float64)
    X -= X.mean(axis=0)
    scale = np.linalg.norm(X, axis=1).max()
    side = np.repeat([1.0, -1.0], [len(a), len(b)])
    rows = -side[:, None] * np.column_stack([X / scale, np.ones(len(X))])
    n_dims = X.shape[1]
    cost = np.diag(np.append(np.ones(n_dims), 0.0))
    solution = qpsolvers.solve_qp(
        cost, np.zeros(n_dims + 1), G=rows, h=-np.ones(len(X)), solver="piqp"
    )
    if solution is None:
        return 0.0
    return float(2 * scale / np.linalg.norm(solution[:-1]))


def gram(X: np.ndarray) -> np.ndarray:
    """Return all dot products in float64: the floor of any method that needs them.

    Many rows are multiplied in blocks, each with itself and those behind it: OpenBLAS 0.3.31 ends
    the process on some machines where two threads multiply 16,858 rows with themselves.
    """
    X = X.astype(np.float64)
    if len(X) <= BLOCK:
        return X @ X.T
    products = np.zeros((len(X), len(X)))
    for begin in range(0, len(X), BLOCK):
        products[begin : begin + BLOCK, begin:] = X[begin : begin + BLOCK] @ X[begin:].T
    return products
