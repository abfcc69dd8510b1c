"""Distances of all labels: nouns and verbs overlap, all others are apart."""

from imaginary import space

from geoprobe import pairwise_hull_distances

seen = space("pos", 3)
pairwise_hull_distances(seen.points, seen.labels).plot()
