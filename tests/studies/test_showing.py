"""Studies that show themselves: what there is, and views that are asked for by their choices."""

from __future__ import annotations

import pytest

from geoprobe.errors import InputError
from geoprobe.findings.linearity import Linearity, LinearityRow
from geoprobe.studies.status import Counts, StudyStatus
from geoprobe.studies.study_findings import Section, StudyFindings
from geoprobe.studies.views import View

ROW = LinearityRow("<script>", "tiny", "", None, 0, 6, 20, 4, 4, 1.0, True, 0, 0)


@pytest.fixture
def findings() -> StudyFindings:
    views = tuple(
        View({"task": "pos", "layer": str(layer)}, Linearity((ROW._replace(layer=layer),), ()))
        for layer in (0, 6)
    )
    sections = (
        Section("linearity", "Linearity", "?", "...", "", views, ()),
        Section("movement", "Movement", "?", "...", "", (), ("nothing was tuned",)),
    )
    return StudyFindings("tiny", {}, sections, ("one cell",), complete=False)


def test_findings_of_a_study_in_words(findings: StudyFindings) -> None:
    assert repr(findings).splitlines() == [
        "StudyFindings: tiny: 2 views of 2 analyses.",
        "  The study is not finished.",
    ]
    assert "<td" in findings._repr_html_() and "Movement" in findings._repr_html_()


def test_a_finding_in_words(findings: StudyFindings) -> None:
    finding = findings.view("linearity", layer="6").finding
    assert repr(finding) == (
        "Linearity: 1 row; task <script>; model tiny; tuned on none; step 0; layer 6"
    )
    assert "&lt;script&gt;" in finding._repr_html_() and "<script>" not in finding._repr_html_()
    assert repr(Linearity((), ("why not",))).splitlines() == [
        "Linearity: no rows",
        "  1 note, such as: why not",
    ]


def test_views_are_found_by_their_choices(findings: StudyFindings) -> None:
    assert findings.view("linearity") is findings.sections[0].views[0]
    assert findings.view("linearity", layer="6") is findings.sections[0].views[1]
    with pytest.raises(InputError, match=r"the nearest known one is 'linearity'"):
        findings.view("lineraity")
    with pytest.raises(InputError, match=r"no view with .*'7'.*layer 0; task pos, layer 6"):
        findings.view("linearity", layer="7")
    with pytest.raises(InputError, match="there are: none"):
        findings.view("movement")


def test_frames_and_pictures(findings: StudyFindings) -> None:
    pytest.importorskip("pandas", reason="frames need the extra report")
    frame = findings.to_frame()
    assert frame["view"].tolist() == ["task pos, layer 0", "task pos, layer 6"]
    assert frame["rows"].tolist() == [1, 1]
    pytest.importorskip("matplotlib", reason="pictures need the extra report")
    assert "Linearity" in findings.plot("linearity", layer="6").get_title()


def test_a_status_in_words() -> None:
    counts = (Counts("measure", 3, 1, 2, 1), Counts("extract", 1, 0, 0, 0))
    status = StudyStatus(counts, (), {"measure a": "it broke"}, (), ("measure a",))
    assert repr(status).splitlines() == [
        "StudyStatus: 4 of 8 pieces done, 0 running.",
        "  Failed: measure a: it broke",
    ]
    pytest.importorskip("pandas", reason="frames need the extra report")
    assert status.to_frame()["total"].tolist() == [7, 1]
