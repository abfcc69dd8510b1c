"""The report of a study: what the page and the files beside it say is what was found."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoprobe.controls import NullTest, beside_row, claims
from geoprobe.errors import GeoprobeError, InputError, OutputError
from geoprobe.findings import Linearity, Performance, arrange_runs, difference_vectors
from geoprobe.geometry import Cell
from geoprobe.progress import Progress
from geoprobe.report import headlines, write_report
from geoprobe.report import page as page_sections
from geoprobe.report.report_tables import all_numbers
from geoprobe.studies.study_findings import Section, StudyFindings
from geoprobe.studies.views import View
from tests.support import report_cases
from tests.support.report_cases import LONG, ODD, SCRIPT
from tests.support.report_reading import Reader, Shown, main_table, views

for package in ("matplotlib", "jinja2", "pandas"):
    pytest.importorskip(package, reason="the report needs the extra report")

pytestmark = pytest.mark.full


@dataclasses.dataclass(frozen=True)
class Report:
    gathered: StudyFindings
    page: Path
    figures: Path
    told: list[Progress]

    @property
    def text(self) -> str:
        return self.page.read_text(encoding="utf8")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A study with labels that mean something to HTML, in one page and a folder."""
    folder = tmp_path_factory.mktemp("study")
    gathered = report_cases.gathered(ODD)
    told: list[Progress] = []
    page = write_report(
        gathered, folder / "report.html", figures=folder / "figures", progress=told.append
    )
    return Report(gathered, page, folder / "figures", told)


def section(report: Report, analysis: str) -> Section:
    return next(one for one in report.gathered.sections if one.analysis == analysis)


ANALYSES = [
    "performance", "memorisation", "linearity", "min-distances", "centroid-paths", "cross-task",
    "movement", "similarity", "differences",
]  # fmt: skip


@pytest.mark.parametrize("analysis", ANALYSES)
def test_tables_in_the_page_equal_the_frames(report: Report, analysis: str) -> None:
    found = views(report.page, analysis)
    of_section = section(report, analysis)
    assert sorted(found) == list(range(len(of_section.views)))
    for k, view in enumerate(of_section.views):
        check_table(main_table(found[k]), view.finding.to_frame())


def check_table(shown: Shown, frame: Any) -> None:
    """Every column is in the table, or said once for all rows, or has no reasons to tell."""
    assert len(shown.rows) == len(frame)
    for name in frame.columns:
        values = frame[name].tolist()
        if name in shown.columns:
            texts = [row[shown.columns.index(name)] for row in shown.rows]
        elif name in shown.shared:
            texts = [shown.shared[name].partition(" (")[0]] * len(frame)
        else:
            assert name == "undefined" and set(values) == {""}
            continue
        for text, value in zip(texts, values, strict=True):
            assert says(text, value), (name, text, value)


def says(text: str, value: Any) -> bool:
    if value is None or type(value).__name__ == "NAType" or value == "":
        return text == "\u2013"
    if isinstance(value, bool):
        return text == ("yes" if value else "no")
    if isinstance(value, float):
        if math.isnan(value):
            return text == "undefined"
        return math.isclose(float(text.replace("\u2212", "-")), value, rel_tol=5.01e-4)
    return text == str(value)


def test_csv_files_equal_the_frames(report: Report) -> None:
    """Every view has its csv, whose numbers are the very ones."""
    listed = list(csv.DictReader(io.StringIO((report.figures / "index.csv").read_text("utf8"))))
    numbers = [row for row in listed if row["content"] == "numbers"]
    wanted = [(one.analysis, view) for one in report.gathered.sections for view in one.views]
    assert len(numbers) == len(wanted)
    for row, (analysis, view) in zip(numbers, wanted, strict=True):
        assert row["analysis"] == analysis
        text = (report.figures / row["file"]).read_text(encoding="utf8")
        lines = list(csv.reader(io.StringIO(text)))
        assert lines[0] == list(view.finding.row_type._fields)
        assert len(lines) == 1 + len(view.finding.rows)
        for line, found in zip(lines[1:], view.finding.rows, strict=True):
            for got, value in zip(line, found, strict=True):
                if value is None or value != value:
                    assert got == ""
                else:
                    assert (float(got) == value) if isinstance(value, float) else got == str(value)


