"""The training behind learning curves; the half that knows torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch  # noqa: TID253  (only what trains networks imports this module)
from numpy.typing import NDArray

from geoprobe.probes.classifier.arithmetic import chosen_device, training_arithmetic
from geoprobe.probes.classifier.jobs import ORDER, START, torch_stream
from geoprobe.probes.classifier.networks import Blocks, Shape, initial, stacked
from geoprobe.probes.classifier.recipe import Recipe, Sizes
from geoprobe.probes.classifier.training import Labelled, accuracies, train
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.threads import in_order

FloatArray = NDArray[np.float64]

_CURVES = 2


class Curves:
    """Training points, and evaluation sets by name, on the device."""

    def __init__(
        self,
        points: NDArray[np.float32],
        codes: NDArray[np.int32],
        n_labels: int,
        sets: dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]],
        device: str,
    ) -> None:
        self.n_labels = n_labels
        self.device = chosen_device(device)
        self.train_on = self._placed(points, codes.astype(np.int64))
        self.sets = {name: self._placed(*given) for name, given in sets.items()}

    def _placed(self, points: NDArray[np.float32], codes: NDArray[np.int64]) -> Labelled:
        return Labelled(
            torch.from_numpy(points).to(self.device), torch.from_numpy(codes).to(self.device)
        )

    def run(
        self,
        sizes: Sizes,
        decay: float,
        n: int,
        recipe: Recipe,
        random_state: int,
        n_threads: int,
        progress: ProgressCallback | None,
    ) -> dict[str, FloatArray]:
        """Train n networks and return the accuracies (n, n_epochs) on every set."""
        shape = Shape(self.train_on.points.shape[1], *sizes, self.n_labels)

        def follow(members: Sequence[int]) -> dict[str, FloatArray]:
            torch.set_num_threads(1)
            seeds = [(random_state, _CURVES, k) for k in members]
            start = stacked([initial(shape, torch_stream(START, seed)) for seed in seeds], shape)
            found = {name: np.empty((len(members), recipe.max_epochs)) for name in self.sets}

            def watch(epoch: int, parts: Blocks) -> None:
                for name, points in self.sets.items():
                    found[name][:, epoch - 1] = accuracies(parts, points)

            order = torch_stream(ORDER, (random_state, _CURVES))
            decays = (decay,) * len(members)
            with torch.no_grad():
                train(start, shape, decays, (self.train_on, None), recipe, order, watch)
            return found

        # A processor trains networks beside each other, a GPU all as one batch.
        alone = self.device.type == "cpu"
        groups = [[k] for k in range(n)] if alone else [list(range(n))]
        curves: list[dict[str, FloatArray]] = []
        with training_arithmetic():
            for found in in_order(follow, groups, n_threads if alone else 1):
                curves.append(found)
                if progress is not None:
                    progress(Progress("learning curves", len(curves), len(groups)))
        return {name: np.concatenate([found[name] for found in curves]) for name in self.sets}
