"""A small study: its plan, and a task for it."""

from __future__ import annotations

import json
import random
from pathlib import Path

NOUNS, VERBS = ("cat", "house", "dog", "tree"), ("sleeps", "walks", "sings", "runs")
PLAN = """
resamples = 3
tasks = ["animals"]
models = ["{model}"]
checkpoints = "linear:2"
device = "cpu"

[task.animals]
train = "train.jsonl"
test = "test.jsonl"
units = "words"

[finetune]
epochs = 1
batch_size = 8

[classifier]
hidden_sizes = [8]
weight_decays = [1e-3]
folds = 2
initialisations = 2
max_epochs = 5
"""


def write_task(folder: Path) -> None:
    """Write the training and test files that the plan names into a folder."""
    rng = random.Random(0)
    for name, number in (("train", 40), ("test", 15)):
        lines = []
        for _ in range(number):
            words = ["the", rng.choice(NOUNS), rng.choice(VERBS), rng.choice(["in", "on"])]
            words += ["the", rng.choice(NOUNS)]
            labels = ["DET", "NOUN", "VERB", "ADP", "DET", "NOUN"]
            lines.append(json.dumps({"tokens": words, "labels": labels}))
        (folder / f"{name}.jsonl").write_text("\n".join(dict.fromkeys(lines)), encoding="utf8")
