"""Whether the clusters are a valid partition of the labelled points, by their tables alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import VerificationError
from geoprobe.files.csv_files import texts
from geoprobe.geometry.fingerprints import hash_labels, hash_points
from geoprobe.geometry.label_table import label_table
from geoprobe.results.layout import (
    ASSIGNMENTS,
    BLOCKS,
    CLUSTERS,
    DISTANCES,
    LABEL_DISTANCES,
    OVERLAP,
    SUMMARY,
    UNPROVED,
)
from geoprobe.results.tabled import Tabled

IntArray = NDArray[np.int64]


def check_input(t: Tabled, points: NDArray[Any], classes: NDArray[Any], codes: IntArray) -> int:
    """Check that the data given are those which the results are about; return the checks made."""
    summary, path = t.summary, t.folder / SUMMARY
    noted = summary["input"]
    label_hash = hash_labels(classes[codes])
    for what, key, found, expected in (
        ("number of points", "n_points", len(points), summary["n_points"]),
        ("number of dimensions", "n_dims", points.shape[1], summary["n_dims"]),
        ("hash of the points", "points_sha256", hash_points(points), noted.get("points_sha256")),
        ("hash of the labels", "labels_sha256", label_hash, noted.get("labels_sha256")),
        ("type", "dtype", points.dtype.name, noted.get("dtype")),
        ("number of labels", "n_labels", len(classes), summary["n_labels"]),
        ("list of labels", "labels", classes.tolist(), summary["labels"]),
    ):
        if found != expected:
            raise VerificationError(
                f'{path}: "{key}" is {_short(expected)}, but the data given have the {what} '
                f"{_short(found)}."
            )
    return 7


def check_assignments(t: Tabled, codes: IntArray) -> int:
    """Check every row's label and that each cluster holds points of its own label only."""
    path = t.folder / ASSIGNMENTS
    names = texts(t.summary["labels"])
    every(path, "row", t.row, np.arange(len(codes)))
    every(path, "label", t.row_label, codes, names.__getitem__)
    every(path, "label of the cluster", t.cluster_label[t.assignment], codes, names.__getitem__)
    return len(codes)


def check_clusters(t: Tabled) -> int:
    """Check sizes, first rows and the order of the clusters against the assignments."""
    path = t.folder / CLUSTERS
    n_clusters = len(t.cluster)
    every(path, "cluster", t.cluster, np.arange(n_clusters))
    sizes = np.bincount(t.assignment, minlength=n_clusters)
    every(path, "size", t.cluster_size, sizes)
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        raise VerificationError(f"{path}, line {empty[0] + 2}: the cluster holds no point.")
    first_row = np.unique(t.assignment, return_index=True)[1]
    every(path, "first_row", t.cluster_first_row, first_row)
    order = np.lexsort((first_row, t.cluster_label))
    every(path, "place in the order by label and first row", np.arange(n_clusters), order)
    return n_clusters


def check_pairs(t: Tabled) -> int:
    """Check that distances list each pair of clusters of different labels, blocks all others."""
    p, path = t.pairs, t.folder / DISTANCES
    n_pairs = _check_listed(path, t, p.first, p.second, same_label=False)
    names = texts(t.summary["labels"])
    every(path, "label_a", p.first_label, t.cluster_label[p.first], names.__getitem__)
    every(path, "label_b", p.second_label, t.cluster_label[p.second], names.__getitem__)
    if t.summary["kind"] == "distances" and len(t.cluster) != t.summary["n_labels"]:
        raise VerificationError(
            f"{t.folder / CLUSTERS}: {len(t.cluster)} clusters, but every one of the "
            f"{t.summary['n_labels']} labels should be one."
        )
    b, path = t.blocks, t.folder / BLOCKS
    n_pairs += _check_listed(path, t, b.first, b.second, same_label=True)
    every(path, "label", b.label, t.cluster_label[b.first], names.__getitem__)
    every(path, "blocker_label", b.blocker_label, t.cluster_label[b.blocker], names.__getitem__)
    own = np.flatnonzero(b.blocker_label == b.label)
    if len(own):
        raise VerificationError(
            f"{path}, line {own[0] + 2}: the blocker {b.blocker[own[0]]} has the label "
            f"{names[b.label[own[0]]]!r} of the two clusters itself."
        )
    return n_pairs


def check_label_distances(t: Tabled) -> int:
    """Check that the table of labels follows from the table of clusters."""
    path = t.folder / LABEL_DISTANCES
    distance = np.where(t.pairs.status == OVERLAP, 0.0, t.pairs.upper)
    expected = label_table(
        t.pairs.first_label, t.pairs.second_label, t.pairs.lower, t.pairs.upper, distance
    )
    if len(t.label_pairs.first) != len(expected.first):
        raise VerificationError(
            f"{path}: {len(t.label_pairs.first)} rows, but there are {len(expected.first)} pairs "
            f"of labels."
        )
    names = texts(t.summary["labels"])
    every(path, "label_a", t.label_pairs.first, expected.first, names.__getitem__)
    every(path, "label_b", t.label_pairs.second, expected.second, names.__getitem__)
    for name in ("pairs", "lower", "upper"):
        every(path, name, getattr(t.label_pairs, name), getattr(expected, name))
    # The order in which NumPy adds numbers differs between machines.
    off = np.abs(t.label_pairs.mean - expected.mean) > 1e-12 * np.abs(expected.mean)
    if off.any():
        at = int(np.argmax(off))
        raise _differs(path, at, "mean", t.label_pairs.mean[at], expected.mean[at])
    return len(expected.first)


