"""The program, and what people see when work is done or fails.

Exit codes: 0 done, 1 a verification failed, 2 bad input, 130 interrupted, 141 nobody reads.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from geoprobe import __version__
from geoprobe.errors import GeoprobeError, VerificationError
from geoprobe.showing import one_line

if TYPE_CHECKING:
    from geoprobe.showing import Summary


# As a newcomer meets them.
_COMMANDS = (
    "probe", "distances", "verify", "demo", "study", "report", "findings", "tasks", "extract",
    "finetune", "spaces", "data", "directprobe", "doctor",
)  # fmt: skip


class _InOrder(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_COMMANDS.index)


app = typer.Typer(
    name="geoprobe",
    cls=_InOrder,
    help="Exact geometry of labelled representations: clusters and distances, with proofs.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the program; the entry point of the package."""
    warnings.showwarning = say_warning
    # A worker that had nothing to do for long has ended: nobody can do anything about it.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A label that the terminal's encoding lacks must not end a run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    clean(app)(prog_name="geoprobe")


def _open_closed_streams() -> None:
    """Let nothing be written into a file that happens to get the number of a closed stream."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                os.fstat(number)
                continue
            handle = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(handle, "r" if number == 0 else "w"))


@app.callback(
    invoke_without_command=True,
    epilog="Begin with geoprobe probe or geoprobe demo, which need no file; "
    "geoprobe COMMAND --help shows an example.",
)
def common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    """Exact geometry of labelled representations: clusters and distances, with proofs."""
    if version:
        print(f"geoprobe {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(BAD_INPUT)


Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Parameters = ParamSpec("Parameters")

FAILED, BAD_INPUT, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141


def clean(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Turn what a command raises into one sentence and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: Parameters.args, **options: Parameters.kwargs) -> None:
        code = 0
        try:
            command(*args, **options)
            sys.stdout.flush()
        except VerificationError as error:
            say_error(f"The results do not hold: {error}")
            code = FAILED
        except GeoprobeError as error:
            say_error(str(error))
            code = BAD_INPUT
        except BrokenPipeError:
            # Whoever read the output has left; Python must not try to flush it once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = PIPE_CLOSED
        except MemoryError:
            say_error("There is not enough memory for this.")
            code = BAD_INPUT
        except OSError as error:
            say_error(f"The system refused: {error}.")
            code = BAD_INPUT
        except KeyboardInterrupt:
            say_error("Interrupted.")
            code = INTERRUPTED
        if code:
            sys.exit(code)

    return wrapped


def say(parts: Iterable[Summary]) -> None:
    """Print sentences and tables to standard output, with an empty line between the parts."""
    spoken = False
    for part in parts:
        if spoken and (part.lines or part.rows):
            print()
        for line in part.lines:
            print(line)
        if part.rows:
            if part.lines:
                print()
            say_table(part.title, part.header, part.rows)
        spoken = spoken or bool(part.lines or part.rows)


def say_where(folder: Path, leftovers: Iterable[Path], page: bool = False) -> None:
    """Print where results lie, their page, how to check them, and what else lies there."""
    near = os.path.relpath(folder)
    shown = str(folder) if near.startswith("..") else near
    print(f"\nResults: {shown}")
    if page:
        print(f"Look at them: {Path(shown) / 'summary.html'}")
    print(f"Check them: geoprobe verify {shlex.quote(shown)}")
    for left in leftovers:
        print(f"Left by a run that did not end, unless it still runs: {left}")


def say_json(value: Any) -> None:
    """Print JSON to standard output."""
    print(json.dumps(value, indent=1, default=str))


def say_error(message: str) -> None:
    """Print an error to standard error, in red on a terminal."""
    line = " ".join(message.split())
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        line = f"\x1b[31m{line}\x1b[0m"
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def say_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning to standard error, without the line of code that it comes from."""
    with contextlib.suppress(OSError, ValueError):
        print(f"Note: {' '.join(str(message).split())}", file=sys.stderr, flush=True)


def say_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to standard output; columns whose name ends in a blank are set to the right.

    Parameters
    ----------
    title : str
    header : sequence of str, shape (n_columns,)
    rows : sequence of sequences of str, shapes (n_columns,)
    """
    right = [name.endswith(" ") for name in header]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for name, flush in zip(header, right, strict=True):
            table.add_column(Text(name.strip()), justify="right" if flush else "left")
        for row in rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
        # As a title of the table it would be broken to the table's width.
        Console().print(Text(title, style="bold"), table, sep="\n")
        return
    print(title)
    cells = [[name.strip() for name in header], *([one_line(c) for c in row] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    for row in cells:
        placed = (
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        )
        print("  " + "  ".join(placed).rstrip())
