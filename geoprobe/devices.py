"""Devices that torch computes on."""

from __future__ import annotations

import torch  # noqa: TID253  (only what runs networks imports this module)

from geoprobe.errors import InputError


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


def gpu_names() -> list[str]:
    """Return the names of the CUDA devices that torch finds."""
    if not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _check_cuda(device: str, number: int) -> None:
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number >= there:
        raise InputError(
            f"the device {device!r} was asked for, but torch {torch.__version__} finds "
            f"{there or 'no'} CUDA device{'' if there == 1 else 's'} here; 'auto' takes CUDA where "
            f"it is there, and the processor elsewhere."
        )
