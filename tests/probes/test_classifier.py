"""The classifier probe as its users see it: estimator, reproducible, peers, wrong input."""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.neural_network import MLPClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from geoprobe.errors import GeoprobeError, InputError
from geoprobe.probes.classifier import Accuracies, ClassifierProbe, learning_curves
from geoprobe.progress import Progress

torch = pytest.importorskip("torch", reason="training needs torch, which the extra bert installs")

NOT_MEANT = {
    "check_supervised_y_2d": "labels of shape (n_points, 1) are refused, not flattened",
}
"""Checks of scikit-learn that geoprobe declines, each with its reason."""

SMALL = {
    "hidden_sizes": (8, 16),
    "weight_decays": (1e-4, 1e-1),
    "n_folds": 2,
    "n_initialisations": 2,
    "learning_rate": 1e-2,
    "batch_size": 32,
    "max_epochs": 60,
    "n_threads": 1,
}


def not_meant(estimator: BaseEstimator) -> dict[str, str]:
    return NOT_MEANT


@pytest.mark.full
@parametrize_with_checks([ClassifierProbe(**SMALL)], expected_failed_checks=not_meant)
def test_scikit_learn_checks(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


def space(seed: int, n_points: int = 200, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return points around five centres in ten dimensions, labelled by centre."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, n_points)
    centres = np.random.default_rng(42).normal(size=(5, 10))
    X = centres[codes] + spread * rng.normal(size=(n_points, 10))
    return X.astype(np.float32), np.array(["adp", "det", "noun", "verb", "x"])[codes]


def probe(**changes: Any) -> ClassifierProbe:
    return ClassifierProbe(**{**SMALL, **changes})


def weights(fitted: ClassifierProbe) -> list[np.ndarray]:
    return [w for network in fitted.networks_ for w in (*network.coefs, *network.intercepts)]


def same(first: ClassifierProbe, second: ClassifierProbe) -> bool:
    pairs = zip(weights(first), weights(second), strict=True)
    scores = (f.cv_results_["mean_test_score"] for f in (first, second))
    return all(np.array_equal(a, b) for a, b in pairs) and np.array_equal(*scores)


@pytest.mark.full
def test_same_bits_whatever_the_threads() -> None:
    X, y = space(0)
    first = probe().fit(X, y)
    assert same(first, probe().fit(X, y))
    assert same(first, probe(n_threads=3).fit(X, y))
    assert not same(first, probe(random_state=1).fit(X, y))


@pytest.mark.full
def test_what_is_reported() -> None:
    X, y = space(1)
    new, truth = space(2)
    fitted = probe().fit(X, y)
    table = fitted.cv_results_
    assert len(table["param_hidden_sizes"]) == len(table["mean_test_score"]) == 8
    splits = np.column_stack([table["split0_test_score"], table["split1_test_score"]])
    assert np.allclose(table["mean_test_score"], splits.mean(axis=1))
    assert np.allclose(table["std_test_score"], splits.std(axis=1))
    best = int(np.argmax(table["mean_test_score"]))
    assert table["rank_test_score"][best] == 1
    assert fitted.best_score_ == table["mean_test_score"][best]
    assert fitted.best_params_["hidden_sizes"] == table["param_hidden_sizes"][best]
    assert fitted.best_params_["weight_decay"] == table["param_weight_decay"][best]
    assert [w.shape for w in fitted.networks_[0].coefs] == [
        (10, fitted.best_params_["hidden_sizes"][0]),
        fitted.best_params_["hidden_sizes"],
        (fitted.best_params_["hidden_sizes"][1], 5),
    ]
    found = fitted.accuracies(new, truth)
    assert len(found.each) == 2
    assert found.each[0] == pytest.approx(fitted.score(new, truth))
    assert found.mean == pytest.approx(np.mean(found.each))
    assert found.std == pytest.approx(np.std(found.each, ddof=1))
    assert found.mean > 0.5


@pytest.mark.full
def test_a_fold_is_scored_by_networks_that_have_not_seen_it() -> None:
    """With labels drawn at random, no network can be better than chance on its fold."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 10)), rng.integers(0, 4, 400)
    fitted = probe(hidden_sizes=(32,), patience=30).fit(X, y)
    assert fitted.score(X, y) > 0.5
    assert fitted.cv_results_["mean_test_score"].max() < 0.35


@pytest.mark.full
def test_probabilities_and_prediction_agree() -> None:
    X, y = space(3)
    fitted = probe().fit(X, y)
    share = fitted.predict_proba(X)
    assert np.allclose(share.sum(axis=1), 1)
    assert np.array_equal(fitted.classes_[share.argmax(axis=1)], fitted.predict(X))


@pytest.mark.full
def test_labels_never_seen_are_missed() -> None:
    X, y = space(4)
    fitted = probe().fit(X, y)
    strange = np.where(np.arange(len(y)) < 50, "new", y)
    right = fitted.predict(X) == y
    assert fitted.accuracies(X, strange).each[0] == pytest.approx(right[50:].sum() / len(y))


def test_one_combination_is_not_searched() -> None:
    X, y = space(5)
    fitted = probe(hidden_sizes=(8,), weight_decays=(1e-3,)).fit(X, y)
    assert fitted.cv_results_ == {}
    assert math.isnan(fitted.best_score_)
    assert fitted.best_params_ == {"hidden_sizes": (8, 8), "weight_decay": 1e-3}


def test_decay_counts() -> None:
    X, y = space(6)
    tame = probe(hidden_sizes=(8,), weight_decays=(1e-7,)).fit(X, y)
    bound = probe(hidden_sizes=(8,), weight_decays=(300.0,)).fit(X, y)
    sizes = [np.linalg.norm(f.networks_[0].coefs[0]) for f in (tame, bound)]
    assert sizes[1] < 0.75 * sizes[0]


@pytest.mark.full
def test_quick_search() -> None:
    X, y = space(7)
    full, quick = (probe(search=s).fit(X, y) for s in ("full", "quick"))
    assert quick.cv_results_["mean_epochs"].mean() < full.cv_results_["mean_epochs"].mean()
    only = {"hidden_sizes": (8,), "weight_decays": (1e-4,)}
    pairs = [probe(search=s, **only).fit(X, y) for s in ("full", "quick")]
    # The final networks are trained alike.
    assert all(np.array_equal(a, b) for a, b in zip(*map(weights, pairs), strict=True))


@pytest.mark.full
def test_rare_labels() -> None:
    X, y = space(8)
    y = y.astype("<U8")
    y[:3] = ["once", "twice", "twice"]
    fitted = probe(n_folds=3).fit(X, y)
    assert fitted.rare_labels_.tolist() == ["once", "twice"]
    assert {"once", "twice"} < set(fitted.classes_)
    assert fitted.predict_proba(X).shape == (200, 7)


@pytest.mark.full
def test_progress_is_reported() -> None:
    X, y = space(9)
    seen: list[Progress] = []
    probe(progress=seen.append).fit(X, y)
    for phase, total in (("cross-validation", 8), ("training", 2)):
        reports = [report for report in seen if report.phase == phase]
        assert [report.done for report in reports] == list(range(1, total + 1))
        assert {report.total for report in reports} == {total}


def test_without_early_stopping_all_points_are_trained_on_to_the_end() -> None:
    # A label of two points keeps both: without early stopping none is held out.
    points = np.concatenate([np.eye(3).repeat(20, axis=0), 9 * np.ones((2, 3))])
    labels = np.array(["a"] * 20 + ["b"] * 20 + ["c"] * 20 + ["d"] * 2)
    small = {"hidden_sizes": (16,), "weight_decays": (1e-4,), "n_initialisations": 2}
    fitted = ClassifierProbe(**small, max_epochs=60, early_stopping=False, learning_rate=0.01).fit(
        points, labels
    )
    assert fitted.epochs_.tolist() == [60, 60]
    assert not fitted.converged_.any()
    assert fitted.accuracies(points, labels).each == (1.0, 1.0)
    stopped = ClassifierProbe(**small, max_epochs=60, patience=0, learning_rate=0.01)
    assert (stopped.fit(points, labels).epochs_ < 60).all()
    with pytest.raises(InputError, match="early_stopping"):
        ClassifierProbe(**small, early_stopping="no").fit(points, labels)


def test_the_limit_of_epochs_is_named() -> None:
    X, y = space(10)
    fitted = probe(max_epochs=2).fit(X, y)
    assert fitted.epochs_.tolist() == [2, 2]
    assert not fitted.converged_.any()


@pytest.mark.full
def test_clone_and_pickle() -> None:
    X, y = space(11)
    fitted = probe().fit(X, y)
    assert clone(fitted).get_params() == fitted.get_params()
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(X), fitted.predict(X))


@pytest.mark.full
def test_training_leaves_settings_and_input_alone(two_torch_threads: int) -> None:
    X, y = space(12)
    before = X.copy()
    state = torch.random.get_rng_state()
    probe().fit(X, y)
    assert np.array_equal(X, before)
    assert torch.get_num_threads() == two_torch_threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled()


def peers(
    X: np.ndarray, y: np.ndarray, new: np.ndarray, truth: np.ndarray, size: int
) -> tuple[Accuracies, Accuracies]:
    """Return accuracies of five of our networks and of five of scikit-learn's."""
    ours = ClassifierProbe(hidden_sizes=(size,), weight_decays=(1e-4,)).fit(X, y)
    each = []
    for seed in range(5):
        peer = MLPClassifier(
            (size, size), alpha=1e-4, early_stopping=True, max_iter=1000, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            each.append(float(peer.fit(X, y).score(new, truth)))
    return ours.accuracies(new, truth), Accuracies(tuple(each))


@pytest.mark.full
def test_accuracy_of_scikit_learn() -> None:
    ours, theirs = peers(*space(13, 1500, 1.5), *space(14, 3000, 1.5), 32)
    assert theirs.mean > 0.5
    assert abs(ours.mean - theirs.mean) < max(ours.std, theirs.std)


@pytest.mark.slow
def test_accuracy_of_scikit_learn_on_roles(
    shared_space: Callable[[str], dict[str, np.ndarray]],
) -> None:
    ps = shared_space("ps_layer6")
    ours, theirs = peers(ps["X"], ps["role"], ps["X_test"], ps["role_test"], 128)
    assert abs(ours.mean - theirs.mean) < max(ours.std, theirs.std)


@pytest.mark.full
def test_learning_curves() -> None:
    X, y = space(15, 150, 1.5)
    sets = {"train": (X, y), "test": space(16, 150, 1.5)}
    how: dict[str, Any] = {"hidden_sizes": (32, 16), "learning_rate": 1e-2, "batch_size": 32}
    found = learning_curves(X, y, sets, n_epochs=40, n_initialisations=3, **how)
    assert found.n_epochs == 40
    assert {name: curve.shape for name, curve in found.accuracies.items()} == {
        "train": (3, 40),
        "test": (3, 40),
    }
    final = {name: curve[:, -1].mean() for name, curve in found.accuracies.items()}
    assert final["train"] > 0.98
    assert final["test"] < 0.9
    assert found.accuracies["train"][:, 0].mean() < final["train"]
    short = learning_curves(X, y, sets, n_epochs=10, n_initialisations=3, **how)
    assert np.array_equal(short.accuracies["test"], found.accuracies["test"][:, :10])
    seen: list[Progress] = []
    threaded = learning_curves(
        X, y, sets, n_epochs=10, n_initialisations=3, n_threads=3, progress=seen.append, **how
    )
    assert np.array_equal(threaded.accuracies["test"], short.accuracies["test"])
    assert [report.done for report in seen] == [1, 2, 3]


def test_learning_curves_count_new_labels_as_missed() -> None:
    X, y = space(17)
    found = learning_curves(X, y, {"other": (X, np.full(len(y), "new"))}, n_epochs=2)
    assert np.all(found.accuracies["other"] == 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"search": "half"}, "'full' or 'quick'"),
        ({"hidden_sizes": ()}, "hidden_sizes"),
        ({"hidden_sizes": (32, 32)}, "twice"),
        ({"hidden_sizes": (0,)}, "hidden_sizes"),
        ({"hidden_sizes": 32}, "sequence"),
        ({"weight_decays": (-1.0,)}, "weight_decays"),
        ({"weight_decays": (math.nan,)}, "weight_decays"),
        ({"n_folds": 1}, "n_folds"),
        ({"n_initialisations": 0}, "n_initialisations"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_epochs": 1.5}, "max_epochs"),
        ({"patience": -1}, "patience"),
        ({"tolerance": -1e-3}, "tolerance"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"random_state": -1}, "random_state"),
        ({"random_state": "now"}, "random_state"),
        ({"n_threads": 0}, "n_threads"),
        ({"device": "abacus"}, "abacus"),
        ({"device": "meta"}, "meta"),
    ],
)
def test_bad_parameters(changes: dict[str, Any], words: str) -> None:
    X, y = space(18)
    with pytest.raises(GeoprobeError, match=words):
        probe(**changes).fit(X, y)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the GPU that is missed")
