"""What a results folder holds: the names of its files and of their columns."""

from __future__ import annotations

FORMAT = "geoprobe results"
FORMAT_VERSION = 1

SUMMARY = "summary.json"
CLUSTERS = "clusters.csv"
DISTANCES = "distances.csv"
LABEL_DISTANCES = "label_distances.csv"
ASSIGNMENTS = "assignments.csv"
BLOCKS = "blocks.csv"
PREDICTIONS = "predictions.csv"
CERTIFICATES = "certificates.npz"

PROBE_FILES = (CLUSTERS, DISTANCES, LABEL_DISTANCES, ASSIGNMENTS, BLOCKS, CERTIFICATES)

COLUMNS: dict[str, tuple[str, ...]] = {
    CLUSTERS: ("cluster", "label", "size", "first_row"),
    DISTANCES: (
        "cluster_a",
        "label_a",
        "cluster_b",
        "label_b",
        "lower",
        "upper",
        "status",
        "stage",
    ),
    LABEL_DISTANCES: ("label_a", "label_b", "pairs", "lower", "upper", "mean"),
    ASSIGNMENTS: ("row", "label", "cluster"),
    BLOCKS: ("cluster_a", "cluster_b", "label", "blocker", "blocker_label", "gap", "certificate"),
    PREDICTIONS: ("row", "label", "predicted", "cluster", "distance"),
}

# The tables spell status and stage out. The order is that of hulls.results.Status and Stage,
# which is not imported: what verifies a result must not load what computed it.
STATUS_NAMES = ("disjoint", "overlap", "unproved")
STAGE_NAMES = ("kernel", "highs")
DISJOINT, OVERLAP, UNPROVED = range(3)

SUPPORT_ARRAYS = ("start_a", "index_a", "weight_a", "start_b", "index_b", "weight_b")
"""Each lies in certificates.npz once as ``distances_*`` and once as ``blocks_*``."""
