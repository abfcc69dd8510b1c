"""Networks trained as one batch against the same networks trained one by one, in plain torch."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import GeoprobeError
from geoprobe.probes.classifier.recipe import Recipe, folds, holdout

torch = pytest.importorskip("torch", reason="training needs torch, which the extra bert installs")

from geoprobe.probes.classifier.descent import Adam  # noqa: E402
from geoprobe.probes.classifier.networks import (  # noqa: E402
    Shape,
    gradients,
    initial,
    keep_networks,
    layers_of,
    logits,
    scratch,
    stacked,
    training_arithmetic,
)
from geoprobe.probes.classifier.training import (  # noqa: E402
    Labelled,
    Trained,
    _Stopper,
    accuracies,
    train,
)

SHAPE = Shape(12, 8, 5, 4)
DECAYS = (0.0, 1e-3, 1.0, 30.0)


def labelled(seed: int, n_points: int, spread: float = 1.0) -> Labelled:
    """Return points around four centres, and their labels."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, SHAPE.n_labels, n_points)
    centres = np.random.default_rng(99).normal(size=(SHAPE.n_labels, SHAPE.n_dims))
    points = centres[codes] + spread * rng.normal(size=(n_points, SHAPE.n_dims))
    return Labelled(torch.from_numpy(points.astype(np.float32)), torch.from_numpy(codes))


def starts(n: int) -> list[torch.Tensor]:
    """Return n networks with different starts."""
    generator = torch.Generator().manual_seed(5)
    return [initial(SHAPE, generator) for _ in range(n)]


class Plain(torch.nn.Module):
    """One network as a textbook has it."""

    def __init__(self, flat: torch.Tensor) -> None:
        super().__init__()
        parts = layers_of(flat, 1, SHAPE)
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(into, out) for into, out in pairwise(SHAPE.widths)
        )
        biases = (parts.b1, parts.b2, parts.b3)
        with torch.no_grad():
            for layer, weight, bias in zip(self.layers, parts.weights, biases, strict=True):
                layer.weight.copy_(weight[0])
                layer.bias.copy_(bias[0, :, 0])

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            points = torch.relu(layer(points))
        return self.layers[-1](points)

    def loss(self, data: Labelled, rows: torch.Tensor, decay: float) -> torch.Tensor:
        penalty = sum((layer.weight**2).sum() for layer in self.layers)
        fit = torch.nn.functional.cross_entropy(self(data.points[rows]), data.codes[rows])
        return fit + decay / (2 * len(rows)) * penalty

    def flat(self) -> torch.Tensor:
        weights = [layer.weight.reshape(-1) for layer in self.layers]
        return torch.cat(weights + [layer.bias for layer in self.layers]).detach().clone()


def train_plainly(
    start: torch.Tensor, decay: float, data: tuple[Labelled, Labelled], recipe: Recipe, seed: int
) -> tuple[torch.Tensor, float, int, int]:
    """Return the best parameters, their accuracy, their epoch, and the number of epochs."""
    network = Plain(start)
    adam = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, foreach=False)
    generator = torch.Generator().manual_seed(seed)
    best, best_score, best_epoch, idle = network.flat(), -1.0, 0, 0
    for epoch in range(1, recipe.max_epochs + 1):
        for rows in torch.randperm(len(data[0]), generator=generator).split(recipe.batch_size):
            adam.zero_grad()
            network.loss(data[0], rows, decay).backward()
            adam.step()
        guess = network(data[1].points).argmax(1)
        score = float((guess == data[1].codes).double().mean())
        idle = idle + 1 if score < best_score + recipe.tolerance else 0
        if score > best_score:
            best, best_score, best_epoch = network.flat(), score, epoch
        if idle > recipe.patience:
            break
    return best, best_score, best_epoch, epoch


def train_batch(
    networks: list[torch.Tensor],
    decays: tuple[float, ...],
    data: tuple[Labelled, Labelled],
    recipe: Recipe,
    seed: int,
) -> Trained:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad(), training_arithmetic():
        return train(stacked(networks, SHAPE), SHAPE, decays, data, recipe, generator)


def single(flat: torch.Tensor, n: int, k: int) -> torch.Tensor:
    return keep_networks(flat, n, SHAPE, torch.tensor([k]))


def test_initial_networks_are_in_glorot_bounds() -> None:
    shape = Shape(200, 100, 60, 40)
    parts = layers_of(initial(shape, torch.Generator().manual_seed(0)), 1, shape)
    for weight, bias in zip(parts.weights, (parts.b1, parts.b2, parts.b3), strict=True):
        bound = (6 / (weight.shape[1] + weight.shape[2])) ** 0.5
        assert 0.95 * bound < float(weight.abs().max()) <= bound
        assert float(bias.abs().max()) <= bound
        # The variance of a uniform distribution.
        assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=0.1)


