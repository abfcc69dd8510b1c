"""Tables that no spreadsheet runs, and arrays that are refused by their headers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from geoprobe.files.csv_files import as_cell, from_cell, write_table

FORMULAS = ["=1+1", "+", "-", "--", "@SUM(A1)", "-5+cmd|' /C calc'!A0", "\t=1", "\r=1", "\uff1d1"]
HARMLESS = ["NOUN", "", "'", "''", "'s", "-5", "+.5e-3", "-1.", "a=b", "1-2", " ", "\u00e9"]


def test_text_that_a_spreadsheet_would_run_is_shielded() -> None:
    assert all(as_cell(text) == f"'{text}" for text in FORMULAS)
    assert [as_cell(text) for text in HARMLESS] == HARMLESS


def test_texts_come_back_as_they_were(tmp_path: Path) -> None:
    texts = [*FORMULAS, *HARMLESS, *(f"'{text}" for text in FORMULAS), "''-", "'-5"]
    columns = {
        "label": texts,
        "again": np.array(texts, dtype=object),
        "k": np.arange(len(texts)) - 7,
        "x": -1.0 / (1.0 + np.arange(len(texts))),
    }
    path = tmp_path / "t.csv"
    write_table(path, columns)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [from_cell(row["label"]) for row in rows] == texts
    assert [from_cell(row["again"]) for row in rows] == texts
    # Numbers stay numbers for every other reader.
    assert [int(row["k"]) for row in rows] == columns["k"].tolist()
    assert [float(row["x"]) for row in rows] == columns["x"].tolist()
    assert not [row["label"] for row in rows if row["label"][:1] in set("=@\t\r\uff1d")]


def test_cells_of_text_are_one_to_one() -> None:
    rng = np.random.default_rng(0)
    texts = {"".join(rng.choice(list("'=+-@5a.e\t"), rng.integers(0, 5))) for _ in range(5000)}
    assert len({as_cell(text) for text in texts}) == len(texts)
    assert {from_cell(as_cell(text)) for text in texts} == texts
    assert all(from_cell(as_cell(text)) == text for text in texts)


def test_tables_of_a_report_are_no_formulas() -> None:
    from geoprobe.report.files import to_csv

    table = to_csv({"label": ["-", "NOUN"], "x": [-1.5, 2.0], "n": [-3, 4]})
    assert table == b"label,x,n\n'-,-1.5,-3\nNOUN,2.0,4\n"
