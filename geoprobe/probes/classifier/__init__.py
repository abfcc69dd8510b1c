"""The classifier probe: two-layer networks, a whole grid of them trained in batches.

Importing this package loads no torch; training does.
"""

from __future__ import annotations

from geoprobe.probes.classifier.curves import LearningCurves, learning_curves
from geoprobe.probes.classifier.estimator import ClassifierProbe
from geoprobe.probes.classifier.recipe import Accuracies

__all__ = ["Accuracies", "ClassifierProbe", "LearningCurves", "learning_curves"]
