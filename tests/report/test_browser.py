"""The report in a real browser: it opens without a complaint, and its controls do what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import report_cases
from tests.support.browser import NAMES, Tab, find_browser, open_tab
from tests.support.report_cases import ODD, SCRIPT

for package in ("matplotlib", "jinja2", "pandas"):
    pytest.importorskip(package, reason="the report needs the extra report")

BROWSER = find_browser()
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(BROWSER is None, reason=f"needs a browser on the PATH: {', '.join(NAMES)}"),
]

# What a reader of section 4 sees: the views that are not hidden.
SEEN = """[...document.querySelectorAll('#%s .view')]
    .filter((view) => view.checkVisibility() && view.open)
    .map((view) => view.querySelector('summary').textContent)"""
SORTED = """(() => {
    const table = document.querySelector('#performance table:has([data-column="similarity"])');
    const head = table.querySelector('[data-column="%s"]');
    head.querySelector('button').click();
    const cells = [...table.tBodies[0].rows].map((row) => row.cells[head.cellIndex].textContent);
    return [head.getAttribute('aria-sort'), cells];
})()"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page with all views as they are, one with packed views, and an unfinished study."""
    from geoprobe.report import page as sections
    from geoprobe.report import write_report
    from geoprobe.studies.study_findings import StudyFindings

    folder = tmp_path_factory.mktemp("pages")
    gathered = report_cases.gathered(ODD)
    pages = {"plain": write_report(gathered, folder / "plain.html")}
    some = tuple(one for one in gathered.sections if one.analysis == "min-distances")
    packed = StudyFindings("packed", gathered.about, some, (), True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "MOST_PLAIN", 10)
        pages["packed"] = write_report(packed, folder / "packed.html")
    unfinished = StudyFindings("unfinished", {}, (), (SCRIPT,), False)
    pages["unfinished"] = write_report(unfinished, folder / "unfinished.html")
    return pages


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    assert BROWSER is not None
    with open_tab(BROWSER, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Iterator[Tab]:
    """The browser as new; whatever it asks of the network or complains about fails the test."""
    browser.size(1280)
    browser.media()
    browser.requests.clear()
    browser.complaints.clear()
    yield browser
    browser.run("try { localStorage.clear(); } catch { /* not allowed on this page */ }")
    assert browser.complaints == []
    asked = [url.partition(":")[0] for url in browser.requests]
    assert set(asked) <= {"file", "data"} and asked.count("file") == 1, browser.requests


def choose(tab: Tab, section: str, name: str, value: str) -> None:
    tab.run(
        f"""(() => {{
        const label = [...document.querySelectorAll('#{section} .choosers label')]
            .find((one) => one.querySelector('span').textContent === '{name}');
        const select = label.querySelector('select');
        select.value = '{value}';
        select.dispatchEvent(new Event('change', {{ bubbles: true }}));
        }})()"""
    )


def colour(tab: Tab, of: str = "body", what: str = "backgroundColor") -> str:
    found: str = tab.run(f"getComputedStyle(document.querySelector('{of}')).{what}")
    return found


@pytest.mark.parametrize("name", ["plain", "packed", "unfinished"])
def test_pages_open_without_complaint(tab: Tab, pages: dict[str, Path], name: str) -> None:
    tab.open(pages[name])
    assert tab.run("document.documentElement.classList.contains('js')")
    assert tab.run("document.querySelector('h1').textContent") in ("made-up", name)
    assert tab.run("document.querySelectorAll('script:not([type])').length") == 1


def test_labels_stay_text(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["plain"])
    texts = tab.run("[...document.querySelectorAll('td, svg text')].map((e) => e.textContent)")
    assert set(ODD) <= set(texts)
    assert SCRIPT in "".join(tab.run(
        "[...document.querySelectorAll('svg text')].map((e) => e.textContent)"
    ))  # fmt: skip
    assert tab.run("document.querySelectorAll('img, iframe, [onerror]').length") == 0
    tab.open(pages["unfinished"])
    assert tab.run("document.querySelector('aside.missing li').textContent") == SCRIPT
    tab.requests[:] = tab.requests[-1:]


@pytest.mark.parametrize("name", ["plain", "packed"])
def test_choosers_change_what_is_seen(tab: Tab, pages: dict[str, Path], name: str) -> None:
    tab.open(pages[name])
    seen = SEEN % "min-distances"
    assert tab.run(seen) == ["task pos, tuned on pos, model tiny, layer 2"]
    choose(tab, "min-distances", "layer", "0")
    tab.wait_for(f"{seen}.join() === 'task pos, tuned on pos, model tiny, layer 0'")
    choose(tab, "min-distances", "task", "dep")
    tab.wait_for(f"{seen}.join() === 'task dep, tuned on pos, model tiny, layer 0'")
    assert (
        # Distances, and the spread of the labels.
        tab.run("document.querySelectorAll('#min-distances .view:not([hidden]) svg').length") == 2
    )
    ids = "[...document.querySelectorAll('[id]')].map((e) => e.id)"
    found = tab.run(ids)
    assert len(found) == len(set(found))


def test_the_nearest_combination_is_shown(tab: Tab, pages: dict[str, Path]) -> None:
    """What stands in between was asked for one task only; its chooser snaps to that."""
    tab.open(pages["plain"])
    choose(tab, "linearity", "task", "dep")
    tab.wait_for(f"({SEEN % 'linearity'})[0].includes('task dep')")
    choose(tab, "linearity", "show", "what stands in between")
    tab.wait_for(f"({SEEN % 'linearity'})[0].startsWith('show what stands')")
    values = tab.run(
        "[...document.querySelectorAll('#linearity .choosers select')].map((s) => s.value)"
    )
    assert values == ["what stands in between", "pos", "pos tiny layer 0"]


def test_folds_keep_their_state_between_views(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["packed"])
    fold = "[...document.querySelectorAll('.view:not([hidden]) .fold')].at(-1)"
    assert tab.run(f"{fold}.open") is False
    tab.run(f"{fold}.open = true")
    choose(tab, "min-distances", "layer", "0")
    tab.wait_for(f"({SEEN % 'min-distances'})[0].endsWith('layer 0')")
    assert tab.run(f"{fold}.open") is True


def test_an_address_leads_to_a_view_and_back_again(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["packed"])
    seen = SEEN % "min-distances"
    choose(tab, "min-distances", "layer", "0")
    tab.wait_for(f"{seen}.join().endsWith('layer 0')")
    address = tab.run("location.hash")
    assert address == "#min-distances?task=pos&tuned+on=pos&model=tiny&layer=0"
    tab.run("history.back()")
    tab.wait_for(f"location.hash === '' && {seen}.join().endsWith('layer 2')")
    tab.run("history.forward()")
    tab.wait_for(f"location.hash === '{address}' && {seen}.join().endsWith('layer 0')")
    # What an address does not name, or names wrongly, stays as near as can be.
    tab.run("location.hash = '#min-distances?task=dep&layer=7'")
    tab.wait_for(f"{seen}.join().startsWith('task dep')")
    tab.open(pages["unfinished"])
    tab.open(pages["packed"], "#min-distances?task=dep&layer=0")
    tab.wait_for(f"{seen}.join() === 'task dep, tuned on pos, model tiny, layer 0' && scrollY > 0")
    tab.requests[:] = tab.requests[-1:]


def test_a_mark_says_what_it_stands_for(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["plain"])
    x, y, said = tab.run("""(async () => {
        const marks = document.querySelectorAll('#min-distances .view:not([hidden]) use[data-tip]');
        const mark = [...marks].find((one) => /^<script>[^]*update 200/.test(one.dataset.tip));
        mark.scrollIntoView({ block: 'center', behavior: 'instant' });
        // What is shown goes when the page is scrolled, which it hears of with the next frame.
        for (let k = 0; k < 2; k++) await new Promise(requestAnimationFrame);
        const box = mark.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2, mark.dataset.tip];
    })()""")
    assert said.startswith(f"{SCRIPT}\nupdate 200: ")
    tip = "document.querySelector('.tip')"
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    tab.wait_for(f"{tip}.textContent === {json.dumps(said)} && {tip}.checkVisibility()")
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    tab.wait_for(f"!{tip}.checkVisibility()")


def test_tables_are_copied_as_cells(tab: Tab, pages: dict[str, Path]) -> None:
    """Whole with the button, or what is selected; nothing that a spreadsheet would run."""
    tab.open(pages["plain"])
    tab.run("""document.addEventListener('copy', (event) => {
        window.copied = event.clipboardData.getData('text/plain');
    })""")
    button = "document.querySelector('#min-distances .view:not([hidden]) .copy')"
    tab.run(f"{button}.click()")
    assert tab.run(f"{button}.textContent") == "Copied"
    head, *rows = [line.split("\t") for line in tab.run("window.copied").splitlines()]
    assert head == ["label", "gain", "rank"] and {row[0] for row in rows} == set(ODD)
    assert [float(row[1]) for row in rows] == sorted((float(row[1]) for row in rows), reverse=True)
    copied = tab.run(f"""(() => {{
        const rows = {button}.closest('.fold').querySelector('table').rows;
        rows[1].cells[0].textContent = '=1+1';
        rows[1].cells[1].textContent = '\u22120.5';
        getSelection().setBaseAndExtent(rows[1].cells[0], 0, rows[1].cells[1], 1);
        document.execCommand('copy');
        return window.copied;
    }})()""")
    assert copied == "'=1+1\t-0.5\n"


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace("\u2212", "-")) for text in texts if text != "undefined"]


