"""What all nine findings have in common: rows, notes, a table and a figure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from geoprobe.findings.optional import need
from geoprobe.findings.seeds import over_seeds

Columns = dict[str, list[Any]]


class Finding(ABC):
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
        frame = need("pandas").DataFrame(self.columns())
        for name in ("seed", "epoch"):
            # The model as published has no seed: a nullable column keeps whole numbers whole.
            if name in frame:
                frame[name] = frame[name].astype("Int64")
        return frame

    def over_seeds(self) -> Columns:
        """Return mean, sample standard deviation and number of seeds of every value.

        The deviation of a single seed is NaN; so is anything whose value is NaN for some seed.
        """
        return over_seeds(self.columns(), self.keys, self.values)

    @abstractmethod
    def plot(self, ax: Any = None) -> Any:
        """Draw the finding.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        GeoprobeError
            If matplotlib is not installed.
        """
