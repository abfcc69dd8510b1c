"""Clusters: points of each label, cut where a cluster ends; whole bars are one cluster."""

from imaginary import space

from geoprobe import DirectProbe

seen = space("pos", 1)
DirectProbe().fit(seen.points, seen.labels).plot("clusters")
