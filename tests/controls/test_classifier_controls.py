"""Selectivity and description length of classifiers, on labels with and without structure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier

from geoprobe.controls import control_tasks, measure_selectivity, online_code
from geoprobe.errors import InputError
from geoprobe.probes.classifier import ClassifierProbe

pytest.importorskip("torch", reason="the classifier probe trains with torch")

TYPES = np.random.default_rng(0).integers(30, size=400)
VECTORS = np.random.default_rng(1).normal(size=(30, 16))


def units(seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A vector for each type, and some noise; the label is the sign of its first coordinate."""
    noise = 0.1 * np.random.default_rng(seed).normal(size=(400, 16))
    return VECTORS[TYPES] + noise, np.where(VECTORS[TYPES][:, 0] > 0, "plus", "minus")


def test_control_gives_one_label_to_a_type() -> None:
    y = units()[1][:300]
    tasks = list(control_tasks(y, TYPES[:300], TYPES[300:], n_controls=20))
    for task in tasks:
        both = np.concatenate([task.train, task.test])
        assert all(len(np.unique(both[TYPES == t])) == 1 for t in range(30))
    assert len({tuple(task.train) for task in tasks}) == 20
    share = np.mean(
        [[task.train[TYPES[:300] == t][0] == "plus" for t in range(30)] for task in tasks]
    )
    assert share == pytest.approx(np.mean(y == "plus"), abs=5 * math.sqrt(0.25 / 600))


def test_control_is_named_by_its_seed_and_number() -> None:
    y = units()[1][:300]
    one, two = (
        list(control_tasks(y, TYPES[:300], TYPES[300:], n_controls=n, seed=3)) for n in (2, 4)
    )
    assert all(np.array_equal(a.train, b.train) for a, b in zip(one, two[:2], strict=True))


def test_linear_classifier_is_selective_and_a_memory_is_not() -> None:
    """Thirty types in 16 dimensions: nearest neighbours know any labels, a hyperplane does not."""
    X, y = units()
    given = X[:300], y[:300], TYPES[:300], X[300:], y[300:], TYPES[300:]
    linear = measure_selectivity(*given, probe=LogisticRegression(max_iter=500), n_controls=5)
    memory = measure_selectivity(*given, probe=KNeighborsClassifier(1), n_controls=5)
    assert linear.accuracy > 0.97
    assert linear.value > 0.1
    assert memory.value == pytest.approx(0.0, abs=0.01)
    assert linear.seen == 1.0
    assert (linear.n_units, linear.n_test_units, linear.n_types) == (300, 100, 30)
    assert "accuracy" in str(linear)


def test_types_that_training_lacks_are_counted() -> None:
    X, y = units()
    odd = np.where(np.arange(100) < 25, "new", "0")
    found = measure_selectivity(
        X[:300], y[:300], TYPES[:300].astype(str), X[300:], y[300:], odd,
        probe=KNeighborsClassifier(1), n_controls=1,
    )  # fmt: skip
    assert (found.seen, found.n_types) == (0.75, 31)
    assert math.isnan(found.std)


def test_classifier_probe_counts_by_the_mean_of_its_networks() -> None:
    X, y = units()
    probe = ClassifierProbe(
        hidden_sizes=(8,), weight_decays=(1e-3,), n_initialisations=2, max_epochs=15, n_threads=1
    )
    found = measure_selectivity(
        X[:300], y[:300], TYPES[:300], X[300:], y[300:], TYPES[300:], probe=probe, n_controls=1
    )
    alone = probe.fit(X[:300], y[:300]).accuracies(X[300:], y[300:])
    assert found.accuracy == alone.mean


@pytest.mark.parametrize(
    ("types", "options", "message"),
    [
        (TYPES[:299], {}, "types has 299 labels, but there are 300 points"),
        (np.zeros(300, int), {}, "types has only one class"),
        (TYPES[:300], {"n_controls": 0}, "n_controls is at least 1, but it is 0"),
    ],
)
def test_selectivity_refuses(types: np.ndarray, options: dict[str, int], message: str) -> None:
    X, y = units()
    with pytest.raises(InputError, match=message):
        measure_selectivity(X[:300], y[:300], types, X[300:], y[300:], TYPES[300:], **options)


CODE = {"hidden_sizes": (32, 32), "n_epochs": 60, "n_threads": 1, "device": "cpu"}


