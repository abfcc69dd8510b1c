"""Networks of the classifier probe: many of one shape in one batch, and their arithmetic."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch  # noqa: TID253  (only what trains networks imports this module)
from torch import Tensor  # noqa: TID253

_lock = threading.Lock()
_users = 0
_before: dict[str, Any] = {}


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


@dataclass(frozen=True)
class Shape:
    """Widths of a network: input, two hidden layers, one output per label."""

    n_dims: int
    h1: int
    h2: int
    n_labels: int

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """The four widths in order."""
        return self.n_dims, self.h1, self.h2, self.n_labels

    @property
    def n_parameters(self) -> int:
        """How many numbers one network has."""
        return sum((before + 1) * after for before, after in itertools.pairwise(self.widths))


class Layers(NamedTuple):
    """Weights ``w`` (n, out, in) and biases ``b`` (n, out, 1) of n networks, layer by layer."""

    w1: Tensor
    w2: Tensor
    w3: Tensor
    b1: Tensor
    b2: Tensor
    b3: Tensor

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """What weight decay applies to."""
        return self.w1, self.w2, self.w3


class Scratch(NamedTuple):
    """Room for a minibatch of points, activations, and derivatives by what entered them."""

    points: Tensor
    a1: Tensor
    a2: Tensor
    d1: Tensor
    d2: Tensor
    d3: Tensor


def layers_of(flat: Tensor, n: int, shape: Shape) -> Layers:
    """View a flat buffer as the parameters of n networks.

    Each block holds all networks one after the other, so that the first layers of all of them
    are one matrix (n * h1, n_dims), and a single product with the shared input serves them all.

    Parameters
    ----------
    flat : Tensor of float32, shape (n * shape.n_parameters,)
    n : int
    shape : Shape
    """
    widths = shape.widths
    pairs = list(itertools.pairwise(widths))
    sizes = [n * out * into for into, out in pairs] + [n * out for _, out in pairs]
    w1, w2, w3, b1, b2, b3 = torch.split(flat, sizes)
    return Layers(
        w1.view(n, shape.h1, shape.n_dims),
        w2.view(n, shape.h2, shape.h1),
        w3.view(n, shape.n_labels, shape.h2),
        b1.view(n, shape.h1, 1),
        b2.view(n, shape.h2, 1),
        b3.view(n, shape.n_labels, 1),
    )


def keep_networks(flat: Tensor, n: int, shape: Shape, keep: Tensor) -> Tensor:
    """Return a flat buffer of the networks ``keep`` (int64, their positions) alone."""
    return torch.cat([part.index_select(0, keep).view(-1) for part in layers_of(flat, n, shape)])


def initial(shape: Shape, generator: torch.Generator) -> Tensor:
    """Draw one network, uniform as Glorot & Bengio (2010) propose, biases too.

    Parameters
    ----------
    shape : Shape
    generator : torch.Generator
        On the CPU, so that every device starts from the same numbers.

    Returns
    -------
    Tensor of float32, shape (shape.n_parameters,)
        Weights and biases are uniform within ``sqrt(6 / (in + out))`` of 0, as in scikit-learn.
    """
    flat = torch.empty(shape.n_parameters)
    parts = layers_of(flat, 1, shape)
    for weight, bias in zip(parts.weights, (parts.b1, parts.b2, parts.b3), strict=True):
        bound = math.sqrt(6.0 / (weight.shape[1] + weight.shape[2]))
        weight.uniform_(-bound, bound, generator=generator)
        bias.uniform_(-bound, bound, generator=generator)
    return flat


def stacked(networks: list[Tensor], shape: Shape) -> Tensor:
    """Put single networks (shape.n_parameters,) into one buffer, block by block."""
    parts = [layers_of(network, 1, shape) for network in networks]
    return torch.cat([torch.cat(same).view(-1) for same in zip(*parts, strict=True)])


def scratch(n: int, batch: int, shape: Shape, device: torch.device) -> Scratch:
    """Allocate what a step of n networks writes on its way."""
    first, second = (n, shape.h1, batch), (n, shape.h2, batch)
    outputs = (n, shape.n_labels, batch)
    sizes = ((batch, shape.n_dims), first, second, first, second, outputs)
    return Scratch(*(torch.empty(size, device=device) for size in sizes))


def logits(parts: Layers, points: Tensor) -> Tensor:
    """Return the outputs (n, n_labels, n_points) for points (n_points, n_dims) shared by all."""
    n, h1, n_dims = parts.w1.shape
    a1 = torch.addmm(parts.b1.view(n * h1, 1), parts.w1.view(n * h1, n_dims), points.t()).relu_()
    a2 = torch.baddbmm(parts.b2, parts.w2, a1.view(n, h1, -1)).relu_()
    return torch.baddbmm(parts.b3, parts.w3, a2)


def gradients(parts: Layers, sums: Layers, points: Tensor, targets: Tensor, room: Scratch) -> None:
    """Write the derivatives of every network's cross-entropy, summed over points, into ``sums``.

    Parameters
    ----------
    parts, sums : Layers
        Parameters of n networks, and where the derivatives go.
    points : Tensor, shape (batch, n_dims)
    targets : Tensor, shape (n_labels, batch)
        1 at the label of each point, else 0.
    room : Scratch
    """
    n, h1, n_dims = parts.w1.shape
    flat_w1, flat_a1 = parts.w1.view(n * h1, n_dims), room.a1.view(n * h1, -1)
    torch.addmm(parts.b1.view(n * h1, 1), flat_w1, points.t(), out=flat_a1).relu_()
    torch.baddbmm(parts.b2, parts.w2, room.a1, out=room.a2).relu_()
    torch.baddbmm(parts.b3, parts.w3, room.a2, out=room.d3)

    torch.softmax(room.d3, 1, out=room.d3).sub_(targets)
    torch.bmm(room.d3, room.a2.transpose(1, 2), out=sums.w3)
    torch.sum(room.d3, 2, keepdim=True, out=sums.b3)
    # An activation's sign is the derivative of its ReLU.
    torch.bmm(parts.w3.transpose(1, 2), room.d3, out=room.d2).mul_(room.a2.sign_())
    torch.bmm(room.d2, room.a1.transpose(1, 2), out=sums.w2)
    torch.sum(room.d2, 2, keepdim=True, out=sums.b2)
    torch.bmm(parts.w2.transpose(1, 2), room.d2, out=room.d1).mul_(room.a1.sign_())
    torch.mm(room.d1.view(n * h1, -1), points, out=sums.w1.view(n * h1, n_dims))
    torch.sum(room.d1, 2, keepdim=True, out=sums.b1)
