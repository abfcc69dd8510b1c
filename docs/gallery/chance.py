"""Random labels: how often a hyperplane lies between two of them, counted, and as Cover has it."""

import numpy as np
from scipy.stats import binom

from geoprobe import hulls_overlap
from geoprobe.drawing.style import describe, legend, line_style, new_axes

n_dims, draws = 16, 40
sizes = np.arange(8, 65, 4)
rng = np.random.default_rng(0)


def share_apart(n_points):
    """Return how often two halves of random points are disjoint."""
    drawn = (rng.normal(size=(2, n_points // 2, n_dims)) for _ in range(draws))
    return np.mean([not hulls_overlap(*halves) for halves in drawn])


_, (ax,) = new_axes()
counted = [share_apart(size) for size in sizes]
ax.plot(sizes / n_dims, counted, label=f"counted, {draws} draws each", **line_style(0))
cover = binom.cdf(n_dims, sizes - 1, 0.5)
ax.plot(sizes / n_dims, cover, label="Cover 1965", **line_style(1))
describe(
    ax,
    title=f"Points of {n_dims} dimensions, labels by the toss of a coin",
    x="points for each dimension",
    y="share of draws that are linear",
)
legend(ax)
ax
