"""Versions of the packages that a result was made with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from importlib import metadata

from geoprobe import __version__


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each package, of those that are installed."""
    versions = {}
    for name in names:
        if name == "geoprobe":
            # It may run from a clone, beside another package of that name.
            versions[name] = __version__
            continue
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