def test_every_figure_lies_beside_the_page_as_pdf_and_svg(report: Report) -> None:
    files = {path.name for path in report.figures.iterdir()}
    figures = {path.stem for path in report.figures.glob("*.svg")}
    assert figures == {path.stem for path in report.figures.glob("*.pdf")}
    n_views = sum(len(one.views) for one in report.gathered.sections)
    # Performance is drawn in four ways, cross-task in three.
    drawn_twice = ("min-distances", "movement", "differences")
    twice = [view for name in drawn_twice for view in section(report, name).views]
    assert len(figures) == n_views + 3 + 2 + len(twice)
    listed = {
        row["file"]
        for row in csv.DictReader(io.StringIO((report.figures / "index.csv").read_text("utf8")))
    }
    assert files == listed | {"index.csv"}
    everywhere = report.text + "".join(
        html
        for one in report.gathered.sections
        for html in views(report.page, one.analysis).values()
    )
    links = set(re.findall(r'href="(figures/[^"]+\.(?:svg|pdf|csv))"', everywhere))
    assert links == {f"figures/{name}" for name in files}


def test_text_from_data_is_text(report: Report) -> None:
    """No label has become an element, an attribute or a template."""
    parts = [
        report.text,
        *(html for name in ANALYSES for html in views(report.page, name).values()),
    ]
    for part in parts:
        assert SCRIPT not in part and "<img" not in part
    page = Reader(parts[0])
    assert sum(tag == "script" for tag, _ in page.elements) == 1 + report.text.count(
        'class="choices"'
    ) + report.text.count('class="packed"')
    assert not [name for _, told in page.elements for name in told if name.startswith("on")]
    cells = {cell for table in page.tables for row in table.rows for cell in row}
    assert set(ODD) - {""} <= cells
    assert "{{7*7}}" in page.text and "49" not in {text for text in cells if "$" in text}


def test_the_page_needs_nothing_else(report: Report) -> None:
    page = Reader(report.text)
    for tag, told in page.elements:
        assert tag not in ("img", "iframe", "object", "embed", "base", "audio", "video"), tag
        for name in ("src", "srcset", "action", "data", "poster", "xlink:href"):
            assert name not in told, (tag, name)
        link = told.get("href") or "#"
        assert link.startswith(("#", "figures/", "data:")), link
    assert not re.findall(r"url\((?!#)|@import|https?://", report.text)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', report.text)
    assert policy and policy[1].startswith("default-src 'none'")


def test_the_page_is_small(report: Report) -> None:
    assert report.page.stat().st_size < 1_000_000
    for name in ANALYSES:
        for html in views(report.page, name).values():
            for figure in re.findall(r"<svg.*?</svg>", html, re.S):
                assert len(figure) < 60_000, name


def test_ids_are_unique_and_figures_are_told(report: Report) -> None:
    html = [html for name in ANALYSES for html in views(report.page, name).values()]
    ids = [one for part in html for one in Reader(part).ids]
    assert len(ids) == len(set(ids))
    assert len(Reader(report.text).ids) == len(set(Reader(report.text).ids))
    for part in html:
        for tag, told in Reader(part).elements:
            if tag == "svg":
                assert told["role"] == "img" and len(told["aria-label"] or "") > 40


def test_the_page_says_what_was_run(report: Report) -> None:
    page = Reader(report.text)
    for part in ("made-up", "0, 1", "weights sha256 " + "0" * 64, "numpy", "Zhou & Srikumar"):
        assert part in page.text
    for one in report.gathered.sections:
        assert one.question in page.text and one.reading in page.text
    assert "This study is not finished" not in page.text
    assert LONG.strip() in page.text


def test_the_page_says_what_is_proved(report: Report, tmp_path: Path) -> None:
    page = Reader(report.text)
    said = " ".join(page.text.split())
    assert "every distance and every clustering in this study carries a certificate" in said
    assert "geoprobe verify DIR" in said
    # Nothing is claimed of a study that has measured nothing.
    nothing = small(report, sections=(), complete=False)
    empty = write_report(nothing, tmp_path / "r.html").read_text(encoding="utf8")
    assert "certificate" not in Reader(empty).text


