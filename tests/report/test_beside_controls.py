"""What was found, on the page: answers and a table at its head, and an answer in each section."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="reports need the extra report")
pytest.importorskip("matplotlib", reason="reports need the extra report")
pytest.importorskip("pandas", reason="reports need the extra report")

from geoprobe.controls import NullTest, beside_row, claims
from geoprobe.geometry import Cell
from geoprobe.report import write_report
from geoprobe.report.headlines import headlines
from geoprobe.studies.analysis_texts import analysis_texts
from geoprobe.studies.answers import Found, answer
from geoprobe.studies.sentences import Answer
from geoprobe.studies.study_findings import Section, StudyFindings


def gathered() -> StudyFindings:
    tests = [
        NullTest(46.0, np.full(19, 46.0), "less"),
        NullTest(3.0, np.arange(40.0, 59.0), "less"),
    ]
    cells = [Cell("ps<role>", "tiny", 6), Cell("ps<role>", "tiny", 6, "pos", 0, 1200)]
    found = claims(
        beside_row(cell, "clusters", 4285, test.observed, n_labels=46, test=test)
        for cell, test in zip(cells, tests, strict=True)
    )
    said = answer("linearity", Found(found * 2, (), ()))
    section = Section("linearity", *analysis_texts()["linearity"], (), (), said)
    own = Answer(("Not at <the head>.",))
    other = Section("differences", *analysis_texts()["differences"], (), (), own)
    return StudyFindings("made", {}, (section, other), (), True, tuple(found))


def test_head_has_a_line_for_every_claim() -> None:
    (table,) = headlines(gathered())
    assert table.rows[0] == (
        "ps<role>", "tiny", "no", "clusters", "4,285", "46.00", "46.00 ± 0", "1", "1",
        "not distinguishable from chance",
    )  # fmt: skip
    assert table.rows[1][2:4] == ("pos, 1,200 updates", "clusters")
    assert table.rows[1][-3:] == ("0.05", "0.1", "beyond chance")


def test_head_answers_each_question_and_the_section_again(tmp_path: Path) -> None:
    page = write_report(gathered(), tmp_path / "report.html").read_text(encoding="utf8")
    head, _, sections = page.partition('<section id="about"')
    for part in (head, sections):
        assert "Fewer clusters than shuffled labels have: " in part
        assert part.count("46 clusters for 46 labels of ps&lt;role&gt; as published") == 2
        assert "the 4 sentences counted" in part
        assert part.count("Shuffled: labels dealt out") == 1
    assert 'href="#linearity">Can hyperplanes tell the labels apart?' in head
    assert "Not at &lt;the head&gt;." in sections and "Not at" not in head
    assert "ps<role>" not in page and "No control was asked for" not in page
    # The answer comes before the plan, and before the tables.
    assert head.index("Fewer clusters") < head.index("In the last layer, beside shuffled labels")


def test_head_says_that_nothing_was_controlled(tmp_path: Path) -> None:
    nothing = replace(gathered(), claims=())
    page = write_report(nothing, tmp_path / "report.html").read_text(encoding="utf8")
    head = page.partition('<section id="about"')[0]
    assert page.count("No control was asked for") == 1
    assert head.index("No control was") < head.index("Can hyperplanes tell")
