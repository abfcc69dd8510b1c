"""What each analysis is called, what it answers, and how to read it."""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """The words above the figures of one analysis."""

    title: str
    question: str
    reading: str


TEXTS = {
    "performance": Text(
        "Performance before and after fine-tuning",
        "Does fine-tuning help, and do train and test stay alike?",
        "One row for each task and model, as published and after the last update. The accuracies "
        "on the test split are those of DirectProbe (the label of the nearest cluster), of the "
        "classifier probe (mean and standard deviation over initialisations) and of the "
        "fine-tuned head. The similarity is the Pearson correlation of the distances between "
        "labels in the train and in the test space: 1 means that both are laid out alike.",
    ),
    "memorisation": Text(
        "Memorisation",
        "Does fine-tuning remember the training units?",
        "The training units are split 80 to 20 into subtrain and subtest; fine-tuning saw both. A "
        "classifier is trained on subtrain. Where its curve on subtest runs far above that on "
        "test, the representation knows the training units better than new ones.",
    ),
    "linearity": Text(
        "Linearity",
        "Can hyperplanes tell the labels apart?",
        "With as many clusters as labels a hyperplane separates every two labels. Further "
        "clusters count how often a label had to be split. Where a label is split, the other "
        "view names the cluster of another label that stands in between.",
    ),
    "min-distances": Text(
        "Minimum distance of each label during fine-tuning",
        "Which labels does fine-tuning push away from the others, and when?",
        "A line is the distance from a label to the nearest other one, in the units of the space, "
        "by update. The three labels that gain most and the three that gain least are named.",
    ),
    "centroid-paths": Text(
        "Paths of the centroids of the closest labels",
        "Where do labels go that lie close together?",
        "Each path is the mean of the points of a label, update by update, in the plane of the two "
        "principal components of the path's own points; the first layer beside the last.",
    ),
    "cross-task": Text(
        "Fine-tuning on another task",
        "What does fine-tuning on one task do to the space of another?",
        "For each task that was looked at and each that was fine-tuned on: how many labels came "
        "further from, or closer to, their nearest neighbour, the mean change of that distance, "
        "and the accuracy before and after.",
    ),
    "movement": Text(
        "Movement of the labels by layer",
        "Which layers does fine-tuning change?",
        "The distance between the mean of a label's points before and after, for each layer. "
        "Higher layers usually move further.",
    ),
    "similarity": Text(
        "Similarity of each layer to its original",
        "How much of the original layout is left?",
        "The Pearson correlation of the distances between labels with those of the same layer "
        "before fine-tuning: 1 is the original layout, whatever its size.",
    ),
    "differences": Text(
        "Directions in which the labels move",
        "Do labels move apart, or all the same way?",
        "Arrows are the vectors from each label's mean before fine-tuning to that after it, in the "
        "plane of their two principal components. Arrows in different directions mean that labels "
        "move away from each other.",
    ),
}
