"""The distribution: its name in every message, and what is built of it."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geoprobe import __version__
from geoprobe.extras import DISTRIBUTION
from scripts.distributions import build
from tests.support.source_files import modules, project_table, syntax

EPOCH = 1_700_000_000
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "geoprobe", "kernels")

TEXTS = (
    "*.md",
    "docs/**/*.md",
    "docs/**/*.ipynb",
    "geoprobe/**/*.py",
    "geoprobe/**/*.html",
    "tests/**/*.py",
    "*.toml",
)
# The name with extras in brackets, or behind pip's command, in quotation marks or not.
WITH_EXTRAS = re.compile(r"[\w-]*geoprobe[\w-]*\[[a-z0-9, ]+\]")
INSTALLED = re.compile(r"pip install [\"']?([\w-]*geoprobe[\w-]*)")
# The position of the argument that is an extra.
TAKE_AN_EXTRA = {"installing": 0, "need": 1}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    """The table ``project`` of pyproject.toml."""
    return project_table(repository)


def texts(repository: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of every file that may tell people what to install."""
    for pattern in TEXTS:
        for path in sorted(repository.glob(pattern)):
            yield path.relative_to(repository).as_posix(), path.read_text(encoding="utf8")


def test_one_name(project: dict[str, Any], repository: Path) -> None:
    """Whoever follows a message must not install the package of a stranger."""
    assert project["name"] == DISTRIBUTION
    found = []
    for where, text in texts(repository):
        for match in WITH_EXTRAS.finditer(text):
            name, _, extras = match[0].removesuffix("]").partition("[")
            found.append((where, name, *(extra.strip() for extra in extras.split(","))))
        found += [(where, match[1]) for match in INSTALLED.finditer(text)]
    assert {where for where, *_ in found} >= {"README.md", "pyproject.toml", "docs/text.md"}
    known = project["optional-dependencies"]
    assert [each for each in found if each[1] != DISTRIBUTION or set(each[2:]) - set(known)] == []


def test_addresses_are_called_as_the_index_allows(project: dict[str, Any]) -> None:
    """It refuses an upload for a longer name, when all else is done."""
    assert project["urls"]
    assert [name for name in project["urls"] if len(name) > 32] == []


def test_classifiers_begin_where_the_requirement_does(project: dict[str, Any]) -> None:
    """Every Python from the oldest on has its line, and none is left out in between."""
    begin = "Programming Language :: Python :: 3."
    minor = [int(each[len(begin) :]) for each in project["classifiers"] if each.startswith(begin)]
    assert project["requires-python"] == f">=3.{min(minor)}"
    assert minor == list(range(min(minor), max(minor) + 1))


def test_messages_name_extras_that_there_are(project: dict[str, Any], repository: Path) -> None:
    named = {}
    for _, path in modules(repository):
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
                called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                at = TAKE_AN_EXTRA.get(called, len(node.args))
                if at < len(node.args) and isinstance(extra := node.args[at], ast.Constant):
                    named[f"{path.relative_to(repository)}:{node.lineno}"] = extra.value
    assert {"bert", "data", "demo", "ray", "report", "wandb"} <= set(named.values())
    known = project["optional-dependencies"]
    assert {where: extra for where, extra in named.items() if extra not in known} == {}


def copied(repository: Path, source: Path) -> Path:
    """Copy what a distribution is built from, as a build writes beside it."""
    built_things = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for name in SOURCES:
        if (repository / name).is_dir():
            shutil.copytree(repository / name, source / name, symlinks=True, ignore=built_things)
        else:
            shutil.copy(repository / name, source)
    return source


@pytest.fixture(scope="module")
def distributions(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel of the working tree, built without the network."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("building needs setuptools, which the extra dev installs")
    source = copied(repository, tmp_path_factory.mktemp("source"))
    return build(source, tmp_path_factory.mktemp("out"), EPOCH)


def dotted_names(repository: Path) -> Iterator[tuple[str, str]]:
    """Yield (place in the wheel, dotted name) of every module."""
    for room, path in modules(repository):
        base = repository if room == "kernels" else repository / "geoprobe"
        inside = Path("geoprobe") / path.relative_to(base)
        yield inside.as_posix(), ".".join(inside.with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.full
def test_wheel_holds_every_module(distributions: tuple[Path, Path], repository: Path) -> None:
    inside = set(zipfile.ZipFile(distributions[1]).namelist())
    assert {place for place, _ in dotted_names(repository)} <= inside
    doors = {
        path.relative_to(repository).as_posix() for path in repository.glob("geoprobe/**/*.pyi")
    }
    assert doors | {"geoprobe/py.typed"} <= inside
    assert {name.partition("/")[0] for name in inside if ".dist-info/" not in name} == {"geoprobe"}


@pytest.mark.full
def test_wheel_imports_on_its_own(
    distributions: tuple[Path, Path], repository: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(distributions[1]).extractall(site)
    code = (
        "import importlib, geoprobe\n"
        f"assert geoprobe.__file__.startswith({str(site)!r}), geoprobe.__file__\n"
        f"for name in {sorted(name for _, name in dotted_names(repository))}:\n"
        "    importlib.import_module(name)\n"
        "print('whole')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "whole"), done.stderr


@pytest.mark.full
def test_sdist_is_whole_and_names_nobody(distributions: tuple[Path, Path]) -> None:
    """Every file bears the one time, and neither the name nor the number of who built it."""
    sdist, wheel = distributions
    stem = f"geoprobe_engine-{__version__}"
    assert (sdist.name, wheel.name) == (f"{stem}.tar.gz", f"{stem}-py3-none-any.whl")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert {f"{stem}/{name}" for name in SOURCES} - {"geoprobe"} <= {m.name for m in members}
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(EPOCH, 0, 0, "", "")}


@pytest.mark.slow
def test_two_builds_are_the_same_bytes(
    distributions: tuple[Path, Path], repository: Path, tmp_path: Path
) -> None:
    """Another folder, other times, other rights of the files and another mask change nothing."""
    source = tmp_path / "another" / "source"
    source.mkdir(parents=True)
    for path in copied(repository, source).rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1, 1))
    before = os.umask(0o077)
    try:
        again = build(source, tmp_path / "out", EPOCH)
    finally:
        os.umask(before)
    for one, other in zip(distributions, again, strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes(), one.name
