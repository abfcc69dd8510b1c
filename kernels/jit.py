"""Compilation of kernels: its options, and what goes into their machine code."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numba
from numba.core import cgutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

from geoprobe.kernels.cache import Kept, cache_of

# Sums may be reordered and multiplications fused, so that dot products use the vector units;
# NaN, infinities and signed zeros keep their meaning. Decisions never rest on such a sum alone:
# they subtract its rounding bound first.
SUM_FLAGS = {"reassoc", "contract"}
# What the names of the variables begin with that hold the Python objects a function refers to.
_ENVIRONMENT = "_ZN08NumbaEnv"


class _Whole(JITCodeLibrary):  # type: ignore[misc]
    """Machine code of a kernel that calls its own copies of its parts, and none else.

    Numba links what a kernel calls into it and lets a process use whichever copy of a function
    it loads first. The copies differ in last bits, as each was optimised with another caller, so
    that a process that compiles would answer otherwise than one that reads the cache.
    """

    def _optimize_functions(self, module: Any) -> None:
        # Once is enough: everything is optimised when it is all there.
        module.data_layout = self._codegen._data_layout

    def _finalize_final_module(self) -> None:
        for function in self._final_module.functions:
            if function.linkage.name == "linkonce_odr":
                function.linkage = "internal"
        super()._finalize_final_module()


class _Part(JITCodeLibrary):  # type: ignore[misc]
    """A part of kernels: code for them to link in, not optimised, and no machine code.

    A kernel optimises its copies of its parts itself; what was done to a part by itself, where
    nothing is known of its caller, would be done for nothing.
    """

    _final_module: Any

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        whole = self._final_module
        for function in whole.functions:
            if not function.is_declaration and function.linkage.name == "external":
                function.linkage = "linkonce_odr"
        self._shared_module = whole
        # Numba wants to find these variables in the machine code of anything it has compiled.
        variables = self.create_ir_module(self.name)
        for each in whole.global_variables:
            if each.name.startswith(_ENVIRONMENT):
                variable = cgutils.add_global_variable(variables, cgutils.voidptr_t, each.name)
                variable.linkage = "common"
                variable.initializer = cgutils.get_null_value(cgutils.voidptr_t)
        self._final_module = JITCodeLibrary(self._codegen, self.name)._final_module
        self.add_ir_module(variables)
        super()._finalize_final_module()


class _WholeCompiler(Compiler):  # type: ignore[misc]
    """Numba's compiler, making the code of a kernel."""

    code: type[JITCodeLibrary] = _Whole

    def define_pipelines(self) -> Any:
        name = self.state.func_id.func_qualname
        self.state.library = self.code(self.state.targetctx.codegen(), name)
        self.state.library.enable_object_caching()
        return super().define_pipelines()


class _PartCompiler(_WholeCompiler):
    """Numba's compiler, making code for kernels to link in."""

    code = _Part


def _compiled(function: Callable[..., Any], *, is_part: bool, allocates: bool) -> Any:
    """Compile on the first call and keep the outcome for later processes."""
    dispatcher = numba.njit(
        nogil=True,
        fastmath=SUM_FLAGS,
        error_model="numpy",
        pipeline_class=_PartCompiler if is_part else _WholeCompiler,
        no_cpython_wrapper=is_part,
        no_cfunc_wrapper=True,
        _nrt=allocates,
    )(function)
    if numba.config.DISABLE_JIT:
        return dispatcher
    kept = cache_of(function, "parts" if is_part else "kernels")
    if kept is not None:
        # What ``cache=True`` does, with a cache that survives its folder.
        dispatcher._cache = kept
    return dispatcher


class _Kernel:
    """A kernel that Python calls, and that is a part of the kernels that call it.

    What Python never calls costs no machine code, and what no kernel calls no part.
    """

    def __init__(self, function: Callable[..., Any], allocates: bool) -> None:
        update_wrapper(self, function)
        self.whole = _compiled(function, is_part=False, allocates=allocates)
        self.part = _compiled(function, is_part=True, allocates=allocates)

    def __call__(self, *args: Any) -> Any:
        if self.whole.signatures:
            return self.whole(*args)
        # Compiling makes millions of objects that last until it is done.
        collects = gc.isenabled()
        gc.disable()
        try:
            return self.whole(*args)
        finally:
            if collects:
                gc.enable()

    @property
    def is_missing(self) -> bool:
        """Whether the kernel has yet to be compiled, and can be kept once it is."""
        kept = self.whole._cache
        return isinstance(kept, Kept) and not self.whole.signatures and kept.is_empty

    @property
    def _numba_type_(self) -> Any:
        """What Numba takes this for where a kernel calls it."""
        return self.part._numba_type_


def _kernel(function: Callable[..., Any], allocates: bool) -> Any:
    """Return the kernel, or the plain function where the compiler is off."""
    return function if numba.config.DISABLE_JIT else _Kernel(function, allocates)


def is_missing(kernel: Any) -> bool:
    """Return whether a kernel has yet to be compiled, and can be kept once it is.

    Parameters
    ----------
    kernel : what :func:`kernel` or :func:`allocating` returned
    """
    return isinstance(kernel, _Kernel) and kernel.is_missing


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls; what :func:`inner` says holds for it as well."""
    return _kernel(function, allocates=False)


def allocating(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls and that allocates arrays, for its own use."""
    return _kernel(function, allocates=True)


def inner(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels, which Python does not call.

    It may neither allocate nor return an array. Without reference counts there is far less to
    compile, and the loops do not write to a counter that all threads share, at every row they
    look at. Numba compiles a function anew for every constant that another passes to it:
    constants are passed as ``np.int64(1)``, or the like, which has a type and no value.
    """
    return _compiled(function, is_part=True, allocates=False)


def part(function: Callable[..., Any]) -> Any:
    """Paste a function into whatever calls it, before that is compiled.

    It may return arrays, and no constant that it is given makes another version. But it is
    compiled anew at every call.
    """
    return numba.njit(inline="always")(function)
