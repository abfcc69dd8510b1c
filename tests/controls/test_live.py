"""Controls of a probe in training, on constructed spaces: what they find, and their budget."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from geoprobe.controls import LiveControls, pseudo_test_drift, shuffle_labels
from geoprobe.encoders.probed import Probed
from geoprobe.errors import InputError

LABELS = np.repeat([*"abcde"], 10)
SENTENCES = np.array([f"sentence {k % 10}" for k in range(50)])


def probed(apart: float, moved: float = 0.0, groups: np.ndarray = SENTENCES) -> Probed:
    """Five labels ``apart`` from each other; in test one of them has moved."""
    rng = np.random.default_rng(3)
    centres = apart * np.diag([1.0, 2.0, 0.5, 3.0, 1.5])
    points = np.repeat(centres, 10, axis=0) + rng.normal(size=(50, 5))
    centres[0] += moved * (centres[1] - centres[0])
    test = np.repeat(centres, 4, axis=0) + rng.normal(size=(20, 5))
    return Probed(points, LABELS, groups, test, np.repeat([*"abcde"], 4))


def test_numbers_are_those_of_the_controls_alone() -> None:
    what = probed(4.0)
    found = LiveControls(permutations=5, draws=6, seed=1)(what, n_threads=1)
    shuffled = shuffle_labels(what.points, LABELS, n_permutations=5, seed=1, groups=SENTENCES)
    drift = pseudo_test_drift(
        what.points, LABELS, what.test_points, what.test_labels, n_draws=6, seed=1,
        groups=SENTENCES,
    )  # fmt: skip
    assert found["clusters_shuffled"] == shuffled.clusters().mean
    assert found["clusters_p"] == shuffled.clusters().p_value
    assert found["hull_distance"] == pytest.approx(shuffled.distances.mean())
    assert found["hull_distance_p"] == shuffled.mean_distance().p_value
    assert found["similarity"] == drift.similarity
    assert found["drift"] == drift.drift().value
    assert found["drift_p"] == drift.test().p_value
    # Units that are a sentence each are held together by nothing.
    single = probed(4.0, groups=np.arange(50))
    free = LiveControls(permutations=5, draws=0, seed=1)(single, n_threads=1)
    alone = shuffle_labels(what.points, LABELS, n_permutations=5, seed=1)
    assert free["clusters_shuffled"] == alone.clusters().mean
    assert "drift" not in free


def test_structure_and_planted_drift_are_found() -> None:
    live = LiveControls(permutations=19, draws=19)
    clear = live(probed(8.0, moved=0.9), n_threads=1)
    assert clear["clusters_p"] == clear["hull_distance_p"] == clear["drift_p"] == 1 / 20
    assert clear["drift"] > 0.2
    noise = live(probed(0.0), n_threads=1)
    assert noise["clusters_p"] > 0.05
    assert noise["drift_p"] > 0.05


def test_no_permutation_is_begun_when_the_seconds_are_over() -> None:
    what = probed(4.0)
    few = LiveControls(permutations=19, draws=0, seconds=1e-9)(what, n_threads=2)
    assert few["n_permutations"] == 2
    same = LiveControls(permutations=2, draws=0)(what, n_threads=1)
    assert few == same
    assert "n_permutations" not in LiveControls(permutations=0, draws=2)(what)


def test_without_units_to_test_there_is_no_drift() -> None:
    what = probed(4.0)._replace(test_points=None, test_labels=None)
    assert "drift" not in LiveControls(permutations=1)(what, n_threads=1)


@pytest.mark.parametrize(
    "options", [{"permutations": -1}, {"draws": 2.0}, {"seed": True}, {"seconds": 0}]
)
def test_what_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        LiveControls(**options)
    assert dataclasses.asdict(LiveControls())["permutations"] == 19
