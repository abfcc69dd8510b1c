"""Findings as tables: rows, columns, means over seeds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from geoprobe.geometry.cells import Cell
from geoprobe.showing import MOST_ROWS, Showing, Summary, count, first_few, frame, number

NAN = float("nan")


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
    out: dict[str, list[Any]] = {
        name: [key[position] for key in groups] for position, name in enumerate(keys)
    }
    out["n_seeds"] = [len(rows) for rows in groups.values()]
    for name in values:
        numbers = np.array(columns[name], dtype=np.float64)
        of_group = [mean_and_std(numbers[rows]) for rows in groups.values()]
        out[f"{name}_mean"] = [mean for mean, _ in of_group]
        out[f"{name}_std"] = [std for _, std in of_group]
    return out


def mean_and_std(values: Any) -> tuple[float, float]:
    """Return mean and sample standard deviation; NaN for want of one value or two."""
    mean = float(np.mean(values)) if len(values) else NAN
    return mean, float(np.std(values, ddof=1)) if len(values) > 1 else NAN


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


def moment_columns(cell: Cell) -> dict[str, Any]:
    """Return the columns that say which space a row is of."""
    return {
        "task": cell.task,
        "model": cell.representation,
        "tuned_on": cell.tuned_on or "",
        "seed": cell.seed,
        "step": cell.step,
        "layer": cell.layer,
    }


Columns = dict[str, list[Any]]


class Finding(Showing, ABC):
    """The outcome of one analysis.

    Attributes
    ----------
    rows : tuple
        One named tuple a row, tidy: one number a column, one observation a row.
    notes : tuple of str
        What could not be computed or compared, and why; full sentences.
    """

    row_type: ClassVar[Any]
    keys: ClassVar[tuple[str, ...]]
    """Columns that say what a row is about; the seed is not among them."""
    values: ClassVar[tuple[str, ...]]
    """Columns of numbers that are summarised over seeds."""

    rows: tuple[Any, ...]
    notes: tuple[str, ...]

    def columns(self) -> Columns:
        """Return the rows as lists by column, without needing pandas."""
        return {name: [getattr(row, name) for row in self.rows] for name in self.row_type._fields}

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        table = frame(self.columns())
        for name in ("seed", "epoch"):
            # The model as published has no seed: a nullable column keeps whole numbers whole.
            if name in table:
                table[name] = table[name].astype("Int64")
        return table

    def over_seeds(self) -> Columns:
        """Return mean, sample standard deviation and number of seeds of every value.

        The deviation of a single seed is NaN; so is anything whose value is NaN for some seed.
        """
        return over_seeds(self.columns(), self.keys, self.values)

    def _summaries(self) -> Sequence[Summary]:
        columns = self.columns()
        about = (f"{name.replace('_', ' ')} {_told(columns[name])}" for name in self.keys)
        lines = [f"{count(len(self.rows), 'row')}; " + "; ".join(about) if self.rows else "no rows"]
        if self.notes:
            lines.append(f"{count(len(self.notes), 'note')}, such as: {self.notes[0]}")
        header = [f"{name} " if _is_number(values) else name for name, values in columns.items()]
        rows = tuple(tuple(map(_cell, row)) for row in self.rows[:MOST_ROWS])
        title = "The first rows" if len(self.rows) > MOST_ROWS else "All rows"
        return (Summary(tuple(lines), title, tuple(header), rows),)

    @abstractmethod
    def plot(self, ax: Any = None) -> Any:
        """Draw the finding.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; new ones by default.

        Returns
        -------
        matplotlib.axes.Axes, or a list of them for several panels

        Raises
        ------
        GeoprobeError
            If matplotlib is not installed.
        """


def _told(values: Sequence[Any]) -> str:
    """Say which values a column has: the ends of numbers, the first of names."""
    known = [value for value in dict.fromkeys(values) if value not in (None, "")]
    if known and _is_number(known):
        return str(known[0]) if len(known) == 1 else f"{_cell(min(known))} to {_cell(max(known))}"
    return first_few([str(value) for value in known], most=3) or "none"


def _is_number(values: Sequence[Any]) -> bool:
    return all(value is None or isinstance(value, (int, float)) for value in values)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, float) else str(value)
