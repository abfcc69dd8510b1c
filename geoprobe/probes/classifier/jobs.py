"""Batches of networks to train, and training them beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch  # noqa: TID253  (only what trains networks imports this module)
from numpy.typing import NDArray

from geoprobe.probes.classifier.arithmetic import training_arithmetic
from geoprobe.probes.classifier.networks import Shape, blocks, initial, stacked
from geoprobe.probes.classifier.recipe import Recipe
from geoprobe.probes.classifier.splits import holdout
from geoprobe.probes.classifier.training import Labelled, Trained, accuracies, train
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import in_order

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

# What a seed is for, so that no two purposes share a stream of random numbers.
FOLDS, HOLDOUT, START, ORDER = range(4)


@dataclass(frozen=True)
class Job:
    """Networks of one shape and start, one for each weight decay, trained on the same points.

    Attributes
    ----------
    shape : Shape
    rows, test_rows : ndarray of int64
        What to train on (early stopping takes its share from it) and what to score on.
    seed : tuple of int
        Decides the split for early stopping, the start and the order of the points.
    """

    shape: Shape
    rows: IntArray
    test_rows: IntArray
    seed: tuple[int, ...]

    @property
    def cost(self) -> int:
        """Multiplications for one point and network, the measure of how long it takes."""
        into, h1, h2, out = self.shape.widths
        return (2 * into * h1 + 3 * h1 * h2 + 3 * h2 * out) * len(self.rows)


@dataclass(frozen=True)
class Done:
    """What a job came to.

    Attributes
    ----------
    trained : Trained
        Without parameters if there were ``test_rows``: nobody needs a whole grid's.
    scores : ndarray of float64, shape (n,)
        Accuracies on ``test_rows``; nan without any.
    """

    trained: Trained
    scores: FloatArray


@dataclass(frozen=True)
class Bench:
    """The points that all jobs share, on the device, and how to train on them."""

    data: Labelled
    host_codes: NDArray[np.int32]
    decays: tuple[float, ...]
    recipe: Recipe

    def part(self, rows: IntArray) -> Labelled:
        """Return some of the points."""
        chosen = torch.from_numpy(rows).to(self.data.codes.device)
        return Labelled(self.data.points[chosen], self.data.codes[chosen])


def stream(purpose: int, seed: Sequence[int]) -> np.random.Generator:
    """Return random numbers for one purpose."""
    return np.random.default_rng([purpose, *seed])


def torch_stream(purpose: int, seed: Sequence[int]) -> torch.Generator:
    """Return random numbers of torch for one purpose, on the CPU."""
    number = int(stream(purpose, seed).integers(2**63 - 1))
    return torch.Generator().manual_seed(number)


def run_job(job: Job, bench: Bench) -> Done:
    """Train and score the networks of one job, in the calling thread."""
    torch.set_num_threads(1)
    train_rows, watched_rows = holdout(
        bench.host_codes[job.rows], bench.recipe.validation_fraction, stream(HOLDOUT, job.seed)
    )
    with torch.no_grad():
        start = initial(job.shape, torch_stream(START, job.seed))
        n = len(bench.decays)
        trained = train(
            stacked([start] * n, job.shape),
            job.shape,
            bench.decays,
            (bench.part(job.rows[train_rows]), bench.part(job.rows[watched_rows])),
            bench.recipe,
            torch_stream(ORDER, job.seed),
        )
        if not len(job.test_rows):
            return Done(trained, np.full(n, np.nan))
        parts = blocks(trained.parameters, n, job.shape)
        scores = accuracies(parts, bench.part(job.test_rows))
    return Done(replace(trained, parameters=torch.empty(0)), scores)


def run_jobs(
    jobs: Sequence[Job],
    bench: Bench,
    n_threads: int,
    phase: str,
    progress: ProgressCallback | None,
) -> list[Done]:
    """Train all jobs, the costliest first; what comes out does not depend on ``n_threads``.

    Returns
    -------
    list of Done
        In the order of ``jobs``.
    """
    in_turn = sorted(range(len(jobs)), key=lambda k: -jobs[k].cost)
    finished: dict[int, Done] = {}
    with training_arithmetic():
        answers = in_order(lambda k: run_job(jobs[k], bench), in_turn, n_threads)
        for k, done in zip(in_turn, answers, strict=True):
            finished[k] = done
            if progress is not None:
                h1, h2 = jobs[k].shape.h1, jobs[k].shape.h2
                detail = f"{len(bench.decays)} networks of {h1} x {h2}"
                progress(Progress(phase, len(finished), len(jobs), detail))
    return [finished[k] for k in range(len(jobs))]
