"""Columns of the tables of a study: what each holds and says."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """One column."""

    type: type
    """What it holds where it is not empty."""
    meaning: str


CELL = {
    "task": Column(str, "whose units were represented"),
    "model": Column(str, "the encoder"),
    "tuned_on": Column(str, "the task it was fine-tuned on; empty for the model as published"),
    "seed": Column(int, "of the fine-tuning"),
    "step": Column(int, "updates of the fine-tuning; 0 is the model as published"),
    "layer": Column(int, "0 is the output of the embedding layer"),
}
"""What a row is about; the user's own groupings, which are text, follow."""

SPACE = {
    "units": Column(int, "points to train"),
    "dimensions": Column(int, "of the space"),
    "labels": Column(int, "different labels of the points to train"),
    "clusters": Column(int, "as many as labels where a hyperplane separates any two labels"),
    "linear": Column(bool, "whether there are as many clusters as labels"),
    "overlapping_pairs": Column(int, "pairs of labels whose convex hulls share a point"),
    "duplicate_points": Column(int, "points equal to an earlier one of the same label"),
    "contradictory_points": Column(int, "points equal to one of another label"),
    "radius": Column(float, "largest distance of a point to the mean of all"),
    "smallest_distance": Column(float, "of two labels"),
    "mean_distance": Column(float, "of two labels"),
    "mean_spread": Column(
        float, "root mean square distance of a label's points to their mean, over the labels"
    ),
    "similarity_to_original": Column(
        float, "Pearson correlation of the distances with those before fine-tuning"
    ),
    "test_units": Column(int, "points to test"),
    "similarity_to_test": Column(
        float, "Pearson correlation of the distances of the test and of all of training"
    ),
    "directprobe_accuracy": Column(float, "on the points to test, by the nearest cluster"),
    "classifier_accuracy": Column(
        float, "of the classifier probe, the mean over its initialisations"
    ),
    "classifier_std": Column(float, "its standard deviation over them"),
    "head_accuracy": Column(float, "of the fine-tuned head"),
}
"""What is said of a space."""

PAIR = {
    "label": Column(str, "one label"),
    "other": Column(str, "another one"),
    "units": Column(int, "points to train of the label"),
    "units_of_other": Column(int, "points to train of the other label"),
    "distance": Column(float, "of the two labels, by their clusters"),
    "hull_lower": Column(float, "proved: their convex hulls are at least so far apart"),
    "hull_upper": Column(float, "proved: they are at most so far apart"),
    "hull_status": Column(str, "whether the hulls overlap or are disjoint, or neither was proved"),
}
"""What is said of two labels of a space."""


def type_of(column: str) -> type:
    """Return what a column holds where it is not empty; groupings of the user's own are text."""
    known = {**CELL, **SPACE, **PAIR}.get(column)
    return str if known is None else known.type
