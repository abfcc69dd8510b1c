"""Shuffled labels (blue) are as linear as the real ones (line), but not as far apart."""

import numpy as np

from geoprobe import shuffle_labels
from geoprobe.drawing.style import AFTER, BEFORE, describe, new_axes

rng = np.random.default_rng(0)
labels = np.repeat(["place", "time", "topic", "owner"], 8)
points = np.repeat(2 * rng.normal(size=(4, 40)), 8, axis=0) + 3 * rng.normal(size=(32, 40))
found = shuffle_labels(points, labels, n_permutations=99)

_, panels = new_axes(2)
tests = {"number of clusters": found.clusters(), "mean distance": found.mean_distance()}
for ax, (name, test) in zip(panels, tests.items(), strict=True):
    ax.hist(test.null, bins=12, color=BEFORE, alpha=0.6)
    ax.axvline(test.observed, color=AFTER, linewidth=2)
    describe(ax, title=f"p = {test.p_value:.2g}", x=name, y="permutations")
panels
