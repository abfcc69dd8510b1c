"""Pictures of arrays: what is on the axes is what the arrays hold."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need the extra report")

from geoprobe.drawing.bars import MOST_LABELS, draw_clusters
from geoprobe.drawing.grids import draw_counts, draw_distances
from geoprobe.drawing.maps import MOST_NAMED, draw_map, outline, principal_view, view_along
from geoprobe.drawing.style import new_axes

NAMES = ("<script>", "$x$", "a" * 500)


def words(ax: object) -> list[str]:
    return [text.get_text() for text in ax.texts]  # type: ignore[attr-defined]


def test_distances_stand_in_their_cells() -> None:
    matrix = np.array([[0.0, 1.5, np.nan], [1.5, 0.0, 0.0], [np.nan, 0.0, 0.0]])
    ax = draw_distances(matrix, NAMES, title="distances")
    at = {(text.xy[0], text.xy[1]): text.get_text() for text in ax.texts}
    # Neither the diagonal nor a pair without a distance has a number; 0 is one.
    assert at == {(1, 0): "1.5", (0, 1): "1.5", (2, 1): "0", (1, 2): "0"}
    assert [text.get_text() for text in ax.get_yticklabels()] == list(NAMES)


@pytest.mark.parametrize("n", [0, 1])
def test_no_pairs_are_said(n: int) -> None:
    assert words(draw_distances(np.zeros((n, n)), NAMES[:n])) == ["no pairs"]
    assert words(draw_counts(np.zeros((0, 0)), (), (), nothing="nothing")) == ["nothing"]


def test_axes_that_are_given_are_returned() -> None:
    _, (ax, other, third) = new_axes(3)
    assert draw_distances(np.zeros((2, 2)), NAMES[:2], ax=ax) is ax
    assert draw_clusters(NAMES[:1], np.zeros(1, int), np.ones(1, int), ax=other) is other
    view = principal_view(np.eye(3))
    assert draw_map(view, np.arange(3), NAMES, ax=third) is third


def test_counts_are_numbers_and_zeros_are_empty() -> None:
    ax = draw_counts(np.array([[3.0, 0.0], [0.0, 1200.0]]), NAMES[:2], NAMES[:2])
    assert words(ax) == ["3", "1200"]


def test_bars_are_as_long_as_their_labels_and_cut_where_clusters_end() -> None:
    ax = draw_clusters(("one", "three"), np.array([0, 1, 1, 1]), np.array([5, 1, 4, 2]))
    # The label of most clusters comes first, and its largest cluster.
    assert [text.get_text() for text in ax.get_yticklabels()] == ["three", "one"]
    assert [(bar.get_x(), bar.get_width()) for bar in ax.patches] == [
        (0, 4),
        (4, 2),
        (6, 1),
        (0, 5),
    ]
    assert words(ax) == ["3", "1"]
    seen = draw_map(principal_view(np.eye(3)), np.array([0, 1, 1]), ("one", "three"))
    # Each label has the colour that it has on the map.
    colors = pytest.importorskip("matplotlib.colors")
    drawn = [colors.to_hex(bar.get_facecolor()) for bar in ax.patches]
    one, three = (line.get_color().lower() for line in seen.lines)
    assert drawn == [three] * 3 + [one]


def test_bars_of_many_labels_and_many_clusters_stay_few() -> None:
    label = np.r_[np.zeros(1000, int), np.arange(1, 40)]
    ax = draw_clusters([str(k) for k in range(40)], label, np.ones(len(label), int))
    assert len(ax.get_yticks()) == MOST_LABELS
    assert words(ax)[0] == "1,000"
    assert sum(bar.get_width() for bar in ax.patches if bar.get_y() < 0.5) == 1000
    assert len(ax.patches) < 100
    assert "30 of 40 labels" in ax.get_title()


def test_a_plane_says_what_it_keeps() -> None:
    flat = np.random.default_rng(0).normal(size=(50, 2)) @ np.ones((2, 7)) @ np.diag(np.arange(7.0))
    assert principal_view(flat).keeps.startswith("this plane keeps 100% of")
    assert principal_view(np.ones((3, 4))).keeps.startswith("all points are equal")
    assert principal_view(np.arange(3.0)[:, None]).points.tolist() == [[0, 0], [1, 0], [2, 0]]


def test_a_view_along_the_normal_keeps_the_gap() -> None:
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    sides = np.repeat([-1.0, 2.0], 20)
    points = np.column_stack([sides, rng.normal(size=(40, 4))]) @ turn
    seen = view_along(points, turn[0]).points
    assert seen[20:, 0].min() - seen[:20, 0].max() == pytest.approx(3.0, abs=1e-12)


@pytest.mark.parametrize(
    ("points", "corners"),
    [
        ([[0, 0]], {(0, 0)}),
        ([[0, 0], [1, 1]], {(0, 0), (1, 1)}),
        ([[0, 0], [2, 2], [1, 1]], {(0, 0), (2, 2)}),
        ([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]], {(0, 0), (1, 0), (1, 1), (0, 1)}),
    ],
)
def test_outlines(points: list, corners: set) -> None:
    assert set(map(tuple, outline(np.array(points, float)).tolist())) == corners


def test_maps_name_the_largest_labels_and_draw_the_others_grey() -> None:
    rng = np.random.default_rng(2)
    codes = np.r_[np.arange(40), np.arange(10)]
    names = [f"<b>{k}" * 30 for k in range(40)]
    ax = draw_map(principal_view(rng.normal(size=(50, 3))), codes, names, groups=codes)
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(shown) == MOST_NAMED + 1
    assert shown[0] == "16 more labels"
    assert max(map(len, shown)) <= 32
    drawn = sum(len(line.get_xdata()) for line in ax.lines if line.get_linestyle() == "None")
    assert drawn == 50