def test_tables_are_sorted_by_number_and_back(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["plain"])
    order, cells = tab.run(SORTED % "similarity")
    assert order == "ascending" and numbers(cells) == sorted(numbers(cells))
    order, cells = tab.run(SORTED % "similarity")
    assert order == "descending" and numbers(cells) == sorted(numbers(cells), reverse=True)
    for _ in range(2):
        _, cells = tab.run(SORTED % "head")
        assert cells[0] != "undefined" and cells[-1] == "undefined"
    _, cells = tab.run(SORTED % "task")
    assert cells == sorted(cells)
    assert tab.run("document.querySelectorAll('#performance [aria-sort]').length") == 1


def test_tables_are_sorted_from_the_keyboard(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["plain"])
    tab.run("document.querySelector('#performance [data-column=step] button').focus()")
    assert tab.run("document.activeElement.matches(':focus-visible')")
    for kind in ("rawKeyDown", "char", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                 windowsVirtualKeyCode=13)  # fmt: skip
    head = "document.querySelector('#performance [data-column=step]')"
    tab.wait_for(f"{head}.getAttribute('aria-sort') === 'ascending'")


def test_light_and_dark(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["plain"])
    light, ink = colour(tab), colour(tab, "#performance svg text", "fill")
    assert contrast(light, colour(tab, "body", "color")) > 7
    tab.media(scheme="dark")
    dark = colour(tab)
    assert dark != light and ink != colour(tab, "#performance svg text", "fill")
    assert contrast(dark, colour(tab, "body", "color")) > 7
    # The page hears of the change when it is next drawn, after the style is already in force.
    tab.wait_for("document.querySelector('.theme').textContent === 'Light page'")
    tab.run("document.querySelector('.theme').click()")
    assert colour(tab) == light
    tab.run("document.querySelector('.theme').click()")
    assert colour(tab) == dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "what", [".made", ".reading", ".toc a", "figcaption", ".foot", "dt", ".shared", "select", "th"]
)
def test_small_text_has_contrast(tab: Tab, pages: dict[str, Path], scheme: str, what: str) -> None:
    tab.media(scheme=scheme)
    tab.open(pages["plain"])
    grounds = [colour(tab), colour(tab, "figure"), colour(tab, "th")]
    assert min(contrast(ground, colour(tab, what, "color")) for ground in grounds) >= 4.5


