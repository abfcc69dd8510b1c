"""How time and memory of clustering grow with the number of points.

``python -m benchmarks.growth FILE.npz 5000 10000 20000`` fits random subsamples of the points ``X``
and labels ``y``, each in a process of its own with the kernels at hand, and prints a table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

# A child's peak of memory counts from its start, interpreter and libraries included.
FIT = """
import json, resource, sys, time
import numpy as np
from geoprobe import DirectProbe

path, number, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DirectProbe().fit([[0, 0], [1, 1], [0, 1], [1, 0], [2, 2], [2, -1]], list("aabbab"))
with np.load(path, allow_pickle=False) as arrays:
    X, y = arrays["X"], arrays["y"]
rows = np.sort(np.random.default_rng(0).permutation(len(X))[:number])
X, y = X[rows], y[rows]
wall, busy = time.perf_counter(), time.process_time()
probe = DirectProbe(n_threads=threads).fit(X, y)
wall, busy = time.perf_counter() - wall, time.process_time() - busy
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"points": len(X), "wall": wall, "busy": busy, "peak": peak,
    "labels": len(probe.classes_), "clusters": probe.n_clusters_, "bans": probe.counts_.bans,
    "solves": probe.counts_.solves}))
"""


def fit(path: Path, number: int, threads: int) -> dict[str, float]:
    """Fit so many points in a process of its own and return what it took."""
    command = [sys.executable, "-c", FIT, str(path), str(number), str(threads)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("space", type=Path)
    parser.add_argument("points", nargs="+", type=int)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print("| points | labels | clusters | bans | solves | time | processor time | peak memory |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for number in options.points:
        row = fit(options.space, number, options.threads)
        print(
            f"| {row['points']:,} | {row['labels']} | {row['clusters']} | {row['bans']} "
            f"| {row['solves']:,} | {row['wall']:.3g} s | {row['busy']:.3g} s "
            f"| {row['peak']:,.0f} MiB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