def test_code_agrees_with_a_network_of_each_block() -> None:
    """Each block is coded by what scikit-learn's log loss says of a network trained before it."""
    from geoprobe.probes.classifier.likelihood import train_by_likelihood
    from geoprobe.probes.classifier.recipe import Recipe
    from geoprobe.probes.classifier.search import Workplace

    X, y = units()
    found = online_code(X, y, portions=(0.25, 0.5, 1.0), seed=3, **CODE)  # type: ignore[arg-type]
    assert found.ends.tolist() == [100, 200, 400]
    rng = np.random.default_rng(3)
    turn = rng.permutation(400)
    order = np.lexsort((rng.random(400), turn))
    codes, bits = (y == "plus").astype(np.int32), [100.0]
    for begin, end in ((100, 200), (200, 400)):
        known, coded = order[:begin], order[begin:end]
        place = Workplace(X[known].astype(np.float32), codes[known], 2, "cpu", 1, 3, None)
        recipe = Recipe(batch_size=64, max_epochs=60)
        network = train_by_likelihood(place, (32, 32), 1e-4, recipe)
        share = softmax(network.logits(X[coded].astype(np.float32)), axis=1)
        bits.append(log_loss(codes[coded], share, normalize=False) / math.log(2))
    assert found.block_bits == pytest.approx(bits, rel=1e-6)
    assert found.bits == pytest.approx(sum(bits))
    assert (found.uniform_bits, found.n_units) == (400.0, 400)


def test_network_is_kept_as_it_knew_held_out_points_best() -> None:
    """Of networks trained for 1 to 40 epochs on noise, the one kept is the best of them all."""
    from geoprobe.probes.classifier.likelihood import train_by_likelihood
    from geoprobe.probes.classifier.recipe import Recipe, holdout
    from geoprobe.probes.classifier.search import HOLDOUT, Workplace, stream

    rng = np.random.default_rng(0)
    X, codes = (
        rng.normal(size=(80, 10)).astype(np.float32),
        rng.integers(2, size=80, dtype=np.int32),
    )
    place = Workplace(X, codes, 2, "cpu", 1, 3, None)
    watched = holdout(codes, 0.1, stream(HOLDOUT, (3, 3)))[1]

    def loss(n_epochs: int) -> float:
        recipe = Recipe(batch_size=8, max_epochs=n_epochs)
        network = train_by_likelihood(place, (32, 32), 1e-4, recipe)
        return float(log_loss(codes[watched], softmax(network.logits(X[watched]), axis=1)))

    losses = [loss(n) for n in range(1, 41)]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) < 20


def test_number_of_threads_changes_no_bit() -> None:
    X, y = units()
    one = online_code(X, y, **CODE)  # type: ignore[arg-type]
    two = online_code(X, y, **{**CODE, "n_threads": 2})  # type: ignore[arg-type]
    assert np.array_equal(one.block_bits, two.block_bits)


def test_structure_is_shorter_than_noise() -> None:
    X, y = units()
    known = online_code(X, y, **CODE)  # type: ignore[arg-type]
    noise = online_code(X, np.random.default_rng(5).permutation(y), **CODE)  # type: ignore[arg-type]
    assert known.compression > 1.3
    assert noise.compression < 1.05
    assert known.bits < 0.75 * noise.bits


def test_label_that_comes_late_has_a_code() -> None:
    X, y = units()
    rare = np.where(np.arange(400) == 399, "rare", y)
    found = online_code(X, rare, **CODE)  # type: ignore[arg-type]
    assert found.n_labels == 3
    assert math.isfinite(found.bits)


def test_blocks_end_with_groups() -> None:
    X, y = units()
    groups = np.arange(400) // 7
    found = online_code(X, y, portions=(0.3, 1.0), groups=groups, **CODE)  # type: ignore[arg-type]
    # 57 groups of seven, one of one unit: the block ends with the group in which unit 120 is.
    assert 120 <= found.ends[0] < 127
    assert found.ends[0] % 7 in (0, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"portions": (0.5, 0.25, 1.0)}, r"portions rise from above 0 to 1, .* are \(0.5, 0.25"),
        ({"portions": (0.1, 0.9)}, "portions rise"),
        ({"portions": (0.0025, 1.0)}, "nothing can be learned from the first 1 of 400 units"),
        ({"hidden_sizes": (8, 0)}, "each of hidden_sizes must be a whole number of at least 1"),
        ({"weight_decay": -1.0}, "each of weight_decays must be a finite number"),
    ],
)
def test_code_refuses(options: dict[str, object], message: str) -> None:
    X, y = units()
    with pytest.raises(InputError, match=message):
        online_code(X, y, **options)  # type: ignore[arg-type]
