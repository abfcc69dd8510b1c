"""geoprobe: the geometry of labelled representations, exact and with proof."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoprobe.geometry import read_results, write_results
    from geoprobe.hulls import (
        HullResult,
        PairwiseDistances,
        Status,
        hull_distance,
        hulls_overlap,
        pairwise_hull_distances,
        point_to_hull,
    )
    from geoprobe.probes import DirectProbe
    from geoprobe.spaces import Space, read_space
    from geoprobe.verify import verify_results

__version__ = "0.1.0"

_ROOMS = {
    "HullResult": "hulls",
    "PairwiseDistances": "hulls",
    "Status": "hulls",
    "hull_distance": "hulls",
    "hulls_overlap": "hulls",
    "pairwise_hull_distances": "hulls",
    "point_to_hull": "hulls",
    "DirectProbe": "probes",
    "read_results": "geometry",
    "verify_results": "verify",
    "write_results": "geometry",
    "Space": "spaces",
    "read_space": "spaces",
}

__all__ = [
    "DirectProbe",
    "HullResult",
    "PairwiseDistances",
    "Space",
    "Status",
    "__version__",
    "hull_distance",
    "hulls_overlap",
    "pairwise_hull_distances",
    "point_to_hull",
    "read_results",
    "read_space",
    "verify_results",
    "write_results",
]


def __getattr__(name: str) -> Any:
    """Load a room when one of its names is first asked for."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'geoprobe' has no attribute {name!r}")
    return getattr(importlib.import_module(f"geoprobe.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
