"""First uses: what is compiled for which space, once, and in which process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from geoprobe.kernels import merging, pairs
from geoprobe.probes import ahead, ranking

FIT = """
import numpy as np
from geoprobe.kernels import merging, pairs
from geoprobe.probes import DirectProbe, ahead

corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
DirectProbe(n_threads={n_threads}).fit(np.r_[corners, corners + {shift}], np.repeat([0, 1], 4))
for kernel in (pairs.solve_pairs, merging.advance):
    print(len(kernel.whole.signatures), sum(kernel.whole.stats.cache_misses.values()), end=" ")
for process in ahead._processes:
    print(process.wait(), end=" ")
"""
LINEAR, CROSSING = 3.0, 0.5
IN_BOTH_PRECISIONS = [
    "activeset.dot.2",
    "activeset.dot4.2",
    "nearest.price_all.2",
    "nearest.price_candidates.2",
    "nearest.price_rows.2",
]
RESAMPLE = """
import numpy as np
from geoprobe.hulls import resampled_hull_distances

corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
X, y = np.r_[corners, corners + 3.0], np.repeat([0, 1], 4)
resampled_hull_distances(X, y, [[0, 1, 2, 5, 6, 7]], n_threads=1)
"""
RANK = "from geoprobe.probes import ahead; ahead.compile_ranking()"


def fit(folder: Path | None, repository: Path, shift: float, n_threads: int = 1) -> list[int]:
    """Return what a fresh process has loaded and compiled of two kernels."""
    chosen = {} if folder is None else {"GEOPROBE_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", FIT.format(shift=shift, n_threads=n_threads)],
        cwd=repository,
        env={**os.environ, **chosen, "NUMBA_DISABLE_JIT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [int(number) for number in done.stdout.split()]


def kept(folder: Path, kind: str) -> list[str]:
    """Return the versions that a cache holds, as file.function.number."""
    return sorted(
        f"{path.name.partition('-')[0]}.{path.name.split('.')[-2]}"
        for path in folder.glob(f"*/{kind}/*/*.nbc")
    )


def test_a_linear_space_loads_no_merging_kernel(repository: Path) -> None:
    assert fit(None, repository, LINEAR)[::2] == [1, 0]


@pytest.mark.slow
def test_every_kernel_is_compiled_once(repository: Path, tmp_path: Path) -> None:
    """A space that is not linear needs three kernels, and few versions of their parts."""
    assert fit(tmp_path, repository, CROSSING) == [1, 1, 1, 1]
    assert kept(tmp_path, "kernels") == [
        "merging.advance.1",
        "nearest.most_candidates.1",
        "pairs.solve_pairs.1",
    ]
    parts = kept(tmp_path, "parts")
    assert "nearest.nearest.1" in parts
    # Prices are float32 on the way and float64 at the end.
    assert [part for part in parts if not part.endswith(".1")] == IN_BOTH_PRECISIONS
    assert fit(tmp_path, repository, CROSSING) == [1, 0, 1, 0]


@pytest.mark.slow
def test_the_ranking_is_compiled_once(repository: Path, tmp_path: Path) -> None:
    chosen = {"GEOPROBE_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "0"}
    subprocess.run(
        [sys.executable, "-c", RANK], cwd=repository, env={**os.environ, **chosen}, check=True
    )
    assert kept(tmp_path, "kernels") == [
        "products.gram.1",
        "ranking.bound_distances.1",
        "ranking.rank_block.1",
    ]
    parts = kept(tmp_path, "parts")
    assert "projection.project.1" in parts
    assert [part for part in parts if not part.endswith(".1")] == []


@pytest.mark.slow
def test_resampling_is_compiled_once(repository: Path, tmp_path: Path) -> None:
    chosen = {"GEOPROBE_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "0"}
    subprocess.run(
        [sys.executable, "-c", RESAMPLE], cwd=repository, env={**os.environ, **chosen}, check=True
    )
    assert kept(tmp_path, "kernels") == ["pairs.solve_pairs.1", "subsets.solve_subsets.1"]
    parts = kept(tmp_path, "parts")
    assert "subsets.solve_subset.1" in parts
    assert [part for part in parts if not part.endswith(".1")] == IN_BOTH_PRECISIONS


@pytest.mark.slow
@pytest.mark.skipif(ahead.available_threads() < 2, reason="needs two processors")
def test_a_second_process_compiles_merging(repository: Path, tmp_path: Path) -> None:
    assert fit(tmp_path, repository, CROSSING, n_threads=2) == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("missing", [[], [merging.advance], [pairs.solve_pairs]])
def test_no_process_begins_for_one_half_alone(
    monkeypatch: pytest.MonkeyPatch, missing: list[object]
) -> None:
    monkeypatch.setattr(ahead, "_processes", [])
    monkeypatch.setattr(ahead, "is_missing", missing.__contains__)
    monkeypatch.setattr(ahead, "available_threads", lambda: 2)
    ahead.compile_ahead()
    assert ahead._processes == []


@pytest.mark.parametrize("interpreter", [None, "", "/usr/bin/blender", "/nowhere/python3"])
def test_a_first_use_does_without_a_second_process(
    monkeypatch: pytest.MonkeyPatch, interpreter: str | None
) -> None:
    """An interpreter that is not known, or does not start, ends nothing."""
    monkeypatch.setattr(ahead, "_processes", [])
    monkeypatch.setattr(ahead, "is_missing", lambda kernel: True)
    monkeypatch.setattr(ahead, "available_threads", lambda: 2)
    monkeypatch.setattr(ahead.sys, "executable", interpreter)
    ahead.compile_ahead()
    assert ahead._processes == []
    ahead.wait_for_kernels()


def test_a_second_process_that_fails_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    monkeypatch.setattr(ahead, "_processes", [failing])
    monkeypatch.setattr(ahead, "is_missing", lambda kernel: True)
    ahead.wait_for_kernels()
    assert failing.wait() == 1


def test_what_the_second_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """It merges what overlaps, to the end."""
    seen = []
    merge = ahead.merge_clusters

    def look(**given: np.ndarray) -> None:
        seen.append(merge(**given))

    monkeypatch.setattr(ahead, "merge_clusters", look)
    ahead.compile_merging()
    assert len(seen) == 1 and seen[0].solves > 0 and len(seen[0].bans) > 0


def test_compiling_the_ranking_needs_no_other_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The projections end by themselves, so that the kernels of hulls are not compiled twice."""
    ranked = []
    block = ranking.kernel.rank_block

    def look(*given: object) -> None:
        ranked.append(block(*given))

    monkeypatch.setattr(ranking.kernel, "rank_block", look)
    monkeypatch.setattr(ranking, "solve_pairs", None)
    ahead.compile_ranking()
    assert len(ranked) == 1
