"""Labelled points and the formats that hold them."""

from __future__ import annotations

from geoprobe.files.disk import DiskSpaceError, StoreError, check_disk
from geoprobe.spaces.formats import SUFFIXES
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.points_file import PointsFile, open_points
from geoprobe.spaces.space import Space, digits
from geoprobe.spaces.space_files import read_space
from geoprobe.spaces.store import SpaceStore, StoreRow, describe_store
from geoprobe.spaces.store_layout import estimate_bytes
from geoprobe.spaces.store_writer import SpaceWriter
from geoprobe.spaces.stored import StoredSpaces

__all__ = [
    "SUFFIXES",
    "DiskSpaceError",
    "PointsFile",
    "Space",
    "SpaceKey",
    "SpaceStore",
    "SpaceWriter",
    "StoreError",
    "StoreRow",
    "StoredSpaces",
    "check_disk",
    "describe_store",
    "digits",
    "estimate_bytes",
    "open_points",
    "read_space",
]
