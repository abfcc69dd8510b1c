"""An imaginary fine-tuning, so that whoever reads a figure knows what there is to see.

Lower layers hardly move and move as one; upper layers drive their labels apart, and pull the units
that were trained on towards the mean of their label. As published nouns and verbs overlap, and in
layer 1 most labels do.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from geoprobe import Space
from geoprobe.geometry import Cell, Geometry
from geoprobe.probes import measure

LABELS = {
    "pos": ["noun", "verb", "adjective", "adverb", "pronoun", "determiner"],
    "role": ["place", "time", "topic", "owner"],
}
N_DIMS = 12


def space(task: str, layer: int, progress: float = 0, seed: int = 0, own: bool = True) -> Space:
    """Return the units of a task: ``progress`` is 0 as published and 1 at the end."""
    labels = LABELS[task]
    # The same units in every space of a task, and the same layout in every layer.
    rng = np.random.default_rng(len(labels))
    centres = rng.normal(size=(len(labels), N_DIMS))
    centres[1] = centres[0] + 0.5 * rng.normal(size=N_DIMS)
    noise = {n: rng.normal(size=(len(labels), n, N_DIMS)) for n in (30, 10)}
    tuning = np.random.default_rng(100 + seed)
    drift, apart = tuning.normal(size=N_DIMS), tuning.normal(size=centres.shape)

    share = progress * (layer / 4) ** 2
    published = (0.3 + 0.3 * layer) * centres + 0.15 * layer * progress * drift
    # Test units follow the others to where their label goes, but not all the way.
    moved = (1.5 if own else 0.3) * share * apart
    train, test = (
        Space(
            ((published + part * moved)[:, None] + spread * noise[n]).reshape(-1, N_DIMS),
            np.repeat(labels, n),
        )
        for n, part, spread in ((30, 1, 1 - 0.6 * share if own else 1), (10, 0.3, 1))
    )
    return Space(train.points, train.labels, test=test)


def fine_tuned(
    task: str = "pos",
    tuned_on: str = "pos",
    layers: Sequence[int] = (1, 2, 3, 4),
    seeds: Sequence[int] = (0, 1),
    steps: Sequence[int] = (25, 50, 100),
) -> Iterator[Geometry]:
    """Measure the units of a task as published, and at some updates of a fine-tuning."""
    for layer in layers:
        yield measure(space(task, layer), cell=Cell(task, "imaginary", layer))
        for seed in seeds:
            for step in steps:
                tuned = space(task, layer, step / max(steps), seed, own=task == tuned_on)
                cell = Cell(task, "imaginary", layer, tuned_on, seed, step)
                yield measure(tuned, cell=cell)
