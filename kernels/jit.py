"""The one place that says how kernels are compiled and where the compiled code is kept."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

# Sums may be reordered and multiplications fused, so that dot products use the vector units;
# NaN, infinities and signed zeros keep their meaning. Decisions never rest on such a sum alone:
# they subtract its rounding bound first.
SUM_FLAGS = {"reassoc", "contract"}


def cache_folder() -> Path:
    """Return where compiled kernels are kept: the user's cache, a folder for each version.

    Numba notices a change of the file that a kernel stands in, not of the files it calls; the
    name therefore carries a hash of all of them. ``GEOPROBE_CACHE_DIR`` overrides the place.
    """
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    home = Path.home()
    if sys.platform == "darwin":
        default = home / "Library" / "Caches"
    elif sys.platform == "win32":
        default = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    else:
        default = Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    base = Path(os.environ.get("GEOPROBE_CACHE_DIR", default / "geoprobe"))
    return base / f"kernels-{digest.hexdigest()[:16]}"


_FOLDER = str(cache_folder())


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile on the first call and keep the outcome for later processes."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _FOLDER
    try:
        return numba.njit(
            cache=True, nogil=True, fastmath=SUM_FLAGS, error_model="numpy", **options
        )(function)
    finally:
        numba.config.CACHE_DIR = before


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls."""
    return _compiled(function)


def inner(function: Callable[..., Any]) -> Any:
    """Compile a part of a kernel: only other kernels call it, which saves its Python wrapper.

    It may neither allocate nor return an array. Without reference counts the loops do not write
    to a counter that all threads share, at every row they look at. Numba compiles a function anew
    for every constant that another passes to it: constants are passed as ``np.int64(1)``, or the
    like, which has a type and no value.
    """
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


def part(function: Callable[..., Any]) -> Any:
    """Compile as a passage of the one kernel that calls it.

    Numba optimises whatever a kernel calls anew with each caller; what is pasted in before
    compilation is optimised once.
    """
    return numba.njit(inline="always")(function)
