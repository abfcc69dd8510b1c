"""Networks stopped by the likelihood of points held out, whose probabilities are to be used."""

from __future__ import annotations

import math

import torch  # noqa: TID253  (only what trains networks imports this module)

from geoprobe.probes.classifier.networks import (
    Layers,
    initial,
    logits,
    stacked,
    training_arithmetic,
)
from geoprobe.probes.classifier.recipe import Recipe, Sizes, holdout
from geoprobe.probes.classifier.search import (
    HOLDOUT,
    ORDER,
    START,
    Weights,
    Workplace,
    stream,
    torch_stream,
    weights_of,
)
from geoprobe.probes.classifier.training import Labelled, train

_LIKELIHOOD = 3


def log_likelihood(parts: Layers, data: Labelled) -> float:
    """Return the mean natural logarithm that one network gives the labels of some points."""
    logs = torch.log_softmax(logits(parts, data.points).double(), dim=1)[0]
    return float(logs.gather(0, data.codes.unsqueeze(0)).mean())


def train_by_likelihood(place: Workplace, sizes: Sizes, decay: float, recipe: Recipe) -> Weights:
    """Train one network in the calling thread, and keep it as it knew held-out points best.

    Accuracy, by which the classifier probe stops, is often highest long before probabilities are
    any good: they would be far from sure of what they get right.

    Parameters
    ----------
    place : Workplace
        Labels that none of its points has still get an output and a small probability.
    sizes : (int, int)
    decay : float
    recipe : Recipe
        ``max_epochs`` are trained; patience and tolerance are not used.

    Raises
    ------
    InputError
        If no label has two points.
    """
    shape = place.shape(sizes)
    seed = (place.random_state, _LIKELIHOOD)
    rows, watched = holdout(place.codes, recipe.validation_fraction, stream(HOLDOUT, seed))
    bench = place.bench((decay,), recipe)
    train_on, validate_on = bench.part(rows), bench.part(watched)
    best, best_flat = -math.inf, torch.empty(0)

    def watch(epoch: int, parts: Layers) -> None:
        nonlocal best, best_flat
        value = log_likelihood(parts, validate_on)
        if value > best:
            best, best_flat = value, torch.cat([each.reshape(-1) for each in parts])

    with training_arithmetic(), torch.no_grad():
        # More would change the last bits.
        torch.set_num_threads(1)
        start = stacked([initial(shape, torch_stream(START, seed))], shape)
        order = torch_stream(ORDER, seed)
        train(start, shape, (decay,), (train_on, None), recipe, order, watch)
    return weights_of(best_flat, shape)
