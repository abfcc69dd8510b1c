"""What the columns of the tables are called, and why a number in them may be missing."""

from __future__ import annotations

HEADINGS = {
    "tuned_on": "tuned on",
    "directprobe": "DirectProbe",
    "directprobe_low": "DirectProbe, low",
    "directprobe_high": "DirectProbe, high",
    "classifier": "classifier",
    "classifier_std": "classifier, sd",
    "n_pairs": "label pairs",
    "undefined": "why undefined",
    "n_units": "units",
    "n_labels": "labels",
    "n_clusters": "clusters",
    "is_linear": "linear",
    "nearest": "nearest label",
    "n_increased": "labels gaining",
    "n_decreased": "labels losing",
    "n_unchanged": "labels unchanged",
    "mean_change": "mean change",
    "change_low": "change, low",
    "change_high": "change, high",
    "std": "sd",
}

REASONS = {
    "directprobe": "no test units were predicted",
    "directprobe_low": "no test units were predicted",
    "directprobe_high": "no test units were predicted",
    "classifier": "no classifier probe was trained here",
    "classifier_std": "fewer than two initialisations",
    "classifier_before": "no classifier probe was trained on the original space",
    "classifier_after": "no classifier probe was trained on the last space",
    "head": "no head was fine-tuned",
    "low": "no interval was computed, or a label has a single unit",
    "high": "no interval was computed, or a label has a single unit",
    "std": "fewer than two initialisations",
    "change_low": "the test units cannot be paired",
    "change_high": "the test units cannot be paired",
    "accuracy_before": "no test units were predicted",
    "accuracy_after": "no test units were predicted",
    "accuracy_change": "no test units were predicted",
    "mean_change": "no label has a distance at both ends",
    "distance": "no other label has a cluster large enough",
    "similarity": "the reason stands in the last column",
    "cosine": "a label did not move",
}


def heading(column: str) -> str:
    """Return what a column is called in the page."""
    return HEADINGS.get(column, column.replace("_", " "))


def reason(column: str) -> str:
    """Return why a number of the column may be undefined."""
    return REASONS.get(column, "not computed")
