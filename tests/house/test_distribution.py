"""The distribution: its name in every message, and what is built of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geoprobe.extras import DISTRIBUTION
from tests.support.source_files import modules, project_table, syntax

TEXTS = ("*.md", "docs/*.md", "geoprobe/**/*.py", "geoprobe/**/*.html", "tests/**/*.py", "*.toml")
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
