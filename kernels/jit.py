"""Compilation of kernels: its options, and where the compiled code is kept."""

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
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

# Sums may be reordered and multiplications fused, so that dot products use the vector units;
# NaN, infinities and signed zeros keep their meaning. Decisions never rest on such a sum alone:
# they subtract its rounding bound first.
SUM_FLAGS = {"reassoc", "contract"}

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
    """Return the folder of all compiled kernels: the user's, or a temporary one where that fails.

    Left to itself Numba would take the folder that the package is installed in.
    """
    home = Path.home()
    if sys.platform == "darwin":
        default = home / "Library" / "Caches"
    elif sys.platform == "win32":
        default = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    else:
        default = Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    base = Path(os.environ.get("GEOPROBE_CACHE_DIR", default / "geoprobe"))
    try:
        base.mkdir(parents=True, exist_ok=True)
        # Access rights do not tell everything: a file system may be read-only.
        tempfile.TemporaryFile(dir=base).close()
    except OSError as error:
        instead = Path(tempfile.mkdtemp(prefix="geoprobe-kernels-"))
        atexit.register(shutil.rmtree, instead, ignore_errors=True)
        # Processes that this one starts share the folder.
        os.environ["GEOPROBE_CACHE_DIR"] = str(instead)
        warnings.warn(
            f"{base} cannot hold compiled kernels ({error.strerror}); this run keeps them in "
            f"{instead}, and the next one compiles them again. GEOPROBE_CACHE_DIR names another "
            "folder.",
            CacheWarning,
            stacklevel=2,
        )
        return instead
    return base


class _Kept(FunctionCache):  # type: ignore[misc]
    """The compiled versions of a kernel on disk, whose failure costs time and not the run."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self._warn("read", error)
            # The next process finds an empty list of versions instead of a damaged one.
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self._warn("kept", error)

    def _warn(self, what: str, error: Exception) -> None:
        warnings.warn(
            f"compiled kernels cannot be {what} in {Path(self.cache_path).parent.parent} "
            f"({getattr(error, 'strerror', None) or 'damaged'}); they are compiled again. "
            "GEOPROBE_CACHE_DIR names another folder.",
            CacheWarning,
            stacklevel=2,
        )


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


class _OwnCode(JITCodeLibrary):  # type: ignore[misc]
    """Machine code of a kernel that calls its own copies of other kernels, and none else.

    Numba links what a kernel calls into it and lets a process use whichever copy of a function
    it loads first. The copies differ in last bits, as each was optimised with another caller, so
    that a process that compiles would answer otherwise than one that reads the cache.
    """

    def _finalize_final_module(self) -> None:
        copies = [f for f in self._final_module.functions if f.linkage.name == "linkonce_odr"]
        for function in copies:
            function.linkage = "internal"
        super()._finalize_final_module()
        # The code is made; what other kernels link in keeps to Numba's rule of one definition.
        for function in copies:
            function.linkage = "linkonce_odr"


class _OwnCodeCompiler(Compiler):  # type: ignore[misc]
    """Numba's compiler, with machine code that keeps to itself."""

    def define_pipelines(self) -> Any:
        name = self.state.func_id.func_qualname
        self.state.library = _OwnCode(self.state.targetctx.codegen(), name)
        self.state.library.enable_object_caching()
        return super().define_pipelines()


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile on the first call and keep the outcome for later processes."""
    dispatcher = numba.njit(
        nogil=True,
        fastmath=SUM_FLAGS,
        error_model="numpy",
        pipeline_class=_OwnCodeCompiler,
        **options,
    )(function)
    if numba.config.DISABLE_JIT:
        return dispatcher
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder(function.__module__.rpartition(".")[2]))
    try:
        # What ``cache=True`` does, with a cache that survives its folder.
        dispatcher._cache = _Kept(function)
    finally:
        numba.config.CACHE_DIR = before
    return dispatcher


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
