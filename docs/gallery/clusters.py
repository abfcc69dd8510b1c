"""Clusters: points of each label, cut where a cluster ends; the whole bars are labels by themselves."""

from imaginary import space

from geoprobe import DirectProbe

seen = space("pos", 1)
DirectProbe().fit(seen.points, seen.labels).plot("clusters")
