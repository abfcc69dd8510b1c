"""Sets of points: overlap, nearest points, distance, and what proves them."""

from __future__ import annotations

from geoprobe.geometry.pairs import HullResult, PairwiseDistances, Stage, Status, Supports
from geoprobe.hulls.distance import hull_distance, hulls_overlap, point_to_hull
from geoprobe.hulls.pairwise import pairwise_hull_distances
from geoprobe.hulls.resampled import ResampledHulls, resampled_hull_distances

__all__ = [
    "HullResult",
    "PairwiseDistances",
    "ResampledHulls",
    "Stage",
    "Status",
    "Supports",
    "hull_distance",
    "hulls_overlap",
    "pairwise_hull_distances",
    "point_to_hull",
    "resampled_hull_distances",
]
