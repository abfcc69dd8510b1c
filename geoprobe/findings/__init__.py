"""Findings: what the measured geometry of spaces says about a representation and its tuning."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoprobe.findings.between import InBetween, standing_between
    from geoprobe.findings.bootstrap import (
        accuracy_change_interval,
        accuracy_interval,
        movement_intervals,
    )
    from geoprobe.findings.centroid_paths import CentroidPaths, closest_labels, follow_centroids
    from geoprobe.findings.cross_task import CrossTask, compare_tasks
    from geoprobe.findings.differences import Differences, difference_vectors
    from geoprobe.findings.finding import Finding
    from geoprobe.findings.intervals import Interval
    from geoprobe.findings.label_pairs import (
        LabelDistances,
        LabelMatch,
        label_distances,
        match_labels,
    )
    from geoprobe.findings.linearity import Linearity, compare_linearity
    from geoprobe.findings.memorisation import (
        Memorisation,
        compare_memorisation,
        subtrain_curves,
        subtrain_split,
    )
    from geoprobe.findings.min_distances import MinDistances, minimum_distances
    from geoprobe.findings.movement import Movement, measure_movement
    from geoprobe.findings.performance import Performance, compare_performance
    from geoprobe.findings.resampling import (
        ResampledDistances,
        load_resamples,
        resample_distances,
        save_resamples,
        similarity_interval,
    )
    from geoprobe.findings.seeds import over_seeds
    from geoprobe.findings.similarity import (
        Similarity,
        SimilarityDuringTuning,
        similarity_to_original,
        spatial_similarity,
    )
    from geoprobe.findings.trajectories import Trajectory, arrange_runs

_HOMES = {
    "CentroidPaths": "centroid_paths",
    "CrossTask": "cross_task",
    "Differences": "differences",
    "Finding": "finding",
    "InBetween": "between",
    "Interval": "intervals",
    "LabelDistances": "label_pairs",
    "LabelMatch": "label_pairs",
    "Linearity": "linearity",
    "Memorisation": "memorisation",
    "MinDistances": "min_distances",
    "Movement": "movement",
    "Performance": "performance",
    "ResampledDistances": "resampling",
    "Similarity": "similarity",
    "SimilarityDuringTuning": "similarity",
    "Trajectory": "trajectories",
    "accuracy_change_interval": "bootstrap",
    "accuracy_interval": "bootstrap",
    "arrange_runs": "trajectories",
    "closest_labels": "centroid_paths",
    "compare_linearity": "linearity",
    "compare_memorisation": "memorisation",
    "compare_performance": "performance",
    "compare_tasks": "cross_task",
    "difference_vectors": "differences",
    "follow_centroids": "centroid_paths",
    "label_distances": "label_pairs",
    "load_resamples": "resampling",
    "match_labels": "label_pairs",
    "measure_movement": "movement",
    "minimum_distances": "min_distances",
    "movement_intervals": "bootstrap",
    "over_seeds": "seeds",
    "resample_distances": "resampling",
    "save_resamples": "resampling",
    "similarity_interval": "resampling",
    "similarity_to_original": "similarity",
    "spatial_similarity": "similarity",
    "standing_between": "between",
    "subtrain_curves": "memorisation",
    "subtrain_split": "memorisation",
}

__all__ = [
    "CentroidPaths",
    "CrossTask",
    "Differences",
    "Finding",
    "InBetween",
    "Interval",
    "LabelDistances",
    "LabelMatch",
    "Linearity",
    "Memorisation",
    "MinDistances",
    "Movement",
    "Performance",
    "ResampledDistances",
    "Similarity",
    "SimilarityDuringTuning",
    "Trajectory",
    "accuracy_change_interval",
    "accuracy_interval",
    "arrange_runs",
    "closest_labels",
    "compare_linearity",
    "compare_memorisation",
    "compare_performance",
    "compare_tasks",
    "difference_vectors",
    "follow_centroids",
    "label_distances",
    "load_resamples",
    "match_labels",
    "measure_movement",
    "minimum_distances",
    "movement_intervals",
    "over_seeds",
    "resample_distances",
    "save_resamples",
    "similarity_interval",
    "similarity_to_original",
    "spatial_similarity",
    "standing_between",
    "subtrain_curves",
    "subtrain_split",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for, and no more."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
