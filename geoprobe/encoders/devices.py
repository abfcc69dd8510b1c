"""Where a model runs, and in which precision."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Literal, cast, get_args

import torch  # noqa: TID253  (only what runs models imports this module)

from geoprobe.errors import InputError

Precision = Literal["float32", "bfloat16", "float16"]


def checked_device(device: str) -> torch.device:
    """Return the device that a name stands for.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:<number>"}
        ``"auto"`` takes CUDA where it is there.

    Raises
    ------
    InputError
        For another name, or CUDA that is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (":" in device and not (kind == "cuda" and number.isdigit())):
        raise InputError(f"the device is 'auto', 'cpu', 'cuda' or 'cuda:0', not {device!r}.")
    if kind == "cuda":
        _check_cuda(device, int(number or 0))
    return torch.device(device)


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
    cast_to: AbstractContextManager[None] = torch.autocast(
        device.type, dtype=getattr(torch, precision)
    )
    return cast_to


def _check_cuda(device: str, number: int) -> None:
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number >= there:
        raise InputError(
            f"the device {device!r} was asked for, but torch {torch.__version__} finds "
            f"{there or 'no'} CUDA device{'' if there == 1 else 's'} here; 'auto' takes CUDA where "
            f"it is there, and the processor elsewhere."
        )
