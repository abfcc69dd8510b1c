"""Shares of a study, for processes that divide its pieces without speaking to each other."""

from __future__ import annotations

import re
from typing import NamedTuple

from geoprobe.errors import InputError
from geoprobe.studies.claims import digest_of
from geoprobe.studies.executors import Piece

_SHARE = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")


class Share(NamedTuple):
    """The ``number``-th of ``of`` shares, counted from 1; a piece belongs to one by its name."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def has(self, piece: Piece) -> bool:
        """Whether a piece belongs to this share."""
        return self.has_of(piece.kind, piece.name)

    def has_of(self, kind: str, name: str) -> bool:
        """Whether a piece of that kind and name would belong to this share."""
        return int(digest_of(kind, name), 16) % self.of == self.number - 1


ALL = Share(1, 1)


def parse_share(text: str) -> Share:
    """Read a share such as ``3/16``.

    Raises
    ------
    InputError
    """
    match = _SHARE.fullmatch(text.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise InputError(
            f"the shard is {text!r:.80}, but a number of all is expected, from 1/16 to 16/16."
        )
    return Share(int(match[1]), int(match[2]))
