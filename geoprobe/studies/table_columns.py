"""Columns of the tables of a study."""

CELL = ("task", "model", "tuned_on", "seed", "step", "layer")
"""What a row is about; the user's own groupings follow."""

SPACE = (
    "units", "dimensions", "labels", "clusters", "linear", "overlapping_pairs",
    "duplicate_points", "contradictory_points", "radius", "smallest_distance", "mean_distance",
    "similarity_to_original", "test_units", "similarity_to_test", "directprobe_accuracy",
    "classifier_accuracy", "classifier_std", "head_accuracy",
)  # fmt: skip
"""What is said of a space."""

PAIR = (
    "label", "other", "units", "units_of_other", "distance", "hull_lower", "hull_upper",
    "hull_status",
)  # fmt: skip
"""What is said of two labels of a space."""

_WHOLE = {
    "seed", "step", "layer", "units", "dimensions", "labels", "clusters", "overlapping_pairs",
    "duplicate_points", "contradictory_points", "test_units", "units_of_other",
}  # fmt: skip
_TEXT = {"task", "model", "tuned_on", "label", "other", "hull_status"}


def type_of(column: str) -> type:
    """Return what a column holds where it is not empty; groupings of the user's own are text."""
    if column == "linear":
        return bool
    if column in _WHOLE:
        return int
    known = {*CELL, *SPACE, *PAIR} - _TEXT
    return float if column in known else str
