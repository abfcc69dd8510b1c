"""A small store whose content is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from geoprobe.spaces import SpaceKey, SpaceStore

KEY = SpaceKey("ps-role", "minilm", "train")
TUNED = SpaceKey("ps-role", "minilm", "train", "pos", 3, 120)
LAYERS = (0, 2, 11)
LABELS = np.array(["p.Time", "p.Locus", "p.Time", "Größe", "p.Time"])
N_DIMS = 6
PROVENANCE = {"model": "a/b", "revision": None, "versions": {"torch": "2"}, "rate": 1e-4}


def points(layer: int, *, salt: int = 0, n_units: int = len(LABELS)) -> np.ndarray:
    """Return points that single precision holds."""
    rng = np.random.default_rng([layer, salt])
    return rng.normal(size=(n_units, N_DIMS)).astype(np.float32)


def fill(store: SpaceStore, key: SpaceKey = KEY, *, salt: int = 0, **changes: Any) -> Path:
    """Write one file of a store in two parts a layer, and return its path."""
    asked = {"layers": LAYERS, "labels": LABELS, "n_dims": N_DIMS, "provenance": PROVENANCE}
    asked |= changes
    n_units = len(asked["labels"])
    with store.writer(key, **asked) as writer:
        for rows in np.array_split(np.random.default_rng(0).permutation(n_units), 2):
            for layer in asked["layers"]:
                writer.write(layer, rows, points(layer, salt=salt, n_units=n_units)[rows])
    return store.path(key)
