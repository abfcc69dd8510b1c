"""Measured geometry: pairs of hulls with bounds and supports, clusters, predictions, one format."""

from __future__ import annotations

from geoprobe.geometry.cells import Cell
from geoprobe.geometry.clusters import Blocks, Clusters, Counts
from geoprobe.geometry.label_table import LabelTable
from geoprobe.geometry.measured import Geometry, Predictions
from geoprobe.geometry.npz import read_geometry, write_geometry
from geoprobe.geometry.pairs import HullResult, PairwiseDistances, Stage, Status, Supports
from geoprobe.geometry.results_folder import Results, read_results, write_results

__all__ = [
    "Blocks",
    "Cell",
    "Clusters",
    "Counts",
    "Geometry",
    "HullResult",
    "LabelTable",
    "PairwiseDistances",
    "Predictions",
    "Results",
    "Stage",
    "Status",
    "Supports",
    "read_geometry",
    "read_results",
    "write_geometry",
    "write_results",
]
