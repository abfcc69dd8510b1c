"""Compiled kernels on disk: what they depend on, and a place for them that never ends a run."""

from __future__ import annotations

import ast
import atexit
import contextlib
import hashlib
import os
import pickle
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

_HERE = Path(__file__).parent
_PACKAGE = "geoprobe.kernels"
# What the compiled code of every kernel depends on: the options, and the fields of the tuples.
_ALWAYS = ("jit", "state")


class CacheWarning(UserWarning):
    """Compiled kernels cannot be kept, or read, where they should."""


def cache_folder(name: str) -> Path:
    """Return where the compiled kernels of a file are kept, a folder for each version of them.

    Numba notices a change of the file that a kernel stands in, not of the files it calls. The
    name of the folder therefore carries a hash of all files that the code depends on, see
    :func:`dependencies`. It lies in the user's cache; ``GEOPROBE_CACHE_DIR`` names another place.

    Parameters
    ----------
    name : str
        The file's name without its suffix.
    """
    digest = hashlib.sha256()
    for each in sorted(dependencies(name)):
        digest.update(f"{each}\n".encode())
        digest.update(_source(each))
    return _base() / f"{name}-{digest.hexdigest()[:16]}"


@cache
def _base() -> Path:
    """Return the folder of all compiled kernels: the user's, or a temporary one instead."""
    try:
        base = _users_folder()
    except RuntimeError as error:
        return _temporary_folder("the cache folder", str(error))
    why = _refusal(base)
    return base if why is None else _temporary_folder(base, why)


def _users_folder() -> Path:
    """Return the folder that the user's environment names.

    Raises
    ------
    RuntimeError
        If there is none: the user has no home.
    """
    chosen = os.environ.get("GEOPROBE_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "geoprobe"


def _refusal(folder: Path) -> str | None:
    """Return why no file can be written into a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Access rights do not tell everything: a file system may be read-only.
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _temporary_folder(instead_of: Path | str, why: str) -> Path:
    """Return a folder that lasts as long as this process, and warn."""
    instead = Path(tempfile.mkdtemp(prefix="geoprobe-kernels-"))
    atexit.register(shutil.rmtree, instead, ignore_errors=True)
    # Processes that this one starts share the folder.
    os.environ["GEOPROBE_CACHE_DIR"] = str(instead)
    warnings.warn(
        f"{instead_of} cannot hold compiled kernels ({why}); this run keeps them in "
        f"{instead}, and the next one compiles them again. GEOPROBE_CACHE_DIR names another "
        "folder.",
        CacheWarning,
        stacklevel=2,
    )
    return instead


class Kept(FunctionCache):  # type: ignore[misc]
    """The compiled versions of a kernel on disk, whose failure costs time and not the run."""

    @property
    def is_empty(self) -> bool:
        """Whether no version is kept."""
        return not any(Path(self.cache_path).glob(f"*.{self._py_func.__name__}-*.nbc"))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return a version that is kept, or None; one that is damaged is none."""
        try:
            return super().load_overload(sig, target_context)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self._warn("read", error)
            # The next process finds an empty list of versions instead of a damaged one.
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a version if the disk allows it."""
        try:
            super().save_overload(sig, data)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self._warn("kept", error)

    def _warn(self, what: str, error: Exception) -> None:
        warnings.warn(
            f"compiled kernels cannot be {what} in {_base()} "
            f"({getattr(error, 'strerror', None) or 'damaged'}); they are compiled again. "
            "GEOPROBE_CACHE_DIR names another folder.",
            CacheWarning,
            stacklevel=2,
        )


def cache_of(function: Callable[..., Any], kind: str) -> Kept | None:
    """Return the cache of a kernel, in a temporary folder where its own cannot be written to.

    Where there is none either, as on a full disk, return None: the kernel is not kept. Nor is one
    outside this package, as in tests.

    Parameters
    ----------
    function : callable
        The kernel as written.
    kind : str
        Tells apart what is compiled from one function in several ways.
    """
    package, _, name = function.__module__.rpartition(".")
    if package != _PACKAGE:
        return None
    try:
        folder = cache_folder(name) / kind
        kept = _kept_in(folder, function)
        if kept is None:
            # A folder of another user's, say, in one of this user's.
            refusals = [_refusal(each) for each in (folder, *folder.glob("*"))]
            _temporary_folder(folder, next(filter(None, refusals), "Numba refuses it"))
            _base.cache_clear()
            kept = _kept_in(cache_folder(name) / kind, function)
    except OSError as error:
        warnings.warn(
            f"no folder can hold compiled kernels ({error.strerror or error}); this run and the "
            "next one compile them. GEOPROBE_CACHE_DIR names another folder.",
            CacheWarning,
            stacklevel=2,
        )
        return None
    return kept


def _kept_in(folder: Path, function: Callable[..., Any]) -> Kept | None:
    """Return the cache of a kernel in a folder, or None where it cannot be written to.

    Left to itself Numba would go on to the folder that the package is installed in.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        kept = Kept(function)
    except RuntimeError:
        return None
    finally:
        numba.config.CACHE_DIR = before
    return kept if Path(kept.cache_path).is_relative_to(folder) else None


def dependencies(name: str) -> set[str]:
    """Return the kernel files that the compiled code of one of them depends on, itself included.

    A kernel depends on what it calls and on the constants it reads, all of which its file
    imports, directly or not; on the options in ``jit.py``; and on the fields of the tuples that it
    is given, which no import tells, and which therefore all stand in ``state.py``.
    """
    known: set[str] = set()
    ahead = [name, *_ALWAYS]
    while ahead:
        each = ahead.pop()
        if each not in known:
            known.add(each)
            ahead += _imported(each)
    return known


@cache
def _source(name: str) -> bytes:
    """Return the text of a kernel file."""
    return (_HERE / f"{name}.py").read_bytes()


@cache
def _imported(name: str) -> list[str]:
    """Return the kernel files that one of them imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(_source(name))):
        if isinstance(node, ast.ImportFrom) and node.module == _PACKAGE:
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    plain = {each.removeprefix(f"{_PACKAGE}.") for each in names}
    return sorted(each for each in plain if (_HERE / f"{each}.py").is_file())
