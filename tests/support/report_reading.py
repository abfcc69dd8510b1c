"""Reading the report's page back, with nothing but the standard library."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

_VIEW = re.compile(
    r'<details class="view" data-view="(\d+)"[^>]*>(.*?)(?=<details class="view"|\Z)', re.S
)


def unpack(text: str) -> list[str]:
    """Return what the page's script makes of packed views."""
    parts: list[str] = json.loads(gzip.decompress(base64.b64decode(text)))
    return parts


@dataclass
class Shown:
    """A table as a reader sees it."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    shared: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """Collects tables, ids, and every element and attribute of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[Shown] = []
        self.ids: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._into: list[str] | None = None
        self._shared: str | None = None
        self._in_rows = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.elements.append((tag, told))
        if told.get("id"):
            self.ids.append(str(told["id"]))
        if tag == "details" and "fold" in str(told.get("class")).split():
            self.tables.append(Shown())
        elif tag == "th":
            self.tables[-1].columns.append(str(told["data-column"]))
        elif tag == "span" and "data-column" in told:
            self._shared = str(told["data-column"])
        elif tag == "b" and self._shared is not None:
            self.tables[-1].shared[self._shared] = ""
        elif tag == "tbody":
            self._in_rows = True
        elif tag == "tr" and self._in_rows:
            self.tables[-1].rows.append([])
        elif tag == "td":
            self.tables[-1].rows[-1].append("")
            self._into = self.tables[-1].rows[-1]

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("tbody", "table"):
            self._in_rows, self._into = False, None
        elif tag == "b":
            self._shared = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._into is not None:
            self._into[-1] += data
        elif self._shared is not None and self._shared in self.tables[-1].shared:
            self.tables[-1].shared[self._shared] += data


def views(page: Path, analysis: str) -> dict[int, str]:
    """The HTML of every view of a section, the packed ones unpacked."""
    text = page.read_text(encoding="utf8")
    start = text.index(f'<section id="{analysis}"')
    part = text[start : text.index("</section>", start)]
    packed = re.search(r'class="packed">([^<]*)<', part)
    end = part.find("<noscript>") if packed else len(part)
    found = {int(k): html for k, html in _VIEW.findall(part[:end])}
    if packed:
        told = re.search(r'class="choices">(.*?)</script>', part, re.S)
        assert told
        opening = json.loads(told[1])["opening"]
        for k, html in enumerate(unpack(packed[1])):
            found[k if k < opening else k + 1] = html
    return found


def main_table(html: str) -> Shown:
    """The table of a view's own numbers: the last, but for the notes."""
    return [table for table in Reader(html).tables if table.columns or table.shared][-1]
