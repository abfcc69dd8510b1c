"""Memorisation: a classifier never saw subtest; the fine-tuning did, and carries it along."""

import numpy as np
from imaginary import space
from sklearn.linear_model import SGDClassifier

from geoprobe.findings import compare_memorisation, subtrain_curves
from geoprobe.geometry import Cell


def train(X, y, parts):
    """Train for 30 epochs and return the accuracy on each part after every one."""
    model = SGDClassifier(alpha=1e-2, learning_rate="constant", eta0=1e-3, random_state=0)
    curves = {name: [] for name in parts}
    for _ in range(30):
        model.partial_fit(X, y, classes=np.unique(y))
        for name, (points, labels) in parts.items():
            curves[name].append(model.score(points, labels))
    return curves


curves = {
    Cell("pos", "imaginary", 4): subtrain_curves(space("pos", 4), train=train),
    Cell("pos", "imaginary", 4, "pos", 0, 100): subtrain_curves(space("pos", 4, 1), train=train),
}
compare_memorisation(curves).plot()
