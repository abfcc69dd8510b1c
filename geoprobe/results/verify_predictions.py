"""Whether predictions fit the clusters that they name, and the accuracy fits them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import VerificationError
from geoprobe.files.csv_files import texts
from geoprobe.geometry.fingerprints import hash_labels
from geoprobe.results.layout import PREDICTIONS, SUMMARY
from geoprobe.results.tabled import Tabled
from geoprobe.results.verify_partition import every


def check_predictions(t: Tabled) -> int:
    """Check that predictions name clusters of the label predicted, and the accuracy."""
    if t.predictions is None:
        return 0
    p, path = t.predictions, t.folder / PREDICTIONS
    names = texts(t.summary["labels"])
    every(path, "row", p.row, np.arange(len(p.row)))
    every(path, "predicted", p.predicted, t.cluster_label[p.cluster], names.__getitem__)
    negative = np.flatnonzero(p.distance < 0)
    if len(negative):
        at = int(negative[0])
        raise VerificationError(f"{path}, line {at + 2}: distance is {p.distance[at]!r}, below 0.")
    test = t.summary["test"]
    if not isinstance(test, dict):
        raise VerificationError(
            f'{t.folder / SUMMARY}: "test" is {test!r}, but should be an object.'
        )
    if _hash_cells(p.label, test.get("label_type")) != test.get("labels_sha256"):
        raise VerificationError(f"{path}: the labels are not those of the test points.")
    right = sum(names[code] == label for code, label in zip(p.predicted, p.label, strict=True))
    n_points = len(p.predicted)
    for key, value in (
        ("n_points", n_points),
        ("right", right),
        ("accuracy", right / n_points if n_points else None),
    ):
        if test.get(key) != value:
            raise VerificationError(
                f'{t.folder / SUMMARY}: "{key}" of "test" is {test.get(key)!r}, but {PREDICTIONS} '
                f"gives {value!r}."
            )
    return n_points


def _hash_cells(cells: NDArray[np.object_], kind: object) -> str | None:
    """Return the fingerprint of labels that were spelt out in a table; None if they are no such."""
    types: dict[object, Callable[[str], object]] = {"str": str, "int": int, "bool": "True".__eq__}
    if kind not in types:
        return None
    try:
        return hash_labels(np.array([types[kind](cell) for cell in cells]))
    except (ValueError, OverflowError):
        return None
