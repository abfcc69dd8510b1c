"""The report of a study: one page for a reader, and every figure and number beside it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoprobe.report.summary import headlines
    from geoprobe.report.writing import write_report

_HOMES = {"headlines": "summary", "write_report": "writing"}

__all__ = ["headlines", "write_report"]


def __getattr__(name: str) -> Any:
    """Load what is asked for, and no more."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
