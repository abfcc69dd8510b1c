"""Numbers beside their controls: rows, claims over seeds and figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need the extra report")
pytest.importorskip("pandas", reason="tables need the extra report")

from geoprobe.controls import BesideControl, NullTest, beside_row, claims, similarity_by_size
from geoprobe.errors import InputError
from geoprobe.findings import Interval
from geoprobe.geometry import Cell
from geoprobe.probes import measure
from tests.support.findings_cases import random_space

CELLS = [Cell("pos", "tiny", 6), *(Cell("pos", "tiny", 6, "pos", seed, 100) for seed in (0, 1))]
NULL = np.arange(10.0, 30.0)


def rows():  # type: ignore[no-untyped-def]
    tests = [NullTest(value, NULL, "less") for value in (20.0, 5.0, 9.0)]
    of_labels = [
        beside_row(cell, "clusters", 400 - k, test.observed, test=test)
        for k, (cell, test) in enumerate(zip(CELLS, tests, strict=True))
    ]
    ceiling = Interval(0.8, 0.7, 0.9, 0.95, 50)
    return [
        *of_labels,
        beside_row(CELLS[0], "ceiling", 400, 0.8, interval=ceiling),
        beside_row(CELLS[0], "accuracy", 90, 0.9, control=[0.5, 0.6]),
    ]


def test_rows_hold_the_test_or_the_comparison() -> None:
    first, _, _, ceiling, accuracy = rows()
    assert (first.control, first.n_control) == (19.5, 20)
    assert first.p_value == pytest.approx(12 / 21)
    assert first.verdict == "not distinguishable from chance"
    assert (ceiling.low, ceiling.high, ceiling.n_control) == (0.7, 0.9, 0)
    assert math.isnan(ceiling.control)
    assert accuracy.control == pytest.approx(0.55)
    assert accuracy.control_std == pytest.approx(np.std([0.5, 0.6], ddof=1))
    assert (accuracy.verdict, math.isnan(accuracy.p_value)) == ("", True)


def test_claim_of_a_number_that_is_not_defined() -> None:
    test = NullTest(math.nan, NULL, "greater")
    (claim,) = claims([beside_row(CELLS[0], "to original", 400, math.nan, test=test)])
    assert (claim.verdict, claim.control) == ("not defined", 19.5)


def test_p_values_are_corrected_for_their_number() -> None:
    values = {"clusters": 5.0, "distance": 12.0, "apart": 14.0, "ceiling": None}
    each = claims(
        beside_row(CELLS[0], name, 400, 0.8)
        if value is None
        else beside_row(CELLS[0], name, 400, value, test=NullTest(value, NULL, "less"))
        for name, value in values.items()
    )
    p = [1 / 21, 4 / 21, 6 / 21]
    assert [one.p_value for one in each[:3]] == pytest.approx(p)
    # Benjamini & Hochberg by hand: n / rank * p, and no larger than that of the next larger p.
    assert [one.p_adjusted for one in each[:3]] == pytest.approx([3 * p[0], 1.5 * p[1], p[2]])
    assert math.isnan(each[3].p_adjusted)


def test_claim_over_seeds_is_as_strong_as_its_weakest() -> None:
    mixed = [
        beside_row(cell, "clusters", 400, value, test=NullTest(value, NULL, "less"))
        for cell, value in zip(CELLS[1:], (5.0, 20.0), strict=True)
    ]
    (claim,) = claims(mixed)
    assert (claim.n_seeds, claim.value, claim.low, claim.high) == (2, 12.5, 5.0, 20.0)
    assert claim.p_value == pytest.approx(12 / 21)
    assert claim.verdict == "not distinguishable from chance"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((40.0, 50.0), "more than chance gives"),
        ((40.0, 20.0), "not distinguishable from chance"),
        ((40.0, -1.0), "not distinguishable from chance"),
    ],
)
def test_claim_below_chance_holds_in_every_seed(values: tuple[float, ...], verdict: str) -> None:
    each = [
        beside_row(cell, "clusters", 400, value, test=NullTest(value, NULL, "less"))
        for cell, value in zip(CELLS[1:], values, strict=True)
    ]
    assert [one.verdict for one in claims(each)] == [verdict]


def test_finding_has_a_table_and_a_figure() -> None:
    found = BesideControl(tuple(rows()), ())
    assert len(found.to_frame()) == 5
    over = found.over_seeds()
    assert over["n_seeds"] == [1, 2, 1, 1]
    axes = found.plot()
    # Only what has a standard score is drawn: clusters, before and after.
    assert [text.get_text() for text in axes.get_yticklabels()] == ["clusters"]
    assert sorted(len(line.get_xdata()) for line in axes.lines) == [1, 2]


def test_similarity_by_size_lists_what_was_not_compared() -> None:
    first, second = (measure(random_space(seed), n_threads=1) for seed in (1, 2))
    small = random_space(2)
    kept = small.labels != small.labels[0]
    other = measure(type(small)(small.points[kept], small.labels[kept]), n_threads=1)
    cell = Cell("pos", "tiny", 6)
    options = {"n_bootstrap": 10}
    whole = similarity_by_size([(cell, "both", first, second)], **options)  # type: ignore[arg-type]
    assert [row.min_units for row in whole.rows] == [1, 6, 10]
    assert whole.notes == ()
    assert whole.rows[0].n_labels == first.n_labels
    left = similarity_by_size([(cell, "both", first, other)], **options)  # type: ignore[arg-type]
    assert left.rows[0].n_labels == first.n_labels - 1
    assert left.notes == (
        f"{cell}, both: labels only in the first space are left out: {small.labels[0]}.",
    )
    zeros = similarity_by_size([(cell, "both", first, other)], absent="zero", n_bootstrap=10)
    assert zeros.rows[0].n_labels == first.n_labels
    refused = similarity_by_size([(cell, "both", first, other)], absent="error", n_bootstrap=10)
    assert refused.rows == ()
    assert "labels only in the first space" in refused.notes[0]
    with pytest.raises(InputError, match="absent is one of"):
        similarity_by_size([(cell, "both", first, other)], absent="drop")  # type: ignore[arg-type]
    assert len(whole.plot().lines) == 2
