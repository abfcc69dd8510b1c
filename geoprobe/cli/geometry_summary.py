"""Terminal summaries of geometries and of their verification: sentences and short tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geoprobe.geometry.pairs import Status, unproved
from geoprobe.geometry.summaries import size_of
from geoprobe.showing import Summary, count, first_few, number

if TYPE_CHECKING:
    from geoprobe.geometry import Geometry
    from geoprobe.studies.verify import StudyVerification
    from geoprobe.verify import VerificationReport


def summarise_distances(g: Geometry, most: int | None) -> list[Summary]:
    """Summarise the distances of labels, smallest first.

    Parameters
    ----------
    g : Geometry
    most : int or None
        How many rows; None for all.
    """
    pairs = g.hulls
    n_overlap = int((pairs.status == Status.OVERLAP).sum())
    lines = [
        size_of(g),
        f"Overlapping pairs: {n_overlap:,} of {len(pairs):,}.",
        *unproved(int((pairs.status == Status.UNPROVED).sum())),
    ]
    order = pairs.smallest(most)
    title = "Distances of labels"
    if len(order) < len(pairs):
        title = f"The {len(order)} smallest distances of labels (all: --all)"
    rows = tuple(
        (
            g.labels[pairs.first[k]],
            g.labels[pairs.second[k]],
            number(float(pairs.distance[k])),
            Status(pairs.status[k]).name.lower(),
        )
        for k in order
    )
    return [Summary(tuple(lines), title, ("label", "label", "distance ", "status"), rows)]


def distances_json(g: Geometry) -> dict[str, Any]:
    """Return the distances of labels, of types that JSON knows."""
    names, pairs = g.classes.tolist(), g.hulls
    columns = (pairs.first, pairs.second, pairs.lower, pairs.upper, pairs.status)
    return {
        "name": g.cell.task,
        "n_points": g.n_units,
        "n_dims": g.n_dims,
        "n_labels": g.n_labels,
        "tau": g.tau,
        "scale": g.scale,
        "distances": [
            {
                "label_a": names[a],
                "label_b": names[b],
                "lower": lower,
                "upper": upper,
                "status": Status(status).name.lower(),
            }
            for a, b, lower, upper, status in zip(*(c.tolist() for c in columns), strict=True)
        ],
    }


def summarise_verification(report: VerificationReport) -> list[Summary]:
    """Summarise what was claimed and what was checked, and say that it holds."""
    rows = tuple((what, f"{n:,}") for what, n in report.checks)
    # Of a gap only the size says something; its digits are those of rounding.
    claimed = tuple(
        (what, f"{value:.0e}" if what == "largest_gap" else _plain(value))
        for what, value in report.claims.items()
    )
    lines = [*unproved(report.n_unproved)]
    if report.unproved:
        lines.append(f"Unproved: {first_few(report.unproved, most=20)}.")
    if "accuracy" in report.claims and "predictions computed again" not in dict(report.checks):
        lines.append(
            "Predictions were checked for consistency only: their test points were not given, or "
            "are not at the place that is remembered, or have changed. --test FILE names them."
        )
    lines += [
        f"{report.where} holds: {report.n_checks:,} checks, no failure.",
    ]
    return [
        Summary((), "Claimed", ("what", "value "), claimed),
        Summary((), "Checked", ("what", "number "), rows),
        Summary(tuple(lines)),
    ]


def summarise_study(outcome: StudyVerification) -> list[Summary]:
    """Summarise the cells of a study: how many hold, and what is wrong in the others."""
    counted: dict[str, int] = {}
    for report in outcome.reports.values():
        for what, n in report.checks:
            counted[what] = counted.get(what, 0) + n
    rows = tuple((what, f"{n:,}") for what, n in counted.items())
    widest = max((report.worst_gap for report in outcome.reports.values()), default=0.0)
    linear = sum(bool(report.claims["linear"]) for report in outcome.reports.values())
    claimed = (
        ("cells", f"{len(outcome.reports):,}"),
        ("of them linear", f"{linear:,}"),
        ("largest gap", number(widest)),
    )
    lines = [f"Does not hold: {reason}" for reason in outcome.failures.values()]
    if outcome.not_measured:
        lines.append(f"Cells that are not measured yet: {len(outcome.not_measured):,}.")
    if outcome.failures:
        lines.append(
            f"{outcome.folder} does not hold: {count(len(outcome.failures), 'cell')} of "
            f"{len(outcome.failures) + len(outcome.reports):,}."
        )
    else:
        lines.append(
            f"{outcome.folder} holds: {sum(counted.values()):,} checks of "
            f"{count(len(outcome.reports), 'cell')}, no failure."
        )
    return [
        Summary((), "Claimed", ("what", "value "), claimed),
        Summary((), "Checked", ("what", "number "), rows),
        Summary(tuple(lines)),
    ]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else str(value)
