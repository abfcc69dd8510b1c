"""Settings of torch that make training repeatable, put back afterwards; and a note of them."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import torch  # noqa: TID253  (only what fine-tunes imports this module)

_LIBRARIES = ("numpy", "torch", "transformers", "tokenizers")


@contextmanager
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


def surroundings(device: torch.device) -> dict[str, Any]:
    """Return what the bits of a result may depend on beside its plan."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    versions = {library: metadata.version(library) for library in _LIBRARIES}
    return {
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **versions,
    }
