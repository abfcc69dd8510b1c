"""The command doctor: what this installation has, what it lacks, and what each lack costs."""

from __future__ import annotations

import importlib
import platform
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from geoprobe import __version__, plugins
from geoprobe.cli.app import FAILED, Json, app, clean, say_json, say_table
from geoprobe.errors import InputError, PluginError
from geoprobe.extras import CORE, DISTRIBUTION, EXTRAS, IMPORT_NAMES, installing
from geoprobe.suggestions import suggestion
from geoprobe.versions import installed_versions


@app.command(
    short_help="Look at this installation and what it lacks.",
    epilog="Example: geoprobe doctor --need demo",
)
@clean
def doctor(
    *,
    need: Annotated[
        list[str] | None,
        typer.Option(metavar="EXTRA", help="Fail where this extra is missing; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at this installation: versions, cache of kernels, machine, and what extras lack.

    Ends with exit code 1 where something does not work. A missing extra is no fault, unless --need
    names it.
    """
    state = examine(need or [])
    if as_json:
        say_json(state)
    else:
        _say(state)
    if state["problems"]:
        raise typer.Exit(FAILED)


def examine(needed: Sequence[str] = ()) -> dict[str, Any]:
    """Return the state of this installation, as JSON holds it.

    Parameters
    ----------
    needed : sequence of str
        Extras whose absence is a problem.

    Raises
    ------
    InputError
        For an extra that geoprobe does not have.
    """
    for name in needed:
        if name not in EXTRAS:
            raise InputError(f"there is no extra {name!r}; {suggestion(name, EXTRAS)}.")
    problems: list[str] = []
    state = {
        "geoprobe": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": _packages(problems),
        "machine": _machine(problems),
        "kernels": _kernels(problems),
        "extras": _extras(needed, problems),
        "extensions": _extensions(problems),
    }
    return {**state, "problems": problems}


def _packages(problems: list[str]) -> dict[str, str | None]:
    """Return the versions of what every installation has; a package must import to count."""
    known = installed_versions(CORE)
    for name in CORE:
        try:
            importlib.import_module(IMPORT_NAMES.get(name, name))
        except (ImportError, OSError) as error:
            problems.append(
                f"{name} cannot be imported ({error}); install it anew: pip install "
                f"--force-reinstall {DISTRIBUTION}."
            )
    return {name: known.get(name) for name in CORE}


def _machine(problems: list[str]) -> dict[str, Any]:
    from geoprobe.memory import free_memory
    from geoprobe.threads import available_threads

    return {
        "threads": available_threads(),
        "free_memory": free_memory(),
        "gpus": _gpus(problems),
    }


def _gpus(problems: list[str]) -> list[str] | None:
    """Return the names of the GPUs; None where torch is not there to tell."""
    if not installed_versions(["torch"]):
        return None
    try:
        from geoprobe.devices import gpu_names
    except (ImportError, OSError) as error:
        problems.append(f"torch cannot be imported ({error}).")
        return None
    return gpu_names()


def _kernels(problems: list[str]) -> dict[str, Any]:
    """Return where compiled kernels are kept, and how much there is of them."""
    try:
        from geoprobe.kernels import cache
    except (ImportError, OSError):
        # numba or NumPy, which the packages tell of.
        return {"folder": None}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        sources = Path(cache.__file__).parent.glob("*.py")
        folders = {cache.cache_folder(path.stem) for path in sources}
    problems += [str(each.message) for each in said]
    base = next(iter(folders)).parent
    current = [path for folder in folders for path in folder.rglob("*.nbc")]
    everything = list(base.rglob("*.nbc"))
    return {
        "folder": str(base),
        "compiled": len(current),
        "bytes": sum(path.stat().st_size for path in current),
        "outdated_bytes": sum(path.stat().st_size for path in set(everything) - set(current)),
    }


def _extras(needed: Sequence[str], problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, extra in EXTRAS.items():
        known = installed_versions(extra.packages)
        missing = [package for package in extra.packages if package not in known]
        found[name] = {"serves": extra.serves, "versions": known, "missing": missing}
        if missing and name in needed:
            problems.append(f"the extra {name!r} lacks {', '.join(missing)}: {installing(name)}.")
    return found


def _extensions(problems: list[str]) -> list[dict[str, str]]:
    """Return what other packages offer; nothing of them is loaded."""
    found: list[dict[str, str]] = []
    for group in plugins.GROUPS:
        try:
            points = plugins.offered(group)
        except PluginError as error:
            problems.append(str(error))
            continue
        found += [
            {"group": group, "name": name, "package": plugins.origin(point)}
            for name, point in points.items()
        ]
    return found


def _say(state: dict[str, Any]) -> None:
    print(f"geoprobe {state['geoprobe']}, Python {state['python']}, {state['platform']}\n")
    packages = state["packages"].items()
    say_table("Packages", ("package", "version"), [(n, v or "missing") for n, v in packages])
    print()
    machine, kernels = state["machine"], state["kernels"]
    free, gpus = machine["free_memory"], machine["gpus"]
    rows = [
        ("threads", str(machine["threads"])),
        ("free memory", "not known" if free is None else f"{free / 1e9:,.1f} GB"),
        ("GPU", "not known without torch" if gpus is None else ", ".join(gpus) or "none"),
        ("kernels kept in", kernels["folder"] or "not known"),
    ]
    if kernels["folder"]:
        size, outdated = kernels["bytes"] / 1e6, kernels["outdated_bytes"] / 1e6
        rows += [
            ("kernels compiled", f"{kernels['compiled']:,}, {size:,.1f} MB"),
            ("of other versions", f"{outdated:,.1f} MB, which may be deleted"),
        ]
    say_table("Machine", ("what", "state"), rows)
    print()
    say_table(
        "Extras",
        ("extra", "for", "state"),
        [
            (name, extra["serves"], installing(name) if extra["missing"] else "there")
            for name, extra in state["extras"].items()
        ],
    )
    print()
    if state["extensions"]:
        offers = [(each["name"], each["group"], each["package"]) for each in state["extensions"]]
        say_table("Extensions by other packages", ("name", "group", "package"), offers)
        print()
    for problem in state["problems"]:
        print(f"Problem: {problem}")
    if not state["problems"]:
        print("No problem was found.")
