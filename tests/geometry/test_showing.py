"""Objects that show themselves: numbers and names, never raw arrays; text from data is escaped."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from geoprobe import DirectProbe, Space, hull_distance, hulls_overlap, pairwise_hull_distances
from geoprobe.errors import GeoprobeError, InputError
from geoprobe.probes import measure, measure_labels
from geoprobe.showing import Showing, Summary, as_html

TAGS = {"div", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td"}
HOSTILE = ("<script>alert(1)</script>", "x" * 5000, "\u202eright to left", "\u05d0\u05d1\n|")
POINTS = np.array([[0.0, 0], [1, 1], [0, 1], [1, 0], [5, 5], [6, 5], [9, 0], [9, 1]])


@pytest.fixture(scope="module")
def probe() -> DirectProbe:
    return DirectProbe().fit(POINTS, np.repeat(HOSTILE, 2))


class Tags(HTMLParser):
    """The tags of a piece of HTML, and whether each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def shown(probe: DirectProbe) -> list[Any]:
    space = Space(POINTS, np.repeat(HOSTILE, 2), name=HOSTILE[0])
    geometry = measure(space, test=space)
    return [
        probe, geometry, geometry.predictions, geometry.hulls, geometry.hulls.supports, space,
        probe.distances_, probe.blocks_, geometry.clusters, measure_labels(space),
        hull_distance(POINTS[:2], POINTS[4:6]), hulls_overlap(POINTS[:2], POINTS[2:4]),
    ]  # fmt: skip


def test_texts_are_short_and_hold_no_arrays(probe: DirectProbe) -> None:
    for each in [*shown(probe), probe.label_distances()]:
        text = repr(each)
        assert type(each).__name__ in text.splitlines()[0]
        assert "array(" not in text and "[[" not in text
        assert len(text.splitlines()) <= 6
        assert not {"\u202e", "\r"} & set(text)


def test_html_of_hostile_names_is_text(probe: DirectProbe) -> None:
    told = ""
    for each in shown(probe):
        html = each._repr_html_()
        tags = Tags()
        tags.feed(html)
        tags.close()
        assert tags.open == []
        assert tags.seen <= {
            "div",
            "strong",
            "table",
            "caption",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        }
        assert "\u202e" not in html
        told += html
    assert "&lt;script&gt;" in told and "[U+202E]" in told
    assert "x" * 100 not in told


def test_a_probe_tells_what_it_has_found(probe: DirectProbe) -> None:
    assert repr(DirectProbe(tau=1e-6)) == "DirectProbe(tau=1e-06)"
    first, size, *_ = repr(probe).splitlines()
    assert first == "DirectProbe()"
    assert size == "  8 points of 2 dimensions, 4 labels."
    assert probe._repr_mimebundle_()["text/html"] == probe._repr_html_()
    assert "sk-" in DirectProbe()._repr_mimebundle_()["text/html"]


def test_two_hulls_in_words() -> None:
    text = repr(hull_distance([[0, 0], [0, 2]], [[3, 1], [4, 1]]))
    assert text.startswith("HullResult: disjoint, distance 3 (bounds agree to ")
    assert "2 points of A and 1 point of B" in text
    assert "overlap" in repr(hulls_overlap([[0, 0], [2, 2]], [[0, 2], [2, 0]]))


def test_pairs_in_words() -> None:
    pairs = pairwise_hull_distances([[0.0], [3.0], [10.0]], ["a", "b", "c"])
    assert repr(pairs).splitlines()[0] == "PairwiseDistances: 3 pairs of 3 groups, 0 overlapping."
    assert "from 3 (a, b) to 10 (a, c)" in repr(pairs)


def test_the_smallest_few_are_the_first_of_all_in_order() -> None:
    # Many distances are equal: 0 where hulls overlap, and whole numbers.
    places = np.array([0, 0, 1, 2, 4, 4, 7, 8], float)
    pairs = pairwise_hull_distances(places[:, None], np.arange(8))
    every = pairs.smallest().tolist()
    assert every == sorted(range(len(pairs)), key=lambda k: (pairs.distance[k], k))
    for most in range(len(pairs) + 2):
        assert pairs.smallest(most).tolist() == every[:most]


