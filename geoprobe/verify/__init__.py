"""Verification: what a geometry claims, checked against the points in plain NumPy."""

from __future__ import annotations

from geoprobe.verify.folder import verify_results
from geoprobe.verify.geometry import VerificationReport, verify_geometry

__all__ = ["VerificationReport", "verify_geometry", "verify_results"]
