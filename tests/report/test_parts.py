"""The parts of the report: names of files, numbers, tables, figures within a page."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoprobe.drawing.style import COLOURS, INK, colour_bar, describe, legend, one_axes, tell
from geoprobe.errors import FormatError
from geoprobe.report.figure_files import INDEX, FigureFolder, file_name
from geoprobe.report.page import pack
from geoprobe.report.report_tables import cell, make_table, number, rows_shown
from geoprobe.showing import shortened
from tests.support.report_cases import LONG, ODD
from tests.support.report_reading import unpack

pytest.importorskip("matplotlib", reason="figures need the extra report")
figures = pytest.importorskip("geoprobe.report.figures")


def test_names_of_files_are_safe_distinct_and_stable() -> None:
    plain = {"task": "pos", "tuned on": "ps-role", "model": "tiny", "layer": "6"}
    assert file_name("similarity", plain) == "similarity_pos_tuned-on-ps-role_tiny_layer-6"
    odd = ["a b", "a-b", "A-B", "a_b", "a/b", "../b", "", ".", "é", "語", LONG, LONG + "!", "con:"]
    names = [file_name("x", {"task": value}) for value in odd]
    assert len(set(names)) == len(odd)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", name) for name in names), names
    assert file_name("x", {"task": "a b"}) == "x_a-b_2070e4d5"


@pytest.mark.full
@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3),
       st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_different_choices_have_different_names(one: dict[str, str], other: dict[str, str]) -> None:
    same = list(one.items()) == list(other.items())
    keys_differ = list(one) != list(other)
    # Views of one section have the same keys.
    assert same or keys_differ or file_name("x", one) != file_name("x", other)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (1.0, "1.000"), (0.123456, "0.1235"), (-0.5, "\u22120.5000"),
        (12345.678, "12346"), (123.456, "123.5"), (1.5e-7, "1.500e-07"), (2.5e9, "2.500e+09"),
        (math.nan, "undefined"),
        (math.inf, "inf"), (np.float64(0.25), "0.2500"), (7, "7"), (np.int64(12345), "12345"),
        (True, "yes"), (np.bool_(False), "no"), (None, "\u2013"), ("", "\u2013"), ("<b>", "<b>"),
    ],
)  # fmt: skip
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


@given(st.floats(-1e300, 1e300))
def test_numbers_keep_four_digits(value: float) -> None:
    assert float(number(value).replace("\u2212", "-")) == pytest.approx(value, rel=5.01e-4, abs=0)


def test_what_all_rows_share_is_said_once_and_undefined_numbers_have_a_reason() -> None:
    table = make_table(
        "t",
        {
            "task": ["pos"] * 3,
            "tuned_on": ["", "pos", "pos"],
            "seed": [None, 0, 1],
            "head": [math.nan, 0.5, 0.25],
            "low": [math.nan] * 3,
            "n_pairs": [4, 4, 4],
            "undefined": ["", "", ""],
        },
    )
    assert [c.name for c in table.columns] == ["tuned_on", "seed", "head", "n_pairs"]
    assert [c.numeric for c in table.columns] == [False, True, True, True]
    assert {c.name: value for c, value in table.shared} == {
        "task": "pos", "low": "undefined (no interval was computed, or a label has a single unit)",
    }  # fmt: skip
    assert table.rows[0] == ("\u2013", "\u2013", "undefined", "4")
    assert table.footnotes == (
        "head is undefined where no head was fine-tuned, or on another task.",
        "\u2013 under tuned on: the model as published.",
    )


def test_reasons_of_the_data_are_a_column() -> None:
    table = make_table("t", {"similarity": [math.nan, 0.5], "undefined": ["a constant", ""]})
    assert table.rows == (("undefined", "a constant"), ("0.5000", "\u2013"))


def test_a_long_table_is_cut_and_says_so() -> None:
    table = make_table("t", {"x": list(range(25))}, at_most=20)
    assert (len(table.rows), table.n_rows, table.rows[-1]) == (20, 25, ("19",))
    shown = [rows_shown(n) for n in (0, 1, 75, 150, 10**6)]
    assert shown == [2000, 2000, 2000, 1000, 200]


def test_an_empty_table() -> None:
    table = make_table("t", {"x": []})
    assert (table.rows, table.n_rows) == ((), 0)


def test_packing_undoes_itself_and_needs_no_escapes() -> None:
    parts = ["</script>", "語", "x" * 10000, ""]
    text = pack(parts)
    assert unpack(text) == parts
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
    assert pack(parts) == text


def drawn(name: str, prefix: str = "p-", n: int = 2) -> figures.Drawn:
    ax = one_axes(None)
    for k in range(n):
        line = ax.plot([0, 1, 2], [k, 1, 2], "o-", label=f"{k} {name}", color=COLOURS[k])
        tell(line[0], [f"{name}\n{x}" for x in range(3)])
    ax.set_yticks([0, 1], [name, "b"], parse_math=False)
    describe(ax, title=name, x="x axis", y=name)
    legend(ax)
    return figures.draw(ax.figure, prefix, "A figure.")


@pytest.mark.full
@pytest.mark.parametrize("name", [*ODD, "plain", "a\x01b", "]]>", "\ufffe"])
def test_text_in_figures_stays_text(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = drawn(name)
    root = ElementTree.fromstring(found.inline)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "g", "path", "text", "tspan", "use", "defs", "clipPath", "rect"}
    shown = re.sub("[\x00-\x1f\ufffe]", "\ufffd", name)
    said = [element.text for element in root.iter() if element.tag.endswith("text")]
    title = " ".join(shortened(shown, 120).split())
    assert title in " ".join(said).replace("  ", " ") or title.replace(" ", "") in "".join(said)
    assert shortened(f"0 {shown}", 32) in said
    told = [element.attrib["data-tip"] for element in root.iter() if "data-tip" in element.attrib]
    assert told == [f"{shortened(shown, 120)}\n{x}" for _ in range(2) for x in range(3)]
    assert shortened(shown, 32) in said
    assert found.pdf.startswith(b"%PDF")
    # Whether there is a glyph depends on the fonts of the machine.
    assert set(found.unknown) <= set(name) - set("abc")


@pytest.mark.parametrize("turn", ["\u202e", "\u2067", "\u200f", "\u061c"])
def test_names_in_figures_keep_their_direction(turn: str) -> None:
    found = drawn(f"a{turn}b")
    assert turn not in found.inline and turn.encode() not in found.svg
    root = ElementTree.fromstring(found.inline)
    said = [element.text for element in root.iter() if element.tag.endswith("text")]
    spelt = f"a[U+{ord(turn):04X}]b"
    # The title, the label of the axis, a tick, and two entries of the legend.
    assert said.count(spelt) == 3 and f"0 {spelt}" in said and f"1 {spelt}" in said
    assert spelt in root.attrib["aria-label"]


def test_a_colour_bar_stays_narrow() -> None:
    ax = one_axes(None)
    colour_bar(ax.imshow([[1.0, 2.0]]), ax, "meaning")
    figures.draw(ax.figure, "p-", "A figure.")
    assert list(ax.figure.get_size_inches()) == [6.4, 3.8]
    inner, bar = (one.get_position().width for one in ax.figure.axes)
    assert bar < 0.1 * inner


def test_long_names_leave_room_for_the_figure() -> None:
    """Upright names below and a long title above take neither the axes nor the title's end."""
    ax = one_axes(None, width=4.0, height=2.0)
    ax.plot([0, 1, 2], [0, 1, 2])
    ax.set_xticks([0, 1, 2], [LONG, "b", "c"], rotation=90, parse_math=False)
    ax.set_yticks([0, 1], [LONG, "b"], parse_math=False)
    describe(ax, title=LONG * 2)
    found = figures.draw(ax.figure, "p-", "A figure.")
    width, height = ax.figure.get_size_inches()
    place = ax.get_position()
    assert place.height * height > 0.9 and place.width * width > 1.8
    extent = ax.title.get_window_extent(dpi=72)
    assert extent.x0 >= -1 and extent.x1 <= 72 * width + 1
    assert "\n" in ax.title.get_text() and found.pdf


