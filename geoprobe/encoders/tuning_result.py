"""What a finished run of fine-tuning says about itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geoprobe.encoders.options import TuningOptions
from geoprobe.errors import FormatError, GeoprobeError
from geoprobe.files.json_files import read_json, write_json
from geoprobe.spaces.keys import SpaceKey

FORMAT = "geoprobe-tuning"
VERSION = 1
RESULT = "result.json"


@dataclass(frozen=True)
class TunedCheckpoint:
    """How good the head is after some updates.

    Attributes
    ----------
    step : int
        Updates done; 0 is the original encoder under a head that has learnt nothing.
    epoch : float
        The same in passes over the training split.
    train_accuracy, test_accuracy : float
        Share of the units whose label the head predicts; a label that training never saw counts
        as wrong.
    """

    step: int
    epoch: float
    train_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class TuningResult:
    """A finished run of fine-tuning.

    Attributes
    ----------
    task, model : str
        What was fine-tuned on, and the short name of the encoder.
    options : TuningOptions
        With the number of epochs that was chosen.
    labels : tuple of str
        Labels of the training split, sorted; the head has one output for each.
    unseen_labels : dict of str to int
        Labels of the test split that training never saw, and how many units have them.
    n_updates, updates_per_epoch : int
    losses : tuple of float
        Cross-entropy of each update, the mean over the units of its batch, in nats.
    checkpoints : tuple of TunedCheckpoint
        In the order of their steps; the first is step 0.
    keys : tuple of SpaceKey
        What was extracted, the originals included.
    plan : dict
        Fingerprints of everything that the result depends on.
    environment : tuple of dict
        Device, threads and versions of the libraries, of every process that took part.
    seconds : dict of str to float
        Time spent on training and on checkpoints (extraction and accuracy), over all processes.
    """

    task: str
    model: str
    options: TuningOptions
    labels: tuple[str, ...]
    unseen_labels: dict[str, int]
    n_updates: int
    updates_per_epoch: int
    losses: tuple[float, ...]
    checkpoints: tuple[TunedCheckpoint, ...]
    keys: tuple[SpaceKey, ...]
    plan: dict[str, Any]
    environment: tuple[dict[str, Any], ...]
    seconds: dict[str, float]

    @property
    def test_accuracy(self) -> float:
        """Accuracy of the head on the test split after the last update."""
        return self.checkpoints[-1].test_accuracy

    def write(self, folder: Path) -> None:
        """Write the result; a result on the disk is whole.

        Raises
        ------
        StoreError
            If the system refuses.
        """
        content = asdict(self) | {"keys": [key.as_dict() for key in self.keys]}
        head = {"format": FORMAT, "format_version": VERSION}
        write_json(folder / RESULT, head | content)

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> TuningResult:
        """Read the result of a finished run.

        Parameters
        ----------
        folder : path-like
            The run's folder.

        Raises
        ------
        FormatError
            If there is none or it is damaged.
        """
        path = Path(folder) / RESULT
        if not path.is_file():
            raise FormatError(f"no finished fine-tuning: the folder has no {RESULT}.", folder)
        noted = read_json(path, FORMAT, VERSION, sealed=False)
        try:
            return cls._of(noted)
        except (GeoprobeError, KeyError, TypeError, ValueError) as error:
            raise FormatError(
                f"the result is damaged: {type(error).__name__}: {error}.", path
            ) from error

    @classmethod
    def _of(cls, noted: Mapping[str, Any]) -> TuningResult:
        content = {key: noted[key] for key in noted if key not in ("format", "format_version")}
        content["options"] = TuningOptions(**noted["options"])
        content["checkpoints"] = tuple(TunedCheckpoint(**each) for each in noted["checkpoints"])
        content["keys"] = tuple(SpaceKey.from_dict(each) for each in noted["keys"])
        content["labels"] = tuple(noted["labels"])
        content["environment"] = tuple(noted["environment"])
        content["losses"] = tuple(float(loss) for loss in noted["losses"])
        return cls(**content)
