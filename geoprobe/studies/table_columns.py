"""Columns of the tables of a study."""

CELL = ("task", "model", "tuned_on", "seed", "step", "layer")
"""What a row is about; the user's own groupings follow."""

SPACE = (
    "units", "dimensions", "labels", "clusters", "linear", "overlapping_pairs",
    "duplicate_points", "contradictory_points", "radius", "smallest_distance", "mean_distance",
    "mean_spread",
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


MEANING = {
    "task": "whose units were represented",
    "model": "the encoder",
    "tuned_on": "the task it was fine-tuned on; empty for the model as published",
    "seed": "of the fine-tuning",
    "step": "updates of the fine-tuning; 0 is the model as published",
    "layer": "0 is the output of the embedding layer",
    "units": "points to train; in distances, those of the label",
    "dimensions": "of the space",
    "labels": "different labels of the points to train",
    "clusters": "as many as labels where a hyperplane separates any two labels",
    "linear": "whether there are as many clusters as labels",
    "overlapping_pairs": "pairs of labels whose convex hulls share a point",
    "duplicate_points": "points equal to an earlier one of the same label",
    "contradictory_points": "points equal to one of another label",
    "radius": "largest distance of a point to the mean of all",
    "smallest_distance": "of two labels",
    "mean_distance": "of two labels",
    "mean_spread": "root mean square distance of a label's points to their mean, over the labels",
    "similarity_to_original": "Pearson correlation of the distances with those before fine-tuning",
    "test_units": "points to test",
    "similarity_to_test": "Pearson correlation of the distances of the test and of all of training",
    "directprobe_accuracy": "on the points to test, by the nearest cluster",
    "classifier_accuracy": "of the classifier probe, the mean over its initialisations",
    "classifier_std": "its standard deviation over them",
    "head_accuracy": "of the fine-tuned head",
    "label": "one label",
    "other": "another one",
    "units_of_other": "points to train of the other label",
    "distance": "of the two labels, by their clusters",
    "hull_lower": "proved: their convex hulls are at least so far apart",
    "hull_upper": "proved: they are at most so far apart",
    "hull_status": "whether the hulls overlap or are disjoint, or neither was proved",
}
"""What each column says."""