def test_figures_with_short_names_keep_their_size() -> None:
    ax = one_axes(None)
    ax.plot([0, 1], [0, 1])
    describe(ax, title="short", x="x", y="y")
    before = tuple(ax.figure.get_size_inches())
    figures.draw(ax.figure, "p-", "A figure.")
    assert tuple(ax.figure.get_size_inches()) == before


@pytest.mark.full
def test_figures_take_the_colours_and_the_font_of_the_page() -> None:
    found = drawn("plain").inline
    assert "currentColor" in found and "var(--c0)" in found and "var(--c1)" in found
    assert INK not in found and "font-family" not in found and "<style" not in found
    assert all(colour.lower() not in found for colour in COLOURS)


# Linear red, green and blue as eyes without one kind of cone see them (Machado et al. 2009).
EYES = {
    "all": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def linear(colours: Sequence[str]) -> np.ndarray:
    parts = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in colours]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def oklab(colours: np.ndarray) -> np.ndarray:
    """Ottosson (2020)."""
    cones = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
             [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
    lab = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
           [0.0259040371, 0.7827717662, -0.8086757660]]  # fmt: skip
    return np.cbrt(np.clip(colours, 0, 1) @ np.transpose(cones)) @ np.transpose(lab)


def test_colours_are_told_apart_by_all_eyes_on_both_pages() -> None:
    style = resources.files("geoprobe.report").joinpath("templates/style.css").read_text("utf8")
    sets = re.findall(r"--card: (#\w+);(?s:.*?)--c0: (#\w+);((?: --c\d: #\w+;)*)", style)
    pages = [(card, [first, *re.findall(r"#\w+", rest)]) for card, first, rest in sets]
    (light, paper), *dark = pages
    # The dark page is the system's wish, or the reader's.
    assert [c.lower() for c in COLOURS] == paper and len(dark) == 2 and dark[0] == dark[1]
    for ground, colours in ((light, paper), dark[0]):
        for seen in EYES.values():
            lab = oklab(linear(colours) @ np.transpose(seen))
            apart = np.linalg.norm(lab[:, None] - lab, axis=2)
            assert apart[np.triu_indices(len(colours), 1)].min() > 0.1
        bright = 0.05 + linear([ground, *colours]) @ [0.2126, 0.7152, 0.0722]
        assert np.maximum(bright[1:] / bright[0], bright[0] / bright[1:]).min() > 3


