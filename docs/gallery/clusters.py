"""Clusters: points of each label, cut where a cluster ends. Nouns and verbs overlap here."""

from imaginary import space

from geoprobe import DirectProbe

seen = space("pos", 1)
DirectProbe().fit(seen.points, seen.labels).plot("clusters")
