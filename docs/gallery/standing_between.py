"""What stands in between: clusters of the label on the left, kept apart by the label below."""

from imaginary import space

from geoprobe.findings import standing_between
from geoprobe.probes import measure

standing_between(measure(space("pos", 1))).plot()
