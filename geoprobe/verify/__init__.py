"""Verification: what a geometry claims, checked against the points in plain NumPy."""

from __future__ import annotations

from geoprobe.verify.claims import VerificationReport, verify_geometry
from geoprobe.verify.results import verify_results

__all__ = ["VerificationReport", "verify_geometry", "verify_results"]
