"""Linearity: clusters for each label in every layer; 1 is a linear space."""

from imaginary import fine_tuned

from geoprobe.findings import compare_linearity

compare_linearity(fine_tuned()).plot()
