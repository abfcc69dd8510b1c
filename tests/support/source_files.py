"""The modules of the house, and what they import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def project_table(repository: Path) -> dict[str, Any]:
    """Return the table ``project`` of pyproject.toml."""
    text = (repository / "pyproject.toml").read_text(encoding="utf8")
    return dict(tomllib.loads(text)["project"])


def modules(repository: Path) -> Iterator[tuple[str, Path]]:
    """Yield (room, file) for every module of the package; the symlinked kernels are read once."""
    for path in sorted((repository / "kernels").rglob("*.py")):
        yield "kernels", path
    for path in sorted((repository / "geoprobe").rglob("*.py")):
        inside = path.relative_to(repository / "geoprobe")
        if inside.parts[0] != "kernels" and inside.parts != ("__init__.py",):
            yield inside.parts[0].removesuffix(".py"), path


@cache
def syntax(path: Path) -> ast.Module:
    """Return the syntax tree of a file, which many tests read."""
    return ast.parse(path.read_text(encoding="utf8"))


def imported(path: Path, *, module_level: bool = False) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) for what a file imports, wherever it does so."""
    tree = syntax(path)
    nodes = tree.body if module_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
