"""The classifier probe against scikit-learn's search over the same grid, on PS roles, layer 6.

``python -m benchmarks.classifier`` times the whole of geoprobe's search, full and quick, and a
sample of scikit-learn's fits: of every shape as many as ``--fits`` says, their weight decays and
folds drawn at random, in two processes as its search would. A shape's mean time stands for all of
its fits, and the sum is divided by the number of processes, as if they were never idle. Rounds
alternate between the programs, since other work on the machine slows both; processor seconds
suffer less from it. The peer's sample leaves out its final fits, ours includes them.
``--whole`` runs scikit-learn's search from beginning to end, once, instead of the sample.

The floor is what the products of matrices in our full search would take, were all of them as fast
as the fastest: nothing that trains the same networks in float32 does with less.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier

from benchmarks.inputs import held_out, space
from geoprobe.probes.classifier import Accuracies, ClassifierProbe
from geoprobe.probes.classifier.recipe import HIDDEN_SIZES, WEIGHT_DECAYS

SHAPES = [(h1, h2) for h1 in HIDDEN_SIZES for h2 in HIDDEN_SIZES]
N_FOLDS, N_INITIALISATIONS = 5, 5


@dataclass
class Timing:
    """Seconds of each round, and what came out."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    outcome: str = ""

    def line(self, name: str) -> str:
        """Return a row of the table."""
        rounds = ", ".join(f"{value:.1f}" for value in self.seconds)
        busy = f"{np.median(self.processor):.1f}" if self.processor else "-"
        return f"| {name} | {np.median(self.seconds):.1f} | {rounds} | {busy} | {self.outcome} |"


def network(sizes: tuple[int, int], alpha: float, seed: int = 0) -> MLPClassifier:
    """Return the peer's classifier, stopped early as ours is."""
    return MLPClassifier(sizes, alpha=alpha, early_stopping=True, max_iter=1000, random_state=seed)


def one_fit(
    X: np.ndarray, y: np.ndarray, rows: np.ndarray, sizes: tuple[int, int], alpha: float
) -> tuple[float, float, int]:
    """Return wall-clock and processor seconds and epochs of one fit of the peer."""
    wall, busy = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = network(sizes, alpha).fit(X[rows], y[rows])
    return time.perf_counter() - wall, time.process_time() - busy, fitted.n_iter_


