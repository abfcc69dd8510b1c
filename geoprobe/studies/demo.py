"""The built-in study."""

from __future__ import annotations

from importlib import resources

from geoprobe.studies.plan import Plan, read_plan


def demo_plan() -> Plan:
    """Return the plan of ``geoprobe demo``."""
    with resources.as_file(resources.files("geoprobe.studies") / "plans" / "demo.toml") as path:
        return read_plan(path)
