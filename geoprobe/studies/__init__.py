"""A study: a plan of many cells, run, resumed after any interruption, and gathered into tables."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoprobe.studies.folder import StudyFolder
    from geoprobe.studies.gathering import Gathered, Section, View, gather
    from geoprobe.studies.material import Material, load_material
    from geoprobe.studies.plan import ANALYSES, Plan, plan_from_table, read_plan
    from geoprobe.studies.running import Outcome, run_study
    from geoprobe.studies.status import StudyStatus, study_status
    from geoprobe.studies.tables import Tables, write_tables
    from geoprobe.studies.verify import verify_study

_HOMES = {
    "ANALYSES": "plan",
    "Gathered": "gathering",
    "Material": "material",
    "Outcome": "running",
    "Plan": "plan",
    "Section": "gathering",
    "StudyFolder": "folder",
    "StudyStatus": "status",
    "Tables": "tables",
    "View": "gathering",
    "gather": "gathering",
    "load_material": "material",
    "plan_from_table": "plan",
    "read_plan": "plan",
    "run_study": "running",
    "study_status": "status",
    "verify_study": "verify",
    "write_tables": "tables",
}

__all__ = [
    "ANALYSES",
    "Gathered",
    "Material",
    "Outcome",
    "Plan",
    "Section",
    "StudyFolder",
    "StudyStatus",
    "Tables",
    "View",
    "gather",
    "load_material",
    "plan_from_table",
    "read_plan",
    "run_study",
    "study_status",
    "verify_study",
    "write_tables",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for, and no more."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
