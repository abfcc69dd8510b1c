"""Precisions, and the environment that a result depends on."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Literal, cast, get_args

import torch  # noqa: TID253  (only what runs models imports this module)

from geoprobe.encoders.linear import has_onednn
from geoprobe.errors import InputError
from geoprobe.versions import installed_versions

Precision = Literal["float32", "bfloat16", "float16"]

_LIBRARIES = ("numpy", "torch", "transformers", "tokenizers")


def checked_precision(precision: str) -> Precision:
    """Return the precision, or refuse it.

    Raises
    ------
    InputError
        If it is none.
    """
    if precision not in get_args(Precision):
        raise InputError(
            f"the precision is one of {', '.join(get_args(Precision))}, not {precision!r}."
        )
    return cast(Precision, precision)


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """Run what follows in a precision; weights stay in float32."""
    if precision == "float32":
        return contextlib.nullcontext()
    context: AbstractContextManager[None] = torch.autocast(
        device.type, dtype=getattr(torch, precision)
    )
    return context


@contextlib.contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Let torch compute in a fixed order, and give the caller's random numbers back at the end.

    Without it the gradient of pooled vectors is summed in the order in which threads come by. Some
    operations have no fixed order on a GPU; they go on with a warning of torch.
    """
    was = torch.are_deterministic_algorithms_enabled()
    was_warning = torch.is_deterministic_algorithms_warn_only_enabled()
    settings = torch.utils.deterministic
    was_filling = settings.fill_uninitialized_memory
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.use_deterministic_algorithms(True, warn_only=on_gpu)
        settings.fill_uninitialized_memory = False
        try:
            yield
        finally:
            settings.fill_uninitialized_memory = was_filling
            torch.use_deterministic_algorithms(was, warn_only=was_warning)


@contextlib.contextmanager
def torch_threads(n_threads: int | None) -> Iterator[None]:
    """Let torch take so many threads for a while; None leaves it as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def environment_of(device: torch.device) -> dict[str, Any]:
    """Return what the bits of a result may depend on beside what was asked for."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        "linear_layers": "oneDNN" if device.type == "cpu" and has_onednn() else "torch",
        "python": platform.python_version(),
        **installed_versions(_LIBRARIES),
    }
