"""Blockers during fine-tuning: squares that overlap, and are drawn apart one after the other."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("matplotlib", reason="figures need the extra report")

from geoprobe.errors import InputError
from geoprobe.findings import arrange_runs, follow_blockers
from geoprobe.geometry import Geometry
from geoprobe.probes import measure
from tests.support.findings_cases import Centres, published, squares, tuned

# t stands between the squares of s; u and v overlap; w and x do once; y stays upon z.
START: Centres = {
    "s": [(-4, 0), (6, 0)], "t": [(0, 0)], "u": [(0, 20)], "v": [(0.5, 20)],
    "w": [(0, 40)], "x": [(9, 40)], "y": [(0, 60)], "z": [(0.5, 60)],
}  # fmt: skip
MOMENTS: list[Centres] = [
    START,
    {**START, "t": [(0, 9)], "w": [(8.5, 40)]},
    {**START, "t": [(0, 9)], "v": [(7, 20)]},
    {**START, "v": [(7, 20)]},
    {**START, "t": [(0, 9)], "v": [(7, 20)], "x": [(9, 20)], "u": [(9.5, 20)]},
]
STEPS = (0, 5, 10, 20, 40)


@pytest.fixture(scope="module")
def moments() -> list[Geometry]:
    cells = [tuned(1, step) if step else published() for step in STEPS]
    return [
        measure(squares(centres), cell=cell, n_threads=1)
        for centres, cell in zip(MOMENTS, cells, strict=True)
    ]


def test_each_pair_vanishes_when_it_was_drawn_apart(moments: list[Geometry]) -> None:
    found = follow_blockers(arrange_runs(moments))
    courses = {
        (r.label, r.other): (r.course, r.vanished, r.n_overlaps, r.n_moments) for r in found.rows
    }
    assert courses == {
        # Gone at 5 and 10, back at 20: it has vanished from 40 on.
        ("s", "t"): ("vanishes", 40, 2, 5),
        ("u", "v"): ("vanishes", 10, 2, 5),
        ("w", "x"): ("passes", 10, 1, 5),
        ("y", "z"): ("stays", None, 5, 5),
        ("u", "x"): ("comes", None, 1, 5),
    }
    assert [each.n_overlaps for each in found.remaining] == [3, 3, 1, 2, 2]
    assert {each.n_pairs for each in found.remaining} == {28}
    line = found.plot().get_lines()[0]
    assert line.get_ydata().tolist() == [3, 3, 1, 2, 2]


def test_clusters_that_are_kept_apart_are_counted(moments: list[Geometry]) -> None:
    rows = {(r.label, r.other): r for r in follow_blockers(arrange_runs(moments)).rows}
    split = rows["s", "t"]
    assert (split.kept_apart_first, split.kept_apart_last) == (1, 0)
    assert rows["y", "z"].kept_apart_first > 0
    bare = [
        measure(squares(centres), cell=g.cell, clusters=False, n_threads=1)
        for centres, g in zip(MOMENTS[:2], moments[:2], strict=True)
    ]
    assert all(math.isnan(r.kept_apart_first) for r in follow_blockers(arrange_runs(bare)).rows)


def test_seeds_are_counted_together(moments: list[Geometry]) -> None:
    other = measure(squares(MOMENTS[0]), cell=tuned(1, 40, seed=1), n_threads=1)
    found = follow_blockers(arrange_runs([*moments, other]))
    over = found.over_seeds()
    at = list(zip(over["label"], over["other"], strict=True)).index(("u", "v"))
    assert (over["n_seeds"][at], over["n_overlaps_mean"][at]) == (2, 2.0)
    assert {r.course for r in found.rows if r.seed == 1} == {"stays"}


def test_a_single_moment_shows_no_course(moments: list[Geometry]) -> None:
    with pytest.raises(InputError, match="at least 2 checkpoints"):
        follow_blockers(arrange_runs([moments[1]]))
