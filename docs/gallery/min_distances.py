"""Smallest distances: how far each label is from its nearest neighbour, update by update."""

from imaginary import fine_tuned

from geoprobe.findings import arrange_runs, minimum_distances

minimum_distances(arrange_runs(fine_tuned(layers=[4])), n=2).plot()
