"""Extensions by other packages: entry points, found by name and loaded when they are asked for.

docs/importing-tools.md says what is expected behind each group.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

from geoprobe.errors import GeoprobeError, PluginError

TASKS, ENCODERS = "geoprobe.tasks", "geoprobe.encoders"
READERS, FINDINGS = "geoprobe.readers", "geoprobe.findings"
GROUPS = (TASKS, ENCODERS, READERS, FINDINGS)

Kind = TypeVar("Kind")


def offered(group: str, own: Iterable[str] = ()) -> dict[str, EntryPoint]:
    """Return what other packages offer, by name; nothing is loaded.

    Parameters
    ----------
    group : str
    own : iterable of str
        Names that geoprobe has itself.

    Raises
    ------
    PluginError
        If two packages offer the same name, or one offers a name of geoprobe's own.
    """
    taken = dict.fromkeys(own, "geoprobe")
    found: dict[str, EntryPoint] = {}
    for point in _installed(group):
        if point.name in taken:
            raise PluginError(
                f"{_whose(point)} offers {point.name!r} in the group {group!r}, but "
                f"{taken[point.name]} has one of that name; uninstall one of them."
            )
        taken[point.name] = _whose(point)
        found[point.name] = point
    return found


def load(point: EntryPoint, expected: type[Kind]) -> Kind:
    """Import what an entry point names.

    Raises
    ------
    PluginError
        If that fails, or it is of another type.
    """
    try:
        value = point.load()
    except Exception as error:
        raise _failed(point, "cannot be loaded", error) from error
    return _checked(point, "is", value, expected)


def ask(point: EntryPoint, expected: type[Kind], *args: Any) -> Kind:
    """Return what the function behind an entry point answers.

    Raises
    ------
    PluginError
        If it cannot be loaded or fails, or its answer is of another type.
    GeoprobeError
        Whatever of that kind the function raises itself.
    """
    function = load(point, object)
    if not callable(function):
        raise PluginError(f"{_what(point)} is {function!r:.200}, but a function is expected.")
    try:
        answer = function(*args)
    except GeoprobeError:
        raise
    except Exception as error:
        raise _failed(point, "fails", error) from error
    return _checked(point, "gives", answer, expected)


def origin(point: EntryPoint) -> str:
    """Return the name and version of the distribution that offers something."""
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"


@cache
def _installed(group: str) -> tuple[EntryPoint, ...]:
    return tuple(sorted(metadata.entry_points(group=group), key=lambda p: (p.name, origin(p))))


def _whose(point: EntryPoint) -> str:
    return f"the package {origin(point)}"


def _what(point: EntryPoint) -> str:
    return f"{point.name!r} ({point.group}, {origin(point)})"


def _failed(point: EntryPoint, how: str, error: Exception) -> PluginError:
    reason = " ".join(str(error).split())
    return PluginError(f"{_what(point)} {how}: {type(error).__name__}: {reason}.")


def _checked(point: EntryPoint, verb: str, value: Any, expected: type[Kind]) -> Kind:
    if not isinstance(value, expected):
        raise PluginError(
            f"{_what(point)} {verb} of type {type(value).__name__}, but {expected.__name__} is "
            f"expected."
        )
    return value
