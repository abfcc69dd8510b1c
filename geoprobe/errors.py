"""Every error that geoprobe raises on purpose; each message is a full sentence."""

from __future__ import annotations

import os
from pathlib import Path


class GeoprobeError(ValueError):
    """Base of all errors of geoprobe."""


class InputError(GeoprobeError):
    """Arrays, labels or options that cannot be used."""


class InputTypeError(InputError, TypeError):
    """Something among the numbers that could never be one, such as a dictionary."""


class InputWarning(UserWarning):
    """Points that can be used, but whose numbers are probably not meant."""


class FormatError(GeoprobeError):
    """A file that cannot be read as what it should be.

    The text of the error starts with the file and, when known, the line.

    Parameters
    ----------
    message : str
        What was found and what was expected.
    path : path-like or None
        The file.
    line : int or None
        The line, counted from 1.

    Attributes
    ----------
    path : pathlib.Path or None
    line : int or None
    """

    def __init__(
        self, message: str, path: str | os.PathLike[str] | None = None, line: int | None = None
    ) -> None:
        self.path = None if path is None else Path(path)
        self.line = line
        place = "" if path is None else f"{path}: " if line is None else f"{path}, line {line}: "
        super().__init__(place + message)
        self._message = message

    def __reduce__(self) -> tuple[type[FormatError], tuple[object, ...]]:
        """Keep the place when the error crosses to another process."""
        return type(self), (self._message, self.path, self.line)


class OutputError(GeoprobeError):
    """An output folder that exists already or cannot be written."""


class OccupiedError(OutputError):
    """An output folder that holds something already."""


class ClusterError(GeoprobeError):
    """A cluster of machines that does not answer, or was lost."""


class PluginError(GeoprobeError):
    """An extension by another package that cannot be used; the message names the package."""


class VerificationError(GeoprobeError):
    """A result that does not hold against the data."""


class UnprovedError(GeoprobeError):
    """Neither overlap nor disjointness of two hulls could be proved."""
