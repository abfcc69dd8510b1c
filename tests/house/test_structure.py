"""The structure of the house: imports go downwards, and imports are light."""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import geoprobe
from tests.support.source_files import imported, modules, syntax

# From the ground floor up: a room may import itself and the rooms before it.
ROOMS = [
    ("kernels",),
    (
        "devices",
        "errors",
        "extras",
        "plugins",
        "suggestions",
        "schema",
        "arrays",
        "tolerances",
        "progress",
        "threads",
        "processes",
        "memory",
        "versions",
        "showing",
    ),
    ("files", "drawing"),
    ("geometry",),
    ("hulls", "verify"),
    ("spaces",),
    ("probes",),
    ("reference",),
    ("tasks",),
    ("encoders",),
    ("findings",),
    ("controls",),
    ("studies",),
    ("report",),
    ("cli",),
    ("__main__",),
]
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
NEVER = {("verify", "hulls"), ("hulls", "verify"), ("spaces", "hulls"), ("files", "arrays")}
HEAVY = (
    "torch",
    "transformers",
    "faiss",
    "matplotlib",
    "h5py",
    "datasets",
    "zarr",
    "wandb",
    "mlflow",
)
QUESTIONS = ("how", "what", "when", "where", "whether", "which", "why")


def test_every_room_is_known(repository: Path) -> None:
    assert {room for room, _ in modules(repository)} <= set(FLOOR)


def test_imports_go_downwards(repository: Path) -> None:
    wrong = []
    for room, path in modules(repository):
        for line, name in imported(path):
            package, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if package != "geoprobe" or other in (room, "__version__"):
                continue
            upwards = FLOOR.get(other, len(ROOMS)) > FLOOR[room]
            if upwards or (room, other) in NEVER:
                wrong.append(f"{path.relative_to(repository)}:{line} {room} imports {name}")
    assert wrong == []


def test_kernels_know_only_numpy_and_numba(repository: Path) -> None:
    allowed = {"numpy", "numba", "__future__", *sys.stdlib_module_names}
    wrong = [
        f"{path.name}:{line} {name}"
        for room, path in modules(repository)
        for line, name in imported(path)
        if room == "kernels"
        and name.partition(".")[0] not in allowed
        and not name.startswith("geoprobe.kernels")
    ]
    assert wrong == []


def test_first_lines_say_what_a_module_is(repository: Path) -> None:
    """A module begins with a plain noun, not with a question."""
    wrong = []
    for _, path in modules(repository):
        text = ast.get_docstring(syntax(path))
        assert text, f"{path} has no docstring"
        if re.split(r"\W", text, maxsplit=1)[0].lower() in QUESTIONS:
            wrong.append(f"{path.relative_to(repository)}: {text.splitlines()[0]}")
    assert wrong == []


def test_tests_lie_in_the_folders_of_their_rooms(repository: Path) -> None:
    """A test lies in the folder of the room that it tries, or in the one of the whole house."""
    tests = repository / "tests"
    files = [path.relative_to(tests) for path in sorted(tests.rglob("test_*.py"))]
    rooms = {door.parent.name for door in (repository / "geoprobe").glob("*/__init__.py")}
    assert rooms <= FLOOR.keys()
    assert [path.as_posix() for path in files if path.parts[0] not in {"house", *rooms}] == []
    assert rooms - {path.parts[0] for path in files} == set()


def test_no_file_is_reached_through_the_search_path(repository: Path) -> None:
    """Shared cases are imported from packages, also by the processes that tests start."""
    folders = ("tests", "scripts", "benchmarks")
    wrong = [
        f"{path.relative_to(repository)}:{number}"
        for folder in folders
        for path in sorted((repository / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1)
        if re.search(r"sys\.path\b|syspath_\w", line)
    ]
    assert wrong == []
    assert not re.search(r"^pythonpath", (repository / "pyproject.toml").read_text(), re.MULTILINE)


@pytest.mark.parametrize("library", ["highspy", "faiss"])
def test_one_file_knows_each_library(repository: Path, library: str) -> None:
    users = {
        path.relative_to(repository).as_posix()
        for _, path in modules(repository)
        for _, name in imported(path)
        if name.partition(".")[0] == library
    }
    assert len(users) <= 1, users


def test_kernels_package_is_an_empty_door(repository: Path) -> None:
    """Other libraries look for a package called kernels and must find nothing in ours."""
    tree = ast.parse((repository / "kernels" / "__init__.py").read_text(encoding="utf8"))
    assert len(tree.body) == 1
    assert ast.get_docstring(tree)
    assert (repository / "geoprobe" / "kernels").is_symlink()


def test_examples_in_docstrings(repository: Path) -> None:
    tried = 0
    for room, path in modules(repository):
        base = repository if room == "kernels" else repository / "geoprobe"
        dotted = ".".join(("geoprobe", *path.relative_to(base).with_suffix("").parts))
        if ">>>" in path.read_text(encoding="utf8"):
            outcome = doctest.testmod(importlib.import_module(dotted.removesuffix(".__init__")))
            assert outcome.failed == 0, dotted
            tried += outcome.attempted
    assert tried > 0


def run_python(code: str, cwd: Path, **environment: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_versions_agree(repository: Path) -> None:
    citation = (repository / "CITATION.cff").read_text(encoding="utf8")
    assert f"\nversion: {geoprobe.__version__}\n" in citation


def test_import_is_light(repository: Path) -> None:
    code = (
        "import sys, geoprobe; from geoprobe import *;"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert run_python(code, repository).strip() == "[]"


def test_what_lists_the_pieces_of_a_study_is_light(repository: Path) -> None:
    """Workers, shards and the status of a study begin without what measures."""
    code = (
        "import sys, geoprobe.studies.running, geoprobe.studies.status;"
        "print([m for m in ('numba', 'scipy', 'sklearn', 'pandas') if m in sys.modules])"
    )
    assert run_python(code, repository).strip() == "[]"


def test_import_is_quick(repository: Path) -> None:
    code = (
        "import time; start = time.perf_counter(); import geoprobe;"
        "print(time.perf_counter() - start)"
    )
    assert min(float(run_python(code, repository)) for _ in range(3)) < 0.5


def test_every_public_name_loads(repository: Path) -> None:
    """The stub of a room is the only list of its public names: what it lists must be there."""
    doors = sorted((repository / "geoprobe").rglob("__init__.pyi"))
    assert doors
    for door in doors:
        dotted = ".".join(door.parent.relative_to(repository).parts)
        room = importlib.import_module(dotted)
        assert [name for name in room.__all__ if not hasattr(room, name)] == [], dotted
