"""Adam (Kingma & Ba 2015) for a batch of networks, each with a weight decay of its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor  # noqa: TID253  (only what trains networks imports this module)

from geoprobe.kernels import adam
from geoprobe.probes.classifier.networks import Shape, layers_of


class Adam:
    """Steps on the parameters of n networks: compiled on a processor, in torch on a GPU.

    What a network descends is its loss on a minibatch of m points, the mean cross-entropy plus
    ``decay / (2 m) * |weights|^2``; biases are not penalised.
    """

    def __init__(
        self,
        shape: Shape,
        values: Tensor,
        sums: Tensor,
        moments: tuple[Tensor, ...],
        decays: Tensor,
        *,
        compiled: bool,
    ) -> None:
        """Take hold of flat buffers, all laid out by :func:`layers_of`.

        Parameters
        ----------
        shape : Shape
        values, sums : Tensor of float32
            Parameters, and derivatives of the cross-entropy summed over a minibatch.
        moments : two Tensor of float32
            Running means of the slopes and of their squares.
        decays : Tensor of float32, shape (n,)
        compiled : bool
            Needs everything on the CPU.
        """
        self.compiled = compiled
        n = len(decays)
        blocks = [_blocks(flat, n, shape) for flat in (values, sums, *moments)]
        of_block = (decays, decays, decays, decays.new_zeros(1))
        operands = list(zip(*blocks, of_block, strict=True))
        self.operands: list[tuple[Any, ...]] = (
            [tuple(each.numpy() for each in some) for some in operands] if compiled else operands
        )

    def step(self, size: int, number: int, learning_rate: float) -> None:
        """Take the step of that number, from 1, for a minibatch of that size."""
        share = 1 / size
        rate = learning_rate / (1 - adam.OLD_MEAN**number)
        scale = 1 / math.sqrt(1 - adam.OLD_SQUARE**number)
        for operands in self.operands:
            if self.compiled:
                adam.step(*operands, np.float32(share), np.float32(rate), np.float32(scale))
            else:
                plain_step(*operands, share=share, rate=rate, scale=scale)


def _blocks(flat: Tensor, n: int, shape: Shape) -> list[Tensor]:
    """View the weights of each layer as (n, n_weights), and all biases as (1, n_biases)."""
    weights = [w.view(n, -1) for w in layers_of(flat, n, shape).weights]
    return [*weights, flat[sum(w.numel() for w in weights) :].view(1, -1)]


def plain_step(
    values: Tensor,
    sums: Tensor,
    mean: Tensor,
    square: Tensor,
    decays: Tensor,
    *,
    share: float,
    rate: float,
    scale: float,
) -> None:
    """Do what :func:`geoprobe.kernels.adam.step` does, on any device."""
    slopes = sums.addcmul(values, decays.view(-1, 1)).mul_(share)
    mean.lerp_(slopes, 1 - adam.OLD_MEAN)
    square.lerp_(slopes.square(), 1 - adam.OLD_SQUARE)
    values.addcdiv_(mean, square.sqrt().mul_(scale).add_(adam.LEAST), value=-rate)