def check_summary(t: Tabled) -> int:
    """Check the numbers of the summary that follow from the tables."""
    status, summary, path = t.pairs.status, t.summary, t.folder / SUMMARY
    disjoint = t.pairs.upper[status == 0]
    unproved = int((status == UNPROVED).sum())
    expected: dict[str, object] = {
        "is_linear": len(t.cluster) == summary["n_labels"]
        if summary["kind"] == "probe"
        else not bool(status.any()),
        "overlapping_pairs": int((status == OVERLAP).sum()),
        "unproved_pairs": unproved,
        "status": "unproved" if unproved else "proved",
        "smallest_distance": float(disjoint.min()) if len(disjoint) else None,
    }
    for key, value in expected.items():
        if summary.get(key) != value:
            raise VerificationError(
                f'{path}: "{key}" is {summary.get(key)!r}, but the tables give {value!r}.'
            )
    return len(expected)


def check_counts(t: Tabled, points: NDArray[Any], codes: IntArray) -> int:
    """Check the counts of a probe that follow from the points and the tables.

    Points that rounding makes equal count as repeated too, so that more may be stated than are
    equal to the last bit.
    """
    if t.summary["kind"] != "probe":
        return 0
    counts, path = t.summary["counts"], t.folder / SUMMARY
    vector = np.unique(points + 0.0, axis=0, return_inverse=True)[1].reshape(-1)
    equal = len(points) - len(np.unique(vector.astype(np.int64) * (codes.max() + 1) + codes))
    repeated = counts.get("duplicate_points")
    if not isinstance(repeated, int) or repeated < equal:
        raise VerificationError(
            f'{path}: "duplicate_points" is {repeated!r}, but {equal} points repeat an earlier one.'
        )
    overlap = t.pairs.status == OVERLAP
    contradict = np.union1d(t.pairs.first[overlap], t.pairs.second[overlap])
    for key, value in (
        ("merges", len(points) - repeated - len(t.cluster)),
        ("contradictory_points", int(t.cluster_size[contradict].sum())),
    ):
        if counts.get(key) != value:
            raise VerificationError(
                f'{path}: "{key}" is {counts.get(key)!r}, but the tables give {value!r}.'
            )
    return 3


def _check_listed(
    path: Path, t: Tabled, first: IntArray, second: IntArray, *, same_label: bool
) -> int:
    """Check that a table lists each pair of clusters of the same, or of different, labels once."""
    n_clusters = len(t.cluster)
    bad = np.flatnonzero(first >= second)
    if len(bad):
        at = int(bad[0])
        raise VerificationError(
            f"{path}, line {at + 2}: cluster_a is {first[at]}, but should be below cluster_b, "
            f"{second[at]}."
        )
    key = first * n_clusters + second
    late = np.flatnonzero(np.diff(key) <= 0)
    if len(late):
        at = int(late[0]) + 1
        raise VerificationError(
            f"{path}, line {at + 2}: the pair {first[at]}, {second[at]} is listed twice or out of "
            f"order."
        )
    odd = np.flatnonzero((t.cluster_label[first] == t.cluster_label[second]) != same_label)
    if len(odd):
        at = int(odd[0])
        raise VerificationError(
            f"{path}, line {at + 2}: the clusters {first[at]} and {second[at]} should be of "
            f"{'one label' if same_label else 'different labels'}."
        )
    of_label = np.bincount(t.cluster_label, minlength=t.summary["n_labels"])
    within = int((of_label * (of_label - 1) // 2).sum())
    expected = within if same_label else n_clusters * (n_clusters - 1) // 2 - within
    if len(first) != expected:
        missing = _first_missing(t.cluster_label, first, second, same_label)
        raise VerificationError(
            f"{path}: {len(first)} pairs of clusters are listed, but there are {expected}; "
            f"the first missing is {missing[0]}, {missing[1]}."
        )
    return expected


def _first_missing(
    label: IntArray, first: IntArray, second: IntArray, same_label: bool
) -> tuple[int, int]:
    """Return the first pair of clusters that is not listed; the listed ones are in order."""
    ends = np.searchsorted(first, np.arange(len(label) + 1))
    for a in range(len(label)):
        after = np.arange(a + 1, len(label))
        wanted = after[(label[after] == label[a]) == same_label]
        missing = np.setdiff1d(wanted, second[ends[a] : ends[a + 1]])
        if len(missing):
            return a, int(missing[0])
    raise AssertionError("a pair is missing")


def every(
    path: Path,
    name: str,
    found: NDArray[Any],
    expected: NDArray[Any],
    spell: Callable[[int], Any] = lambda value: value,
) -> None:
    """Raise at the first line where a column is not as expected.

    Parameters
    ----------
    path : Path
        The table.
    name : str
        The column.
    found, expected : ndarray, shape (n_rows,)
    spell : callable
        Turns a value into what the table holds.
    """
    wrong = np.flatnonzero(found != expected)
    if len(wrong):
        at = int(wrong[0])
        raise _differs(path, at, name, spell(found[at].item()), spell(expected[at].item()))


def _differs(path: Path, at: int, name: str, found: Any, expected: Any) -> VerificationError:
    return VerificationError(
        f"{path}, line {at + 2}: {name} is {found!r}, but should be {expected!r}."
    )


def _short(value: object) -> str:
    """Return a value in at most some 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
