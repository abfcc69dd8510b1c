"""Paths of centroids: three close labels in the first layer, which drift, and the last."""

from imaginary import fine_tuned

from geoprobe.findings import arrange_runs, follow_centroids

follow_centroids(arrange_runs(fine_tuned(layers=[1, 4], seeds=[0]))).plot()
