"""Splits that keep the shares of the labels, and cope with labels of very few points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import InputError

IntArray = NDArray[np.int64]

# Shares of points that are whole but for rounding are not rounded up.
_ROUNDING = 1e-9


def holdout(
    codes: NDArray[np.int32], fraction: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw the points that early stopping looks at, label by label.

    scikit-learn's stratified split refuses a label with a single point; here such a point stays
    in training, where alone it is of use.

    Parameters
    ----------
    codes : ndarray of int32, shape (n_points,)
        Labels as numbers from 0.
    fraction : float
        Share of the points to hold out.
    rng : numpy.random.Generator

    Returns
    -------
    train, held_out : ndarray of int64
        Rows in ascending order. Every label keeps at least one point in ``train``; of a label
        with m points, ``fraction * m`` rounded up or down are held out, so that together they
        come as close to ``fraction`` as that allows, and at least one point is.

    Raises
    ------
    InputError
        If no label has two points.
    """
    counts = np.bincount(codes)
    if counts.max(initial=0) < 2:
        raise InputError(
            f"early stopping holds points out, but none of the labels has two of the {len(codes)} "
            f"training points."
        )
    wanted = counts * fraction
    quota = np.minimum(np.floor(wanted).astype(np.int64), np.maximum(counts - 1, 0))
    missing = max(int(np.ceil(fraction * len(codes))), 1) - int(quota.sum())
    # Largest remainders first, equal ones in an order that the seed decides.
    shuffled = rng.permutation(len(counts))
    in_turn = shuffled[np.argsort(-(wanted - quota)[shuffled], kind="stable")]
    may_grow = (wanted - quota > _ROUNDING) & (quota < counts - 1)
    open_labels = in_turn[may_grow[in_turn]]
    quota[open_labels[:missing]] += 1
    out = [
        rng.permutation(np.flatnonzero(codes == code))[: quota[code]]
        for code in np.flatnonzero(quota)
    ]
    held_out = np.sort(np.concatenate(out))
    return np.setdiff1d(np.arange(len(codes)), held_out), held_out


def folds(
    codes: NDArray[np.int32], n_folds: int, rng: np.random.Generator
) -> list[tuple[IntArray, IntArray]]:
    """Deal the points of each label out to folds of equal size.

    Parameters
    ----------
    codes : ndarray of int32, shape (n_points,)
    n_folds : int
    rng : numpy.random.Generator

    Returns
    -------
    list of (train, test)
        Rows in ascending order; every point is in one ``test``. Labels with fewer points than
        folds are missing from some of them. Sizes of folds differ by one at most, and so do the
        numbers of a label's points in them.
    """
    order = np.concatenate(
        [rng.permutation(np.flatnonzero(codes == code)) for code in np.unique(codes)]
    )
    # Dealing on from label to label, not anew for each, keeps the folds equally large.
    dealt = np.empty(len(codes), dtype=np.int64)
    dealt[order] = np.arange(len(codes)) % n_folds
    return [
        (np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)) for fold in range(n_folds)
    ]
