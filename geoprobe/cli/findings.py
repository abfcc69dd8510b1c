"""Findings on the terminal: views chosen, printed as tables or as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geoprobe.cli.app import say_table
from geoprobe.errors import InputError
from geoprobe.suggestions import suggestion

if TYPE_CHECKING:
    from geoprobe.report.report_tables import Table
    from geoprobe.studies import Section, View


def select_views(sections: Sequence[Section], where: Sequence[str]) -> list[list[View]]:
    """Select in each section the views whose choices are as asked.

    Parameters
    ----------
    sections : sequence of Section
    where : sequence of str
        ``"key=value"``; a section whose views lack a key keeps all of them.

    Raises
    ------
    InputError
        If a condition is of another form, or no view of any section has that key or that value.
    """
    selected = [list(section.views) for section in sections]
    for condition in where:
        name, equals, value = condition.partition("=")
        key = name.replace("-", " ").replace("_", " ")
        if not equals:
            raise InputError(f"{condition!r} should read KEY=VALUE, such as layer=6.")
        views = [view for section in sections for view in section.views]
        keys = dict.fromkeys(each for view in views for each in view.choices)
        if key not in keys:
            raise InputError(f"no view is told from others by {name!r}; {suggestion(key, keys)}.")
        values = dict.fromkeys(view.choices[key] for view in views if key in view.choices)
        if value not in values:
            raise InputError(f"no view has {key} {value!r}; {suggestion(value, values)}.")
        selected = [
            [view for view in views if view.choices.get(key, value) == value] for views in selected
        ]
    return selected


def as_plain(section: Section, views: Sequence[View]) -> dict[str, Any]:
    """Return a section as JSON holds it; NaN becomes null."""
    return {
        "analysis": section.analysis,
        "title": section.title,
        "paper": section.paper,
        "answer": list(section.answer.lines),
        "answer_each": list(section.answer.each),
        "missing": list(section.missing),
        "views": [
            {
                "choices": dict(view.choices),
                "columns": {
                    name: [_plain(value) for value in values]
                    for name, values in view.finding.columns().items()
                },
                "notes": list(view.finding.notes),
            }
            for view in views
        ],
    }


def say_section(section: Section, views: Sequence[View]) -> None:
    """Print all tables of some views, the short ones that sum a view up first."""
    from geoprobe.report.page import view_name
    from geoprobe.report.report_tables import all_numbers, extras, make_table

    print(f"{section.title}: {section.question}")
    if section.paper:
        print(f"Against the paper: {section.paper}")
    for line in (*section.answer.lines, *section.answer.each, *section.answer.terms):
        print(line)
    for view in views:
        name = view_name(view.choices)
        print(f"\n{name}" if name else "")
        for extra in extras(view.finding):
            _say(make_table(extra.title, extra.columns))
        _say(all_numbers(view.finding))
        for note in view.finding.notes:
            print(note)
    for reason in section.missing:
        print(f"Not computed: {reason}")


def _say(table: Table) -> None:
    header = [one.heading + (" " if one.numeric else "") for one in table.columns]
    shared = "; ".join(f"{one.heading} {value}" for one, value in table.shared)
    say_table(f"{table.title} ({shared})" if shared else table.title, header, table.rows)
    for line in table.footnotes:
        print(f"  {line}")
    if table.n_rows > len(table.rows):
        print(f"  {table.n_rows - len(table.rows):,} more rows; --json prints all.")


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