def test_every_section_says_where_it_differs_from_the_paper(report: Report) -> None:
    said = " ".join(Reader(report.text).text.split())
    for one in report.gathered.sections:
        assert f"Against the paper. {one.paper}" in said


TURNS = "".join(map(chr, [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]))


def test_names_do_not_turn_the_text_around(report: Report, tmp_path: Path) -> None:
    name = "in\u202ever\u2066se"
    labels = (name, "plain", "other", "\u05d0\u05d1")
    runs = arrange_runs(
        report_cases.geometries(labels, task=name, tuned_on=(name,), steps=(2,), seeds=(0,))
    )
    choices = [{"task": name, "layer": str(layer)} for layer in (1, 2)]
    shown = tuple(
        View(chosen, difference_vectors([run for run in runs if str(run.layer) == chosen["layer"]]))
        for chosen in choices
    )
    gathered = StudyFindings(
        f"study {name}", {"Tasks": {name: name}},
        (report_cases.section("differences", shown, (f"{name} is missing",)),), (name,), True,
    )  # fmt: skip
    page = write_report(gathered, tmp_path / "r.html", figures=tmp_path / "figures", pdf=False)
    text = page.read_text(encoding="utf8")
    assert ">PDF<" not in text and not list((tmp_path / "figures").glob("*.pdf"))
    assert not set(text) & set(TURNS) and not re.search("&#x?2", text)
    told = re.search(r'class="choices">(.*?)</script>', text, re.S)
    assert told
    choices_told = json.loads(told[1])
    spelt = "in[U+202E]ver[U+2066]se"
    # What the script compares is what the page offers.
    assert f"<option>{spelt}</option>" in text and choices_told["rows"][0][0] == spelt
    assert not set("".join(choices_told["names"])) & set(TURNS)
    assert [spelt in row for row in main_table(text).rows].count(True) == 1
    assert f"1 {spelt}" in text and "\u05d0\u05d1" in text
    for file in (tmp_path / "figures").glob("*.svg"):
        figure = file.read_text(encoding="utf8")
        assert f"1 {spelt}" in figure and not set(figure) & set(TURNS)
    # The numbers are data, and keep the name as it is.
    tables = [one.read_text(encoding="utf8") for one in (tmp_path / "figures").glob("diff*.csv")]
    assert sum(name in table for table in tables) >= 2


def test_progress_counts_the_views(report: Report) -> None:
    total = sum(len(one.views) for one in report.gathered.sections)
    assert [one.done for one in report.told] == list(range(1, total + 1))
    assert {one.total for one in report.told} == {total}


def test_headlines_are_the_findings(report: Report) -> None:
    accuracy, clusters = headlines(report.gathered)
    performance = section(report, "performance").views[0].finding
    assert isinstance(performance, Performance)
    columns = performance.over_seeds()
    assert accuracy.header[:3] == ("task", "model", "fine-tuned")
    assert {row[:3] for row in accuracy.rows} == {
        ("pos", "tiny", "no"), ("pos", "tiny", "200 updates"), ("dep", "tiny", "no"),
    }  # fmt: skip
    after = accuracy.rows[[row[:3] for row in accuracy.rows].index(("pos", "tiny", "200 updates"))]
    k = [*zip(columns["task"], columns["step"], strict=True)].index(("pos", 200))
    assert after[accuracy.header.index("similarity to all of training ")] == (
        f"{columns['similarity_mean'][k]:.3f} \u00b1 {columns['similarity_std'][k]:.3f}"
    )
    assert after[accuracy.header.index("head ")] == "0.900 \u00b1 0.000"
    assert accuracy.rows[0][accuracy.header.index("head ")] == "\u2013"
    # The column says with what, and the head shows no second similarity beside pseudo-tests.
    headings = {one.name: one.heading for one in all_numbers(performance).columns}
    assert headings["similarity"] == "similarity to all of training"
    cell = Cell("pos", "tiny", 2, "pos", 0, 200)
    test = NullTest(0.3, np.linspace(0.5, 0.9, 19), "less")
    beside = claims([beside_row(cell, "train to test", 40, 0.3, test=test)])
    table, accuracy, _ = headlines(dataclasses.replace(report.gathered, claims=tuple(beside)))
    assert table.rows[0][3] == "similarity of the test to the rest of training"
    assert "similarity" not in " ".join((accuracy.title, *accuracy.header))
    linear = section(report, "linearity").views[0].finding
    assert isinstance(linear, Linearity) and all(row.is_linear for row in linear.rows)
    assert {row[-1] for row in clusters.rows} == {"1.000", "1.000 \u00b1 0.000"}


