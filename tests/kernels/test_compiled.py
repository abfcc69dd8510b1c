"""Compiled kernels: never stale, never the end of a run, the same bits from everywhere."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from geoprobe.kernels import cache

STATE = """
from typing import NamedTuple

class Pair(NamedTuple):
    first: int
    second: int
"""
LOW = """
from geoprobe.kernels.jit import inner

FACTOR = 2

@inner
def scale(value):
    return FACTOR * value
"""
HIGH = """
from geoprobe.kernels.jit import kernel
from geoprobe.kernels.low import scale

@kernel
def scaled(value):
    return scale(value) + 1
"""
OTHER = """
from geoprobe.kernels.jit import kernel

@kernel
def first(pair):
    return pair.first
"""
ASK = """
from geoprobe.kernels.high import scaled
from geoprobe.kernels.other import first
from geoprobe.kernels.state import Pair

print(scaled(10), first(Pair(first=1, second=2)))
"""


@pytest.fixture
def package(tmp_path: Path, repository: Path) -> Path:
    """Return a package of three small kernel files beside the real ``jit.py`` and ``cache.py``."""
    kernels = tmp_path / "geoprobe" / "kernels"
    kernels.mkdir(parents=True)
    (kernels.parent / "__init__.py").touch()
    (kernels / "__init__.py").touch()
    for name in ("cache", "jit"):
        shutil.copy(repository / "kernels" / f"{name}.py", kernels)
    for name, text in (("state", STATE), ("low", LOW), ("high", HIGH), ("other", OTHER)):
        (kernels / f"{name}.py").write_text(text, encoding="utf8")
    return kernels


def run(package: Path, cache: Path, code: str = ASK) -> subprocess.CompletedProcess[str]:
    """Return how a fresh process ends that uses the kernels."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=package.parents[1],
        env={**os.environ, "GEOPROBE_CACHE_DIR": str(cache), "NUMBA_DISABLE_JIT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def ask(package: Path) -> tuple[str, dict[str, int]]:
    """Return what the kernels say in a fresh process, and how many versions of each are kept."""
    root = package.parents[1]
    done = run(package, root / "cache")
    assert done.stderr == ""
    names = [folder.name.rpartition("-")[0] for folder in (root / "cache").iterdir()]
    return done.stdout.strip(), {name: names.count(name) for name in sorted(set(names))}


def change(package: Path, name: str, old: str, new: str) -> None:
    """Change a file without its date, by which Numba alone would notice."""
    path = package / f"{name}.py"
    text, before = path.read_text(encoding="utf8"), path.stat()
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.full
def test_a_change_compiles_anew_what_depends_on_it(package: Path) -> None:
    assert ask(package) == ("21 1", {"high": 1, "low": 1, "other": 1})
    assert ask(package) == ("21 1", {"high": 1, "low": 1, "other": 1})
    change(package, "low", "FACTOR = 2", "FACTOR = 3")
    assert ask(package) == ("31 1", {"high": 2, "low": 2, "other": 1})
    change(package, "high", "+ 1", "+ 5")
    assert ask(package) == ("35 1", {"high": 3, "low": 2, "other": 1})
    fields = ("    first: int\n    second: int", "    second: int\n    first: int")
    change(package, "state", *fields)
    assert ask(package) == ("35 1", {"high": 4, "low": 3, "other": 2})


def test_a_run_survives_a_cache_that_cannot_be_used(package: Path, tmp_path: Path) -> None:
    """A temporary folder takes its place, the message names both, nothing else is written."""
    file = tmp_path / "file"
    file.touch()
    done = run(package, file / "cache")
    assert done.stdout.strip() == "21 1"
    assert f"{file / 'cache'} cannot hold compiled kernels (Not a directory)" in done.stderr
    assert done.stderr.count("CacheWarning") == 1
    instead = re.search(r"keeps them in (\S+),", done.stderr)
    assert instead is not None and not Path(instead[1]).exists()
    assert not list(package.rglob("*.nb?"))


@pytest.mark.full
def test_a_run_survives_a_folder_that_is_in_the_way(package: Path, tmp_path: Path) -> None:
    """What refuses files may lie within the cache: kernels do not end up in the package instead."""
    cache = tmp_path / "cache"
    run(package, cache)
    for folder in cache.glob("low-*/parts/*"):
        shutil.rmtree(folder)
        folder.touch()
    done = run(package, cache)
    assert done.stdout.strip() == "21 1"
    assert re.search(f"{cache}/low-[0-9a-f]+/parts cannot hold compiled kernels", done.stderr)
    assert done.stderr.count("CacheWarning") == 1
    assert not list(package.rglob("*.nb?"))


@pytest.mark.skipif(sys.platform == "win32", reason="homes are found otherwise")
def test_a_run_survives_without_a_home(package: Path, tmp_path: Path) -> None:
    homeless = """
import os
from pathlib import Path

def home():
    raise RuntimeError("Could not determine home directory.")

Path.home = home
for name in ("GEOPROBE_CACHE_DIR", "XDG_CACHE_HOME"):
    os.environ.pop(name, None)
"""
    done = run(package, tmp_path / "cache", homeless + ASK)
    assert done.stdout.strip() == "21 1"
    assert "(Could not determine home directory.); this run keeps them in" in done.stderr


def test_a_run_survives_without_any_folder(package: Path, tmp_path: Path) -> None:
    full = """
import tempfile

def refuse(prefix):
    raise FileNotFoundError(2, "No usable temporary directory found")

tempfile.mkdtemp = refuse
"""
    file = tmp_path / "file"
    file.touch()
    done = run(package, file / "cache", full + ASK)
    assert done.stdout.strip() == "21 1"
    assert "no folder can hold compiled kernels (No usable temporary dir" in done.stderr
    assert not list(package.rglob("*.nb?"))


def test_a_run_survives_a_cache_that_fills_up(package: Path, tmp_path: Path) -> None:
    full = """
import errno
from numba.core.caching import IndexDataCacheFile

def save(self, key, data):
    raise OSError(errno.ENOSPC, "No space left on device")

IndexDataCacheFile.save = save
"""
    done = run(package, tmp_path / "cache", full + ASK)
    assert done.stdout.strip() == "21 1"
    assert f"cannot be kept in {tmp_path / 'cache'} (No space left on device)" in done.stderr


@pytest.mark.full
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_damaged_cache_is_compiled_anew(package: Path, tmp_path: Path, suffix: str) -> None:
    cache = tmp_path / "cache"
    run(package, cache)
    damaged = list(cache.rglob(f"*.{suffix}"))
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[:40])
    done = run(package, cache)
    assert done.stdout.strip() == "21 1"
    assert f"cannot be read in {cache} (damaged)" in done.stderr
    assert run(package, cache).stderr == ""


