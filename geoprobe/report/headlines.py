"""The summary: a line for each task and model, before and after fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from geoprobe.controls import Claim
from geoprobe.controls.beside import MEASURES
from geoprobe.findings import Finding, Linearity, Performance
from geoprobe.report.report_tables import NONE, number

if TYPE_CHECKING:
    from geoprobe.studies.study_findings import StudyFindings

_MEASURES = {
    "directprobe": "DirectProbe",
    "classifier": "classifier",
    "head": "head",
    "similarity": "similarity to all of training",
}
Key = tuple[str, str]
Columns = dict[str, list[Any]]


class Headline(NamedTuple):
    """A small table; a heading that ends in a blank is that of a column of numbers."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


def headlines(gathered: StudyFindings) -> list[Headline]:
    """Tell the main numbers of a study in a few short tables.

    Parameters
    ----------
    gathered : StudyFindings

    Returns
    -------
    list of Headline
        What was found beside its control, accuracies by task and model, with the similarity of the
        test to all of training where no pseudo-test stands beside it, then their linearity, where
        they have been computed. Numbers are means over seeds, with the sample
        standard deviation.
    """
    headlines_ = [_beside(gathered.claims)]
    columns = _columns(gathered, Performance)
    if columns is not None:
        # Beside pseudo-tests the test has another similarity: one of them is enough.
        passed = (
            {"similarity"} if any(c.measure == "train to test" for c in gathered.claims) else {}
        )
        measures = [
            m
            for m in _MEASURES
            if m not in passed and not all(map(math.isnan, columns[f"{m}_mean"]))
        ]
        alike = (
            ", and similarity of the test to all of training" if "similarity" in measures else ""
        )
        headlines_.append(
            Headline(
                f"On the test units: accuracy{alike}",
                ("task", "model", "fine-tuned", *(f"{_MEASURES[m]} " for m in measures)),
                [
                    (*about, *(_spread(columns, m, k) for m in measures))
                    for k, about in _before_and_after(columns)
                ],
            )
        )
    columns = _columns(gathered, Linearity)
    if columns is not None:
        headlines_.append(
            Headline(
                "Clusters for each label in the last layer; 1 is a linear space, which small "
                "labels in many dimensions make whatever they mean",
                ("task", "model", "fine-tuned", "clusters per label "),
                [
                    (*about, _spread(columns, "clusters_per_label", k))
                    for k, about in _before_and_after(_ends(columns))
                ],
            )
        )
    return [one for one in headlines_ if one.rows]


def _beside(claims: Sequence[Claim]) -> Headline:
    """Tell what was found in the last layers, a line for each measure and moment."""
    return Headline(
        "In the last layer, beside shuffled labels, pseudo-tests or control tasks",
        (
            "task",
            "model",
            "fine-tuned",
            "measure",
            "units ",
            "found ",
            "control ",
            "p ",
            "p (BH) ",
            "verdict",
        ),
        [
            (
                one.task,
                one.model,
                f"{one.tuned_on}, {one.step:,} updates" if one.tuned_on else "no",
                MEASURES[one.measure],
                f"{one.n_units:,}",
                number(one.value),
                _control(one),
                *(NONE if math.isnan(p) else f"{p:.2g}" for p in (one.p_value, one.p_adjusted)),
                one.verdict or NONE,
            )
            for one in claims
        ],
    )


def _control(claim: Claim) -> str:
    if math.isnan(claim.control):
        return NONE
    if math.isnan(claim.control_std):
        return number(claim.control)
    return f"{number(claim.control)} \N{PLUS-MINUS SIGN} {number(claim.control_std)}"


def _columns(gathered: StudyFindings, kind: type[Finding]) -> Columns | None:
    """Join the findings of one kind, summarised over their seeds."""
    joined: Columns = {}
    for section in gathered.sections:
        for view in section.views:
            if isinstance(view.finding, kind):
                for name, values in view.finding.over_seeds().items():
                    joined.setdefault(name, []).extend(values)
    return joined or None


def _before_and_after(columns: Columns) -> Iterator[tuple[int, tuple[str, str, str]]]:
    """Yield the rows on a task as published and tuned on itself, task by task."""
    order: dict[Key, list[int]] = {}
    for k, key in enumerate(zip(columns["task"], columns["model"], strict=True)):
        if columns["tuned_on"][k] in ("", columns["task"][k]):
            order.setdefault(key, []).append(k)
    for key, rows in order.items():
        for k in sorted(rows, key=lambda k: bool(columns["tuned_on"][k])):
            if not columns.get("skip", [False] * (k + 1))[k]:
                tuned = f"{columns['step'][k]:,} updates" if columns["tuned_on"][k] else "no"
                yield k, (*key, tuned)


def _ends(columns: Columns) -> Columns:
    """Mark what is neither the last layer nor the last step."""
    layer: dict[Key, int] = {}
    step: dict[tuple[str, str, str], int] = {}
    keys = list(zip(columns["task"], columns["model"], columns["tuned_on"], strict=True))
    for k, key in enumerate(keys):
        layer[key[:2]] = max(columns["layer"][k], layer.get(key[:2], 0))
        step[key] = max(columns["step"][k], step.get(key, 0))
    skip = [
        columns["layer"][k] != layer[key[:2]] or columns["step"][k] != step[key]
        for k, key in enumerate(keys)
    ]
    return {**columns, "skip": skip}


def _spread(columns: Columns, measure: str, k: int) -> str:
    mean, spread = columns[f"{measure}_mean"][k], columns[f"{measure}_std"][k]
    if math.isnan(mean):
        return NONE
    return f"{mean:.3f}" if math.isnan(spread) else f"{mean:.3f} \N{PLUS-MINUS SIGN} {spread:.3f}"
