"""Agreement of layouts: scipy's numbers, absent labels, thresholds, and when it is no finding."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from geoprobe.controls import Agreement, Layout, correlate_by_size, correlate_layouts
from geoprobe.errors import InputError
from geoprobe.findings import spatial_similarity
from geoprobe.probes import measure
from tests.support.findings_cases import random_space

NAMES = tuple("abcdefgh")


def layout(seed: int, names: tuple[str, ...] = NAMES, noise: float = 0.3) -> Layout:
    """The same layout of labels for every seed, but for noise; units 1, 2, 3, ... of each."""
    points = np.random.default_rng(99).normal(size=(len(NAMES), 3))
    points = points + noise * np.random.default_rng(seed).normal(size=points.shape)
    points = points[[NAMES.index(name) for name in names]]
    matrix = np.linalg.norm(points[:, None] - points[None], axis=2)
    units = np.array([1 + NAMES.index(name) for name in names])
    return Layout(names, matrix, units)


def upper(each: Layout) -> np.ndarray:
    return each.matrix[np.triu_indices(len(each.labels), 1)]


def test_agrees_with_scipy() -> None:
    first, second = layout(1), layout(2)
    found = correlate_layouts(first, second, n_bootstrap=50)
    assert found.pearson.value == pytest.approx(pearsonr(upper(first), upper(second)).statistic)
    assert found.spearman.value == pytest.approx(spearmanr(upper(first), upper(second)).statistic)
    assert (found.n_pairs, found.labels, found.enough) == (28, NAMES, True)
    assert found.pearson.low < found.pearson.value < found.pearson.high


def test_labels_are_matched_by_name() -> None:
    first, second = layout(1), layout(2)
    order = [3, 0, 7, 1, 2, 6, 5, 4]
    turned = Layout(tuple(NAMES[k] for k in order), second.matrix[np.ix_(order, order)])
    plain = correlate_layouts(first, second, n_bootstrap=20)
    assert correlate_layouts(first, turned, n_bootstrap=20) == plain


def test_agrees_with_the_similarity_of_measured_spaces() -> None:
    first, second = (measure(random_space(seed), n_threads=1) for seed in (1, 2))
    found = correlate_layouts(first, second, n_bootstrap=20)
    assert found.pearson.value == pytest.approx(spatial_similarity(first, second).value, rel=1e-12)


def test_bootstrap_agrees_with_a_plain_one() -> None:
    """Labels drawn with replacement, a pair of one label twice left out: counted pair by pair.

    Rounded distances tie, also among different pairs.
    """
    first, second = (Layout(NAMES, np.round(layout(seed).matrix, 1)) for seed in (1, 2))
    found = correlate_layouts(first, second, n_bootstrap=200, seed=5)
    rng = np.random.default_rng(5)
    drawn = []
    for _ in range(200):
        labels = rng.integers(8, size=8)
        pairs = [(i, j) for k, i in enumerate(labels) for j in labels[k + 1 :] if i != j]
        vectors = ([each.matrix[i, j] for i, j in pairs] for each in (first, second))
        a, b = vectors
        drawn.append((pearsonr(a, b).statistic, spearmanr(a, b).statistic))
    ends = np.percentile(drawn, [2.5, 97.5], axis=0)
    assert (found.pearson.low, found.pearson.high) == pytest.approx(tuple(ends[:, 0]))
    assert (found.spearman.low, found.spearman.high) == pytest.approx(tuple(ends[:, 1]))


def test_interval_covers_the_correlation_of_many_labels() -> None:
    """200 pairs of noisy layouts of 12 labels: the 95 % interval of labels holds the true value.

    The truth is the correlation over 400 labels. Pairs share labels: resampling them one by one
    would cover far less.
    """

    def distances(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[:, None] - points[None], axis=2)

    def pair(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([4, seed])
        points = rng.normal(size=(n, 5))
        return distances(points), distances(points + 0.5 * rng.normal(size=points.shape))

    (a, b), k = pair(400, 10_000), np.triu_indices(400, 1)
    truth, covered = pearsonr(a[k], b[k]).statistic, 0
    for data in range(100):
        names = tuple(map(str, range(12)))
        first, second = (Layout(names, each) for each in pair(12, data))
        found = correlate_layouts(first, second, n_bootstrap=100, seed=data).pearson
        covered += found.low <= truth <= found.high
    assert covered >= 80


@pytest.mark.parametrize(
    ("absent", "labels", "n_pairs"),
    [("intersect", tuple("abcdef"), 15), ("zero", tuple("abcdefgh"), 28)],
)
def test_absent_labels(absent: str, labels: tuple[str, ...], n_pairs: int) -> None:
    first, second = layout(1), layout(2, tuple("abcdef"))
    found = correlate_layouts(first, second, absent=absent, n_bootstrap=20)  # type: ignore[arg-type]
    assert (found.labels, found.n_pairs, found.absent) == (labels, n_pairs, absent)
    assert (found.only_in_first, found.only_in_second) == (("g", "h"), ())
    matrix = np.zeros((8, 8))
    matrix[:6, :6] = second.matrix
    k = np.triu_indices(len(labels), 1)
    assert found.pearson.value == pytest.approx(pearsonr(first.matrix[k], matrix[k]).statistic)


def test_label_without_any_distance_is_absent() -> None:
    """As label_distances leaves labels of small clusters: NaN to all others."""
    second = layout(2)
    matrix = second.matrix.copy()
    matrix[3] = matrix[:, 3] = np.nan
    found = correlate_layouts(layout(1), Layout(NAMES, matrix), absent="intersect", n_bootstrap=20)
    assert found.only_in_first == ("d",)
    assert found.n_pairs == 21


def test_sizes_leave_small_labels_out() -> None:
    found = correlate_by_size(layout(1), layout(2), sizes=(1, 4, 6), n_bootstrap=20)
    assert [each.n_pairs for each in found] == [28, 10, 3]
    assert found[1].labels == tuple("defgh")
    assert found[1].too_small == tuple("abc")
    assert [each.enough for each in found] == [True, True, False]
    assert str(found[2]).startswith("no finding: 3 pairs of 3 labels, and fewer than 10")
    assert "10 pairs of 5 labels of 4 units or more" in str(found[1])


def test_two_labels_have_no_correlation() -> None:
    found = correlate_layouts(layout(1, tuple("ab")), layout(2, tuple("ab")), n_bootstrap=5)
    assert np.isnan(found.pearson.value)
    assert not found.enough
    assert "at least 3 pairs" in str(found)


def test_unrelated_layouts_have_intervals_around_zero() -> None:
    held = 0
    for seed in range(40):
        rng = np.random.default_rng([6, seed])
        points = rng.normal(size=(2, 10, 4))
        matrices = np.linalg.norm(points[:, :, None] - points[:, None], axis=3)
        first, second = (Layout(tuple("abcdefghij"), each) for each in matrices)
        found = correlate_layouts(first, second, n_bootstrap=100).pearson
        held += found.low <= 0 <= found.high
    assert held >= 30


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Layout(("a", "a"), np.zeros((2, 2))), "label 'a' stands twice"),
        (lambda: Layout(("a", "b"), np.zeros((3, 3))), r"shape \(2, 2\), but it is \(3, 3\)"),
        (lambda: Layout(("a", "b"), np.array([[0, 1], [2, 0]])), "'a' to 'b' is 1.0 and back 2.0"),
        (lambda: Layout(("a", "b"), np.zeros((2, 2)), np.zeros(3)), r"units have the shape \(3,\)"),
        (
            lambda: Layout(
                tuple("abcd"),
                np.array([[0, np.nan, 1, 1], [np.nan, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]),
            ),
            "distance of 'a' and 'b' is NaN",
        ),
    ],
)
def test_layouts_that_do_not_fit(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "only in the first space: g, h. Leave them out with absent='intersect'"),
        ({"absent": "drop"}, "absent is one of error, intersect, zero, but it is 'drop'"),
        ({"absent": "zero", "min_pairs": 0}, "at least 1"),
        ({"absent": "zero", "n_bootstrap": 1}, "n_bootstrap is at least 2"),
    ],
)
def test_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        correlate_layouts(layout(1), layout(2, tuple("abcdef")), **options)  # type: ignore[arg-type]


def test_threshold_needs_units() -> None:
    bare = Layout(NAMES, layout(1).matrix)
    with pytest.raises(InputError, match="min_units is 6, but the layout does not say"):
        correlate_layouts(bare, bare, min_units=6)
    assert isinstance(correlate_layouts(bare, bare, n_bootstrap=5), Agreement)
