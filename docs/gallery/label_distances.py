"""Distances of all labels: the hulls of nouns and verbs are close, and all others far."""

from imaginary import space

from geoprobe import pairwise_hull_distances

seen = space("pos", 3)
pairwise_hull_distances(seen.points, seen.labels).plot()
