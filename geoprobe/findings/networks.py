"""The network that a classifier probe has chosen, as tables show it."""

from __future__ import annotations

from typing import NamedTuple


class Network(NamedTuple):
    """Sizes of the hidden layers, and the weight decay."""

    hidden_sizes: tuple[int, int] | None
    weight_decay: float

    @property
    def sizes(self) -> str:
        """The sizes as text, such as ``"64 x 256"``; empty where there are none."""
        return "" if self.hidden_sizes is None else " x ".join(map(str, self.hidden_sizes))


UNKNOWN = Network(None, float("nan"))
"""Where nobody said which network it was."""
