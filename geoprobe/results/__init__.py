"""Results folders: written at once or not at all, read back, and verified without the engine."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoprobe.results.content import Predictions, predict_space
    from geoprobe.results.read import Results, read_results
    from geoprobe.results.source import Source
    from geoprobe.results.summary import read_summary
    from geoprobe.results.verify import VerificationReport, remembered_source, verify_results
    from geoprobe.results.write import write_distances, write_results

_HOMES = {
    "Predictions": "content",
    "Results": "read",
    "Source": "source",
    "VerificationReport": "verify",
    "predict_space": "content",
    "read_results": "read",
    "read_summary": "summary",
    "remembered_source": "verify",
    "verify_results": "verify",
    "write_distances": "write",
    "write_results": "write",
}

__all__ = [
    "Predictions",
    "Results",
    "Source",
    "VerificationReport",
    "predict_space",
    "read_results",
    "read_summary",
    "remembered_source",
    "verify_results",
    "write_distances",
    "write_results",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for, and no more."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
