"""Similarity to the original: the higher the layer, the less of its labels' layout is kept."""

from imaginary import fine_tuned

from geoprobe.findings import arrange_runs, similarity_to_original

similarity_to_original(arrange_runs(fine_tuned(layers=[2, 3, 4]))).plot()