def test_frames(probe: DirectProbe) -> None:
    pytest.importorskip("pandas", reason="frames need the extra report")
    frame = probe.to_frame()
    assert frame["size"].sum() == len(POINTS)
    distance = probe.distances_.matrix()
    for row in frame.itertuples():
        assert row.label == probe.cluster_labels_[row.cluster]
        assert row.nearest_label == probe.cluster_labels_[row.nearest_cluster]
        others = probe.cluster_labels_ != row.label
        assert row.distance == distance[row.cluster, others].min()
        assert row.distance == distance[row.cluster, row.nearest_cluster]
    pairs = probe.distances_.to_frame()
    assert (pairs["lower"] <= pairs["upper"]).all() and len(pairs) == len(probe.distances_)
    assert probe.blocks_.to_frame()["blocker"].tolist() == probe.blocks_.blocker.tolist()
    assert len(probe.geometry_.clusters.to_frame()) == probe.n_clusters_
    result = hull_distance(POINTS[:2], POINTS[4:6])
    weights = result.to_frame().groupby("side")["weight"].sum()
    assert weights.round(12).tolist() == [1.0, 1.0]
    space = Space(POINTS, np.repeat(HOSTILE, 2))
    units = measure(space, test=space).predictions.to_frame()
    assert (units["label"] == units["predicted"]).all()


def test_maps_join_nearest_points() -> None:
    """A line of a map ends at the two convex combinations that prove the distance."""
    pytest.importorskip("matplotlib", reason="pictures need the extra report")
    probe = DirectProbe().fit(POINTS[4:], ["a", "a", "b", "b"])
    ax = probe.plot()
    (line,) = (line for line in ax.lines if line.get_marker() + line.get_linestyle() == "o-")
    # In two dimensions the plane keeps all distances.
    across, up = np.diff(line.get_xdata())[0], np.diff(line.get_ydata())[0]
    assert np.hypot(across, up) == pytest.approx(probe.distances_.distance[0])
    assert "100% of the variance" in ax.get_title()


def test_two_hulls_are_seen_along_their_normal() -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra report")
    a, b = np.random.default_rng(0).normal(size=(2, 9, 4))
    b[:, 0] += 9
    result = hull_distance(a, b)
    line = result.plot(a, b).lines[-1]
    assert abs(np.diff(line.get_xdata())[0]) == pytest.approx(result.distance)
    assert np.diff(line.get_ydata())[0] == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match=r"B has shape \(9, 3\)"):
        result.plot(a, b[:, 1:])


def test_pictures_that_cannot_be(probe: DirectProbe) -> None:
    with pytest.raises(InputError, match="kind is one of distances, clusters, map"):
        probe.plot("tree")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"of shape \(8, 2\)"):
        probe.geometry_.plot("map")
    with pytest.raises(InputError, match=r"of shape \(8, 2\)"):
        probe.geometry_.plot("map", points=POINTS[1:])


def test_every_picture_of_hostile_names_is_drawn(probe: DirectProbe) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra report")
    space = Space(POINTS, np.repeat(HOSTILE, 2), name=HOSTILE[0])
    geometry = measure(space, test=space)
    drawn = [probe.plot(kind) for kind in ("map", "distances", "clusters")]
    drawn += [probe.blocks_.plot(), probe.distances_.plot(), geometry.clusters.plot()]
    drawn += [geometry.predictions.plot(), space.plot()]
    assert all(ax.get_title() for ax in drawn)
    some = probe.distances_.plot(at_most=2)
    assert "the 2 nearest" in some.get_title()
    assert len(some.get_yticklabels()) == 2


@pytest.mark.parametrize(("use", "package"), [("to_frame", "pandas"), ("plot", "matplotlib")])
def test_missing_packages_are_named(
    probe: DirectProbe, monkeypatch: pytest.MonkeyPatch, use: str, package: str
) -> None:
    for name in (package, f"{package}.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(GeoprobeError, match=rf"{package}, which is not installed: pip install"):
        getattr(probe, use)()


def test_a_class_that_shows_itself_keeps_its_text() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Told(Showing):
        values: list[int]

        def _summaries(self) -> list[Summary]:
            return [Summary(("first",)), Summary((), "table", ("n ",), (("1",),))]

    assert repr(Told([1])) == "Told: first"
    assert Told([1])._repr_html_() == as_html("Told", Told([1])._summaries())
    assert "<td" in Told([1])._repr_html_() and "[1]" not in Told([1])._repr_html_()
