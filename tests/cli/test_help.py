"""The help: one voice, and an example for every command that the command itself accepts."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from geoprobe.cli import app

PROGRAM = typer.main.get_command(app)
# What every line of the list of commands begins with: a verb that says what will be done.
VERBS = {
    *("Check", "Download", "Find", "Fine-tune", "Get", "List", "Log", "Look", "Measure", "Pack"),
    *("Print", "Represent", "Run", "Show", "Tell", "Turn", "Write"),
}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (words, command) for every command and group of commands."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


EVERY = list(commands(PROGRAM))


def called(value: Any) -> str:
    return " ".join(value) if isinstance(value, tuple) else ""


@pytest.mark.parametrize(("path", "command"), EVERY, ids=called)
def test_one_voice(path: tuple[str, ...], command: Any) -> None:
    short = command.get_short_help_str(200)
    assert short.split()[0] in VERBS
    assert command.help.split()[0] in VERBS
    assert short.endswith(".")
    assert len(short) <= 50
    said = {parameter.name: getattr(parameter, "help", None) for parameter in command.params}
    assert {name: text for name, text in said.items() if not (text or "").endswith((".", ")"))} == (
        {}
    )


@pytest.mark.parametrize(("path", "command"), EVERY, ids=called)
def test_every_command_shows_an_example_that_it_accepts(
    path: tuple[str, ...], command: Any
) -> None:
    begin = "Example: "
    assert (command.epilog or "").startswith(begin), path
    program, *words = shlex.split(command.epilog.removeprefix(begin))
    assert (program, tuple(words[: len(path)])) == ("geoprobe", path)
    # Reads the arguments, and refuses what the command would refuse; nothing is run.
    context = command.make_context(path[-1], words[len(path) :])
    assert command.get_help(context).rstrip().endswith(command.epilog)


def test_the_shell_completes_commands(repository: Path) -> None:
    typed = {"COMP_WORDS": "geoprobe pro", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "geoprobe"],
        env={**os.environ, **typed, "_GEOPROBE_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        cwd=repository,
        check=False,
    )
    assert done.stdout.split() == ["probe"], done.stderr
