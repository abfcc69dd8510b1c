"""Schedules, options, and the pure functions behind each update of fine-tuning."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from geoprobe.encoders.options import Schedule, TuningOptions, updates_per_epoch  # noqa: E402
from geoprobe.encoders.training import (  # noqa: E402
    dropout_seed,
    head_seed,
    parts,
    sentence_order,
)
from geoprobe.errors import InputError  # noqa: E402


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linear:1", (0, 100)),
        ("linear:4", (0, 25, 50, 75, 100)),
        ("linear:1000", tuple(range(101))),
        ("log:1", (0, 100)),
        ("log:3", (0, 1, 10, 100)),
        ("log: 5", (0, 1, 3, 10, 32, 100)),
        ("epochs", (0, 30, 60, 90, 100)),
        ("steps:50, 10,last", (0, 10, 50, 100)),
        ("steps:0", (0, 100)),
    ],
)
def test_schedule(text: str, expected: tuple[int, ...]) -> None:
    assert Schedule(text).steps(n_updates=100, updates_per_epoch=30) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "linear", "linear:0", "linear:-1", "linear:2.5", "linear:٣", "log:x", "epoch"),
        *("steps:", "steps:1,,2", "steps:-1", "epochs:3", None, 8),
    ],
)
def test_bad_schedule_is_named(text: str) -> None:
    with pytest.raises(InputError, match=re.escape(repr(text))):
        Schedule(text)


def test_step_beyond_the_last_update() -> None:
    with pytest.raises(InputError, match="names update 101, but fine-tuning takes 100"):
        Schedule("steps:5,101").steps(n_updates=100, updates_per_epoch=10)


def test_schedules_of_short_runs() -> None:
    for text in ("linear:8", "log:8", "epochs", "steps:1"):
        for n_updates in (1, 2, 3):
            steps = Schedule(text).steps(n_updates, updates_per_epoch=1)
            assert steps[0] == 0
            assert steps[-1] == n_updates
            assert list(steps) == sorted(set(steps))


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": 2.0},
        {"epochs": True},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": "1e-4"},
        {"batch_size": 0},
        {"warmup": 1.5},
        {"warmup": -0.1},
        {"weight_decay": -1},
        {"max_grad_norm": float("inf")},
        {"seed": -1},
        {"seed": 2**63},
        {"precision": "float16"},
        {"max_pieces": 0},
    ],
)
def test_bad_option_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        TuningOptions(**wrong)  # type: ignore[arg-type]


def test_epochs_of_the_paper() -> None:
    assert TuningOptions().epochs_for(12) == 3
    assert TuningOptions().epochs_for(8) == 10
    assert TuningOptions(epochs=4).epochs_for(12) == 4


def test_every_so_many_updates() -> None:
    assert Schedule("every:5").steps(n_updates=12, updates_per_epoch=4) == (0, 5, 10, 12)
    assert Schedule("every: 20").steps(n_updates=12, updates_per_epoch=4) == (0, 12)


@pytest.mark.parametrize("n_updates", [1, 2, 9, 100])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.55, 1.0])
def test_learning_rate_is_that_of_transformers(n_updates: int, warmup: float) -> None:
    options = TuningOptions(warmup=warmup)
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=options.learning_rate)
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, int(np.ceil(warmup * n_updates)), n_updates
    )
    for update in range(n_updates):
        expected = schedule.get_last_lr()[0]
        assert options.learning_rate_at(update, n_updates) == pytest.approx(expected, rel=1e-12)
        optimizer.step()
        schedule.step()


def test_order_is_a_permutation_fixed_by_seed_and_epoch() -> None:
    orders = {
        (seed, epoch): tuple(sentence_order(50, seed, epoch))
        for seed in (0, 1)
        for epoch in (0, 1, 2)
    }
    assert all(sorted(order) == list(range(50)) for order in orders.values())
    assert len(set(orders.values())) == 6
    assert tuple(sentence_order(50, 1, 2)) == orders[1, 2]


def test_seeds_differ_from_update_to_update() -> None:
    seeds = {dropout_seed(seed, update) for seed in range(20) for update in range(500)}
    seeds |= {head_seed(seed) for seed in range(20)}
    assert len(seeds) == 20 * 500 + 20
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_updates_per_epoch() -> None:
    assert [updates_per_epoch(n, 32) for n in (1, 32, 33, 64)] == [1, 1, 2, 2]


def cost(lengths: list[int], cut: list[np.ndarray], pass_cost: int) -> int:
    return sum(len(part) * max(lengths[i] for i in part) + pass_cost for part in cut)


def cheapest(lengths: list[int], max_pieces: int, pass_cost: int) -> int:
    """Try every way to cut the sorted sentences."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    found = []
    for ends in itertools.product([False, True], repeat=len(order) - 1):
        cut, part = [], [order[0]]
        for end, sentence in zip(ends, order[1:], strict=True):
            if end:
                cut.append(part)
                part = []
            part.append(sentence)
        cut.append(part)
        sizes = [(len(part), len(part) * max(lengths[i] for i in part)) for part in cut]
        if all(n == 1 or size <= max_pieces for n, size in sizes):
            found.append(cost(lengths, [np.array(part) for part in cut], pass_cost))
    return min(found)


@pytest.mark.parametrize("seed", range(20))
def test_parts_are_the_cheapest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 60, size=rng.integers(1, 11)).tolist()
    max_pieces, pass_cost = int(rng.integers(20, 300)), int(rng.integers(0, 80))
    cut = parts(lengths, max_pieces, pass_cost)
    assert sorted(np.concatenate(cut).tolist()) == list(range(len(lengths)))
    assert cost(lengths, cut, pass_cost) == cheapest(lengths, max_pieces, pass_cost)
    assert all(
        len(part) == 1 or len(part) * max(lengths[i] for i in part) <= max_pieces for part in cut
    )
