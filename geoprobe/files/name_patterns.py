"""Patterns of names: wildcards as in a shell, and names in braces that say what a file is."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from geoprobe.errors import FormatError, InputError

_TOKEN = re.compile(r"\{(?P<name>[^{}]*)\}|(?P<wild>[*?])")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def names_in(pattern: str) -> tuple[str, ...]:
    """Return the names in braces, each once, in their order.

    Raises
    ------
    InputError
        If a brace has no partner, or what stands between two is no name.
    """
    found = [match["name"] for match in _TOKEN.finditer(pattern) if match["name"] is not None]
    rest = _TOKEN.sub("", pattern)
    if "{" in rest or "}" in rest:
        raise InputError(f"the pattern {pattern!r} has a brace without its partner.")
    for name in found:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"the pattern {pattern!r} has {{{name}}}, but letters, digits and '_' are expected "
                f"between braces, such as {{model}}."
            )
    return tuple(dict.fromkeys(found))


def fill_in(pattern: str, values: Mapping[str, object]) -> str:
    """Put values in the place of the names in braces; wildcards stay.

    Raises
    ------
    InputError
        If a name has no value.
    """
    for name in names_in(pattern):
        if name not in values:
            known = ", ".join(values) or "nothing"
            raise InputError(f"nothing is known of {{{name}}} in {pattern!r}, only of {known}.")
    return _TOKEN.sub(lambda m: m[0] if m["name"] is None else str(values[m["name"]]), pattern)


@dataclass(frozen=True)
class NamePattern:
    """A pattern for one name: of a file, a folder or an array.

    Attributes
    ----------
    text : str
    whole : collection of str
        Names in braces that stand for whole numbers.
    """

    text: str
    whole: Collection[str] = ()

    def read(self, name: str) -> dict[str, str] | None:
        """Return what the names in braces stand for; None where the pattern does not fit.

        Raises
        ------
        InputError
            If the name can be read in two ways.
        """
        first, second = (expression.fullmatch(name) for expression in self._expressions)
        if first is None or second is None:
            return None
        if first.groupdict() != second.groupdict():
            ways = " or ".join(
                ", ".join(f"{key} {value!r}" for key, value in match.groupdict().items())
                for match in (first, second)
            )
            raise InputError(
                f"{name!r} fits the pattern {self.text!r} in two ways, {ways}; a table says it "
                f"without doubt."
            )
        return first.groupdict()

    @cached_property
    def _expressions(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """Return regular expressions whose names take as much as they can, and as little."""
        return re.compile(self._expression("+")), re.compile(self._expression("+?"))

    def _expression(self, many: str) -> str:
        out, seen, end = "", set[str](), 0
        for match in _TOKEN.finditer(self.text):
            out += re.escape(self.text[end : match.start()])
            end, name = match.end(), match["name"]
            if name is None:
                out += "[^/]*" if match["wild"] == "*" else "[^/]"
            elif name in seen:
                out += f"(?P={name})"
            else:
                out += f"(?P<{name}>{'[0-9]' if name in self.whole else '[^/]'}{many})"
                seen.add(name)
        return out + re.escape(self.text[end:])


def find_files(
    pattern: str,
    folder: str | os.PathLike[str],
    whole: Collection[str] = (),
    *,
    is_other: Callable[[Path], bool] | None = None,
) -> list[tuple[Path, dict[str, str]]]:
    """Find the files that fit a pattern, and what the names in braces stand for.

    Parameters
    ----------
    pattern : str
        A path with ``{name}``, ``*`` and ``?`` in its parts, and ``**`` for any number of folders.
    folder : path-like
        Where a path starts that does not start at the root of the file system.
    whole : collection of str
        Names in braces that stand for whole numbers.
    is_other : callable, optional
        Whether what is no file is to be found as well; some formats are folders.

    Returns
    -------
    list of (Path, dict of str to str)
        In the order of their paths.

    Raises
    ------
    InputError
        If the pattern is wrong, or a file's name can be read in two ways.
    FormatError
        If no file fits: it names where the search began, and how far it came.
    """
    names_in(pattern)
    try:
        start = Path(pattern).expanduser()
    except RuntimeError as error:
        raise InputError(f"there is no folder of a user for {pattern!r}.") from error
    parts = start.parts
    base = Path(folder)
    if start.is_absolute():
        base, parts = Path(start.anchor), parts[1:]
    reached: list[Path] = []
    walk = _Walk(whole, is_other, reached)
    found = sorted(walk.files(str(base), parts, {}), key=lambda pair: pair[0])
    if not found:
        deepest = max(reached, key=lambda path: len(path.parts), default=base)
        inside = _inside(deepest)
        if deepest != base:
            inside = f"the search came as far as {deepest}: {inside}"
        raise FormatError(f"no file fits the pattern {pattern!r}; {inside}.", base)
    return [(Path(name), values) for name, values in found]


@dataclass(frozen=True)
class _Walk:
    """A walk below a folder along the parts of a pattern; ``reached`` is where it has been."""

    whole: Collection[str]
    is_other: Callable[[Path], bool] | None
    reached: list[Path]

    def files(
        self, folder: str, parts: tuple[str, ...], values: dict[str, str]
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield the files that fit, with what the names stand for."""
        if not parts:
            return
        part, rest = parts[0], parts[1:]
        if Path(folder).is_dir():
            self.reached.append(Path(folder))
        if part == "**":
            yield from self.files(folder, rest, values)
            for entry in _entries(folder):
                # A link may lead back up.
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    yield from self.files(entry.path, parts, values)
            return
        if not _TOKEN.search(part):
            path = Path(folder) / part
            yield from self._found(str(path), path.is_file(), rest, values)
            return
        fits = NamePattern(part, self.whole)
        for entry in _entries(folder):
            if entry.name.startswith(".") and not part.startswith("."):
                continue
            here = fits.read(entry.name)
            if here is None or any(values.get(key, text) != text for key, text in here.items()):
                continue
            yield from self._found(entry.path, _is_file(entry), rest, values | here)

    def _found(
        self, path: str, is_file: bool, rest: tuple[str, ...], values: dict[str, str]
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield a path that fits the whole pattern, or what is below it and fits the rest."""
        if rest:
            if not is_file and Path(path).is_dir():
                yield from self.files(path, rest, values)
        elif is_file or (self.is_other is not None and self.is_other(Path(path))):
            yield path, values


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what is in a folder, sorted by name; it says itself what is a file."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise FormatError(f"the folder cannot be read: {error.strerror}.", Path(folder)) from error


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a file; a link that leads nowhere, or in a circle, is not."""
    with contextlib.suppress(OSError):
        return entry.is_file()
    return False


def _inside(folder: Path) -> str:
    """Say what is in a folder, in a few words."""
    if not folder.is_dir():
        return "there is no such folder"
    names = [entry.name for entry in _entries(str(folder))]
    if not names:
        return "this folder is empty"
    shown = ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" * (len(names) > 5))
    return f"in this folder are {shown}"
