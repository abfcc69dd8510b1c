"""Packages of the extra ``report``, imported when they are first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from geoprobe.errors import GeoprobeError


def need(name: str) -> Any:
    """Import a module of pandas or matplotlib.

    Parameters
    ----------
    name : str
        Dotted name, such as ``"matplotlib.figure"``.

    Raises
    ------
    GeoprobeError
        If the package is not installed; the message says how to install it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise GeoprobeError(
            f'this needs {package}, which is not installed: pip install "geoprobe[report]".'
        ) from error