def contrast(one: str, other: str) -> float:
    """The contrast of two colours after the Web Content Accessibility Guidelines 2."""
    found = sorted(luminance(colour_) for colour_ in (one, other))
    return (found[1] + 0.05) / (found[0] + 0.05)


def luminance(colour_: str) -> float:
    parts = [int(part) / 255 for part in colour_[colour_.index("(") + 1 : -1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("width", [320, 390, 768])
def test_narrow_screens_do_not_scroll_sideways(
    tab: Tab, pages: dict[str, Path], width: int
) -> None:
    tab.size(width)
    tab.open(pages["plain"])
    assert tab.run("document.documentElement.scrollWidth") <= width
    box = "document.querySelector('#performance .box')"
    assert tab.run(f"{box}.scrollWidth > {box}.clientWidth")


HINTS = """[...document.querySelectorAll('figure')]
    .filter((figure) => figure.checkVisibility())
    .map((figure) => {
        const canvas = figure.querySelector('.canvas');
        return [canvas.scrollWidth > canvas.clientWidth,
            figure.querySelector('.hint').checkVisibility(),
            getComputedStyle(canvas).backgroundImage !== 'none'];
    })"""


@pytest.mark.parametrize("width", [320, 360, 470, 480, 490, 800, 1600])
def test_a_figure_beyond_the_edge_says_so(tab: Tab, pages: dict[str, Path], width: int) -> None:
    tab.size(width)
    tab.open(pages["plain"])
    figures = tab.run(HINTS)
    assert len(figures) > 8
    assert all(hint == shadow == beyond for beyond, hint, shadow in figures)
    assert all(beyond == (width < 475) for beyond, _, _ in figures)


def test_print_keeps_together_what_belongs_together(tab: Tab, pages: dict[str, Path]) -> None:
    # As wide as paper of 210 mm with margins of 1 cm.
    tab.size(718)
    tab.open(pages["plain"])
    tab.run("document.querySelectorAll('.fold').forEach((fold) => { fold.open = true; })")
    tab.media("print")
    assert tab.run("document.documentElement.scrollWidth") <= 718
    wide = "[...document.querySelectorAll('.box')].filter((e) => e.scrollWidth > e.clientWidth + 1)"
    assert tab.run(f"{wide}.map((e) => e.getAttribute('aria-label'))") == []
    assert not tab.run("[...document.querySelectorAll('.hint')].some((e) => e.checkVisibility())")
    for rule, of in (
        ("breakBefore: page", ".analysis"),
        ("breakInside: avoid", "figure, tr, thead, .fold.short"),
        ("breakAfter: avoid", "h2, h3, .question, .reading, .view > summary, .fold > summary"),
        ("display: table-header-group", "thead"),
        ("display: contents", "th button"),
    ):
        name, value = rule.split(": ")
        found = tab.run(
            f"[...document.querySelectorAll('{of}')].map((e) => getComputedStyle(e).{name})"
        )
        assert set(found) == {value}, (rule, of)
    short = "[...document.querySelectorAll('.fold.short tbody')].map((e) => e.rows.length)"
    assert 0 < max(tab.run(short)) <= 12


def test_names_have_a_direction_of_their_own(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["plain"])
    for of, value in (("td.t", "plaintext"), ("dd", "plaintext"), ("svg text", "isolate")):
        assert colour(tab, of, "unicodeBidi") == value


def test_print_shows_what_is_chosen_and_no_controls(tab: Tab, pages: dict[str, Path]) -> None:
    tab.media(scheme="dark")
    tab.open(pages["plain"])
    tab.media("print", "dark")
    assert colour(tab) == "rgb(255, 255, 255)"
    hidden = (
        "[...document.querySelectorAll('.choosers, .theme')].every((e) => !e.checkVisibility())"
    )
    assert tab.run(hidden)
    assert tab.run(SEEN % "min-distances") == ["task pos, tuned on pos, model tiny, layer 2"]
    paper = tab.call("Page.printToPDF")["data"]
    assert len(paper) > 10_000


@pytest.mark.parametrize("name", ["plain", "packed"])
def test_without_javascript_everything_can_be_reached(
    tab: Tab, pages: dict[str, Path], name: str
) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(pages[name])
        assert not tab.run("document.documentElement.classList.contains('js')")
        views = tab.run(
            "[...document.querySelectorAll('#min-distances .view')]"
            ".map((view) => [view.checkVisibility(), view.open])"
        )
        assert [True, True] in views and all(seen for seen, _ in views)
        assert len(views) == (4 if name == "plain" else 1)
        said: Any = tab.run("document.querySelector('#min-distances').innerText")
        assert ("3 more views of this section" in said) == (name == "packed")
        assert (
            tab.run("document.querySelector('#min-distances .choosers').checkVisibility()") is False
        )
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
        tab.open(pages["unfinished"])
        tab.requests[:] = tab.requests[-1:]


def test_the_browser_notices_what_it_should(browser: Tab, tmp_path: Path) -> None:
    """The checks of the fixture above would fail on a page that deserves it."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<!DOCTYPE html><img src='http://localhost:9/x.png'>"
        "<script>console.log('said'); setTimeout(() => { throw new Error('thrown'); });</script>"
    )
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(page)
    browser.run("new Promise((done) => setTimeout(done, 50))")
    assert "http://localhost:9/x.png" in browser.requests
    assert any("said" in one for one in browser.complaints)
    assert any("thrown" in one for one in browser.complaints)


def test_on_a_phone_what_was_found_begins_on_the_first_screen(
    tab: Tab, pages: dict[str, Path]
) -> None:
    tab.size(390, 844)
    tab.open(pages["plain"])
    assert tab.run("document.querySelector('#summary').getBoundingClientRect().top") < 844 / 2
    # The contents scroll inside their own line.
    assert tab.run("document.documentElement.scrollWidth") == 390
