"""Runs of unchanged configs of DirectProbe, the reference implementation."""

from __future__ import annotations

from geoprobe.reference.run import ReferenceRun, run_config

__all__ = ["ReferenceRun", "run_config"]