def small(report: Report, **changes: Any) -> StudyFindings:
    """The study cut down to two sections that draw quickly."""
    kept = tuple(
        one for one in report.gathered.sections if one.analysis in ("linearity", "movement")
    )
    return dataclasses.replace(report.gathered, **{"sections": kept, **changes})


def test_an_unfinished_study_says_what_is_missing(report: Report, tmp_path: Path) -> None:
    missing = tuple(f"fine-tuning of tiny on {name}" for name in ("<b>", *map(str, range(20))))
    empty = dataclasses.replace(
        section(report, "similarity"), views=(), missing=("Nothing has been <i>measured</i> yet.",)
    )
    silent = dataclasses.replace(section(report, "differences"), views=(), missing=())
    partly = dataclasses.replace(section(report, "movement"), missing=("one seed & more",))
    gathered = small(report, sections=(empty, silent, partly), missing=missing, complete=False)
    page = Reader(write_report(gathered, tmp_path / "r.html").read_text(encoding="utf8"))
    assert "This study is not finished." in page.text
    assert all(line in page.text for line in missing)
    assert "There is nothing to show:" in page.text
    assert "Nothing has been <i>measured</i> yet." in page.text
    assert "Nothing was computed for this section." in page.text
    assert "Not computed here:" in page.text and "one seed & more" in page.text
    assert "no accuracies and no clusters to summarise" in page.text


def test_a_study_without_anything_has_a_page(tmp_path: Path) -> None:
    gathered = StudyFindings("", {}, (), (), False)
    assert headlines(gathered) == []
    page = write_report(gathered, tmp_path / "deep" / "r.html", figures=tmp_path / "figures")
    assert "This study is not finished." in page.read_text(encoding="utf8")
    assert (tmp_path / "figures" / "index.csv").is_file()


