"""Probes: what a space says about its labels."""

from __future__ import annotations

from geoprobe.probes.blocks import Blocks, Counts
from geoprobe.probes.directprobe import DirectProbe

__all__ = ["Blocks", "Counts", "DirectProbe"]
