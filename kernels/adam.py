"""One step of Adam on many networks, each with a weight decay of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoprobe.kernels.jit import kernel

# Shares of the old in the running means of slopes and of their squares, and what keeps the
# quotient finite (Kingma & Ba 2015).
OLD_MEAN, OLD_SQUARE, LEAST = 0.9, 0.999, 1e-8

_NEW_MEAN, _NEW_SQUARE = np.float32(1 - OLD_MEAN), np.float32(1 - OLD_SQUARE)
_LEAST = np.float32(LEAST)


@kernel
def step(
    values: NDArray[np.float32],
    sums: NDArray[np.float32],
    mean: NDArray[np.float32],
    square: NDArray[np.float32],
    decays: NDArray[np.float32],
    share: np.float32,
    rate: np.float32,
    scale: np.float32,
) -> None:
    """Move the parameters of n networks against their slopes, ``(sums + decay * values) * share``.

    One pass over memory: a library's optimiser takes another one for decays that differ.

    Parameters
    ----------
    values, sums : ndarray of float32, shape (n, n_parameters)
        Parameters, and derivatives of the loss summed over a minibatch.
    mean, square : ndarray of float32, shape (n, n_parameters)
        Running means of the slopes and of their squares.
    decays : ndarray of float32, shape (n,)
    share : float32
        One over the number of points in the minibatch.
    rate : float32
        Learning rate over the weight that the mean has gathered so far, ``1 - 0.9 ** steps``.
    scale : float32
        One over the root of the weight that the mean of squares has gathered so far.
    """
    for k in range(len(values)):
        decay = decays[k]
        for i in range(values.shape[1]):
            slope = (sums[k, i] + decay * values[k, i]) * share
            mean[k, i] += _NEW_MEAN * (slope - mean[k, i])
            square[k, i] += _NEW_SQUARE * (slope * slope - square[k, i])
            values[k, i] -= rate * mean[k, i] / (np.sqrt(square[k, i]) * scale + _LEAST)