def test_many_views_are_packed_and_none_is_lost(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered = small(report)
    plain = write_report(gathered, tmp_path / "plain.html")
    monkeypatch.setattr(page_sections, "MOST_PLAIN", 10)
    packed = write_report(gathered, tmp_path / "packed.html")
    for name in ("linearity", "movement"):
        assert views(plain, name).keys() == views(packed, name).keys()
        for k, html in views(packed, name).items():
            body = re.sub(r"(</details>|</div>|\s)+\Z", "", html)
            assert len(body) > 1000 and body in views(plain, name)[k]
    assert packed.stat().st_size < 0.9 * plain.stat().st_size
    assert 'class="packed"' not in plain.read_text(encoding="utf8")


def test_a_page_of_many_layers_shows_some_and_says_where_the_others_are(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_sections, "MOST_VIEWS", 2)
    whole = section(report, "min-distances")
    thin = [view for view in whole.views if view.choices["task"] == "pos"]
    assert [view.choices["layer"] for view in thin] == ["0", "2"]
    finding = thin[0].finding
    views_ = [View({"layer": str(k)}, finding) for k in range(5)]
    kept = page_sections.views_on_page(views_)
    assert [view.choices["layer"] for view in kept] == ["0", "4"]
    assert page_sections.views_on_page([View({}, finding)] * 3) == [View({}, finding)] * 3
    monkeypatch.setattr(page_sections, "MOST_VIEWS", 3)
    kept = page_sections.views_on_page(views_)
    assert [view.choices["layer"] for view in kept] == ["0", "2", "4"]
    gathered = dataclasses.replace(
        small(report), sections=(dataclasses.replace(whole, views=tuple(views_)),)
    )
    page = write_report(gathered, tmp_path / "r.html", figures=tmp_path / "figures")
    assert len(views(page, "min-distances")) == 3
    assert "2 more views, of the layers between" in page.read_text(encoding="utf8")
    # Each is drawn in two ways, by the distances and by the spreads.
    assert len(list((tmp_path / "figures").glob("*.svg"))) == 2 * 5


def test_the_first_view_is_the_last_layer_of_its_own_task(report: Report) -> None:
    of_section = section(report, "min-distances")
    first = of_section.views[page_sections.opening_view(of_section.views)].choices
    assert first["task"] == first["tuned on"] == "pos" and first["layer"] == "2"
    finding = of_section.views[0].finding
    assert page_sections.opening_view([]) == 0
    assert page_sections.opening_view([View({}, finding)]) == 0
    layers = [View({"layer": n}, finding) for n in ("9", "10", "all")]
    assert page_sections.opening_view(layers) == 1


def test_the_same_study_gives_the_same_page(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    gathered = small(report)
    one, other = (
        write_report(gathered, tmp_path / name / "r.html", figures=tmp_path / name / "figures")
        for name in ("a", "b")
    )
    assert "2023-11-14, 22:13 UTC" in one.read_text(encoding="utf8")
    assert one.read_bytes() == other.read_bytes()
    files = sorted(path.name for path in (tmp_path / "a" / "figures").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "b" / "figures").iterdir())
    for name in files:
        both = [(tmp_path / part / "figures" / name).read_bytes() for part in ("a", "b")]
        assert both[0] == both[1], name


class Undrawable(Linearity):
    def plot(self, ax: Any = None) -> Any:
        raise InputError("a figure of <nothing>")


def test_what_cannot_be_drawn_still_has_its_table(report: Report, tmp_path: Path) -> None:
    of_section = section(report, "linearity")
    good = of_section.views[0].finding
    finding = Undrawable(good.rows, ("a & b",))
    views_ = (View(of_section.views[0].choices, finding),)
    gathered = small(report, sections=(dataclasses.replace(of_section, views=views_),))
    page = write_report(gathered, tmp_path / "r.html")
    found = Reader(page.read_text(encoding="utf8"))
    assert "No figure: a figure of <nothing>" in found.text and "a & b" in found.text
    check_table(main_table(views(page, "linearity")[0]), finding.to_frame())


def test_a_failure_leaves_the_older_report(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "r.html"
    page.write_text("older")
    of_section = section(report, "linearity")

    class Broken(Linearity):
        def plot(self, ax: Any = None) -> Any:
            raise ZeroDivisionError

    broken = View(of_section.views[0].choices, Broken(of_section.views[0].finding.rows, ()))
    gathered = small(report, sections=(dataclasses.replace(of_section, views=(broken,)),))
    with pytest.raises(ZeroDivisionError):
        write_report(gathered, page)
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    assert page.read_text() == "older"


def test_a_place_that_cannot_be_written_is_named(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    gathered = StudyFindings("", {}, (), (), True)
    with pytest.raises(OutputError, match="file"):
        write_report(gathered, tmp_path / "file" / "r.html")


@pytest.mark.parametrize("package", ["jinja2", "matplotlib", "pandas"])
def test_a_missing_package_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "path_importer_cache", {})
    expected = rf"{package}, .*pip install \"geoprobe-engine\[report\]\""
    with pytest.raises(GeoprobeError, match=expected):
        write_report(StudyFindings("", {}, (), (), True), tmp_path / "r.html")


def test_links_are_not_followed(report: Report, tmp_path: Path) -> None:
    """A link in the place of the report is replaced; one in the place of the figures is refused."""
    study = report.gathered
    mine, page = tmp_path / "mine.txt", tmp_path / "report.html"
    mine.write_text("mine")
    page.symlink_to(mine)
    write_report(study, page)
    assert mine.read_text() == "mine"
    assert not page.is_symlink() and page.stat().st_size > 1000
    (tmp_path / "theirs").mkdir()
    (tmp_path / "figures").symlink_to(tmp_path / "theirs")
    with pytest.raises(OutputError, match="is a link"):
        write_report(study, page, figures=tmp_path / "figures")
    assert list((tmp_path / "theirs").iterdir()) == []
