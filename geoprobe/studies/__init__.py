"""A study: a plan of many cells, run, resumed after any interruption, and gathered into tables."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoprobe.studies.folder import StudyFolder
    from geoprobe.studies.plan import ANALYSES, Plan, plan_from_table, read_plan
    from geoprobe.studies.running import Outcome, run_study
    from geoprobe.studies.status import StudyStatus, study_status

_HOMES = {
    "ANALYSES": "plan",
    "Outcome": "running",
    "Plan": "plan",
    "StudyFolder": "folder",
    "StudyStatus": "status",
    "plan_from_table": "plan",
    "read_plan": "plan",
    "run_study": "running",
    "study_status": "status",
}

__all__ = [
    "ANALYSES",
    "Outcome",
    "Plan",
    "StudyFolder",
    "StudyStatus",
    "plan_from_table",
    "read_plan",
    "run_study",
    "study_status",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for, and no more."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
