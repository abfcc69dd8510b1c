"""What a results folder says about itself: the data, the outcome, the versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geoprobe.files.csv_files import pick, texts
from geoprobe.results.content import Content, Predictions
from geoprobe.results.layout import DISJOINT, OVERLAP, UNPROVED
from geoprobe.versions import installed_versions

if TYPE_CHECKING:
    from geoprobe.spaces import Space

_PACKAGES = ("geoprobe", "numpy", "numba", "scipy", "highspy", "scikit-learn", "faiss-cpu")


def describe(
    content: Content, space: Space, test: Predictions | None, options: Mapping[str, str] | None
) -> dict[str, Any]:
    """Return the summary of a result, without the hashes of its files.

    Parameters
    ----------
    content : Content
    space : Space
    test : Predictions or None
    options : mapping of str to str, or None
        How the file of the space was read.

    Returns
    -------
    dict
        Of types that JSON knows.
    """
    distances = content.distances
    status = np.asarray(distances.status)
    n_labels, n_clusters = len(content.classes), len(content.cluster_codes)
    disjoint = distances.upper[status == DISJOINT]
    linear = n_clusters == n_labels if content.kind == "probe" else not (status != DISJOINT).any()
    summary: dict[str, Any] = {
        "kind": content.kind,
        "input": {
            **_where(space),
            "options": dict(options or {}),
            "dtype": space.points.dtype.name,
        },
        "n_points": space.n_points,
        "n_dims": space.n_dims,
        "n_labels": n_labels,
        "labels": content.classes.tolist(),
        "tau": float(distances.tau),
        "scale": float(distances.scale),
        "n_clusters": n_clusters,
        "is_linear": bool(linear),
        "status": "unproved" if (status == UNPROVED).any() else "proved",
        "overlapping_pairs": int((status == OVERLAP).sum()),
        "unproved_pairs": int((status == UNPROVED).sum()),
        "smallest_distance": float(disjoint.min()) if len(disjoint) else None,
        "counts": dict(content.counts),
        "timings": dict(content.timings),
        "versions": versions(),
    }
    if test is not None:
        summary["test"] = _test_summary(content, test)
    return summary


def _test_summary(content: Content, test: Predictions) -> dict[str, Any]:
    """Describe the test space and how many of its labels were predicted."""
    predicted = pick(texts(content.classes), content.cluster_codes)[test.cluster]
    true = texts(test.space.labels)
    right = sum(a == b for a, b in zip(predicted, true, strict=True))
    return {
        **_where(test.space),
        "n_points": test.space.n_points,
        "right": right,
        "accuracy": right / test.space.n_points,
    }


def _where(space: Space) -> dict[str, Any]:
    """Say which data a space is."""
    hashes = space.fingerprints()
    return {
        "name": space.name,
        "path": None if space.source is None else str(Path(space.source).resolve()),
        "points_sha256": hashes["points"],
        "labels_sha256": hashes["labels"],
        "label_type": type(space.labels[0].item()).__name__,
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, geoprobe and what it computes with."""
    found = installed_versions(_PACKAGES)
    missing = {name: "not installed" for name in _PACKAGES if name not in found}
    return {"python": platform.python_version(), **found, **missing}
