"""The kernels' tests once more with the compiler off: same answers from plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full

CHOSEN = {
    "tests/kernels/test_adam.py": "paper",
    "tests/hulls/test_two_hulls.py": "test_named_pairs and not hold and not 40 and not many",
    "tests/hulls/test_pairwise.py": "(test_every_pair and 2-shape0) or overlapping or string",
    "tests/hulls/test_resampled.py": "test_plain_loop and small",
    "tests/probes/test_clustering.py": (
        "(test_named_spaces and not hold and not 200) or (gaussian and 7)"
    ),
    "tests/probes/test_ranking.py": "against_the_reference and (grid-3 or random-5)",
}


# A file's name tells its tests from those of the others.
EXPRESSION = " or ".join(f"({Path(file).stem} and ({which}))" for file, which in CHOSEN.items())


def test_without_the_compiler(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *CHOSEN, "-k", EXPRESSION],
        cwd=repository,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    passed = {line.partition("::")[0] for line in done.stdout.splitlines() if " PASSED" in line}
    assert passed == CHOSEN.keys()
