"""Small spaces in files, as somebody has them who comes with vectors of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

LABELS = np.repeat(["noun", "verb", "adverb"], 12)
PATTERN = "{model}/step-{step}/layer_{layer}.{split}.npz"
PLAN = f"""
classifier = false

[spaces]
files = "{PATTERN}"
fixed = {{ task = "pos" }}
"""


def clusters(
    seed: int, *, apart: float = 6.0, n_dims: int = 4, dtype: Any = np.float32
) -> np.ndarray[Any, Any]:
    """Three clusters of 12 points, one for each of LABELS."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(apart * np.eye(3, n_dims), 12, axis=0)
    return (rng.normal(size=(36, n_dims)) + centres).astype(dtype)


def write_space(path: Path, points: Any, labels: Any = LABELS) -> None:
    """Write one space as npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, X=points, y=labels)


def write_spaces(folder: Path, *, steps: tuple[int, ...] = (0, 40)) -> None:
    """Write two models of three layers, as published and trained, and the plan of their study."""
    for m, model in enumerate(("small", "large")):
        for layer in (0, 1, 2):
            for step in steps:
                for k, split in enumerate(("train", "test")):
                    points = clusters(100 * m + 10 * layer + k, apart=2.0 + layer + step / 10)
                    path = folder / model / f"step-{step}" / f"layer_{layer}.{split}.npz"
                    write_space(path, points)
    (folder / "plan.toml").write_text(PLAN, encoding="utf8")
