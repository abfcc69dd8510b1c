"""Named pairs of hulls and named spaces, whose answers are known by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class HullPair:
    """Two sets of points and the distance of their hulls; 0 means that they share a point.

    ``overlap`` is the answer at tau = 1e-7, which differs from ``distance == 0`` only for gaps
    below tau * R.
    """

    name: str
    a: np.ndarray
    b: np.ndarray
    distance: float
    overlap: bool

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class NamedSpace:
    """Labelled points and the cluster of every point, numbered by label and first row."""

    name: str
    X: np.ndarray
    y: np.ndarray
    clusters: np.ndarray

    def __str__(self) -> str:
        return self.name


def _points(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, dtype=np.float64)


def _pair(name: str, a: np.ndarray, b: np.ndarray, distance: float) -> HullPair:
    return HullPair(name, a, b, distance, overlap=distance == 0)


def _cube(*centre: float, half: float = 0.5) -> np.ndarray:
    corners = np.array(np.meshgrid(*[[-half, half]] * len(centre))).reshape(len(centre), -1).T
    return corners + np.array(centre)


SQUARE = _cube(0.0, 0.0)
DIAMOND = _points((0.5, 0), (1, 1), (2, 0), (1, -1))
TETRAHEDRON = _points((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))

HULL_PAIRS = [
    _pair("two points", _points((0, 0)), _points((3, 4)), 5.0),
    _pair("point on a corner", _points((1, 2, 3)), _points((1, 2, 3), (4, 5, 7)), 0.0),
    _pair("repeated point on a corner", _points((1, 2), (1, 2)), _points((1, 2), (3, 3)), 0.0),
    _pair("points on a line, apart", _points((0,), (1,)), _points((3,), (7,)), 2.0),
    _pair("points on a line, touching", _points((0,), (3,)), _points((3,), (7,)), 0.0),
    _pair("points on a line, interleaved", _points((0,), (5,)), _points((3,), (7,)), 0.0),
    _pair("point above a segment", _points((0.25, 2)), _points((-1, 0), (1, 0)), 2.0),
    _pair("point beyond a segment's end", _points((4, 4)), _points((-1, 0), (1, 0)), 5.0),
    _pair("point on a segment", _points((0.5, 0)), _points((-1, 0), (1, 0)), 0.0),
    _pair("crossing segments", _points((-1, 0), (1, 0)), _points((0, -1), (0, 1)), 0.0),
    _pair("T of two segments", _points((-1, 0), (1, 0)), _points((0, 0), (0, 1)), 0.0),
    _pair("skew lines", _points((-1, 0, 0), (1, 0, 0)), _points((0, -1, 3), (0, 1, 3)), 3.0),
    _pair("collinear segments, apart", _points((0, 0), (1, 1)), _points((4, 4), (5, 5)), 18**0.5),
    _pair("collinear segments, touching", _points((0, 0), (2, 2)), _points((2, 2), (5, 5)), 0.0),
    _pair("squares, apart", SQUARE, _cube(2.0, 0.25), 1.0),
    _pair("squares, corner to corner apart", SQUARE, _cube(4.0, 5.0), 5.0),
    _pair("squares sharing an edge", SQUARE, _cube(1.0, 0.0), 0.0),
    _pair("squares sharing half an edge", SQUARE, _cube(1.0, 0.5), 0.0),
    _pair("squares sharing a corner", SQUARE, _cube(1.0, 1.0), 0.0),
    _pair("square in a square", SQUARE, _cube(0.0, 0.0, half=3.0), 0.0),
    _pair("point in a square", _points((0.125, -0.25)), SQUARE, 0.0),
    _pair("diamond's corner on a square's edge", SQUARE, DIAMOND, 0.0),
    _pair("cubes sharing a face", _cube(0, 0, 0), _cube(1, 0, 0), 0.0),
    _pair("cubes sharing an edge", _cube(0, 0, 0), _cube(1, 1, 0), 0.0),
    _pair("cubes sharing a corner", _cube(0, 0, 0), _cube(1, 1, 1), 0.0),
    _pair("cubes, face to face apart", _cube(0, 0, 0), _cube(3, 0.25, 0.25), 2.0),
    _pair("cubes, edge to edge apart", _cube(0, 0, 0), _cube(4, 5, 0.25), 5.0),
    _pair("tetrahedron and its mirror image", TETRAHEDRON, -TETRAHEDRON, 0.0),
    _pair("origin in a tetrahedron", _points((0, 0, 0)), TETRAHEDRON, 0.0),
    _pair("axes of eight dimensions", np.eye(8)[:4], np.eye(8)[4:], 0.5**0.5),
    _pair("axes of fifty dimensions", np.eye(50)[:25], np.eye(50)[25:], (2 / 25) ** 0.5),
    _pair("many points on two lines", np.c_[np.arange(400), np.zeros(400)] / 64,
          np.c_[np.arange(400), np.ones(400)] / 64 + [[0.25, 0.5]], 0.5 + 1 / 64),
]  # fmt: skip


def near_touching(gap: float, n_dims: int = 2, seed: int | None = None) -> HullPair:
    """Return two triangles, face to face, ``gap`` apart, with R = 1 exactly and mean 0.

    With a seed, a random rotation turns them, which rounds every coordinate once.
    """
    half = gap / 2
    a = np.zeros((3, n_dims))
    a[:, :2] = [(half, 0.5), (half, -0.5), (1.0, 0.0)]
    if seed is not None:
        square = np.random.default_rng(seed).normal(size=(n_dims, n_dims))
        a = a @ np.linalg.qr(square)[0]
    where = "" if seed is None else f", turned in {n_dims} dimensions"
    return HullPair(f"gap of {gap:.6g}{where}", a, -a, gap, overlap=gap <= 1e-7)


GAPS = (1e-3, 1e-4, 1e-5, 1e-6, 2e-7, 1.01e-7, 0.99e-7, 5e-8, 1e-8, 1e-9)
NEAR_TOUCHING = [
    *(near_touching(gap) for gap in GAPS),
    *(near_touching(gap, n_dims=5, seed=3) for gap in GAPS),
    *(near_touching(gap, n_dims=40, seed=4) for gap in GAPS),
]


def _space(name: str, X: np.ndarray, y: list[int] | list[str], clusters: list[int]) -> NamedSpace:
    return NamedSpace(name, np.asarray(X, dtype=np.float64), np.array(y), np.array(clusters))


def _line(labels: str) -> tuple[np.ndarray, list[str]]:
    return np.arange(float(len(labels)))[:, None], list(labels)


def _runs(lengths: list[int], names: str) -> NamedSpace:
    """Return points on a line in runs of one label: every run is a cluster."""
    labels = [names[k % len(names)] for k, length in enumerate(lengths) for _ in range(length)]
    run_of = np.repeat(np.arange(len(lengths)), lengths)
    order = sorted(range(len(lengths)), key=lambda k: (names[k % len(names)], k))
    number = np.empty(len(lengths), dtype=int)
    number[order] = np.arange(len(lengths))
    name = f"{len(labels)} points on a line in {len(lengths)} runs"
    return _space(name, np.arange(len(labels))[:, None], labels, number[run_of].tolist())


SPACES = [
    _space("two labels apart", _points((0, 0), (1, 0), (5, 0), (6, 0)), [0, 0, 1, 1], [0, 0, 1, 1]),
    _space("one point per label", _points((0, 0), (1, 0), (0, 1), (3, 3)), [3, 1, 2, 0],
           [3, 1, 2, 0]),
    _space("one label's points on both sides", *_line("aabbaa"), [0, 0, 2, 2, 1, 1]),
    _space("alternating line", *_line("abab"), [0, 2, 1, 3]),
    # The first diagonal merges, for ties go to the smaller row; the second then crosses it.
    _space("XOR", _points((0, 0), (1, 1), (0, 1), (1, 0)), [0, 0, 1, 1], [0, 0, 1, 2]),
    _space("cross", _points((-1, 0), (0, -1), (1, 0), (0, 1)), [7, 8, 7, 8], [0, 1, 0, 2]),
    # The short segment merges first; its end lies on the long one, which stays in two.
    _space("T", _points((0, 0), (2, 0), (1, 0), (1, 1)), ["a", "a", "b", "b"], [0, 1, 2, 2]),
    # The square's lower and upper sides merge; together they would enclose the other label.
    _space("label enclosed by another",
           np.concatenate([_points((-2, -2), (2, -2), (2, 2), (-2, 2)), _cube(0, 0, half=0.125)]),
           ["a"] * 4 + ["b"] * 4, [0, 0, 1, 1, 2, 2, 2, 2]),
    # a at 0 and b at 0 are one point under two labels: each stays alone, and neither 1 nor -1
    # meets it.
    _space("one point under two labels", _points((0,), (0,), (1,), (2,), (-1,), (-2,)),
           ["a", "b", "a", "a", "b", "b"], [0, 2, 1, 1, 3, 3]),
    # The point under two labels stands between a's other points: an obstacle to both labels.
    _space("contradiction as an obstacle", _points((0,), (0,), (1,), (-1,)),
           ["a", "b", "a", "a"], [0, 3, 1, 2]),
    _space("only contradictions", _points((0, 0), (0, 0), (1, 1), (1, 1)),
           ["a", "b", "a", "b"], [0, 2, 1, 3]),
    _space("three labels on one point", _points((4, 4), (4, 4), (4, 4), (6, 6)), [0, 1, 2, 2],
           [0, 1, 2, 3]),
    _space("repeated points of one label", _points((0,), (0,), (3,), (3,), (0,), (4,)),
           [1, 1, 0, 0, 1, 0], [1, 1, 0, 0, 1, 0]),
    # The repeats of a at 0 are one point, and one point under two labels.
    _space("repeated contradiction", _points((0,), (0,), (0,), (0,), (5,), (6,)),
           ["a", "a", "b", "b", "a", "b"], [0, 0, 2, 2, 1, 3]),
    _space("more dimensions than points", np.eye(9)[:6], [0, 1, 0, 1, 2, 2], [0, 1, 0, 1, 2, 2]),
    _space("corner inside a corner",
           _points((0, 0), (0, 4), (4, 0), (1, 1), (1, 5), (5, 1)), [0, 0, 0, 1, 1, 1],
           # The legs have length 4 and the tie goes to row 0: (0, 0)-(0, 4) merges, then the
           # union with (4, 0) meets (1, 1); likewise for label 1, whose hull then meets nothing
           # but the segment from (1, 1) to (1, 5) and (5, 1): the line x + y = 6 lies beyond.
           [0, 0, 1, 2, 2, 2]),
    _runs([1, 2, 3, 2, 1, 4], "ab"),
    _runs([7, 30, 1, 25, 40, 1, 1, 60, 3, 32], "abc"),
]  # fmt: skip