def test_blocks_of_a_stack_are_the_networks() -> None:
    networks = starts(3)
    flat = stacked(networks, SHAPE)
    assert flat.shape == (3 * SHAPE.n_parameters,)
    for k, network in enumerate(networks):
        assert torch.equal(single(flat, 3, k), network)
    kept = keep_networks(flat, 3, SHAPE, torch.tensor([2, 0]))
    assert torch.equal(kept, stacked([networks[2], networks[0]], SHAPE))


@pytest.mark.full
def test_outputs_and_gradients_against_autograd() -> None:
    networks, data = starts(len(DECAYS)), labelled(0, 37)
    n = len(networks)
    flat = stacked(networks, SHAPE)
    found = torch.empty_like(flat)
    targets = torch.nn.functional.one_hot(data.codes).t().float()
    room = scratch(n, 37, SHAPE, torch.device("cpu"))
    parts = layers_of(flat, n, SHAPE)
    with torch.no_grad():
        outputs = logits(parts, data.points)
        gradients(parts, layers_of(found, n, SHAPE), data.points, targets, room)
    for k, network in enumerate(networks):
        plain = Plain(network).double()
        exact = Labelled(data.points.double(), data.codes)
        assert torch.allclose(outputs[k].t().double(), plain(exact.points), rtol=0, atol=1e-5)
        (37 * plain.loss(exact, torch.arange(37), 0.0)).backward()
        weights = [layer.weight.grad.reshape(-1) for layer in plain.layers]
        expected = torch.cat(weights + [layer.bias.grad for layer in plain.layers])
        assert torch.allclose(single(found, n, k).double(), expected, rtol=1e-5, atol=4e-5)


@pytest.mark.parametrize("compiled", [True, False])
def test_steps_against_the_optimiser_of_torch(compiled: bool) -> None:
    """Each network under its own decay, given derivatives that depend on where it stands."""
    networks, n, size = starts(len(DECAYS)), len(DECAYS), 37
    flat = stacked(networks, SHAPE)
    sums, *moments = (torch.zeros_like(flat) for _ in range(3))
    steps = Adam(SHAPE, flat, sums, tuple(moments), torch.tensor(DECAYS), compiled=compiled)
    plain = [Plain(network).double() for network in networks]
    optimisers = [torch.optim.Adam(each.parameters(), lr=1e-2) for each in plain]
    for number in range(1, 31):
        torch.sin(10 * flat, out=sums)
        steps.step(size, number, 1e-2)
        for network, optimiser, decay in zip(plain, optimisers, DECAYS, strict=True):
            optimiser.zero_grad()
            for each in network.parameters():
                penalty = decay * (each**2).sum() / 2 if each.dim() == 2 else 0.0
                ((penalty - (10 * each).cos().sum() / 10) / size).backward()
            optimiser.step()
    for k, network in enumerate(plain):
        assert torch.allclose(single(flat, n, k), network.flat().float(), rtol=0, atol=1e-5)


@pytest.mark.full
@pytest.mark.parametrize("batch_size", [16, 37, 500])
def test_batch_against_plain_torch(batch_size: int) -> None:
    data = labelled(1, 120), labelled(2, 40)
    recipe = Recipe(learning_rate=1e-3, batch_size=batch_size, max_epochs=6, patience=100)
    networks = starts(len(DECAYS))
    found = train_batch(networks, DECAYS, data, recipe, 3)
    for k, decay in enumerate(DECAYS):
        best, score, best_epoch, epochs = train_plainly(networks[k], decay, data, recipe, 3)
        assert (found.best_epochs[k], found.epochs[k]) == (best_epoch, epochs)
        assert found.scores[k] == pytest.approx(score, abs=1e-12)
        assert torch.allclose(single(found.parameters, 4, k), best, rtol=0, atol=2e-5)
    assert not found.converged.any()


