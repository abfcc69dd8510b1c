"""Permutations of labels: what they keep, and that each is named by its seed and number."""

from __future__ import annotations

import numpy as np
import pytest

from geoprobe.controls import permuted_rows
from geoprobe.errors import InputError

LABELS = np.array(["a", "b", "a", "c", "b", "a", "c", "c"])
GROUPS = np.array([3, 1, 3, 1, 1, 2, 2, 3])


def drawn(y: np.ndarray, **options: object) -> list[np.ndarray]:
    return list(permuted_rows(y, **{"n_permutations": 20, **options}))  # type: ignore[arg-type]


def test_every_permutation_is_one_and_they_differ() -> None:
    rows = drawn(LABELS)
    assert all(np.array_equal(np.sort(each), np.arange(8)) for each in rows)
    assert len({tuple(each) for each in rows}) > 15


def test_permutation_is_named_by_its_seed_and_number() -> None:
    few, many = drawn(LABELS, n_permutations=3, seed=5), drawn(LABELS, seed=5)
    assert all(np.array_equal(a, b) for a, b in zip(few, many[:3], strict=True))
    assert not np.array_equal(few[0], drawn(LABELS, seed=6)[0])


def test_within_groups_labels_stay_in_their_group() -> None:
    moved = 0
    for rows in drawn(LABELS, groups=GROUPS):
        assert np.array_equal(np.sort(rows), np.arange(8))
        assert np.array_equal(GROUPS[rows], GROUPS)
        moved += int((rows != np.arange(8)).sum())
    assert moved > 0


def test_within_a_group_every_order_is_as_likely() -> None:
    """Six orders of three units, 600 draws: a chi-square over its 0.999 quantile is no chance."""
    groups = np.array([0, 0, 0, 1, 1])
    rows = drawn(np.array([*"abcab"]), groups=groups, n_permutations=600)
    counts = np.unique([tuple(each[:3]) for each in rows], axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 100) ** 2 / 100).sum() < 20.5


def test_whole_groups_keep_one_label_each() -> None:
    groups = np.array(["x", "x", "y", "z", "z", "z", "w"])
    labels = np.array(["a", "a", "b", "a", "a", "a", "c"])
    seen = set()
    for rows in drawn(labels, groups=groups, exchange="whole"):
        by_group = {g: set(labels[rows][groups == g]) for g in groups}
        assert all(len(each) == 1 for each in by_group.values())
        # Two groups of a, one of b and one of c, whichever they are.
        assert sorted(min(each) for each in by_group.values()) == ["a", "a", "b", "c"]
        seen.add(tuple(labels[rows]))
    assert len(seen) > 5


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (["a", "a"], {}, "only one class"),
        (LABELS, {"n_permutations": 0}, "n_permutations is at least 1, but it is 0"),
        (LABELS, {"exchange": "some"}, "exchange is 'within' or 'whole', but it is 'some'"),
        (LABELS, {"groups": GROUPS[:3]}, "groups has 3 labels, but there are 8 points"),
        (LABELS, {"groups": GROUPS, "exchange": "whole"}, "group '1' has the labels 'b', 'c'"),
        (["a", "a", "b"], {"groups": [1, 1, 2]}, "each of the 2 groups has one label"),
    ],
)
def test_refused(y: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        drawn(y, **options)  # type: ignore[arg-type]
