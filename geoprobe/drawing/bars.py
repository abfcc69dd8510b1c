"""Bars: the clusters of each label, end to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.drawing.style import colour, describe, note, one_axes, tell

MOST_LABELS = 30
_MOST_PARTS = 25


def draw_clusters(
    names: Sequence[str],
    label: NDArray[np.int64],
    size: NDArray[np.int64],
    *,
    ax: Any = None,
    title: str = "",
) -> Any:
    """Draw each label as a bar of its points, cut where one of its clusters ends.

    Parameters
    ----------
    names : sequence of str, shape (n_labels,)
    label, size : ndarray of int64, shape (n_clusters,)
        Label and number of points of each cluster.
    ax : matplotlib.axes.Axes, optional
    title : str

    Returns
    -------
    matplotlib.axes.Axes
        With at most 30 labels, those of most clusters first.
    """
    n_clusters = np.bincount(label, minlength=len(names))
    order = np.argsort(-n_clusters, kind="stable")[:MOST_LABELS]
    ax = one_axes(ax, height=1.4 + 0.22 * len(order))
    for place, k in enumerate(order.tolist()):
        own = np.sort(size[label == k])[::-1]
        # Hundreds of slivers would only be a stripe.
        parts = np.r_[own[:_MOST_PARTS], own[_MOST_PARTS:].sum()] if len(own) > _MOST_PARTS else own
        start = np.r_[0, np.cumsum(parts)[:-1]]
        bars = ax.barh(
            np.full(len(parts), place), parts, left=start, height=0.72,
            color=colour(k), edgecolor="white", linewidth=0.8,
        )  # fmt: skip
        for bar, part in zip(bars, parts.tolist(), strict=True):
            tell(bar, [f"{names[k]}\n{part:,} of {own.sum():,} points"])
        note(
            ax, float(own.sum()), place, f"{len(own):,}", xytext=(4, 0),
            textcoords="offset points", va="center",
        )  # fmt: skip
    ax.set_yticks(range(len(order)), [names[k] for k in order], parse_math=False)
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.margins(x=0.12)
    ax.grid(False, axis="y")
    if len(order) < len(names):
        title += f" ({len(order)} of {len(names):,} labels, those of most clusters)"
    describe(ax, title=title, x="points; the number of clusters stands at the end")
    return ax
