"""Several seeds of one experiment: mean and spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def over_seeds(
    columns: Mapping[str, Sequence[Any]], keys: Sequence[str], values: Sequence[str]
) -> dict[str, list[Any]]:
    """Summarise rows that differ in their seed only.

    Parameters
    ----------
    columns : mapping from name to sequence, all of one length
    keys : sequence of str
        Rows with equal keys belong together; groups keep the order of their first rows.
    values : sequence of str
        Columns of numbers.

    Returns
    -------
    dict of str to list
        The keys, ``n_seeds``, and for each value its ``_mean`` and its sample standard deviation
        ``_std``, which is NaN for a single row.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row, key in enumerate(zip(*(columns[name] for name in keys), strict=True)):
        groups.setdefault(key, []).append(row)
    out: dict[str, list[Any]] = {name: [] for name in keys}
    for position, name in enumerate(keys):
        out[name] = [key[position] for key in groups]
    out["n_seeds"] = [len(rows) for rows in groups.values()]
    for name in values:
        numbers = np.array(columns[name], dtype=np.float64)
        of_group = [numbers[rows] for rows in groups.values()]
        out[f"{name}_mean"] = [float(np.mean(some)) for some in of_group]
        out[f"{name}_std"] = [
            float(np.std(some, ddof=1)) if len(some) > 1 else float("nan") for some in of_group
        ]
    return out


def bands(
    columns: Mapping[str, Sequence[Any]], keys: Sequence[str], value: str
) -> tuple[list[float], list[float]]:
    """Return the ends of the bands of a plot, in the order of :func:`over_seeds`.

    A standard deviation to either side of the mean where there are several seeds; the interval,
    ``low`` and ``high``, of a single one.
    """
    over = over_seeds(columns, keys, (value, "low", "high"))
    low, high = over["low_mean"], over["high_mean"]
    for k, n_seeds in enumerate(over["n_seeds"]):
        if n_seeds > 1:
            mean, std = over[f"{value}_mean"][k], over[f"{value}_std"][k]
            low[k], high[k] = mean - std, mean + std
    return low, high
