"""Accuracies of classifiers that differ in nothing but their seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Accuracies:
    """Accuracies between 0 and 1.

    Attributes
    ----------
    each : tuple of float
        One per initialisation.
    """

    each: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(np.mean(self.each))

    @property
    def std(self) -> float:
        """Their standard deviation, as of a sample (n - 1); nan for a single one."""
        return float(np.std(self.each, ddof=1)) if len(self.each) > 1 else float("nan")

    def __str__(self) -> str:
        """Mean and standard deviation, for a person."""
        return f"{self.mean:.4f} ± {self.std:.4f}"
