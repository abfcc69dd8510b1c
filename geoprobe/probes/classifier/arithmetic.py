"""How torch computes while networks train: one thread per batch, float32 products, a device."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch  # noqa: TID253  (only what trains networks imports this module)

from geoprobe.errors import InputError

_lock = threading.Lock()
_users = 0
_before: dict[str, Any] = {}


def chosen_device(name: str) -> torch.device:
    """Return the device of that name; ``"auto"`` is the GPU if there is one.

    Raises
    ------
    InputError
        If torch does not know the device or cannot use it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"device must be 'auto', 'cpu' or 'cuda', but it is {name!r}.") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device must be 'auto', 'cpu' or 'cuda', but it is {name!r}.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device is {name!r}, but this torch {torch.__version__} finds no GPU.")
    return device


@contextmanager
def training_arithmetic() -> Iterator[None]:
    """Compute each batch in one thread, with the faster of two exact ways to multiply.

    Batches run beside each other, so a batch needs no threads of its own, and its bits do not
    depend on their number. torch's usual product is MKL's, which leaves half of the speed of
    processors with AVX-512 unused that Intel did not make. oneDNN's is asked for by allowing it
    bfloat16; where oneDNN has no such kernel, it computes in float32. Whether it does is tested
    here, and the plain product is taken where it does not.
    """
    global _users
    with _lock:
        if _users == 0:
            _before["threads"] = torch.get_num_threads()
            torch.set_num_threads(1)
            _before["precision"] = _take_exact_products()
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                torch.set_num_threads(_before["threads"])
                _set_products(_before["precision"])


def _products() -> Any:
    """Return torch's settings of products on the CPU; None before torch 2.9."""
    settings = getattr(torch.backends.mkldnn, "matmul", None)
    return settings if hasattr(settings, "fp32_precision") else None


def _set_products(precision: str) -> None:
    if _products() is not None:
        _products().fp32_precision = precision


def _take_exact_products() -> str:
    """Set the way to multiply; return what was set before."""
    if _products() is None:
        return ""
    before = str(_products().fp32_precision)
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(4, 96, 384, generator=generator)
    b = torch.randn(4, 384, 200, generator=generator)
    truth = a.double() @ b.double()
    errors = {}
    for precision in ("ieee", "bf16"):
        _set_products(precision)
        batched, single = a @ b - truth, a[0] @ b[0] - truth[0]
        errors[precision] = max(float(batched.abs().max()), float(single.abs().max()))
    # Rounding to bfloat16 costs a factor of thousands; another order of summation, about two.
    if errors["bf16"] > 8 * errors["ieee"]:
        _set_products("ieee")
    return before
