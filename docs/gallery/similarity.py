"""Similarity to the original: lower layers keep the layout of their labels, upper ones do not."""

from imaginary import fine_tuned

from geoprobe.findings import arrange_runs, similarity_to_original

similarity_to_original(arrange_runs(fine_tuned())).plot()
