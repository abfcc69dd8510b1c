"""Sentences of a study: they say the number, its control and its seeds, and never more."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from geoprobe.controls import BesideRow, Claim, NullTest, beside_row, claims
from geoprobe.findings import (
    arrange_runs,
    compare_memorisation,
    difference_vectors,
    follow_centroids,
    measure_movement,
    minimum_distances,
    similarity_to_original,
)
from geoprobe.geometry import Cell, Geometry
from geoprobe.probes import measure
from geoprobe.studies.answers import Found, answer
from geoprobe.studies.sentences import BEYOND, NO_CONTROL, NOTHING, PHRASES, sentence
from geoprobe.studies.study_controls import without_control
from tests.support.report_cases import curves, geometries, space

LABELS = ("noun", "verb", "adverb", "numeral")
NULL = 23.0 + np.tile([-4.0, 0.0, 4.0], 33)


def row(measure: str, value: float, null: object = NULL, *, seed: int = 0, tuned_on: str = "role",
        task: str = "role", less: bool = False, n_labels: int = 46) -> BesideRow:  # fmt: skip
    cell = Cell(task, "tiny", 6, *((tuned_on, seed, 100) if tuned_on else ()))
    test = NullTest(value, np.asarray(null, dtype=float), "less" if less else "greater")
    return beside_row(cell, measure, 400, value, n_labels=n_labels, test=test)


def said(*rows: BesideRow) -> str:
    (one,) = claims(rows)
    return sentence(one).text


def ask(analysis: str, rows: list[BesideRow]) -> tuple[str, ...]:
    return answer(analysis, Found(claims(rows), (), ())).lines


def test_labels_pushed_apart() -> None:
    assert said(row("apart", 45.0)) == (
        "Fine-tuning pushes 45 of 46 labels of role apart (tiny, layer 6; shuffled: 23 ± 3.3, "
        "p = 0.01; 1 seed)."
    )
    assert said(row("apart", 25.0)) == (
        "After fine-tuning, 25 of 46 labels of role came to lie further from their nearest "
        "(tiny, layer 6; "
        "shuffled: 23 ± 3.3, p = 0.34; 1 seed): not distinguishable from chance."
    )
    other = said(row("closer", 36.0, tuned_on="pos"))
    assert other.startswith("Fine-tuning on pos brings 36 of 46 labels of role closer to their")


def test_seeds_are_as_strong_as_the_weakest() -> None:
    assert said(row("apart", 45.0), row("apart", 44.0, seed=1)) == (
        "Fine-tuning pushes 44 to 45 of 46 labels of role apart in 2 of 2 seeds (tiny, layer 6; "
        "shuffled: 23 ± 3.3, p ≤ 0.01)."
    )
    three = [row("apart", value, seed=seed) for seed, value in enumerate((45.0, 25.0, 44.0))]
    assert said(*three) == (
        "After fine-tuning, 25 to 45 of 46 labels of role came to lie further from their nearest "
        "(tiny, layer 6; shuffled: 23 ± 3.3, p ≤ 0.34; 3 seeds): not distinguishable from chance, "
        "though beyond it in 2 of 3 seeds."
    )
    alike = [row("apart", 2.0, seed=seed) for seed in range(3)]
    assert said(*alike).endswith("p ≤ 1): less than chance gives in 3 of 3 seeds.")
    assert "After fine-tuning, 2 of 46 labels" in said(*alike)
    assert said(*(row("apart", 25.0, seed=seed) for seed in range(3))).endswith(
        "p ≤ 0.34; 3 seeds): not distinguishable from chance."
    )


def test_linear_space_says_nothing_where_shuffled_ones_are_linear_too() -> None:
    same = said(row("clusters", 46.0, [46.0, 48.0] * 50, less=True, tuned_on=""))
    assert same == (
        "46 clusters for 46 labels of role as published, so that a hyperplane lies between every "
        "two (tiny, layer 6; shuffled: 47 ± 1, p = 0.5): not distinguishable from chance."
    )
    fewer = said(row("clusters", 52.0, [90.0, 91.0] * 50, less=True))
    assert "hyperplane" not in fewer
    assert "52 clusters for 46 labels of role after fine-tuning, fewer than shuffled" in fewer
    # A mean that happens to be the number of labels is that of no seed with fewer clusters.
    assert "hyperplane" not in said(
        row("clusters", 46.0, less=True), row("clusters", 47.0, less=True, seed=1)
    )


VERDICTS = {
    BEYOND: NullTest(9.0, np.arange(40.0) / 10, "greater"),
    "not distinguishable from chance": NullTest(2.0, np.arange(40.0) / 10, "greater"),
    "less than chance gives": NullTest(0.0, np.arange(1.0, 41.0), "greater"),
    "too few permutations (5) to tell from chance": NullTest(9.0, np.arange(5.0), "greater"),
    "not defined": NullTest(math.nan, np.arange(40.0), "greater"),
    NO_CONTROL: None,
}


STRONG = {
    "apart": "pushes",
    "closer": "brings",
    "clusters": "fewer than shuffled",
    "overlaps": "fewer than of shuffled",
    "to original": "keep more",
    "movement": "further than shuffled",
    "common": "ways of their own",
    "train to test": "laid out otherwise",
    "left out": "lie further from",
    "memorised": "brings training units",
    "nearest": "more than chance",
}
"""What a sentence says only of a number that is beyond chance."""


@pytest.mark.parametrize("measured", sorted(PHRASES))
@pytest.mark.parametrize("tuned_on", ["", "role", "pos"])
def test_no_sentence_says_more_than_its_number(measured: str, tuned_on: str) -> None:
    cell = Cell("role", "tiny", 6, *((tuned_on, 0, 100) if tuned_on else ()))
    for verdict, test in VERDICTS.items():
        value = 2.0 if test is None else test.observed
        (one,) = claims([beside_row(cell, measured, 400, value, n_labels=46, test=test)])
        text, concluded, *_ = sentence(one)
        assert concluded == verdict
        assert (STRONG[measured] in text) is (verdict == BEYOND)
        # Whatever is not beyond chance says so at its end, or that nothing was controlled.
        assert text.endswith(f": {verdict}.") is (verdict not in (BEYOND, NO_CONTROL))
        assert (NO_CONTROL in text) is (verdict == NO_CONTROL)
        assert ("undefined" if math.isnan(value) else f"{value:.0f}") in text
        assert test is None or f": {test.mean:.3g} ± {test.std:.2g}" in text
        assert ("1 seed" in text) is bool(tuned_on)


def test_many_sentences_are_counted() -> None:
    rows = [
        row("apart", value, task=f"task{k}", tuned_on=f"task{k}")
        for k, value in enumerate((45.0, 44.0, 25.0, 46.0))
    ]
    found = answer("min-distances", Found(claims(rows), (), ()))
    assert found.lines == (
        "Labels pushed apart: beyond chance in 3 of 4 fine-tunings, not distinguishable from "
        "chance in 1.",
    )
    assert found.each == tuple(sentence(one).text for one in claims(rows))
    three = [one._replace(seed=seed) for one in rows for seed in range(3)]
    assert ask("min-distances", three) == (
        "Labels pushed apart: beyond chance in 3 of 4 fine-tunings (3 seeds each), not "
        "distinguishable from chance in 1.",
    )
    assert any(term.startswith("Apart") for term in found.terms) and found.at_head
    few = answer("min-distances", Found(claims([rows[0], rows[1], rows[3], rows[3]]), (), ()))
    assert len(few.lines) == 3 and few.each == ()


def test_without_any_control_what_was_measured_is_counted() -> None:
    def alone(measured: str, value: float, task: str) -> BesideRow:
        cell = Cell(task, "tiny", 6, task, 0, 100)
        return beside_row(cell, measured, 400, value, n_labels=46)

    rows = [
        alone(measured, value, f"task{k}")
        for k, value in enumerate((45.0, 46.0, 25.0, 40.0))
        for measured in ("apart", "clusters", "to original")
    ]
    apart = answer("min-distances", Found(claims(rows), (), ()))
    assert apart.lines == (
        "Labels further from their nearest than before: 25 of 46 to 46 of 46 in 4 fine-tunings.",
    )
    assert ask("linearity", rows) == (
        "Clusters: 25 for 46 labels to 46 for 46 labels in 4 spaces.",
    )
    assert ask("similarity", rows) == ("Similarity to the original: 25 to 46 in 4 fine-tunings.",)
    assert "(tiny, layer 6; 1 seed)." in apart.each[0] and NO_CONTROL not in " ".join(apart.each)
    spread = [alone("apart", 40.0, "task0")._replace(seed=1), *rows]
    assert ask("min-distances", spread) == (
        "Labels further from their nearest than before: 25 of 46 to 46 of 46 in 4 fine-tunings "
        "(1 to 2 seeds each).",
    )
    # Where other numbers have a control, these say that they have none.
    (line,) = ask("min-distances", [*rows, row("movement", 46.0)])
    assert line.startswith("Labels further from their nearest than before (no control): 25 of 46")


def test_own_and_other_tasks_are_told_apart() -> None:
    rows = [row("apart", 45.0), row("apart", 2.0, tuned_on="pos")]
    (own,) = ask("min-distances", rows)
    (other,) = ask("cross-task", rows)
    assert own.startswith("Fine-tuning pushes 45") and "on pos, 2 of 46 labels" in other
    # Three sentences each are many for two pairs of tasks.
    more = [row(what, 45.0, tuned_on=on) for on in ("pos", "fxn") for what in ("apart", "closer")]
    assert ask("cross-task", more) == (
        "Labels pushed apart: beyond chance in both pairs of tasks.",
        "Labels brought closer to their nearest: beyond chance in both pairs of tasks.",
    )
    alone = answer("cross-task", Found(claims(rows[:1]), (), ()))
    assert alone.lines == ("Every task was looked at through its own fine-tuning only.",)
    assert not alone.at_head


def test_tests_are_compared_with_pseudo_tests() -> None:
    null = np.linspace(0.6, 0.9, 39)
    (line,) = ask("performance", [row("train to test", 0.3, null, less=True)])
    assert line == (
        "The test of role after fine-tuning is laid out otherwise than training: similarity 0.3 to "
        "the rest of training (tiny, layer 6; pseudo-tests: 0.75 ± 0.09, p = 0.025; 1 seed)."
    )
    (line,) = ask("performance", [row("train to test", 0.7, null, less=True, tuned_on="")])
    assert "a similarity of 0.7 to the rest of training (" in line and line.endswith(
        ": not distinguishable from chance."
    )


def test_memorisation_says_what_was_and_what_is() -> None:
    null = np.linspace(0.94, 1.06, 99)
    published = row("left out", 1.1, null, tuned_on="")
    both = [published, row("left out", 1.65, null), row("memorised", 1.5, null)]
    (line,) = ask("memorisation", both)
    assert line == (
        "Fine-tuning brings training units of role closer to their label than test units, whose "
        "distance to it, beside that of training units left out, is 1.5 times what it was (tiny, "
        "layer 6; pseudo-tests: 1 ± 0.035, p = 0.01; 1 seed). Test units lay 1.1 times "
        "as far, and lie 1.65 times."
    )
    (line,) = ask("memorisation", [published])
    assert line.startswith("Test units of role as published lie further from their label than")
    none = [published, row("left out", 1.111, null), row("memorised", 1.01, null)]
    (line,) = ask("memorisation", none)
    assert line.startswith("The distance of test units of role to their label, beside that of")
    assert ": not distinguishable from chance. Test units lay 1.1 times" in line


def test_numbers_beyond_their_controls_are_counted() -> None:
    rows = [row("apart", 45.0), row("clusters", 46.0, less=True), row("movement", 46.0)]
    assert ask("controls", rows) == (
        "In the last layers: beyond chance in 2 of 3 numbers, more than chance gives in 1.",
        "p is at most 0.05 in 2 of 3 tests, by chance alone in 0.15 (0.05 of 3); corrected for "
        "their number, p (BH), in 2.",
    )
    coarse = [row("apart", 45.0, [23.0] * 19), row("clusters", 46.0, [60.0] * 5, less=True)]
    assert ask("controls", coarse)[1:] == (
        "p is at most 0.05 in 1 of 2 tests, by chance alone in 0.1 (0.05 of 2); corrected for "
        "their number, p (BH), in 0.",
        "In 1 of them p cannot be below 0.17, since 5 controls were drawn.",
        "In 1 of them p cannot be below 0.05, since 19 controls were drawn.",
    )
    assert answer("of another package", Found((), (), ())) is NOTHING
    assert ask("controls", []) == ask("linearity", []) == ()


@pytest.fixture(scope="module")
def measured() -> list[Geometry]:
    return geometries(LABELS, layers=(1, 2), steps=(2, 200), seeds=(0, 1))


def test_without_controls_the_numbers_are_those_of_the_spaces(measured: list[Geometry]) -> None:
    found = {(row.measure, row.seed, row.step): row.value for row in without_control([], measured)}
    runs = [run for run in arrange_runs(measured) if run.layer == 2]
    for run in runs:
        gains = minimum_distances([run]).gains[2]
        assert found["apart", run.seed, 200] == sum(one.gain > 0 for one in gains)
        assert found["clusters", run.seed, 200] == run.last.n_clusters
        similar = similarity_to_original([run]).rows[-1].similarity
        assert found["to original", run.seed, 200] == pytest.approx(similar)
        moved = [row.movement for row in measure_movement([run]).rows]
        assert found["movement", run.seed, 200] == pytest.approx(np.mean(moved))
    assert {layer for _, _, layer in found} == {0, 200}
    known = beside_row(Cell("pos", "tiny", 2, "pos", 0, 200), "apart", 40, 4.0)
    left = without_control([known], measured)
    assert len(left) == len(found) - 1


def test_lines_are_the_numbers_of_the_findings(measured: list[Geometry]) -> None:
    runs = arrange_runs(measured)
    rows = without_control([], measured)

    def lines(analysis: str, *findings: object) -> tuple[str, ...]:
        return answer(analysis, Found(claims(rows), findings, runs)).lines  # type: ignore[arg-type]

    distances = minimum_distances([run for run in runs if run.layer == 2])
    (line,) = lines("min-distances", distances)
    assert line.startswith("After fine-tuning, ") and "(tiny, layer 2; 2 seeds)" in line
    best, worst = distances.most()[0], distances.least()[0]
    assert f"Most: {best.label} ({best.gain:+.3g})" in line.replace("\N{MINUS SIGN}", "-")
    assert f"least: {worst.label} (" in line
    # Most of it comes after update 2, and that all is there at the end says nothing.
    assert "Half of" not in line
    end = {(row.label, row.seed): row.distance for row in distances.rows if row.step == 200}
    rows_ = (
        row._replace(distance=end[row.label, row.seed]) if row.step == 2 else row
        for row in distances.rows
    )
    (line,) = lines("min-distances", dataclasses.replace(distances, rows=tuple(rows_)))
    assert line.endswith(" Half of the mean gain is there at update 2.")
    moved = measure_movement(runs)
    mean, layers = lines("movement", moved)
    middle = {n: np.median([row.relative for row in moved.rows if row.layer == n]) for n in (1, 2)}
    top = max(middle, key=lambda n: middle[n])
    assert f"layer {top} moves furthest, the median label by {middle[top]:.3g}" in layers
    assert "in the mean (tiny, layer 2; 2 seeds)" in mean
    assert layers.endswith("(so in 2 of 2 seeds).")
    # Words that are not said need not be explained.
    assert answer("movement", Found(claims(rows), [moved], runs)).terms == ()
    similar = similarity_to_original(runs)
    _, layers = lines("similarity", similar)
    last = {
        n: np.median([row.similarity for row in similar.rows if (row.layer, row.step) == (n, 200)])
        for n in (1, 2)
    }
    least = min(last, key=lambda n: last[n])
    assert f"layer {least} keeps least of its layout, a similarity of {last[least]:.3g}" in layers
    directions = difference_vectors([run for run in runs if run.layer == 2])
    (line,) = lines("differences", directions)
    shares = sorted(drift.share for drift in directions.drift.values())
    assert f"share {shares[0]:.3g} to {shares[1]:.3g} of" in line
    (line,) = lines("centroid-paths", follow_centroids(runs))
    assert "in the plane of their paths (tiny, layer 2; 2 seeds)" in line
    ends = [g.cell for g in measured if g.cell.layer == 2 and g.cell.step != 2]
    gaps = compare_memorisation(curves(ends))
    after = sorted({f"{end.gap:+.3f}" for end in gaps.gaps if end.cell.tuned_on})
    (line,) = lines("memorisation", gaps)
    assert f"is {' to '.join(after)} after fine-tuning (tiny, layer 2; " in line
    (before,) = (end.gap for end in gaps.gaps if end.cell.tuned_on is None)
    assert f"; {before:+.3f} as published; 2 seeds)." in line
    # The accuracy was perfect and stays so: nobody may say that it rose.
    (changed,) = lines("performance")
    assert changed == (
        "With fine-tuning the accuracy of the nearest cluster on pos goes from 1.000 to 1.000 "
        "(tiny, layer 2; +0.000 [+0.000, +0.000]; 2 seeds): not distinguishable from no change."
    )


def test_a_change_of_accuracy_holds_in_every_seed() -> None:
    def at(cell: Cell, apart: float) -> Geometry:
        train, test = (space(LABELS, 2, 0, 0, split, apart) for split in (0, 1))
        return measure(train, cell=cell, test=test, n_threads=1)

    start = at(Cell("pos", "tiny", 2), 0.1)
    after = [at(Cell("pos", "tiny", 2, "pos", seed, 9), apart) for seed, apart in ((0, 1), (1, 1))]
    found = Found((), (), arrange_runs([start, *after]))
    (line,) = answer("performance", found).lines
    assert start.predictions is not None
    assert line.startswith("Fine-tuning raises the accuracy of the nearest cluster on pos from ")
    assert f"from {start.predictions.accuracy:.3f} to 1.000 in 2 of 2 seeds (" in line
    # One seed that stays as it was takes the claim away from the other.
    idle = dataclasses.replace(start, cell=after[1].cell)
    mixed = Found((), (), arrange_runs([start, after[0], idle]))
    (line,) = answer("performance", mixed).lines
    assert line.startswith("With fine-tuning") and line.endswith(
        "; 2 seeds): not distinguishable from no change, though raised in 1 of 2 seeds."
    )
    down = Found((), (), arrange_runs([at(start.cell, 1.0), at(after[0].cell, 0.1)]))
    assert "Fine-tuning lowers the accuracy" in answer("performance", down).lines[0]


def test_claims_keep_the_labels_behind_them() -> None:
    (one,) = claims([row("apart", 45.0), row("apart", 44.0, seed=1)])
    assert isinstance(one, Claim) and one.n_labels == 46
