"""Bands of a control: where they are drawn, how high, and what the legend calls them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need the extra report")

from geoprobe.findings import (
    arrange_runs,
    compare_linearity,
    compare_performance,
    measure_movement,
    minimum_distances,
    similarity_to_original,
)
from geoprobe.findings.control_bands import Band, Bands
from geoprobe.geometry import Geometry
from tests.support.report_cases import geometries

BEFORE, AFTER = ("pos", "tiny", "", 0, 2), ("pos", "tiny", "pos", 9, 2)
BANDS = Bands("shuffled labels", {BEFORE: Band(1.5, 1.75, 1.0), AFTER: Band(3.0, 4.0, 0.5)})


@pytest.fixture(scope="module")
def measured() -> list[Geometry]:
    return geometries(("noun", "verb", "adverb"), layers=(1, 2), steps=(9,), seeds=(0, 1))


def drawn(ax: Any) -> list[tuple[float, float, float, float]]:
    """Return the ends of everything that is a band: left, right, bottom, top."""
    found = []
    for each in ax.collections:
        for path in each.get_paths():
            low, high = path.vertices.min(axis=0), path.vertices.max(axis=0)
            found.append(tuple(np.round((low[0], high[0], low[1], high[1]), 9).tolist()))
    return found


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_bands_lie_beside_their_spaces(measured: list[Geometry]) -> None:
    plain = compare_linearity(measured)
    assert drawn(plain.plot()) == [] and "shuffled labels" not in legend(plain.plot())
    ax = dataclasses.replace(plain, control=BANDS).plot()
    # Layer 2 is the second row; the model as published stands above the fine-tuned one.
    assert drawn(ax) == [(1.5, 1.75, 0.78, 0.98), (3.0, 4.0, 1.02, 1.22)]
    assert legend(ax).count("shuffled labels") == 1
    assert ax.get_xlim()[1] >= 4.0


def test_each_measure_has_its_own_control(measured: list[Geometry]) -> None:
    found = dataclasses.replace(
        compare_performance(measured, n_bootstrap=10), control={"similarity": BANDS}
    )
    assert "shuffled labels" not in legend(found.plot(measure="directprobe"))
    ax = found.plot(measure="similarity")
    assert "shuffled labels" in legend(ax) and "test, to the rest of training" in legend(ax)
    assert "fine-tuned, to all of training" in legend(ax)
    compared = next(line for line in ax.lines if line.get_label().startswith("test, "))
    assert compared.get_xdata().tolist() == [1.0, 0.5]


def test_bands_follow_the_steps_of_the_layer(measured: list[Geometry]) -> None:
    runs = arrange_runs(measured)
    found = dataclasses.replace(minimum_distances(runs), control=BANDS)
    ax = found.plot()
    assert (0.0, 0.0, 1.5, 1.75) in drawn(ax) and (9.0, 9.0, 3.0, 4.0) in drawn(ax)
    assert (0.0, 9.0, 1.5, 4.0) in drawn(ax) and "shuffled labels" in legend(ax)
    # Nothing is drawn for a layer or a measure without a control.
    assert "shuffled labels" not in legend(found.plot(layer=1))
    assert "shuffled labels" not in legend(found.plot(measure="spread"))
    last = Bands("shuffled labels", {AFTER: Band(0.2, 0.4, 0.9)})
    ax = dataclasses.replace(similarity_to_original(runs), control=last).plot()
    assert (9.0, 9.0, 0.2, 0.4) in drawn(ax) and "shuffled labels" in legend(ax)


def test_movement_stands_beside_shuffled_labels_in_its_layer(measured: list[Geometry]) -> None:
    found = dataclasses.replace(measure_movement(arrange_runs(measured)), control=BANDS)
    ax = found.plot()
    assert (2.0, 2.0, 3.0, 4.0) in drawn(ax) and "shuffled labels" in legend(ax)
    (mean,) = (line for line in ax.lines if line.get_label() == "mean of the labels")
    assert (mean.get_xdata().tolist(), mean.get_ydata().tolist()) == ([2], [0.5])
    # As a share of R both are that of the same numbers.
    row = next(row for row in found.rows if row.layer == 2)
    ax, share = found.plot(relative=True), row.relative / row.movement
    assert (2.0, 2.0, *(float(np.round(share * end, 9)) for end in (3.0, 4.0))) in drawn(ax)
    assert "shuffled labels" not in legend(dataclasses.replace(found, control=Bands()).plot())


def test_bands_of_several_seeds_are_averaged() -> None:
    assert Band.mean([Band(1, 2, 3), Band(3, 6, 5)]) == Band(2, 4, 4)
