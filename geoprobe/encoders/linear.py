"""Linear layers by oneDNN, an optional speed-up of passes in float32 on the processor.

Most of a transformer's time goes into its linear layers. The builds of torch for x86 hand them to
MKL, which leaves the wide vector units of many processors idle; oneDNN, which lies in the same
builds, multiplied two to three times as fast where this was measured (AMD EPYC, AVX-512). Both work
in float32 throughout and differ in the order of the sums only.

The operator is not part of torch's public face and may change or go. It is called in one place
(:func:`_multiply`), and nothing depends on it: where it is missing or computes something else,
torch's own linear layers run, and so they do under ``torch.backends.mkldnn.enabled = False``. A run
of fine-tuning notes in its environment which of the two it had.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch  # noqa: TID253  (only what runs models imports this module)
from torch.overrides import TorchFunctionMode  # noqa: TID253

# A check of what the operator computes, not of its accuracy.
_AGREES_WITHIN = 1e-4


def has_onednn() -> bool:
    """Whether linear layers run by oneDNN inside :class:`FastLinear`."""
    return bool(torch.backends.mkldnn.enabled) and _operator_works()


@functools.cache
def _operator_works() -> bool:
    """Whether torch has the operator of oneDNN, and it does what a linear layer does."""
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    points, weight, bias = (
        torch.randn(*shape, generator=generator) for shape in ((3, 5, 48), (16, 48), (16,))
    )
    try:
        products = [_multiply(points, weight, each) for each in (bias, None)]
    except (AttributeError, RuntimeError, TypeError):
        return False
    expected = [torch.nn.functional.linear(points, weight, each) for each in (bias, None)]
    return all(
        torch.allclose(one, other, rtol=_AGREES_WITHIN, atol=_AGREES_WITHIN)
        for one, other in zip(products, expected, strict=True)
    )


class FastLinear(TorchFunctionMode):  # type: ignore[misc]
    """Context in which linear layers in float32 on the processor run by oneDNN.

    Gradients are taken through it as well, by oneDNN too. All else, autocast and other devices
    included, is left to torch, and so is everything where :func:`has_onednn` is false.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Take linear layers, and pass on all other functions."""
        if not kwargs and func is torch.nn.functional.linear and _takes(args[0], *args[1:]):
            return _linear(*args)
        if not kwargs and func is torch.addmm and _takes(args[1], args[2], args[0]):
            # GPT-2 keeps its weights the other way round.
            return _linear(args[1], args[2].t(), args[0])
        return func(*args, **(kwargs or {}))


def _takes(points: Any, weight: Any, bias: Any = None) -> bool:
    return (
        all(_is_plain(each) for each in (points, weight))
        and (bias is None or (_is_plain(bias) and bias.ndim == 1))
        and weight.ndim == 2
        and points.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and has_onednn()
    )


def _is_plain(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.dtype == torch.float32
        and value.device.type == "cpu"
        and value.layout == torch.strided
    )


def _linear(
    points: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    tensors = [each for each in (points, weight, bias) if each is not None]
    if torch.is_grad_enabled() and any(each.requires_grad for each in tensors):
        result: torch.Tensor = _Linear.apply(points, weight, bias)
        return result
    return _multiply(points, weight, bias)


def _multiply(
    points: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Return ``points @ weight.T + bias`` by the operator of oneDNN."""
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
        points.detach(), weight.detach(), None if bias is None else bias.detach(), "none", [], ""
    )
    return product


class _Linear(torch.autograd.Function):  # type: ignore[misc]
    """A linear layer whose products, forwards and backwards, are oneDNN's."""

    @staticmethod
    def forward(
        ctx: Any, points: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.save_for_backward(points, weight)
        ctx.has_bias = bias is not None
        return _multiply(points, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        points, weight = ctx.saved_tensors
        for_points, for_weight, for_bias = ctx.needs_input_grad
        rows = grad.reshape(-1, grad.shape[-1])
        to_points = _multiply(grad, weight.t(), None) if for_points else None
        to_weight = None
        if for_weight:
            to_weight = _multiply(rows.t(), points.reshape(-1, points.shape[-1]).t(), None)
        return to_points, to_weight, rows.sum(0) if for_bias and ctx.has_bias else None
