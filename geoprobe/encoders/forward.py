"""The pass of a model, as far as the chosen layers need it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch  # noqa: TID253  (only what runs models imports this module)


class _FarEnoughError(Exception):
    """Ends a pass when the highest chosen layer is there."""


class Forward:
    """Computes chosen hidden states, and no layer above the highest of them where that is exact.

    Parameters
    ----------
    model : torch.nn.Module
        Of transformers, in evaluation mode.
    n_layers : int
        Its hidden states are 0 to ``n_layers``.
    layers : sequence of int

    Notes
    -----
    The hidden state ``k`` of nearly every model is the input of its block ``k``. Whether that holds
    is decided at the first pass, by comparing the two bit by bit; where it does not, or the blocks
    cannot be told, every pass goes to the end.
    """

    def __init__(self, model: torch.nn.Module, n_layers: int, layers: Sequence[int]) -> None:
        self._model = model
        self._layers = tuple(layers)
        self._blocks = _blocks(model, n_layers) if max(layers) < n_layers else None
        self._compared = False

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor | None) -> dict[int, torch.Tensor]:
        """Return the chosen hidden states by layer, each (n_windows, n_pieces, n_dims)."""
        if self._blocks is None:
            return self._whole(ids, mask)
        if not self._compared:
            self._compared = True
            few = (ids[:2], None if mask is None else mask[:2])
            if not _same(self._part(*few), self._whole(*few)):
                self._blocks = None
                return self._whole(ids, mask)
        found = self._part(ids, mask)
        assert found is not None
        return found

    def _whole(self, ids: torch.Tensor, mask: torch.Tensor | None) -> dict[int, torch.Tensor]:
        states = self._model(
            input_ids=ids, attention_mask=mask, output_hidden_states=True
        ).hidden_states
        return {layer: states[layer] for layer in self._layers}

    def _part(self, ids: torch.Tensor, mask: torch.Tensor | None) -> dict[int, torch.Tensor] | None:
        """Take the inputs of blocks and stop at the last that is wanted; None if it never came."""
        assert self._blocks is not None
        found: dict[int, torch.Tensor] = {}

        def hook(layer: int) -> Callable[..., None]:
            def take(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
                found[layer] = args[0] if args else kwargs["hidden_states"]
                if layer == max(self._layers):
                    raise _FarEnoughError

            return take

        with contextlib.ExitStack() as stack:
            for layer in self._layers:
                handle = self._blocks[layer].register_forward_pre_hook(
                    hook(layer), with_kwargs=True
                )
                stack.callback(handle.remove)
            with contextlib.suppress(_FarEnoughError):
                self._model(input_ids=ids, attention_mask=mask)
                return None
        return found


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Switch dropout off for a while."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _blocks(model: torch.nn.Module, n_layers: int) -> torch.nn.ModuleList | None:
    """Return the list of a model's blocks, if there is exactly one list of that length."""
    lists = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == n_layers
    ]
    return lists[0] if len(lists) == 1 else None


def _same(found: dict[int, torch.Tensor] | None, expected: dict[int, torch.Tensor]) -> bool:
    return found is not None and all(
        layer in found and torch.equal(found[layer], state) for layer, state in expected.items()
    )
