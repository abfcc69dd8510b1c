"""Tables and figures of the findings."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from geoprobe.drawing.style import figure_of, label_styles, line_style
from geoprobe.errors import GeoprobeError, InputError
from geoprobe.findings import (
    CentroidPaths,
    Differences,
    Finding,
    arrange_runs,
    compare_linearity,
    compare_memorisation,
    compare_performance,
    compare_tasks,
    difference_vectors,
    follow_centroids,
    measure_movement,
    minimum_distances,
    similarity_to_original,
    standing_between,
)
from geoprobe.findings.centroid_paths import PathRow
from geoprobe.geometry import Geometry
from geoprobe.probes import measure
from tests.support.findings_cases import LINE, SPLIT, published, scaled, squares, tuned

# Names that mean something to TeX, to legends and to a browser.
ODD = {"a": "$", "b": "_hidden", "c": "<script>alert(1)</script>", "d": "$x_1$"}
NAMES = [
    "performance", "memorisation", "linearity", "between", "minimum", "paths", "tasks", "movement",
    "similarity", "differences",
]  # fmt: skip


@pytest.fixture(scope="module")
def spaces() -> list[Geometry]:
    odd = {ODD[k]: v for k, v in LINE.items()}

    def one(cell: Any, factor: float, turn: float) -> Geometry:
        centres = scaled(odd, factor)
        centres[ODD["c"]] = [(7 * factor, turn)]
        return measure(squares(centres), cell=cell, test=squares(odd), n_threads=1)

    found = [one(published(layer), 1, 0) for layer in (0, 1)]
    for layer in (0, 1):
        for seed in (0, 1):
            for step in (1, 5, 80):
                found.append(one(tuned(layer, step, seed), 1 + step / 20 + seed / 9, step / 10))
    return found


@pytest.fixture(scope="module")
def findings(spaces: list[Geometry]) -> dict[str, Finding]:
    runs = arrange_runs(spaces)
    curve = {"subtrain": [0.4, 0.9, 1.0], "subtest": [0.2, 0.7, 0.9], "test": [0.2, 0.5, 0.6]}
    return {
        "performance": compare_performance(spaces, head={spaces[-1].cell: 0.9}),
        "memorisation": compare_memorisation({published(): curve, tuned(): curve}),
        "linearity": compare_linearity(spaces),
        "between": standing_between(measure(squares({"$": SPLIT["s"], "t": SPLIT["t"]}))),
        "minimum": minimum_distances(runs, n=2),
        "paths": follow_centroids(runs, layers=[0, 1]),
        "tasks": compare_tasks(runs),
        "movement": measure_movement(runs),
        "similarity": similarity_to_original(runs),
        "differences": difference_vectors(runs),
    }


def svg(figure: Any) -> ElementTree.Element:
    """Render a figure, with its text as text, and read it back."""
    matplotlib = pytest.importorskip("matplotlib", reason="figures need the extra report")
    page = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(page, format="svg")
    return ElementTree.fromstring(page.getvalue())


def texts(figure: Any) -> list[str]:
    return ["".join(e.itertext()) for e in svg(figure).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", NAMES)
def test_rows_become_a_frame(findings: dict[str, Finding], name: str) -> None:
    pandas = pytest.importorskip("pandas", reason="tables need the extra report")
    finding = findings[name]
    frame = finding.to_frame()
    assert len(frame) == len(finding.rows) > 0
    assert tuple(frame.columns) == finding.row_type._fields
    assert set(finding.keys) | set(finding.values) <= set(frame.columns)
    again = pandas.read_csv(io.StringIO(frame.to_csv(index=False)), keep_default_na=False)
    assert len(again) == len(frame)
    if "seed" in frame:
        assert str(frame["seed"].dtype) == "Int64"
    if finding.values:
        grouped = frame.groupby(list(finding.keys), sort=False, dropna=False)
        for value in finding.values:
            found = finding.over_seeds()[f"{value}_mean"]
            mean = grouped[value].agg(lambda some: some.astype(float).to_numpy().mean())
            np.testing.assert_allclose(found, mean, rtol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_figures_have_axes_and_words(findings: dict[str, Finding], name: str) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra report")
    figure = figure_of(findings[name].plot())
    for ax in figure.axes:
        if ax.get_label() == "<colorbar>":
            continue
        assert ax.get_xlabel()
        assert ax.get_title()
        assert ax.get_ylabel() or ax.get_yticklabels()
    assert len(texts(figure)) > 4


@pytest.mark.parametrize("name", ["performance", "linearity", "between", "minimum", "tasks",
                                  "movement", "similarity"])  # fmt: skip
def test_figures_are_drawn_where_asked(findings: dict[str, Finding], name: str) -> None:
    figures = pytest.importorskip("matplotlib.figure", reason="figures need the extra report")
    figure = figures.Figure()
    ax = figure.subplots()
    assert findings[name].plot(ax) is ax
    assert ax.get_title()


def test_names_from_data_stay_text(findings: dict[str, Finding]) -> None:
    shown = " ".join(texts(findings["minimum"].plot().figure))
    for name in ODD.values():
        assert name in shown
    shown = " ".join(texts(figure_of(findings["paths"].plot())))
    assert sum(name in shown for name in ODD.values()) == 3
    assert "$" in texts(findings["between"].plot().figure)


def test_colours_are_explained_by_a_bar(findings: dict[str, Finding]) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="figures need the extra report")
    tasks: Any = findings["tasks"]
    figure = tasks.plot().figure
    ax, bar = figure.axes
    assert bar.get_ylabel() == "mean change"
    low, high = ax.images[0].get_clim()
    assert -low == high == np.nanmax(np.abs(ax.images[0].get_array()))
    assert bar.get_ylim() == (low, high)
    # The bar is one picture in the file, not hundreds of shapes.
    assert len(list(svg(figure).iter("{http://www.w3.org/2000/svg}image"))) == 2
    ax = matplotlib.figure.Figure().subplots()
    assert len(tasks.plot(ax).figure.axes) == 2


def test_panels_of_memorisation_share_their_axes(findings: dict[str, Finding]) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra report")
    low = {"subtrain": [0.1, 0.3], "subtest": [0.1, 0.2], "test": [0.1, 0.15]}
    high = {"subtrain": [0.6, 0.9, 1.0], "subtest": [0.5, 0.9, 0.95], "test": [0.4, 0.5, 0.6]}
    first, second = compare_memorisation({published(): low, tuned(): high}).plot()
    assert first.get_ylim() == second.get_ylim() and first.get_xlim() == second.get_xlim()
    bottom, top = first.get_ylim()
    assert bottom < 0.1 and top > 0.95


def test_legends_name_only_what_is_drawn(findings: dict[str, Finding], spaces: Any) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra report")

    def legend_of(finding: Any, **options: Any) -> list[str]:
        ax = finding.plot(**options)
        return [text.get_text() for text in ax.get_legend().get_texts()]

    assert legend_of(findings["performance"]) == ["as published", "fine-tuned"]
    # A model as published has no fine-tuned head.
    head = {space.cell: 0.9 for space in spaces if space.cell.tuned_on}
    assert legend_of(compare_performance(spaces, head=head), measure="head") == ["fine-tuned"]
    only = [space for space in spaces if space.cell.tuned_on is None]
    assert legend_of(compare_performance(only)) == ["as published"]
    assert legend_of(compare_linearity(only)) == ["as published"]


def boxes(ax: Any) -> dict[str, Any]:
    """Where the notes of some axes are, without the lines that tie them; in pixels."""
    extent = pytest.importorskip("matplotlib.text").Text.get_window_extent
    ax.figure.draw_without_rendering()
    return {f"{text.get_text()} {k}": extent(text) for k, text in enumerate(ax.texts)}


def covered(ax: Any) -> list[tuple[str, str]]:
    found = list(boxes(ax).items())
    return [
        (one, other)
        for k, (one, here) in enumerate(found)
        for other, there in found[:k]
        if here.overlaps(there)
    ]


@pytest.mark.parametrize("n_labels", [4, 60])
def test_every_arrow_has_a_number_and_a_key(findings: dict[str, Finding], n_labels: int) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra report")
    rng = np.random.default_rng(3)
    # Some arrows end almost where others do, and one label stays.
    ends = np.repeat(rng.normal(size=(n_labels // 2, 2)), 2, axis=0)
    ends += 1e-3 * rng.normal(size=ends.shape)
    model: Any = findings["differences"]
    row = model.rows[0]._replace(layer=0, seed=0)
    rows = tuple(
        row._replace(label=f"label {k}", x=x, y=y, length=float(k > 0))
        for k, (x, y) in enumerate(ends.tolist())
    )
    key = (0, 0)
    finding = Differences(rows, {key: (0.0, 0.0)}, {key: (0.6, 0.3)}, {key: 0.1}, {}, ())
    ax = finding.plot()
    figure = ax.figure
    numbers = [text.get_text() for text in ax.texts]
    assert sorted(map(int, numbers)) == list(range(1, n_labels))
    assert covered(ax) == []
    (legend,) = figure.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == [f"{k} label {k}" for k in range(1, n_labels)]
    figure.draw_without_rendering()
    below, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= below.x0 and below.x1 <= whole.x1 and whole.y0 <= below.y0
    assert below.y1 <= ax.get_window_extent().y0
    # The arrows keep the room that they have without a key.
    assert ax.get_position().height * figure.get_size_inches()[1] > 2.5
    alone = finding.plot(names=False)
    assert not alone.figure.legends and not alone.texts


def test_the_key_of_several_panels_is_one(findings: dict[str, Finding]) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra report")
    differences: Any = findings["differences"]
    figure = figure_of(differences.plot())
    (legend,) = figure.legends
    key = [text.get_text().split(" ", 1) for text in legend.get_texts()]
    assert {name for _, name in key} == {row.label for row in differences.rows if row.length > 0}
    for ax, layer in zip(figure.axes, (0, 1), strict=True):
        there = [r for r in differences.rows if (r.layer, r.seed) == (layer, 0) and r.length > 0]
        numbers = {text.get_text(): text.xy for text in ax.texts}
        assert numbers == {k: (r.x, r.y) for k, name in key for r in there if r.label == name}
    ax = type(figure)().subplots()
    differences.plot(ax, layer=0)
    assert len(ax.get_legend().get_texts()) == len(key)


def test_a_label_has_one_style_in_all_figures(findings: dict[str, Finding]) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra report")
    order = ["elsewhere", *sorted(ODD.values(), reverse=True)]
    shown: dict[str, set[tuple[str, str]]] = {}
    for name in ("minimum", "paths"):
        finding: Any = findings[name]
        for line in figure_of(finding.plot(order=order)).axes[0].lines:
            if hasattr(line, "told") and len(line.told) > 1:
                label = line.told[0].split("\n")[0]
                shown.setdefault(label, set()).add((line.get_color(), line.get_marker()))
    styles = label_styles([], order)
    assert {label: {(styles[label]["color"], styles[label]["marker"])} for label in shown} == shown
    assert set(shown) <= {*ODD.values()} and len(shown) > 2
    differences: Any = findings["differences"]
    (legend,) = figure_of(differences.plot(order=order)).legends
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        assert handle.get_color() == styles[text.get_text().split(" ", 1)[1]]["color"]
    marks = {(one["color"], one["marker"]) for one in map(line_style, range(56))}
    assert len(marks) == 56 and line_style(56)["linestyle"] != line_style(0)["linestyle"]


def test_steps_of_paths_do_not_cover_each_other() -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra report")
    starts = {"a": (0.0, 0.0), "b": (0.1, 0.0), "c": (0.0, 0.1), "still": (9.0, 9.0)}
    ends = {"a": (10.0, 0.0), "b": (0.0, 10.0), "c": (10.0, 0.2), "still": (9.1, 9.0)}
    rows = tuple(
        PathRow("pos", "tiny", "pos", 0, 0, step, label, *places[label])
        for label in starts
        for step, places in ((0, starts), (80, ends))
    )
    ax = CentroidPaths(rows, tuple(starts), {(0, 0): (0.6, 0.3)}, ()).plot()
    said = [text.get_text() for text in ax.texts]
    # Three paths start at one place, two of them end at one place, and one label stays.
    assert sorted(said) == ["0", "0 to 80", "80", "80"]
    assert covered(ax) == []


def test_figures_load_no_window(findings: dict[str, Finding]) -> None:
    findings["movement"].plot()
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )


@pytest.mark.full
def test_panels_and_choices(findings: dict[str, Finding]) -> None:
    figures = pytest.importorskip("matplotlib.figure", reason="figures need the extra report")
    for name in ("paths", "differences"):
        finding: Any = findings[name]
        assert len(finding.plot()) == 2
        assert finding.plot(layer=1, seed=1).get_title()
        ax = figures.Figure().subplots()
        with pytest.raises(InputError, match="one panel"):
            finding.plot(ax)
        assert finding.plot(ax, layer=0) is ax
        with pytest.raises(InputError, match="layer 0 of seed 0"):
            finding.plot(layer=5)
    differences: Any = findings["differences"]
    assert ODD["c"] in " ".join(texts(differences.plot(layer=0, names=True).figure))
    assert ODD["c"] not in " ".join(texts(differences.plot(layer=0, names=False).figure))
    assert "share of R" in " ".join(texts(findings["movement"].plot(relative=True).figure))
    for measure_ in ("directprobe", "classifier", "head", "similarity"):
        findings["performance"].plot(measure=measure_)
    with pytest.raises(InputError, match="classifier, head"):
        findings["performance"].plot(measure="f1")
    with pytest.raises(InputError, match="nothing on the model"):
        findings["tasks"].plot(model="other")
    with pytest.raises(InputError, match="2 panels"):
        findings["memorisation"].plot(ax)


@pytest.mark.parametrize(
    ("package", "use"),
    [("pandas", lambda f: f.to_frame()), ("matplotlib", lambda f: f.plot())],
)
def test_missing_packages_are_named(
    findings: dict[str, Finding],
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    use: Callable[[Finding], Any],
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        GeoprobeError, match=rf'needs {package}.*pip install "geoprobe-engine\[report\]"'
    ):
        use(findings["movement"])
