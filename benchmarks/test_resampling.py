"""Resamples and permuted labels of one space: geoprobe, and the plain loop over its own calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from benchmarks.inputs import space
from geoprobe.hulls import PairwiseDistances, ResampledHulls, pairwise_hull_distances
from geoprobe.hulls.resampled import resampled_hull_distances
from geoprobe.probes import DirectProbe, permuted_cluster_counts

NUMBER = 100
# The plain loops do so many of them, and are charged for all.
FEW = 5
RESAMPLES = "PS layer 6: distances in 100 resamples"
LABELINGS = "PS layer 6: clusters of 100 permutations of its labels"


@cache
def resamples() -> list[np.ndarray]:
    """Return rows drawn with replacement within labels."""
    _, y = space("ps_layer6", "role")
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(y == label) for label in np.unique(y)]
    return [
        np.concatenate([rng.choice(rows, len(rows)) for rows in members]) for _ in range(NUMBER)
    ]


@cache
def labelings() -> np.ndarray:
    _, y = space("ps_layer6", "role")
    return np.array([np.random.default_rng(seed).permutation(y) for seed in range(NUMBER)])


@pytest.mark.parametrize("threads", [1, 2])
def test_resamples(timed: Callable[..., Any], threads: int) -> None:
    X, y = space("ps_layer6", "role")

    def outcome(found: ResampledHulls) -> str:
        gap = ((found.upper - found.lower) / found.upper).max()
        return f"{found.lower.size:,} distances, widest gap {gap:.1e}"

    timed(
        lambda: resampled_hull_distances(X, y, resamples(), n_threads=threads),
        work=RESAMPLES,
        program="geoprobe",
        threads=threads,
        outcome=outcome,
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_resamples_one_by_one(timed: Callable[..., Any], threads: int) -> None:
    X, y = space("ps_layer6", "role")
    some = [np.unique(rows) for rows in resamples()[:FEW]]

    def outcome(answers: list[PairwiseDistances]) -> str:
        found = resampled_hull_distances(X, y, some).distance
        plain = np.array([each.distance for each in answers])
        gap = max(((each.upper - each.lower) / each.upper).max() for each in answers)
        apart = np.abs(found / plain - 1.0).max()
        return f"widest gap {gap:.1e}; the distances above differ by {apart:.1e} at most"

    timed(
        lambda: [pairwise_hull_distances(X[rows], y[rows], n_threads=threads) for rows in some],
        work=RESAMPLES,
        program="geoprobe, one by one",
        threads=threads,
        rounds=1,
        share=FEW / NUMBER,
        outcome=outcome,
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_labelings(timed: Callable[..., Any], threads: int) -> None:
    X, _ = space("ps_layer6", "role")

    def outcome(counts: np.ndarray) -> str:
        values, times = np.unique(counts, return_counts=True)
        found = ", ".join(f"{n} times {value}" for value, n in zip(values, times, strict=True))
        return f"{found} clusters"

    permuted_cluster_counts(X[:200], labelings()[:1, :200])
    timed(
        lambda: permuted_cluster_counts(X, labelings(), n_threads=threads),
        work=LABELINGS,
        program="geoprobe",
        threads=threads,
        rounds=1,
        warm=False,
        outcome=outcome,
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_labelings_one_by_one(timed: Callable[..., Any], threads: int) -> None:
    X, _ = space("ps_layer6", "role")
    some = labelings()[:FEW]

    def outcome(counts: list[int]) -> str:
        same = permuted_cluster_counts(X, some).tolist() == counts
        return f"{counts} clusters, {'the same' if same else 'OTHERS'} above"

    timed(
        lambda: [int(DirectProbe(n_threads=threads).fit(X, y).n_clusters_) for y in some],
        work=LABELINGS,
        program="geoprobe, one by one",
        threads=threads,
        rounds=1,
        warm=False,
        share=FEW / NUMBER,
        outcome=outcome,
    )
