"""A map: points, shadows of their hulls, and lines between nearest points of neighbours."""

from imaginary import space

from geoprobe import DirectProbe

seen = space("pos", 4, 1)
DirectProbe().fit(seen.points, seen.labels).plot("map")
