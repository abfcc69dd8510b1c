"""All label-pair distances: geoprobe, scikit-learn's SVC, PIQP, and the Gram product as floor."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from benchmarks.inputs import label_pairs, space
from benchmarks.peers import gram, piqp_distance, svc_distance
from geoprobe.hulls import PairwiseDistances, pairwise_hull_distances

SPACES = {
    "PS layer 6": ("ps_layer6", "role"),
    "TREC layer 6": ("trec50_layer6", "y"),
    "POS layer 6": ("pos_layer6", "y"),
}
WORK = "{}: all label-pair distances"


@cache
def certified(name: str) -> PairwiseDistances:
    """Return geoprobe's own answer, against which peers are judged; it carries its proof."""
    return pairwise_hull_distances(*space(*SPACES[name]))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", SPACES)
def test_geoprobe(timed: Callable[..., Any], name: str, threads: int) -> None:
    X, y = space(*SPACES[name])

    def outcome(table: PairwiseDistances) -> str:
        apart = table.distance > 0
        widest = ((table.upper - table.lower)[apart] / table.upper[apart]).max()
        return f"{len(table)} pairs, {apart.sum()} apart, widest gap {widest:.1e}"

    timed(
        lambda: pairwise_hull_distances(X, y, n_threads=threads),
        work=WORK.format(name),
        program="geoprobe",
        threads=threads,
        outcome=outcome,
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", SPACES)
def test_gram_floor(timed: Callable[..., Any], name: str, threads: int) -> None:
    X, _ = space(*SPACES[name])
    timed(
        lambda: gram(X),
        work=WORK.format(name),
        program="float64 Gram product",
        threads=threads,
        outcome=lambda product: f"{product.shape[0]} x {product.shape[1]} dot products",
    )


@pytest.mark.parametrize("name", SPACES)
def test_svc(timed: Callable[..., Any], name: str) -> None:
    def outcome(answers: list[tuple[float, bool]]) -> str:
        stopped = sum(not converged for _, converged in answers)
        return f"{errors(name, [distance for distance, _ in answers])}; {stopped} at max_iter"

    time_pairs(timed, name, svc_distance, "scikit-learn SVC", outcome)


@pytest.mark.parametrize("name", SPACES)
def test_piqp(timed: Callable[..., Any], name: str) -> None:
    def outcome(answers: list[float]) -> str:
        return errors(name, answers)

    time_pairs(timed, name, piqp_distance, "PIQP through qpsolvers", outcome)


def time_pairs(
    timed: Callable[..., Any],
    name: str,
    distance: Callable[[np.ndarray, np.ndarray], Any],
    program: str,
    outcome: Callable[[Any], str],
) -> None:
    """Time a peer's own call for every pair of labels, on one thread."""
    pairs = label_pairs(*space(*SPACES[name]))
    timed(
        lambda: [distance(a, b) for a, b in pairs],
        work=WORK.format(name),
        program=program,
        rounds=1,
        warm=False,
        outcome=outcome,
    )


def errors(name: str, found: list[float]) -> str:
    """Return how far a peer's distances lie from the certified ones."""
    true, answers = certified(name).distance, np.array(found)
    apart = true > 0
    error = np.abs(answers - true)[apart] / true[apart]
    text = f"relative error median {np.median(error):.1e}, largest {error.max():.1e}"
    zeros, false = (answers[apart] == 0).sum(), (answers[~apart] > 0).sum()
    if zeros:
        text += f", {zeros} silent zeros"
    return text + (f", {false} overlapping pairs called apart" if false else "")
