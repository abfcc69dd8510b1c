"""The program itself: its name, its version, and its commands in the order of the help."""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

from geoprobe.cli.terminal import BAD_INPUT, clean, say_warning

app = typer.Typer(
    name="geoprobe",
    help="Exact geometry of labelled representations: clusters and distances, with proofs.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the program; the entry point of the package."""
    warnings.showwarning = say_warning
    clean(app)(prog_name="geoprobe")


@app.callback(invoke_without_command=True)
def common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    """Exact geometry of labelled representations: clusters and distances, with proofs."""
    if version:
        from importlib import metadata

        try:
            print(f"geoprobe {metadata.version('geoprobe')}")
        except metadata.PackageNotFoundError:
            print("geoprobe, not installed")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(BAD_INPUT)