def test_figures_for_paper_have_dark_ink() -> None:
    assert INK.encode() not in drawn("plain").svg


@pytest.mark.full
def test_two_figures_in_one_page_share_no_ids() -> None:
    one, other = (re.findall(r'\bid="([^"]*)"', drawn("x", p).inline) for p in ("a-", "b-"))
    assert one and len(one) == len(other)
    assert not set(one) & set(other)
    for text in (drawn("x", "a-").inline,):
        refers = re.findall(r'(?:url\(#|href="#)([^)"]+)', text)
        assert set(refers) == set(re.findall(r'\bid="([^"]*)"', text))


@pytest.mark.full
def test_figures_are_reproducible_and_told_in_words() -> None:
    one, other = drawn("noun"), drawn("noun")
    assert one == other
    assert 'role="img"' in one.inline
    label = ElementTree.fromstring(one.inline).attrib["aria-label"]
    assert label == "Figure. A figure. noun; across: x axis; up: noun; shown: 0 noun, 1 noun."


def test_compact_figures_keep_their_drawing() -> None:
    found = drawn("noun")
    small, whole = (ElementTree.fromstring(text) for text in (found.inline, found.svg))
    for tag in ("path", "text", "use"):
        counts = [
            sum(e.tag.rpartition("}")[2] == tag for e in root.iter()) for root in (small, whole)
        ]
        assert counts[0] == counts[1] > 0, tag
    assert len(found.inline) < 0.7 * len(found.svg)


def test_an_earlier_report_leaves_no_figures_and_other_files_stay(tmp_path: Path) -> None:
    first = FigureFolder(tmp_path, "figures/")
    told = {"analysis": "x", "view": "v", "content": "c"}
    assert first.put("a.svg", b"1", **told) == "figures/a.svg"
    first.put("kept.svg", b"1", **told)
    first.finish()
    (tmp_path / "mine.txt").write_text("mine")
    second = FigureFolder(tmp_path, "figures/")
    second.put("kept.svg", b"2", **told)
    second.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"kept.svg", "mine.txt", INDEX}
    assert (tmp_path / "kept.svg").read_bytes() == b"2"


def test_a_list_does_not_reach_beyond_its_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("precious")
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / INDEX).write_text("file,analysis,view,content\n../outside.txt,x,v,c\n,,,\n")
    FigureFolder(folder, "").finish()
    assert outside.is_file()


def test_a_list_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text("name,price\napple,1\n")
    with pytest.raises(FormatError, match=r"index\.csv: .*columns file, analysis"):
        FigureFolder(tmp_path, "")
    assert (tmp_path / INDEX).read_text().startswith("name")
