"""Two hulls that overlap: one point is a mixture of points of either side."""

import numpy as np

from geoprobe import hulls_overlap

rng = np.random.default_rng(0)
first = rng.normal(size=(25, 2))
second = rng.normal([2, 1], size=(25, 2))
hulls_overlap(first, second).plot(first, second)
