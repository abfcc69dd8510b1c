"""At which updates of fine-tuning the representations are extracted."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from geoprobe.errors import InputError

_FORMS = (
    "a schedule of checkpoints is 'linear:N', 'log:N', 'epochs', or 'steps:' and whole numbers "
    "between commas, of which one may be 'last'"
)


@dataclass(frozen=True)
class Schedule:
    """Checkpoints of a fine-tuning run, known before the number of updates is.

    The original representation (step 0) and the last update always belong to it.

    Parameters
    ----------
    text : str
        ``"linear:8"``: eight checkpoints after the original, evenly apart, the last update the
        eighth. ``"log:8"``: eight from update 1 to the last, in geometric progression; where
        neighbours round to the same update there are fewer. ``"epochs"``: the end of every
        epoch. ``"steps:10,50"``: these updates; ``last`` may be among them.

    Raises
    ------
    InputError
        If the text is none of these.

    Examples
    --------
    >>> Schedule("linear:4").steps(n_updates=100, updates_per_epoch=10)
    (0, 25, 50, 75, 100)
    >>> Schedule("log:3").steps(n_updates=100, updates_per_epoch=10)
    (0, 1, 10, 100)
    """

    text: str = "epochs"

    def __post_init__(self) -> None:
        """Refuse what :meth:`steps` could not read."""
        if not isinstance(self.text, str):
            raise InputError(f"{_FORMS}; {self.text!r} came.")
        object.__setattr__(self, "text", self.text.replace(" ", ""))
        kind, _, rest = self.text.partition(":")
        if kind in ("linear", "log") and re.fullmatch("[1-9][0-9]{0,8}", rest, re.ASCII):
            return
        if kind == "steps" and re.fullmatch("([0-9]{1,18}|last)(,([0-9]{1,18}|last))*", rest):
            return
        if self.text != "epochs":
            raise InputError(f"{_FORMS}; {self.text!r} came.")

    def steps(self, n_updates: int, updates_per_epoch: int) -> tuple[int, ...]:
        """Return the updates after which to extract, ascending, from 0 to ``n_updates``.

        Parameters
        ----------
        n_updates : int
            Updates of the whole run.
        updates_per_epoch : int

        Raises
        ------
        InputError
            If a named step lies beyond the last update.
        """
        kind, _, rest = self.text.partition(":")
        if kind == "steps":
            chosen = [n_updates if part == "last" else int(part) for part in rest.split(",")]
            if max(chosen) > n_updates:
                raise InputError(
                    f"the schedule {self.text!r} names update {max(chosen)}, but fine-tuning "
                    f"takes {n_updates} updates."
                )
        elif kind == "epochs":
            chosen = list(range(0, n_updates, updates_per_epoch))
        elif kind == "linear":
            chosen = np.linspace(0, n_updates, int(rest) + 1).round().astype(int).tolist()
        else:
            chosen = np.geomspace(n_updates, 1, int(rest)).round().astype(int).tolist()
        return tuple(sorted({0, n_updates, *chosen}))
