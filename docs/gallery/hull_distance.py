"""Two hulls that are disjoint: their nearest points, and the hyperplane halfway between."""

import numpy as np

from geoprobe import hull_distance

rng = np.random.default_rng(0)
first = rng.normal(size=(25, 2))
second = rng.normal([4, 3], size=(25, 2))
hull_distance(first, second).plot(first, second)
