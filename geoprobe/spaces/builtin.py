"""The space that is there without any file."""

from __future__ import annotations

import numpy as np

from geoprobe.spaces.space import Space


def digits() -> Space:
    """Return scikit-learn's handwritten digits: 1,797 images of 8 x 8 grey values, labels 0 to 9.

    Returns
    -------
    Space
        ``points`` of float64, shape (1797, 64); ``labels`` of int64, shape (1797,).
    """
    from sklearn.datasets import load_digits

    points, labels = load_digits(return_X_y=True)
    return Space(points, labels.astype(np.int64), name="digits")
