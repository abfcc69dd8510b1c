"""Compilation of kernels: its options, and where the compiled code is kept."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

# Sums may be reordered and multiplications fused, so that dot products use the vector units;
# NaN, infinities and signed zeros keep their meaning. Decisions never rest on such a sum alone:
# they subtract its rounding bound first.
SUM_FLAGS = {"reassoc", "contract"}

_HERE = Path(__file__).parent
_PACKAGE = "geoprobe.kernels"
# What the compiled code of every kernel depends on: the options, and the fields of the tuples.
_ALWAYS = ("jit", "state")


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
    home = Path.home()
    if sys.platform == "darwin":
        default = home / "Library" / "Caches"
    elif sys.platform == "win32":
        default = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    else:
        default = Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    base = Path(os.environ.get("GEOPROBE_CACHE_DIR", default / "geoprobe"))
    return base / f"{name}-{digest.hexdigest()[:16]}"


def dependencies(name: str) -> set[str]:
    """Return the kernel files that the compiled code of one of them depends on, itself included.

    A kernel depends on what it calls and on the constants it reads, all of which its file
    imports, directly or not; on the options in this file; and on the fields of the tuples that it
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


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile on the first call and keep the outcome for later processes."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder(function.__module__.rpartition(".")[2]))
    try:
        return numba.njit(
            cache=True, nogil=True, fastmath=SUM_FLAGS, error_model="numpy", **options
        )(function)
    finally:
        numba.config.CACHE_DIR = before


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls; what :func:`inner` says holds for it as well."""
    return _compiled(function, _nrt=False)


def allocating(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls and that allocates arrays, for its own use."""
    return _compiled(function, _nrt=True)


def inner(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel: only other kernels call it, which saves its Python wrapper.

    It may neither allocate nor return an array. Without reference counts there is far less to
    compile, and the loops do not write to a counter that all threads share, at every row they
    look at. Numba compiles a function anew for every constant that another passes to it:
    constants are passed as ``np.int64(1)``, or the like, which has a type and no value.
    """
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


def part(function: Callable[..., Any]) -> Any:
    """Compile as a passage of the one kernel that calls it.

    Numba optimises whatever a kernel calls anew with each caller; what is pasted in before
    compilation is optimised once.
    """
    return numba.njit(inline="always")(function)
