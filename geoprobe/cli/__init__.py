"""The command line: arguments in, calls to the library out."""

from __future__ import annotations

from geoprobe.cli import doctor, probing, studying, text
from geoprobe.cli.app import app, main

__all__ = ["app", "doctor", "main", "probing", "studying", "text"]
