"""What the site executes while it is built: notebooks, and scripts that end in a figure."""

from __future__ import annotations

import ast
import html
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from myst_parser.parsers.sphinx_ import MystParser
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from geoprobe.drawing.style import figure_of
from geoprobe.report.figures import draw


def run_cell(source: str, names: dict[str, Any], where: str) -> Any:
    """Run source as a notebook runs a cell, and return what its last expression is.

    Raises
    ------
    ExtensionError
        If it fails, or ends in nothing that could be shown.
    """
    tree = ast.parse(source, where)
    last = tree.body.pop()
    try:
        exec(compile(tree, where, "exec"), names)
        shown = eval(compile(ast.Expression(last.value), where, "eval"), names)  # type: ignore[attr-defined]
    except Exception as error:
        raise ExtensionError(f"{where}: {error!r}", error) from error
    if shown is None:
        raise ExtensionError(f"{where} ends in nothing that could be shown.")
    return shown


def as_html(value: Any, prefix: str, about: str) -> str:
    """Show a value as a notebook does; figures are in the colours of the page."""
    if all(hasattr(one, "figure") for one in (value if isinstance(value, list) else [value])):
        return f'<div class="drawn">{draw(figure_of(value), prefix, about, pdf=False).inline}</div>'
    if hasattr(value, "_repr_html_"):
        return f'<div class="shown">{value._repr_html_()}</div>'
    return f"<pre>{html.escape(repr(value))}</pre>"


@cache
def drawn(script: Path) -> tuple[str, str, str]:
    """Run a script; return its figure, its docstring, and the rest of its source."""
    source = script.read_text(encoding="utf8")
    said = ast.parse(source).body[0]
    about = ast.literal_eval(said.value)  # type: ignore[attr-defined]
    code = "\n".join(source.splitlines()[said.end_lineno :]).strip()
    figure = run_cell(source, {"__name__": script.stem}, str(script))
    return as_html(figure, f"{script.stem}-", about), " ".join(about.split()), code


class Drawn(SphinxDirective):
    """The figure that a script ends in, and its code where that is asked for."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"code": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return the figure with the script's docstring below it."""
        script = Path(self.env.relfn2path(self.arguments[0])[1])
        for each in script.parent.glob("*.py"):  # it may import any of them
            self.env.note_dependency(str(each))
        figure, about, code = drawn(script)
        caption = f"<figcaption>{html.escape(about)}</figcaption>"
        parts: list[nodes.Node] = [nodes.raw("", f"<figure>{figure}{caption}", format="html")]
        if "code" in self.options:
            parts += [
                nodes.raw("", "<details><summary>Code</summary>", format="html"),
                nodes.literal_block(code, code, language="python"),
                nodes.raw("", "</details>", format="html"),
            ]
        return [*parts, nodes.raw("", "</figure>", format="html")]


class Notebook(MystParser):
    """A notebook as a page: its text, its code, and what each cell shows."""

    supported = ("ipynb",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Run the cells in order, in one namespace."""
        names: dict[str, Any] = {}
        parts = []
        for number, cell in enumerate(json.loads(inputstring)["cells"]):
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                where = f"{Path(document['source']).name}, cell {number}"
                shown = as_html(run_cell(source, names, where), f"cell{number}-", where)
                source = f"```python\n{source}\n```\n\n::::::{{raw}} html\n\n{shown}\n::::::"
            parts.append(source)
        super().parse("\n\n".join(parts), document)


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive and the parser; scripts import what lies beside them."""
    sys.path.insert(0, str(Path(__file__).parent / "gallery"))
    app.add_directive("drawn", Drawn)
    app.add_source_suffix(".ipynb", "ipynb")
    app.add_source_parser(Notebook)
    return {"parallel_read_safe": True}
