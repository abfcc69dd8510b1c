"""Findings of a study, section by section, in the order of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geoprobe.controls import Claim, claims
from geoprobe.errors import GeoprobeError, InputError
from geoprobe.showing import Showing, Summary, count, frame
from geoprobe.studies.answers import Found, answer
from geoprobe.studies.description import describe_study
from geoprobe.studies.sentences import NOTHING, Answer
from geoprobe.studies.status import study_status
from geoprobe.studies.study_controls import end_rows, without_control
from geoprobe.studies.study_data import StudyData, load_study_data
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.studies.views import View, analysis_of, lacking
from geoprobe.suggestions import suggestion


@dataclass(frozen=True)
class Section:
    """One analysis.

    Attributes
    ----------
    analysis : str
    title, question, reading, paper : str
        What it is called, what it answers, how to read it, and where it differs from the paper.
    views : tuple of View
        All with the same keys of choices.
    missing : tuple of str
        What could not be computed, and why.
    answer : Answer
        What was found, in sentences with their controls.
    """

    analysis: str
    title: str
    question: str
    reading: str
    paper: str
    views: tuple[View, ...]
    missing: tuple[str, ...]
    answer: Answer = NOTHING


@dataclass(frozen=True)
class StudyFindings(Showing):
    """A study as far as it has been computed.

    Attributes
    ----------
    name : str
    about : mapping
        What was run and from what.
    sections : tuple of Section
    claims : tuple of Claim
        What was found in the last layers, each beside its control.
    missing : tuple of str
        What has not been computed.
    complete : bool
    """

    name: str
    about: Mapping[str, Any]
    sections: tuple[Section, ...]
    missing: tuple[str, ...]
    complete: bool
    claims: tuple[Claim, ...] = ()

    def view(self, analysis: str, **choices: str) -> View:
        """Return the first view of an analysis that is as asked.

        Parameters
        ----------
        analysis : str
        **choices : str
            What tells views apart, such as ``task="pos", layer="6"``; any of them, or none.

        Raises
        ------
        InputError
            If there is no such analysis, or it has no such view.
        """
        known = {section.analysis: section for section in self.sections}
        if analysis not in known:
            raise InputError(f"there is no analysis {analysis!r}; {suggestion(analysis, known)}.")
        wanted = {name.replace("_", " "): str(value) for name, value in choices.items()}
        views = known[analysis].views
        for view in views:
            if wanted.items() <= dict(view.choices).items():
                return view
        there = "; ".join(", ".join(f"{n} {v}" for n, v in view.choices.items()) for view in views)
        raise InputError(f"{analysis} has no view with {wanted}; there are: {there or 'none'}.")

    def plot(self, analysis: str, ax: Any = None, **choices: str) -> Any:
        """Draw a view of an analysis; parameters and errors are those of :meth:`view`.

        Returns
        -------
        matplotlib.axes.Axes, or a list of them for several panels
        """
        return self.view(analysis, **choices).finding.plot(ax)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each view: analysis, choices, number of rows.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        views = [(section, view) for section in self.sections for view in section.views]
        return frame(
            {
                "analysis": [section.analysis for section, _ in views],
                "view": [", ".join(f"{n} {v}" for n, v in v.choices.items()) for _, v in views],
                "rows": [len(view.finding.rows) for _, view in views],
            }
        )

    def _summaries(self) -> Sequence[Summary]:
        n_views = sum(len(section.views) for section in self.sections)
        lines = [
            f"{self.name}: {count(n_views, 'view')} of {len(self.sections)} analyses.",
            *([] if self.complete else ["The study is not finished."]),
        ]
        rows = tuple((s.analysis, f"{len(s.views):,}", s.title) for s in self.sections)
        return (Summary(tuple(lines), "Analyses", ("analysis", "views ", "title"), rows),)


def compute_findings(
    folder: StudyFolder, analyses: Sequence[str] | None = None, *, material: StudyData | None = None
) -> StudyFindings:
    """Compute the findings of a study from what is there, finished or not.

    Parameters
    ----------
    folder : StudyFolder
    analyses : sequence of str, optional
        Some of those of the plan, instead of all.
    material : StudyData, optional
        What :func:`load_study_data` has read of the folder; read here without it.

    Raises
    ------
    InputError
        If an analysis is not in the plan.
    FormatError
        If this is no folder of a study, or a file in it is damaged.
    """
    material = load_study_data(folder) if material is None else material
    plan = material.plan
    status = study_status(plan, folder)
    known = (*plan.analyses, *(() if plan.controls is None else ("controls",)))
    wanted = known if analyses is None else tuple(analyses)
    for analysis in wanted:
        if analysis not in known:
            raise InputError(
                f"the plan of this study has no analysis {analysis!r}; "
                f"{suggestion(analysis, known)}."
            )
    rows = end_rows(material.beside.rows, [g.cell for g in material.geometries])
    found = claims([*rows, *without_control(rows, material.geometries)])
    return StudyFindings(
        plan.name,
        describe_study(plan, folder, material.names, material.geometries),
        tuple(_section(analysis, material, found) for analysis in wanted),
        status.missing,
        status.complete,
        # Units left out have a control in any plan: that alone makes it none of controls.
        () if plan.controls is None else tuple(claims(rows)),
    )


def _section(analysis: str, material: StudyData, found: Sequence[Claim]) -> Section:
    missing: list[str] = []
    views: list[View] = []
    text, make_views = analysis_of(analysis)
    for choices, make in make_views(material):
        try:
            views.append(View(choices, make()))
        except GeoprobeError as error:
            missing.append(str(error))
    if not views and not missing:
        missing.append(lacking(analysis, material))
    findings = [view.finding for view in views]
    said = answer(analysis, Found(found, findings, material.runs)) if views else NOTHING
    return Section(analysis, *text, tuple(views), tuple(missing), said)
