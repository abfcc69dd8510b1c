"""Named tuples that compiled functions hand on by address.

Left to itself, Numba passes every field of every array in a tuple as an argument of its own,
hundreds of them, and every function on the way puts the tuple together and takes it apart again:
most of what was compiled did nothing else. Here a function is given the address of a tuple, which
nothing changes meanwhile, and a tuple within it lies at an address within. Only what
:mod:`geoprobe.kernels.jit` compiles knows of this, and nothing else may call it but Python.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from llvmlite import ir as llvm
from numba.core import cgutils, ir
from numba.core.compiler_machinery import register_pass
from numba.core.datamodel import default_manager
from numba.core.datamodel.models import TupleModel
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering
from numba.core.types import containers


def _address(builder: Any, value: Any) -> Any:
    """Return where a tuple lies that came with an argument; None of any other value."""
    if isinstance(value, llvm.LoadInstr):
        address = root = value.operands[0]
        while isinstance(root, llvm.GEPInstr):
            root = root.pointer
        return address if isinstance(root, llvm.Argument) else None
    if isinstance(value, llvm.ExtractValue):
        outer = _address(builder, value.aggregate)
        if outer is not None:
            places = [llvm.Constant(cgutils.int32_t, i) for i in (0, *value.indices)]
            return builder.gep(outer, places, inbounds=True)
    return None


class _Addressed(TupleModel):  # type: ignore[misc]
    """A named tuple as an argument: the address of one."""

    def get_argument_type(self) -> Any:
        return self.get_value_type().as_pointer()

    def as_argument(self, builder: Any, value: Any) -> Any:
        address = _address(builder, value)
        return cgutils.alloca_once_value(builder, value) if address is None else address

    def from_argument(self, builder: Any, value: Any) -> Any:
        return builder.load(value)


models = default_manager.copy()
models.register(containers.NamedTuple, _Addressed)


class _Lower(Lower):  # type: ignore[misc]
    """Numba's translation of a function, with tuples left where they lie."""

    def lower_normal_function(self, fndesc: Any) -> None:
        assigned = Counter(
            each.target.name
            for block in self.func_ir.blocks.values()
            for each in block.find_insts(ir.Assign)
        )
        self._once = {name for name, times in assigned.items() if times == 1}
        # Where the tuple lies that a variable stands for.
        self._addresses: dict[str, Any] = {}
        super().lower_normal_function(fndesc)

    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        kinds = zip(fndesc.args, fndesc.argtypes, strict=True)
        tuples = {f"arg.{name}" for name, kind in kinds if isinstance(kind, containers.NamedTuple)}
        for argument in self.call_conv.get_arguments(self.function):
            if argument.name in tuples:
                # What loops write lies elsewhere: they need not load fields again and again.
                argument.add_attribute("noalias")
                size = self.context.get_abi_sizeof(argument.type.pointee)
                argument.attributes.dereferenceable = size

    def storevar(self, value: Any, name: str, argidx: int | None = None) -> None:
        if isinstance(self.typeof(name), containers.NamedTuple):
            address = _address(self.builder, value)
            if address is not None and name in self._once and name not in self.varmap:
                self._addresses[name] = address
                return
        super().storevar(value, name, argidx=argidx)

    def loadvar(self, name: str) -> Any:
        if name in self._addresses:
            return self.builder.load(self._addresses[name])
        return super().loadvar(name)

    def delvar(self, name: str) -> None:
        if name not in self._addresses:
            super().delvar(name)


@register_pass(mutates_CFG=True, analysis_only=False)
class AddressedLowering(NativeLowering):  # type: ignore[misc]
    """The pass that translates a function."""

    _name = "addressed_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        """Numba's name for what translates."""
        return _Lower
