"""Compilation of kernels: its options, and what goes into their machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

from geoprobe.kernels.cache import cache_of

# Sums may be reordered and multiplications fused, so that dot products use the vector units;
# NaN, infinities and signed zeros keep their meaning. Decisions never rest on such a sum alone:
# they subtract its rounding bound first.
SUM_FLAGS = {"reassoc", "contract"}


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
    kept = cache_of(function)
    if kept is not None:
        # What ``cache=True`` does, with a cache that survives its folder.
        dispatcher._cache = kept
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
