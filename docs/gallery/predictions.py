"""Predictions: labels of the nearest clusters against the true ones of the test units."""

from imaginary import space

from geoprobe.probes import measure

measure(space("pos", 1)).predictions.plot()
