"""Probes: what a space says about its labels."""

from __future__ import annotations

from geoprobe.probes.directprobe import DirectProbe
from geoprobe.probes.measure import measure, measure_labels, predict_space
from geoprobe.probes.permuted import permuted_cluster_counts

__all__ = [
    "DirectProbe",
    "measure",
    "measure_labels",
    "permuted_cluster_counts",
    "predict_space",
]