def stratified(X: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Return the training rows of the folds that the peer's search would use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return [rows for rows, _ in StratifiedKFold(N_FOLDS).split(X, y)]


def sampled(
    X: np.ndarray, y: np.ndarray, n_fits: int, jobs: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Estimate wall-clock and processor seconds of the peer's search; also mean epochs."""
    folds = stratified(X, y)
    chosen = [
        (folds[rng.integers(N_FOLDS)], sizes, WEIGHT_DECAYS[rng.integers(len(WEIGHT_DECAYS))])
        for sizes in SHAPES
        for _ in range(n_fits)
    ]
    order = rng.permutation(len(chosen))
    # Processes are started, and have imported what they need, before the clock runs.
    with Parallel(n_jobs=jobs) as parallel:
        parallel(delayed(one_fit)(X, y, chosen[0][0][:400], (32, 32), 1.0) for _ in range(jobs))
        found = parallel(delayed(one_fit)(X, y, *chosen[k]) for k in order)
    times = np.empty((len(chosen), 3))
    times[order] = found
    per_shape = times.reshape(len(SHAPES), n_fits, 3).mean(axis=1)
    of_all = per_shape.sum(axis=0) * len(WEIGHT_DECAYS) * N_FOLDS
    return of_all[0] / jobs, of_all[1], float(per_shape[:, 2].mean())


def whole(X: np.ndarray, y: np.ndarray, new: np.ndarray, truth: np.ndarray, jobs: int) -> Timing:
    """Run the peer's search and its final fits."""
    grid = {"hidden_layer_sizes": SHAPES, "alpha": list(WEIGHT_DECAYS)}
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        search = GridSearchCV(
            network((32, 32), 1.0), grid, cv=N_FOLDS, n_jobs=jobs, refit=False
        ).fit(X, y)
    best = search.best_params_
    final = Parallel(n_jobs=jobs)(
        delayed(network(best["hidden_layer_sizes"], best["alpha"], seed).fit)(X, y)
        for seed in range(N_INITIALISATIONS)
    )
    taken = time.perf_counter() - start
    right = Accuracies(tuple(float(each.score(new, truth)) for each in final))
    return Timing([taken], [], f"{best}, test accuracy {right}")


def ours(
    X: np.ndarray, y: np.ndarray, new: np.ndarray, truth: np.ndarray, probe: ClassifierProbe
) -> tuple[float, float, str]:
    """Run our search and final fits."""
    wall, busy = time.perf_counter(), time.process_time()
    probe.fit(X, y)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    epochs = probe.cv_results_["mean_epochs"].mean()
    found = f"{probe.best_params_}, test accuracy {probe.accuracies(new, truth)}"
    return wall, busy, f"{found}, {epochs:.1f} epochs"


def operations(probe: ClassifierProbe, n_points: int) -> float:
    """Count the operations in products of matrices that a fitted probe's search has taken."""
    n_dims, n_labels = probe.n_features_in_, len(probe.classes_)
    n_seen = n_points * (1 - 1 / N_FOLDS)
    n_held_out = n_seen * probe.validation_fraction
    table, total = probe.cv_results_, 0.0
    for (h1, h2), epochs in zip(table["param_hidden_sizes"], table["mean_epochs"], strict=True):
        forward = n_dims * h1 + h1 * h2 + h2 * n_labels
        # Derivatives by weights and by activations take as much each; none are taken by points.
        with_back = 3 * forward - n_dims * h1
        once = with_back * (n_seen - n_held_out) + forward * n_held_out
        total += 2 * once * epochs * N_FOLDS
    return total


def product_speed(size: int = 2048, rounds: int = 5) -> float:
    """Measure how many operations a second one core does in a large product of float32."""
    import torch

    from geoprobe.probes.classifier.networks import training_arithmetic

    a, b = torch.randn(2, size, size)
    taken = []
    with training_arithmetic():
        for _ in range(rounds + 1):
            start = time.thread_time()
            torch.mm(a, b)
            taken.append(time.thread_time() - start)
    return 2 * size**3 / min(taken)


def main() -> None:
    """Time all programs in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fits", type=int, default=2, help="sampled fits per shape and round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--whole", action="store_true", help="run the peer from begin to end")
    asked = parser.parse_args()
    X, y = space("ps_layer6", "role")
    new, truth = held_out("ps_layer6", "role")
    rng = np.random.default_rng(0)
    ClassifierProbe(hidden_sizes=(32,), max_epochs=2, n_threads=1).fit(X[:500], y[:500])
    peer, timings = Timing(), {"full": Timing(), "quick": Timing()}
    for round_number in range(asked.rounds):
        if not asked.whole:
            wall, busy, epochs = sampled(X, y, asked.fits, asked.threads, rng)
            peer.seconds.append(wall)
            peer.processor.append(busy)
            peer.outcome = f"scaled up from {asked.fits} fits per shape, {epochs:.1f} epochs"
        for search, timing in timings.items():
            probe = ClassifierProbe(
                search=search, n_threads=asked.threads, random_state=round_number
            )
            wall, busy, timing.outcome = ours(X, y, new, truth, probe)
            if search == "full":
                work = operations(probe, len(X))
            timing.seconds.append(wall)
            timing.processor.append(busy)
        taken = {"scikit-learn": peer, **timings}
        last = [f"{name} {each.seconds[-1]:.1f} s" for name, each in taken.items() if each.seconds]
        load = os.getloadavg()[0]
        print(f"round {round_number + 1}: {', '.join(last)}; load {load:.1f}", flush=True)
    if asked.whole:
        peer = whole(X, y, new, truth, asked.threads)
    print("| program | seconds | rounds | processor seconds | outcome |")
    print("|---|---:|---|---:|---|")
    print(peer.line("scikit-learn GridSearchCV(MLPClassifier)"))
    for search, timing in timings.items():
        times = f"{np.median(peer.seconds) / np.median(timing.seconds):.1f} times as fast"
        if peer.processor:
            share = np.median(peer.processor) / np.median(timing.processor)
            times += f", {share:.1f} by processor seconds"
        print(timing.line(f"geoprobe, {search} search ({times})"))
    speed = product_speed()
    print(
        f"floor of the last full search: {work:.3g} operations at {speed:.3g} a second on a core, "
        f"{work / speed:.1f} processor seconds"
    )


if __name__ == "__main__":
    main()
