"""Which figures a finding has: one, unless it can be looked at in several ways."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from geoprobe.findings import Finding, Movement, Performance

_MEASURES = {
    "directprobe": "accuracy of DirectProbe",
    "classifier": "accuracy of the classifier probe",
    "head": "accuracy of the fine-tuned head",
    "similarity": "spatial similarity of training and test space",
}


class Drawing(NamedTuple):
    """One way to draw a finding."""

    name: str
    """Part of the names of its files; empty for the usual way."""
    caption: str
    plot: Callable[[], Any]


def drawings(finding: Finding) -> Iterator[Drawing]:
    """Yield every way to draw a finding, the most telling first."""
    if isinstance(finding, Performance):
        for measure, caption in _MEASURES.items():
            if any(not math.isnan(value) for value in finding.columns()[measure]):
                yield Drawing(measure, caption, partial(finding.plot, measure=measure))
    elif isinstance(finding, Movement):
        yield Drawing("", "distance moved, in the units of the points", finding.plot)
        caption = "the same as a share of R, the radius of the original space"
        yield Drawing("relative", caption, partial(finding.plot, relative=True))
    else:
        yield Drawing("", "", finding.plot)
