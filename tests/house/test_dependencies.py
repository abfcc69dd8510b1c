"""Dependencies: what is imported is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geoprobe.extras import CORE, DISTRIBUTION, EXTRAS, IMPORT_NAMES
from tests.support.source_files import imported, modules, project_table, syntax

# The rooms that may use what an extra installs; every other room has the core alone.
ROOMS_OF_EXTRA = {
    "bert": {"devices", "encoders", "probes"},
    "data": {"tasks"},
    "datasets": {"spaces"},
    "hdf5": {"spaces"},
    "mlflow": {"studies"},
    "parquet": {"spaces", "studies"},
    "pt": {"spaces"},
    "report": {"drawing", "findings", "report", "showing"},
    "wandb": {"studies"},
    "zarr": {"spaces"},
    "ray": {"studies"},
}
# Run as commands, loaded by pytest, called by pip or by qpsolvers: no file imports them.
TOOLS = {
    "mypy",
    "piqp",
    "pre-commit",
    "pytest-benchmark",
    "pytest-xdist",
    "ruff",
    "setuptools",
    "wheel",
}
# Functions that import, or look for, a module whose name they get as text.
BY_NAME = {"find_spec", "import_module", "importorskip", "need"}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    """The table ``project`` of pyproject.toml."""
    return project_table(repository)


def required(requirements: list[str]) -> set[str]:
    """Return the names of the required distributions."""
    return {re.split(r"[^A-Za-z0-9_.-]", each, maxsplit=1)[0] for each in requirements}


def import_names(requirements: list[str]) -> set[str]:
    """Return what the required distributions are imported as, geoprobe itself left out."""
    names = required(requirements) - TOOLS - {DISTRIBUTION}
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def used(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, package) for what a file imports, by a statement or by name."""
    for line, name in imported(path):
        yield line, name.partition(".")[0]
    tree = syntax(path)
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _called(node.func) in BY_NAME:
            first = node.args[0]
            name = first.value if isinstance(first, ast.Constant) else constants.get(_called(first))
            if isinstance(name, str):
                yield node.lineno, name.partition(".")[0]


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def test_what_is_imported_is_declared(repository: Path, project: dict[str, Any]) -> None:
    core = import_names(project["dependencies"])
    extras = {
        extra: import_names(project["optional-dependencies"][extra]) for extra in ROOMS_OF_EXTRA
    }
    # Its data are looked for, and its absence is an answer.
    demo = import_names(project["optional-dependencies"]["demo"])
    wrong = []
    for room, path in modules(repository):
        declared = {"geoprobe", *core, *(demo if room == "encoders" else ())}
        for extra, rooms in ROOMS_OF_EXTRA.items():
            declared |= extras[extra] if room in rooms else set()
        wrong += [
            f"{path.relative_to(repository)}:{line} {package}"
            for line, package in used(path)
            if package not in declared and package not in sys.stdlib_module_names
        ]
    assert wrong == []


def test_what_is_declared_is_imported(repository: Path, project: dict[str, Any]) -> None:
    product = {package for _, path in modules(repository) for _, package in used(path)}
    extras = project["optional-dependencies"]
    assert import_names(project["dependencies"]) - product == set()
    for extra in (*ROOMS_OF_EXTRA, "demo"):
        assert import_names(extras[extra]) - product == set(), extra
    for extra, folder in (("bench", "benchmarks"), ("dev", "tests")):
        files = (repository / folder).rglob("*.py")
        packages = {package for path in files for _, package in used(path)}
        assert import_names(extras[extra]) - packages == set(), extra


def test_the_table_of_extras_is_that_of_the_project(project: dict[str, Any]) -> None:
    """What doctor looks for is what pip installs."""
    older = {"tomli"}  # of Pythons without tomllib
    assert set(CORE) == required(project["dependencies"]) - older
    declared = project["optional-dependencies"]
    assert {name: set(extra.packages) for name, extra in EXTRAS.items()} == {
        name: required(declared[name]) - {DISTRIBUTION} for name in (*ROOMS_OF_EXTRA, "demo")
    }
