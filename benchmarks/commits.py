"""One commit against another: the same work in turns, each with its own tree and kernel cache.

``python -m benchmarks.commits BEFORE [AFTER]`` measures the commit BEFORE against AFTER, or against
the working tree, and prints a table of medians and ratios. Every measurement is a process of its
own that first does a small part of the work, so that nothing is compiled inside the time. Spaces
are those of the shared folder, or ``--space FILE.npz`` with ``X``, ``y``, ``X_test`` and
``y_test``; ``--cells FOLDER`` first extracts the papers' largest tasks into it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.inputs import SHARED, ps_part

ROOT = Path(__file__).resolve().parents[1]
# Of every kind of work what it needs, done with the public names that all commits have.
WORK = """
import json, os, sys, time
import numpy as np
from geoprobe import DirectProbe, pairwise_hull_distances

def clusters(X, y, Z, z, threads):
    probe = DirectProbe(n_threads=threads).fit(X, y)
    return f"{probe.n_clusters_} clusters, {probe.counts_.bans} bans"

def labels(X, y, Z, z, threads):
    found = pairwise_hull_distances(X, y, n_threads=threads)
    return f"{len(found)} pairs, mean {found.upper.mean():.12g}"

def prediction(X, y, Z, z, threads, k=1):
    probe = fitted[0] if fitted else DirectProbe(n_threads=threads).fit(X, y)
    fitted[:] = [probe]
    return lambda: f"sum of distances {probe.rank_clusters(Z, k=k)[0].sum():.12g}"

def five(X, y, Z, z, threads):
    return prediction(X, y, Z, z, threads, k=5)

def cell(X, y, Z, z, threads):
    probe = DirectProbe(n_threads=threads).fit(X, y)
    right = (probe.predict(Z) == z).mean()
    alone = DirectProbe(n_threads=threads).fit(Z, z)
    return f"{probe.n_clusters_} and {alone.n_clusters_} clusters, accuracy {right:.4f}"

fitted = []
path, work, threads = sys.argv[1], globals()[sys.argv[2]], int(sys.argv[3])
with np.load(path, allow_pickle=False) as arrays:
    X, y, Z, z = (arrays[name] for name in ("X", "y", "X_test", "y_test"))
some = np.unique(np.r_[np.unique(y, return_index=True)[1], : min(200, len(X))])
part = np.unique(np.r_[np.unique(z, return_index=True)[1], : min(100, len(Z))])
# Labels that cross, for a space may be linear and then compiles less.
DirectProbe().fit([[0, 0], [1, 1], [0, 1], [1, 0], [2, 2], [2, -1]], list("aabbab"))
outcome = work(X[some], y[some], Z[part], z[part], threads)
if callable(outcome):
    outcome()
fitted.clear()
step = work(X, y, Z, z, threads) if callable(outcome) else lambda: work(X, y, Z, z, threads)
wall, busy = time.perf_counter(), time.process_time()
outcome = step()
wall, busy = time.perf_counter() - wall, time.process_time() - busy
print(json.dumps({"wall": wall, "busy": busy, "outcome": outcome}))
"""
KINDS = ("clusters", "labels", "prediction", "five", "cell")


def shared_spaces(folder: Path) -> Iterator[Path]:
    """Write the named spaces of the shared folder as files that the work reads."""
    parts = {
        "pos_layer6": "y",
        "ps_layer6": "role",
        "trec50_layer6": "y",
        "treedistance_layer3": "y",
        "siblings_layer3": "y",
    }
    for name, labels in parts.items():
        with np.load(SHARED / "spaces" / f"{name}.npz", allow_pickle=False) as arrays:
            test = {"X_test": arrays["X_test"], "y_test": arrays[f"{labels}_test"]}
            yield save(folder / f"{name}.npz", X=arrays["X"], y=arrays[labels], **test)
    X, y = ps_part(4285, 16)
    yield save(folder / "ps_layer6_pca16.npz", X=X, y=y, X_test=X[:400], y_test=y[:400])


def extracted_spaces(folder: Path) -> Iterator[Path]:
    """Extract layers 3 and 6 of the papers' largest tasks, or find them extracted."""
    from geoprobe.spaces.store import SpaceStore

    for task in ("dep", "pos"):
        if not (folder / task).is_dir():
            command = ["extract", task, "--layers", "3,6", "--store", str(folder)]
            command += ["--data", str(SHARED / "data")]
            geoprobe = [sys.executable, "-c", "from geoprobe.cli import main; main()"]
            subprocess.run([*geoprobe, *command], check=True, cwd=ROOT)
        store = SpaceStore(folder)
        splits = {key.split: store.open(key) for key in store.keys() if key.task == task}
        for layer in (3, 6):
            train, test = (splits[name].space(layer) for name in ("train", "test"))
            arrays = {"X": train.points, "y": train.labels}
            arrays |= {"X_test": test.points, "y_test": test.labels}
            yield save(folder / f"{task}_layer{layer}.npz", **arrays)


