"""Labelled points and the formats that hold them."""

from __future__ import annotations

from geoprobe.spaces.builtin import digits
from geoprobe.spaces.reading import SUFFIXES, read_space
from geoprobe.spaces.space import Space

__all__ = ["SUFFIXES", "Space", "digits", "read_space"]
