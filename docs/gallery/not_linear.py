"""Not linear: the hull of all of a label meets the other label, which keeps its parts apart."""

import numpy as np

from geoprobe import DirectProbe

rng = np.random.default_rng(0)
centres = {"bank": [(0, 0), (8, 0)], "shore": [(4, 0)], "money": [(4, 5)]}
places = [(label, place) for label, some in centres.items() for place in some]
points = np.concatenate([rng.normal(size=(20, 2)) * 0.8 + place for _, place in places])
labels = np.repeat([label for label, _ in places], 20)
DirectProbe().fit(points, labels).plot("map")
