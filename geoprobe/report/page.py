"""From parts to the page."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import resources
from typing import Any

from geoprobe.findings.optional import need
from geoprobe.versions import installed_versions


class Pages:
    """The templates of the report; all text that they show is escaped."""

    def __init__(self) -> None:
        jinja2 = need("jinja2")
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("geoprobe.report", "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._safe = need("markupsafe").Markup

    def safe(self, html: str) -> Any:
        """Mark text as HTML that is escaped already."""
        return self._safe(html)

    def view(self, **parts: Any) -> str:
        """Return the HTML of one view."""
        return str(self._environment.get_template("view.html").render(**parts))

    def page(
        self,
        *,
        name: str,
        about: Mapping[str, Any],
        sections: Sequence[Any],
        summary: Sequence[Any],
        missing: Sequence[str],
        complete: bool,
        files: str,
        files_shown: str,
    ) -> str:
        """Return the whole page.

        Parameters
        ----------
        name, about, missing, complete
            As in :class:`geoprobe.studies.study_findings.StudyFindings`.
        sections : sequence
            As :mod:`geoprobe.report.sections` makes them.
        summary : sequence of Table
        files, files_shown : str
            Link to the folder of figures, and its name; empty without one.
        """
        script = _text("report.js")
        digest = hashlib.sha256(script.encode("utf8")).digest()
        return str(
            self._environment.get_template("page.html").render(
                name=name,
                about=about,
                sections=sections,
                summary=summary,
                missing=missing,
                complete=complete,
                files=files,
                files_shown=files_shown,
                version=installed_versions(["geoprobe"]).get("geoprobe", ""),
                written=_now(),
                style=self.safe(_text("style.css")),
                script=self.safe(script),
                script_hash=base64.b64encode(digest).decode("ascii"),
            )
        )


def _text(name: str) -> str:
    place = resources.files("geoprobe.report") / "templates" / name
    return place.read_text(encoding="utf8")


def _now() -> str:
    """Return the time for the head; reproducible builds set theirs in the environment."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    when = (
        datetime.fromtimestamp(int(given), timezone.utc)
        if given.isdecimal()
        else datetime.now(timezone.utc)
    )
    return f"{when:%Y-%m-%d, %H:%M} UTC"