def test_no_gpu() -> None:
    with pytest.raises(GeoprobeError, match="finds no CUDA devices here"):
        probe(device="cuda").fit(*space(18))


@pytest.mark.full
def test_bad_points_and_labels() -> None:
    X, y = space(19)
    with pytest.raises(GeoprobeError, match="only one class"):
        probe().fit(X, np.full(len(y), "noun"))
    with pytest.raises(GeoprobeError, match="row 7"):
        probe().fit(np.where(np.arange(len(X))[:, None] == 7, np.nan, X), y)
    with pytest.raises(GeoprobeError, match="row 3"):
        probe().fit(np.where(np.arange(len(X))[:, None] == 3, 1e30, X.astype(float)), y)
    with pytest.raises(GeoprobeError, match="the most frequent, 'b', has 3"):
        probe(n_folds=4).fit(X[:5], ["a", "a", "b", "b", "b"])
    with pytest.raises(GeoprobeError, match="11 features"):
        probe().fit(X, y).predict(np.zeros((2, 11)))


def test_bad_learning_curves() -> None:
    X, y = space(20)
    with pytest.raises(GeoprobeError, match="no points"):
        learning_curves(X, y, {})
    with pytest.raises(GeoprobeError, match="test has 9 dimensions"):
        learning_curves(X, y, {"test": (X[:, :9], y)})
    with pytest.raises(GeoprobeError, match="labels of test has 3"):
        learning_curves(X, y, {"test": (X, y[:3])})
    with pytest.raises(GeoprobeError, match="hidden_sizes"):
        learning_curves(X, y, {"test": (X, y)}, hidden_sizes=(8, 8, 8))  # type: ignore[arg-type]


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(GeoprobeError, match=r"geoprobe-engine\[bert\]"):
        probe().fit(*space(21))
