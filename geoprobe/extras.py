"""Libraries that an extra installs, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from geoprobe.errors import GeoprobeError

DISTRIBUTION = "geoprobe-engine"
"""The name on package indexes, where ``geoprobe`` is somebody else's."""


def installing(extra: str) -> str:
    """Return the command that installs an extra, as messages end.

    Examples
    --------
    >>> installing("ray")
    'pip install "geoprobe-engine[ray]"'
    """
    return f'pip install "{DISTRIBUTION}[{extra}]"'


def need(name: str, extra: str, what: str = "this") -> Any:
    """Import a module that the core does without.

    Parameters
    ----------
    name : str
        Dotted name, such as ``"pyarrow.parquet"``.
    extra : str
        Of geoprobe, which installs it.
    what : str
        What needs it, as the subject of a sentence.

    Raises
    ------
    GeoprobeError
        If the package is not installed; the message says how to install it.
    """
    package = name.partition(".")[0]
    try:
        module = import_module(name)
        # A folder of that name where the process was started is no package.
        if getattr(module, "__file__", None) is not None:
            return module
        missing: ImportError | None = None
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        missing = error
    raise GeoprobeError(
        f"{what} needs {package}, which is not installed: {installing(extra)}."
    ) from missing
