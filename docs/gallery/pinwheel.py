"""Linear by pairs: a line between every two vanes, though no three scores tell all apart."""

import numpy as np

from geoprobe import DirectProbe

vane = np.array([[2.0, -0.5], [-0.6, -0.5], [2.0, -0.6], [-0.6, -0.6]])
turns = np.deg2rad([0, 120, 240])
rotations = [np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]) for t in turns]
points = np.concatenate([vane @ rotation for rotation in rotations])
DirectProbe().fit(points, np.repeat(["one", "two", "three"], 4)).plot("map")