def test_a_kernel_runs_its_own_copies(package: Path, tmp_path: Path) -> None:
    """When code is made of a kernel, nothing in it can give way to another kernel's copy."""
    # A function that calls itself cannot vanish into its caller.
    change(package, "low", "return FACTOR * value", "return scale(value - 1) + 2 if value else 0")
    look = """
from numba.core.codegen import JITCodeLibrary

make_code = JITCodeLibrary._finalize_specific

def look_first(library):
    for function in library._final_module.functions:
        if "low5scale" in function.name:
            print(library.name, function.linkage.name)
    make_code(library)

JITCodeLibrary._finalize_specific = look_first
"""
    done = run(package, tmp_path / "cache", look + ASK)
    # No code is made of a part by itself.
    assert done.stdout.splitlines() == ["scaled internal", "21 1"]


@pytest.mark.slow
def test_a_process_that_compiles_gives_the_bits_of_one_that_does_not(
    repository: Path, tmp_path: Path
) -> None:
    code = """
import hashlib
import numpy as np
from geoprobe import pairwise_hull_distances

random = np.random.default_rng(384)
spread = np.arange(1.0, 385.0) ** -0.5
labels = np.arange(600) % 4
points = random.normal(size=(600, 384)) * spread
points += random.normal(size=(4, 384))[labels] * spread
solved = pairwise_hull_distances(points.astype(np.float32), labels, n_threads=1)
print(hashlib.sha256(solved.upper.tobytes() + solved.lower.tobytes()).hexdigest())
"""
    # Nearly dependent points, on which refining tells the copies of a kernel apart.
    printed = []
    for _ in ("compiled", "from the cache"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=repository,
            env={**os.environ, "GEOPROBE_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        printed.append(done.stdout)
    assert printed[0] == printed[1]


def test_dependencies() -> None:
    always = {"cache", "jit", "state"}
    assert cache.dependencies("activeset") == {"activeset", *always}
    assert cache.dependencies("pairs") == {"pairs", "nearest", "minimiser", "activeset", *always}
    hulls = {"nearest", "minimiser", "activeset"}
    assert cache.dependencies("subsets") == {"subsets", *hulls, *always}
    assert cache.dependencies("linkage") == {"linkage", "centroids", *always}
    assert {"checking", "directions", "agenda", "pool"} < cache.dependencies("merging")


def test_kernels_take_eight_arguments_at_most(repository: Path) -> None:
    many = [
        f"{path.name}: {node.name}"
        for path in sorted((repository / "kernels").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8")))
        if isinstance(node, ast.FunctionDef) and len(node.args.args) > 8
    ]
    assert many == []


def test_named_tuples_stand_in_one_file(repository: Path) -> None:
    """No import tells which tuples a kernel is given, so that every version names this file."""
    elsewhere = []
    for path in sorted((repository / "kernels").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            is_tuple = isinstance(node, ast.Name) and node.id in ("NamedTuple", "namedtuple")
            if is_tuple and path.name != "state.py":
                elsewhere.append(f"{path.name}:{node.lineno}")
    assert elsewhere == []


def test_every_field_is_explained(repository: Path) -> None:
    """A field of an array is followed by a string; a tuple within a tuple explains itself."""
    bare = []
    tree = ast.parse((repository / "kernels" / "state.py").read_text(encoding="utf8"))
    for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for field, after in zip(owner.body, [*owner.body[1:], None], strict=True):
            if not isinstance(field, ast.AnnAssign):
                continue
            said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if not said and isinstance(field.annotation, ast.Subscript):
                bare.append(f"{owner.name}:{field.lineno}")
    assert bare == []