@pytest.mark.full
def test_networks_stop_one_by_one_as_alone() -> None:
    data = labelled(4, 90, 2.0), labelled(5, 60, 2.0)
    recipe = Recipe(learning_rate=1e-2, batch_size=30, max_epochs=60, patience=3)
    networks, decays = starts(6), (0.0, 1e-2, 0.1, 1.0, 5.0, 50.0)
    found = train_batch(networks, decays, data, recipe, 7)
    assert len(set(found.epochs.tolist())) > 2, "the networks should stop at different epochs"
    assert found.converged.all()
    for k, decay in enumerate(decays):
        alone = train_batch([networks[k]], (decay,), data, recipe, 7)
        assert (found.epochs[k], found.best_epochs[k]) == (alone.epochs[0], alone.best_epochs[0])
        assert found.scores[k] == alone.scores[0]
        assert torch.allclose(
            single(found.parameters, 6, k), alone.parameters, rtol=1e-3, atol=1e-4
        )
        plain = train_plainly(networks[k], decay, data, recipe, 7)
        assert (found.scores[k], found.epochs[k]) == (pytest.approx(plain[1]), plain[3])


def test_best_epoch_is_what_comes_back() -> None:
    data = labelled(4, 90, 2.0), labelled(5, 60, 2.0)
    recipe = Recipe(learning_rate=1e-2, batch_size=30, max_epochs=60, patience=3)
    found = train_batch(starts(2), (0.0, 0.1), data, recipe, 1)
    with torch.no_grad():
        again = accuracies(layers_of(found.parameters, 2, SHAPE), data[1])
    assert np.array_equal(again, found.scores)
    assert np.all(found.best_epochs + recipe.patience < found.epochs)


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_stopping_rule(patience: int) -> None:
    """Ties are no improvement; a gain below the tolerance is kept, but ends no idleness."""
    scores = [0.5, 0.5, 0.6, 0.60005, 0.7, 0.7, 0.69, 0.7, 0.7, 0.7]
    stopper = _Stopper(1, Recipe(patience=patience))
    best, idle = -np.inf, 0
    for score in scores:
        better, going = stopper.judge(np.array([score]))
        idle = idle + 1 if score < best + 1e-4 else 0
        assert (len(better) == 1) == (score > best)
        best = max(best, score)
        assert (len(going) == 1) == (idle <= patience)
    assert stopper.scores[0] == best == 0.7


def test_products_are_float32_and_settings_come_back(two_torch_threads: int) -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(3, 64, 500, generator=generator), torch.randn(500, 90, generator=generator)
    before = a @ b
    with training_arithmetic():
        assert torch.get_num_threads() == 1
        with training_arithmetic():
            pass
        within = a @ b
    assert torch.get_num_threads() == two_torch_threads
    assert torch.equal(a @ b, before)
    truth = a.double() @ b.double()
    assert float((within - truth).abs().max()) < 1e-3


def test_folds_share_the_labels_out() -> None:
    codes = np.repeat([0, 1, 2, 3], [50, 23, 4, 1]).astype(np.int32)
    parts = folds(codes, 5, np.random.default_rng(0))
    tests = np.concatenate([test for _, test in parts])
    assert np.array_equal(np.sort(tests), np.arange(len(codes)))
    sizes = [len(test) for _, test in parts]
    assert max(sizes) - min(sizes) <= 1
    for train_rows, test_rows in parts:
        assert np.array_equal(np.union1d(train_rows, test_rows), np.arange(len(codes)))
        counts = np.bincount(codes[test_rows], minlength=4)
        assert np.all(np.abs(counts - np.array([50, 23, 4, 1]) / 5) < 1)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.9])
def test_holdout_leaves_every_label_a_point(fraction: float) -> None:
    codes = np.repeat([0, 1, 2, 3, 4], [70, 25, 2, 1, 1]).astype(np.int32)
    train_rows, held_out = holdout(codes, fraction, np.random.default_rng(1))
    assert np.array_equal(np.union1d(train_rows, held_out), np.arange(99))
    assert len(train_rows) + len(held_out) == 99
    assert np.all(np.bincount(codes[train_rows], minlength=5) >= 1)
    counts = np.bincount(codes[held_out], minlength=5)
    assert np.all(np.abs(counts[:2] - fraction * np.array([70, 25])) < 1)
    assert 1 <= len(held_out) <= np.ceil(fraction * 99)


def test_holdout_draws_by_the_seed() -> None:
    codes = np.repeat([0, 1], 40).astype(np.int32)
    first, again, other = (holdout(codes, 0.1, np.random.default_rng(s))[1] for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_nothing_to_hold_out() -> None:
    with pytest.raises(GeoprobeError, match="two of the 3"):
        holdout(np.array([0, 1, 2], dtype=np.int32), 0.1, np.random.default_rng(0))


@pytest.mark.full
def test_importing_loads_no_torch(repository: Path) -> None:
    code = (
        "import sys; from geoprobe.probes.classifier import ClassifierProbe, learning_curves;"
        "ClassifierProbe(); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=repository,
        env=dict(os.environ),
        check=True,
    )
    assert done.stdout.strip() == "False"
