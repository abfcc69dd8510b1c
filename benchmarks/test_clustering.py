"""The clustering: geoprobe, and the textbook algorithm with one HiGHS program per hull pair."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.inputs import SHARED, held_out, ps_part, space
from benchmarks.peers import svc_distance
from geoprobe.probes import DirectProbe
from tests.support.reference import Textbook, textbook_clustering

PARTS = {
    "PS layer 6": (4285, None),
    "PS layer 6, PCA 64": (4285, 64),
    "PS layer 6, PCA 32": (4285, 32),
    "PS layer 6, PCA 16": (4285, 16),
    "PS layer 6, 2,000 points, PCA 16": (2000, 16),
    "PS layer 6, 1,000 points, PCA 8": (1000, 8),
}
SMALL = {
    "PS layer 6, 120 points, PCA 8": (120, 8),
    "PS layer 6, 200 points, PCA 4": (200, 4),
}
HARD = {
    "POS layer 6": "pos_layer6",
    "tree distance layer 3": "treedistance_layer3",
    "siblings layer 3": "siblings_layer3",
}
WORK = "{}: clustering"


def outcome(probe: DirectProbe) -> str:
    """Return what a probe found and what it took."""
    counts = probe.counts_
    return (
        f"{probe.n_clusters_} clusters, {counts.merges} merges, {counts.bans} bans, "
        f"{counts.solves} solves, {counts.highs_calls} by HiGHS"
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", [*PARTS, *SMALL])
def test_geoprobe(timed: Callable[..., Any], name: str, threads: int) -> None:
    X, y = ps_part(*{**PARTS, **SMALL}[name])
    timed(
        lambda: DirectProbe(n_threads=threads).fit(X, y),
        work=WORK.format(name),
        program="geoprobe",
        threads=threads,
        outcome=outcome,
    )


@pytest.mark.parametrize("name", SMALL)
def test_textbook(timed: Callable[..., Any], name: str) -> None:
    X, y = ps_part(*SMALL[name])

    def found(answer: Textbook) -> str:
        same = np.array_equal(answer.clusters, DirectProbe().fit(X, y).labels_)
        return f"{answer.clusters.max() + 1} clusters, {'the same' if same else 'OTHER'} partition"

    timed(
        lambda: textbook_clustering(X, y),
        work=WORK.format(name),
        program="textbook with HiGHS",
        rounds=1,
        warm=False,
        outcome=found,
    )


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", HARD)
def test_hard(timed: Callable[..., Any], name: str, threads: int) -> None:
    X, y = space(HARD[name])
    DirectProbe(n_threads=threads).fit(X[:200], y[:200])
    timed(
        lambda: DirectProbe(n_threads=threads).fit(X, y),
        work=WORK.format(name),
        program="geoprobe",
        threads=threads,
        rounds=1,
        warm=False,
        outcome=outcome,
    )


def test_prediction(timed: Callable[..., Any]) -> None:
    probe = DirectProbe().fit(*space("ps_layer6", "role"))
    X, y = held_out("ps_layer6", "role")
    timed(
        lambda: probe.score(X, y),
        work="PS layer 6: prediction of 457 test points",
        program="geoprobe",
        threads=os.cpu_count() or 1,
        outcome=lambda accuracy: f"accuracy {accuracy:.4f}",
    )


def test_prediction_by_svc(timed: Callable[..., Any]) -> None:
    """The reference's way: one SVM for every test point and cluster; here for 6 test points."""
    X, y = space("ps_layer6", "role")
    probe = DirectProbe().fit(X, y)
    new, _ = held_out("ps_layer6", "role")
    some = new[:: len(new) // 6][:6]
    hulls = [X[probe.labels_ == cluster] for cluster in range(probe.n_clusters_)]

    def nearest() -> list[int]:
        return [int(np.argmin([svc_distance(p[None], hull)[0] for hull in hulls])) for p in some]

    def agreement(found: list[int]) -> str:
        ours = probe.rank_clusters(some, k=1)[1][:, 0]
        return f"{(ours == found).sum()} of {len(some)} nearest clusters the same"

    timed(
        nearest,
        work="PS layer 6: prediction of 457 test points",
        program="scikit-learn SVC",
        rounds=1,
        warm=False,
        share=len(some) / len(new),
        outcome=agreement,
    )


FIRST_USE = """
import time
start = time.perf_counter()
import numpy as np
from geoprobe.probes import DirectProbe
rng = np.random.default_rng(0)
DirectProbe().fit(rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 3, 60))
print(time.perf_counter() - start)
"""


@pytest.mark.parametrize("state", ["after installation", "from then on"])
def test_first_use(timed: Callable[..., Any], state: str) -> None:
    """Import and first fit in a fresh process, with and without compiled kernels at hand."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GEOPROBE_CACHE_DIR": folder}

        def use() -> str:
            return subprocess.run(
                [sys.executable, "-c", FIRST_USE],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            ).stdout

        timed(
            use,
            work="import and first fit in a fresh process",
            program=f"geoprobe, {state}",
            rounds=1 if state == "after installation" else 3,
            warm=state != "after installation",
            outcome=lambda printed: f"{float(printed):.2f} s inside the process",
        )


PEAK = """
import json, sys
import numpy as np
from geoprobe.probes import DirectProbe

def peak():
    # getrusage would give the larger one of this process and of the one that started it.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

with np.load(sys.argv[1]) as arrays:
    X, y = arrays["X"], arrays["y"]
before = peak()
probe = DirectProbe().fit(X, y)
after = peak()
print(json.dumps({"clusters": int(probe.n_clusters_), "before": before, "after": after}))
"""


@pytest.mark.slow
def test_peak_memory(timed: Callable[..., Any]) -> None:
    path = SHARED / "spaces" / "pos_layer6.npz"
    space("pos_layer6")

    def run() -> dict[str, int]:
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path)], check=True, capture_output=True, text=True
        )
        return dict(json.loads(done.stdout))

    timed(
        run,
        work="POS layer 6: clustering, whole process",
        program="geoprobe",
        threads=os.cpu_count() or 1,
        rounds=1,
        warm=False,
        outcome=lambda seen: (
            f"{seen['clusters']} clusters, peak {seen['after'] / 1024:.0f} MiB "
            f"({seen['before'] / 1024:.0f} MiB with the points loaded)"
        ),
    )
