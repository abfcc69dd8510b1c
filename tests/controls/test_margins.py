"""Margin against accuracy: spaces whose margins are known by hand, beside shuffled labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr

pytest.importorskip("matplotlib", reason="figures need the extra report")

from geoprobe.controls import Margins, ShuffledLabels, compare_margins
from geoprobe.errors import InputError
from geoprobe.geometry import Cell, Geometry
from geoprobe.probes import measure
from geoprobe.spaces import Space
from tests.support.findings_cases import LINE, line, published, squares, tuned

# The model as published and six fine-tunings of two updates, by how far the line is drawn apart.
FACTORS = {published(): 1.0} | {
    tuned(1, step, seed): 1.2 + 0.31 * seed + step / 50 for seed in range(6) for step in (10, 40)
}


@pytest.fixture(scope="module")
def drawn_apart() -> list[Geometry]:
    return [line(cell, factor, clusters=False) for cell, factor in FACTORS.items()]


def shuffled(cells: Mapping[Cell, float], null: np.ndarray, units: str = "same") -> Any:
    """Shuffled labels whose smallest distances are ``null``, (n_permutations, n_cells)."""
    found = {}
    for k, (cell, factor) in enumerate(cells.items()):
        gaps = np.array([3.0, 7.0, 12.0, 4.0, 9.0, 5.0]) * factor - 1.0
        found[cell] = ShuffledLabels(
            labels=("a", "b", "c", "d"),
            counts=np.full(4, 4),
            n_clusters=4,
            distances=gaps,
            null_clusters=np.full(len(null), 4),
            null_distances=np.repeat(null[:, [k]], 6, axis=1),
            units=units,
            cell=cell,
        )
    return found


def rows_of(found: Margins):  # type: ignore[no-untyped-def]
    return {(row.model, row.correlation): row for row in found.rows}


def test_margin_is_the_mean_distance_to_the_nearest(drawn_apart: list[Geometry]) -> None:
    reached = {cell: factor / 10 for cell, factor in FACTORS.items()}
    found = compare_margins(drawn_apart, accuracies=reached, n_bootstrap=50)
    # Gaps of 3, 3, 4 and 5 times the factor less 1.
    by_hand = [(15 * factor - 4) / 4 for factor in FACTORS.values()]
    assert [each.margin for each in found.cells] == pytest.approx(by_hand)
    for row in found.rows:
        assert (row.n_cells, row.n_runs, row.model) == (13, 7, "tiny")
        assert (row.value, row.low, row.high) == pytest.approx((1, 1, 1))
        assert (row.verdict, row.n_controlled) == ("no control", 0)
    lines = found.plot().get_lines()
    assert sum(len(each.get_xdata()) for each in lines) == 13


def test_both_correlations_are_those_of_scipy(drawn_apart: list[Geometry]) -> None:
    reached = {cell: np.exp(3 * factor) / 1e5 for cell, factor in FACTORS.items()}
    found = rows_of(compare_margins(drawn_apart, accuracies=reached, n_bootstrap=200))
    margins, accuracies = list(FACTORS.values()), list(reached.values())
    row = found["tiny", "Pearson"]
    assert row.value == pytest.approx(pearsonr(margins, accuracies).statistic)
    assert row.low < row.value < 1
    assert found["tiny", "Spearman"].value == pytest.approx(1.0)


def test_spaces_that_only_grow_are_not_distinguishable(drawn_apart: list[Geometry]) -> None:
    reached = {cell: factor / 10 for cell, factor in FACTORS.items()}
    sizes = np.array(list(FACTORS.values()))
    rng = np.random.default_rng(0)
    grown = sizes * rng.uniform(0.2, 0.4, size=(19, 1))
    noise = rng.uniform(0.2, 0.4, size=(19, len(sizes)))
    # Labels that overlap in every space have margins that follow nothing.
    overlapping = np.zeros((19, len(sizes)))
    verdicts = []
    for null in (grown, noise, overlapping):
        found = compare_margins(
            drawn_apart, accuracies=reached, shuffled=shuffled(FACTORS, null), n_bootstrap=10
        )
        row = rows_of(found)["tiny", "Pearson"]
        assert row.observed == pytest.approx(row.value) == pytest.approx(1.0)
        verdicts.append((row.p_value, row.verdict, row.n_control, row.n_controlled))
    assert verdicts == [
        (1.0, "not distinguishable from chance", 19, 13),
        (1 / 20, "beyond chance", 19, 13),
        (1 / 20, "beyond chance", 19, 13),
    ]


def test_models_of_another_scale_are_standardised(drawn_apart: list[Geometry]) -> None:
    other = {Cell("pos", "large", 1, "pos", 0, step): 50.0 + step for step in range(1, 5)}
    spaces = [*drawn_apart, *(line(cell, size, clusters=False) for cell, size in other.items())]
    # The large model lies further apart and is worse; within each, further apart is better.
    reached = {cell: 0.5 + size / 100 for cell, size in FACTORS.items()}
    reached |= {cell: (size - 50) / 100 for cell, size in other.items()}
    found = compare_margins(spaces, accuracies=reached, n_bootstrap=50)
    rows = rows_of(found)
    assert {model for model, _ in rows} == {"tiny", "large", "all"}
    assert all(row.value == pytest.approx(1.0) for row in found.rows)
    pooled = [[each.margin, each.accuracy] for each in found.cells]
    assert np.corrcoef(np.transpose(pooled))[0, 1] < 0
    assert rows["large", "Pearson"].verdict.startswith("no finding: 4 cells")
    assert np.isnan(rows["large", "Pearson"].low)


def test_accuracy_of_the_nearest_cluster_and_spaces_without() -> None:
    tests = [squares(LINE), Space(squares(LINE).points, np.repeat(["b", "b", "c", "d"], 4))]
    cells = [published(), *(tuned(1, step) for step in (10, 20))]
    spaces = [
        measure(squares(LINE), cell=cell, test=tests[k > 0], n_threads=1)
        for k, cell in enumerate(cells)
    ]
    found = compare_margins([*spaces, line(tuned(1, 30))], n_bootstrap=10)
    assert [each.accuracy for each in found.cells] == [1.0, 0.75, 0.75]
    assert found.notes == ("1 of 4 spaces have no accuracy.",)
    # The margins are all the same.
    assert np.isnan(found.rows[0].value)


def test_shuffled_otherwise_has_no_part(drawn_apart: list[Geometry]) -> None:
    reached = {cell: factor / 10 for cell, factor in FACTORS.items()}
    null = np.random.default_rng(1).uniform(size=(19, len(FACTORS)))
    of_cells = shuffled(FACTORS, null)
    of_cells |= shuffled({published(): 1.0}, null, units="other")
    found = compare_margins(drawn_apart, accuracies=reached, shuffled=of_cells, n_bootstrap=10)
    assert found.notes == (
        "1 of 13 spaces were shuffled otherwise than the rest, and have no part in the control.",
    )
    assert found.rows[0].n_controlled == 12


def test_what_cannot_be_compared(drawn_apart: list[Geometry]) -> None:
    with pytest.raises(InputError, match="within one task, but the spaces are of dep, pos"):
        compare_margins([*drawn_apart, line(published(task="dep"), clusters=False)])
    with pytest.raises(InputError, match="but there are 0 of 13"):
        compare_margins(drawn_apart)
