"""The documentation site: built whole, without a warning, with every page and every public name."""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import FunctionType, ModuleType
from urllib.parse import unquote

import pytest

NEEDED = ("sphinx", "pydata_sphinx_theme", "myst_parser")
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
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out


def is_described(module: ModuleType, name: str) -> bool:
    """Whether a name is a class or a function, and no constant or type of an argument."""
    return isinstance(getattr(module, name), type | FunctionType)


@pytest.mark.slow
def test_every_page_is_there(site: Path, repository: Path) -> None:
    pages = {path.stem for path in (repository / "docs").glob("*.md")} | {"reference"}
    assert pages <= {path.stem for path in site.glob("*.html")}
    # The tour is a passage of the README, from which it must not be lost.
    tour = (site / "tour.html").read_text(encoding="utf8")
    assert "A space of your own" in tour
    assert "The geometry is usable alone" in tour
    assert "geoprobe tasks" not in tour


@pytest.mark.slow
def test_links_lead_somewhere(site: Path) -> None:
    """Offline: every link inside the site, anchors included."""
    pages = {path: Anchors(path.read_text(encoding="utf8")) for path in site.glob("*.html")}
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


@pytest.mark.slow
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
