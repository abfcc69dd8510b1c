"""Directions: each label's centroid after, less before; where arrows agree, the layer drifts."""

from imaginary import fine_tuned

from geoprobe.findings import arrange_runs, difference_vectors

difference_vectors(arrange_runs(fine_tuned(layers=[1, 4], seeds=[0], steps=[100]))).plot()
