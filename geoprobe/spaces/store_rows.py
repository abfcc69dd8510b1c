"""A list of what a store holds."""

from __future__ import annotations

from dataclasses import dataclass

from geoprobe.spaces.store import SpaceStore
from geoprobe.spaces.stored import StoredSpaces


@dataclass(frozen=True)
class StoreRow:
    """One line of a list of what a store holds.

    Attributes
    ----------
    task, model, split : str
    tuned_on : str or None
    seed : int or None
    step : int
    layers : tuple of int
    n_units, n_dims, n_labels : int
    dtype : str
    n_bytes : int
        Of the data.
    created : str
    """

    task: str
    model: str
    tuned_on: str | None
    seed: int | None
    step: int
    split: str
    layers: tuple[int, ...]
    n_units: int
    n_dims: int
    n_labels: int
    dtype: str
    n_bytes: int
    created: str


def describe_store(store: SpaceStore) -> list[StoreRow]:
    """Return a row for each complete file of a store, in the order of the keys."""
    return [_row(store.open(key)) for key in store.keys()]


def _row(stored: StoredSpaces) -> StoreRow:
    return StoreRow(
        **stored.key.as_dict(),
        layers=stored.layers,
        n_units=stored.n_units,
        n_dims=stored.n_dims,
        n_labels=len(stored.label_names),
        dtype=stored.dtype,
        n_bytes=stored.n_bytes,
        created=stored.created,
    )
