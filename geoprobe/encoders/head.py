"""The linear head on the vectors that are probed."""

from __future__ import annotations

from typing import Any

import torch  # noqa: TID253  (only what fine-tunes imports this module)

from geoprobe.encoders.updates import head_seed

_STANDARD_DEVIATION = 0.02
_DROPOUTS = ("classifier_dropout", "hidden_dropout_prob", "resid_pdrop", "dropout")


class LinearHead(torch.nn.Module):  # type: ignore[misc]
    """Dropout and one linear layer from a unit's vector to the labels.

    Parameters
    ----------
    n_dims : int
        Of a unit's vector, after its words are joined.
    n_labels : int
    dropout : float
    seed : int
        Of the run; the first weights are drawn on the CPU, so that they are the same on every
        device: normal with standard deviation 0.02 as in BERT, biases zero.
    """

    def __init__(self, n_dims: int, n_labels: int, dropout: float, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(head_seed(seed))
        weight = torch.empty(n_labels, n_dims)
        weight.normal_(0.0, _STANDARD_DEVIATION, generator=generator)
        self.dropout = torch.nn.Dropout(dropout)
        self.weight = torch.nn.Parameter(weight)
        self.bias = torch.nn.Parameter(torch.zeros(n_labels))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return logits (n_units, n_labels) of vectors (n_units, n_dims)."""
        return torch.nn.functional.linear(self.dropout(vectors), self.weight, self.bias)


def dropout_of(config: Any) -> float:
    """Return the dropout before a classification head that a model's config asks for.

    It is the first of ``classifier_dropout``, ``hidden_dropout_prob`` (BERT), ``resid_pdrop``
    (GPT-2) and ``dropout`` (DistilBERT) that is set, and 0 where none is.
    """
    for name in _DROPOUTS:
        value = getattr(config, name, None)
        if isinstance(value, (int, float)):
            return float(value)
    return 0.0
