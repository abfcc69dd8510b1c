"""Figures inside a page: smaller, with the page's own colours and font, and ids of their own."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_DROP = {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_HEX = re.compile("#[0-9a-f]{6}")
# Of 255: what is darker can hardly be seen on a dark page.
_DARK = 90
# Two decimals of a point are a hundredth of a pixel on any screen.
_DECIMALS = 2
_ROUNDED = ("d", "x", "y", "width", "height", "transform", "points", "r", "cx", "cy", "viewBox")
_UNNEEDED = ("font-family", "font-style", "font-variant", "font-weight", "font-stretch")
_DEFAULTS = {"fill-opacity: 1", "opacity: 1", "stroke-opacity: 1"}


def well_formed(text: str) -> str:
    """Replace what names from data may hold and no XML document may."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def inline_svg(
    text: str, prefix: str, label: str, colours: Mapping[str, str], told: Mapping[str, Any]
) -> str:
    """Rewrite an SVG of matplotlib as an element of a page.

    Parameters
    ----------
    text : str
        A whole SVG document.
    prefix : str
        What all ids will begin with; unique within the page.
    label : str
        What the figure shows, for those who do not see it.
    colours : mapping of str to str
        CSS colours to put in the place of ``#rrggbb``, in lower case.
    told : mapping of str to (tuple of str or dict)
        By id, what the page's script shows under the pointer: a text for each mark or one for all,
        or names and values of the cells of an image.

    Returns
    -------
    str
        An ``svg`` element; text in it is escaped.
    """
    ET.register_namespace("", _SVG)
    root = ET.fromstring(text)
    _drop(root)
    _tell(root, told)
    renamed = _new_ids(root, prefix)
    for element in root.iter():
        _lighten(element, renamed, colours)
    _share_styles(root)
    _flatten(root)
    _head(root, label)
    return ET.tostring(root, encoding="unicode").replace(f' xmlns="{_SVG}"', "", 1)


def _drop(root: ET.Element) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _DROP:
                parent.remove(child)
        if not (parent.text or "").strip():
            parent.text = None
        for child in parent:
            child.tail = None


def _tell(root: ET.Element, told: Mapping[str, Any]) -> None:
    for element in root.iter():
        texts = told.get(element.attrib.get("id", ""), ())
        if isinstance(texts, dict):
            element.attrib["data-cells"] = json.dumps(texts, ensure_ascii=False)
        elif len(texts) == 1:
            element.attrib["data-tip"] = texts[0]
        elif texts:
            marks = list(element.iter(f"{{{_SVG}}}use")) or element.findall(f"{{{_SVG}}}path")
            for mark, text in zip(marks, texts, strict=True):
                mark.attrib["data-tip"] = text


def _new_ids(root: ET.Element, prefix: str) -> dict[str, str]:
    """Give short names to the ids that something refers to."""
    used: dict[str, str] = {}
    for element in root.iter():
        refers = [match for value in element.attrib.values() for match in _REFERENCE.findall(value)]
        if _XLINK in element.attrib and element.attrib[_XLINK].startswith("#"):
            refers.append(element.attrib[_XLINK][1:])
        for one in refers:
            used.setdefault(one, f"{prefix}{len(used)}")
    return used


def _lighten(element: ET.Element, renamed: Mapping[str, str], colours: Mapping[str, str]) -> None:
    attributes = element.attrib
    if "id" in attributes:
        old = attributes.pop("id")
        if old in renamed:
            attributes["id"] = renamed[old]
    if _XLINK in attributes:
        target = attributes.pop(_XLINK)
        attributes["href"] = f"#{renamed[target[1:]]}" if target.startswith("#") else target
    if "clip-path" in attributes:
        attributes["clip-path"] = _REFERENCE.sub(
            lambda match: f"url(#{renamed[match[1]]})", attributes["clip-path"]
        )
    for name in _ROUNDED:
        if name in attributes:
            attributes[name] = " ".join(_NUMBER.sub(_round, attributes[name]).split())
    if "style" in attributes:
        style = _restyle(attributes.pop("style"), colours)
        if style:
            attributes["style"] = style
    attributes.pop("xml:space", None)


def _round(match: re.Match[str]) -> str:
    value = round(float(match[0]), _DECIMALS)
    return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".") if value else "0"


def _restyle(style: str, colours: Mapping[str, str]) -> str:
    kept = []
    for rule in filter(None, (part.strip() for part in style.split(";"))):
        name, _, value = (part.strip() for part in rule.partition(":"))
        if name in _UNNEEDED or f"{name}: {value}" in _DEFAULTS:
            continue
        if name == "font":
            # Of the shorthand, only the size is ours to keep.
            name, value = "font-size", next(p for p in value.split() if p.endswith("px"))
        if name in ("stroke-width", "font-size", "stroke-dashoffset"):
            value = _NUMBER.sub(_round, value)
        kept.append(f"{name}:{_recolour(value.lower(), colours)}")
    return ";".join(kept)


def _recolour(value: str, colours: Mapping[str, str]) -> str:
    """Use the page's own colours, and let dark ones be lifted from a dark ground."""
    if value in colours:
        return colours[value]
    if _HEX.fullmatch(value) and value != "#000000":
        red, green, blue = (int(value[k : k + 2], 16) for k in (1, 3, 5))
        if 0.3 * red + 0.6 * green + 0.1 * blue < _DARK:
            return f"color-mix(in srgb,{value},#fff var(--lift))"
    return value


def _share_styles(root: ET.Element) -> None:
    """Say once for a group what all the marks in it look like."""
    for group in root.iter(f"{{{_SVG}}}g"):
        marks = group.findall(f"{{{_SVG}}}use")
        styles = {mark.attrib.get("style", "") for mark in marks}
        if len(marks) == len(group) > 1 and len(styles) == 1 and "style" not in group.attrib:
            group.attrib["style"] = styles.pop()
            for mark in marks:
                mark.attrib.pop("style", None)


def _flatten(element: ET.Element) -> None:
    """Take groups away that group nothing."""
    children: list[ET.Element] = []
    for child in list(element):
        _flatten(child)
        plain = child.tag == f"{{{_SVG}}}g" and not child.attrib
        children += list(child) if plain else [child]
    element[:] = [child for child in children if child.tag != f"{{{_SVG}}}defs" or len(child)]


def _head(root: ET.Element, label: str) -> None:
    """Say what the figure is and how wide it wants to be."""
    view = root.attrib["viewBox"]
    width = float(view.split()[2]) * 4 / 3
    root.attrib.clear()
    root.attrib |= {
        "viewBox": view,
        "role": "img",
        "aria-label": label,
        "style": f"--w:{width:.0f}px",
        "stroke-linejoin": "round",
    }