def save(path: Path, **arrays: np.ndarray) -> Path:
    """Write arrays that no pickle is needed for, and return where."""
    plain = {k: v.astype(str) if v.dtype == object else v for k, v in arrays.items()}
    np.savez(path, **plain)
    return path


@contextmanager
def tree(commit: str | None, folder: Path) -> Iterator[Path]:
    """Give a commit's tree below ``folder``, or the working tree."""
    if commit is None:
        yield ROOT
        return
    path = folder / commit
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(path), commit], check=True)
    try:
        yield path
    finally:
        subprocess.run([*git, "remove", "--force", str(path)], check=True)


def measure(root: Path, cache: Path, space: Path, kind: str, threads: int) -> dict[str, float]:
    """Do one piece of work in a tree and return its seconds and what came out."""
    environment = {**os.environ, "PYTHONPATH": str(root), "GEOPROBE_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", WORK, str(space), kind, str(threads)]
    done = subprocess.run(
        command, cwd=root, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(
    trees: tuple[Path, Path], caches: tuple[Path, Path], options: argparse.Namespace, space: Path
) -> None:
    """Print a row for each kind of work and number of threads on one space."""
    for kind in options.work:
        for threads in options.threads:
            seen: tuple[list[dict[str, float]], ...] = ([], [])
            for _ in range(options.rounds):
                for root, cache, runs in zip(trees, caches, seen, strict=True):
                    runs.append(measure(root, cache, space, kind, threads))
            before, after = (median(run[options.clock] for run in runs) for runs in seen)
            outcomes = [str(runs[-1]["outcome"]) for runs in seen]
            outcome = outcomes[1] if len(set(outcomes)) == 1 else " / ".join(outcomes)
            print(
                f"| {space.stem} | {kind} | {threads} | {before:.3g} s | {after:.3g} s "
                f"| {before / after:.3g} | {outcome} |",
                flush=True,
            )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before")
    parser.add_argument("after", nargs="?", help="the working tree if left out")
    parser.add_argument("--work", nargs="+", choices=KINDS, default=["cell"])
    parser.add_argument("--space", nargs="+", type=Path, help="files instead of the shared spaces")
    parser.add_argument("--cells", type=Path, help="folder for spaces of DEP and POS")
    parser.add_argument("--threads", nargs="+", type=int, default=[2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "busy"), default="wall")
    options = parser.parse_args()
    print("| space | work | threads | before | after | times as fast | outcome |")
    print("|---|---|---:|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        caches = folder / "cache-before", folder / "cache-after"
        with tree(options.before, folder) as before, tree(options.after, folder) as after:
            spaces = options.space or list(shared_spaces(folder))
            if options.cells:
                spaces = [*spaces, *extracted_spaces(options.cells.resolve())]
            for space in spaces:
                compare((before, after), caches, options, space.resolve())


if __name__ == "__main__":
    main()
