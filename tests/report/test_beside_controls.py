"""Controls on the page: a table at its head, and sentences under the question of a section."""

from __future__ import annotations

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
from geoprobe.studies.study_findings import TEXTS, Section, StudyFindings


def gathered() -> StudyFindings:
    tests = [
        NullTest(46.0, np.full(19, 46.0), "less"),
        NullTest(3.0, np.arange(40.0, 59.0), "less"),
    ]
    cells = [Cell("ps<role>", "tiny", 6), Cell("ps<role>", "tiny", 6, "pos", 0, 1200)]
    found = claims(
        beside_row(cell, "clusters", 4285, test.observed, test=test)
        for cell, test in zip(cells, tests, strict=True)
    )
    text = TEXTS["linearity"]
    sentences = tuple(map(str, found)) * 5
    section = Section("linearity", *text, (), (), sentences)
    return StudyFindings("made", {}, (section,), (), True, tuple(found))


def test_head_has_a_line_for_every_claim() -> None:
    (table,) = headlines(gathered())
    assert table.rows[0] == (
        "ps<role>", "tiny", "no", "clusters", "4,285", "46.00", "46.00 ± 0", "1",
        "not distinguishable from chance",
    )  # fmt: skip
    assert table.rows[1][2:4] == ("pos, 1,200 updates", "clusters")
    assert table.rows[1][-2:] == ("0.05", "beyond chance")


def test_page_shows_claims_and_folds_what_is_many(tmp_path: Path) -> None:
    page = write_report(gathered(), tmp_path / "report.html").read_text(encoding="utf8")
    said = "ps&lt;role&gt;, tiny, published, layer 6: clusters 46, control 46 ± 0"
    assert page.count(said) == 5
    assert "ps<role>" not in page
    assert "2 more beside their controls" in page
    assert "In the last layer, beside shuffled labels, pseudo-tests or control tasks" in page
