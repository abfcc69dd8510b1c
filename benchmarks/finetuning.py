"""Our training loop against the Trainer of transformers, with its default settings otherwise.

``python -m benchmarks.finetuning --task builtin-role --updates 30`` fine-tunes the offline model
under the same head, on the same sentences in the same order and with the same schedule, and prints
sentences per second. Rounds alternate between the programs, since other work on the machine slows
both; medians are printed. With dropout off the two loss curves have to agree, which is checked
first; the timings are with the model's own dropout.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
import warnings
from typing import Any

import numpy as np
import torch  # noqa: TID253
import transformers  # noqa: TID253

from geoprobe.encoders import TuningOptions, align, load_encoder
from geoprobe.encoders.batches import make_batch, pool
from geoprobe.encoders.environment import reproducible
from geoprobe.encoders.load import Encoder
from geoprobe.encoders.training import LinearHead, Training, TrainingData, sentence_order
from geoprobe.encoders.tuning import codes_of
from geoprobe.tasks import Task, load_task


class UnitClassifier(torch.nn.Module):  # type: ignore[misc]
    """Encoder, pooling and head as one model, as somebody would write it for the Trainer."""

    def __init__(self, model: torch.nn.Module, head: LinearHead) -> None:
        super().__init__()
        self.encoder = model
        self.head = head

    def forward(self, batch: Any, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the mean cross-entropy of a batch, as the Trainer expects it."""
        hidden = self.encoder(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        return {"loss": torch.nn.functional.cross_entropy(self.head(pool(hidden, batch)), labels)}


class FixedOrder(transformers.Trainer):  # type: ignore[misc]
    """The Trainer, given our order of sentences."""

    def __init__(self, *args: Any, batches: list[np.ndarray], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batches = batches

    def get_train_dataloader(self) -> Any:
        """Return batches in the order given."""
        return torch.utils.data.DataLoader(
            self.train_dataset,
            batch_sampler=[batch.tolist() for batch in self.batches],
            collate_fn=self.data_collator,
        )

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return inputs


class Bench:
    """One task, one encoder, and the two programs."""

    def __init__(self, encoder: Encoder, task: Task, updates: int, batch_size: int) -> None:
        self.encoder = encoder
        self.task = task
        self.updates = updates
        self.options = TuningOptions(epochs=1, batch_size=batch_size, learning_rate=1e-4)
        self.labels, codes, _ = codes_of(task)
        alignment = align(encoder, task.train)
        targets = torch.from_numpy(codes["train"])
        self.data = TrainingData(alignment, targets, task.join)
        per_epoch = len(alignment.used) // batch_size
        if updates > per_epoch:
            raise SystemExit(f"--updates is {per_epoch} at most")

    def batches(self) -> list[np.ndarray]:
        """Return the batches of the first updates."""
        used, size = self.data.alignment.used, self.options.batch_size
        order = used[sentence_order(len(used), self.options.seed, 0)]
        return [order[k * size : (k + 1) * size] for k in range(self.updates)]

    def parts(self, dropout: float | None) -> tuple[torch.nn.Module, LinearHead]:
        """Return a fresh copy of the encoder and the head."""
        model = copy.deepcopy(self.encoder.model)
        rate = 0.1 if dropout is None else dropout
        if dropout is not None:
            for module in model.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = dropout
            model.config.attention_probs_dropout_prob = dropout
        return model, LinearHead(self.encoder.n_dims, len(self.labels), rate, 0)

    def ours(self, dropout: float | None) -> tuple[float, list[float]]:
        """Return seconds and losses of our loop."""
        training = Training(*self.parts(dropout), self.data, self.options)
        # A run of so many updates, so that the learning rate falls as the Trainer's does.
        training.n_updates = self.updates
        with reproducible(self.encoder.device):
            began = time.perf_counter()
            losses = [training.update() for _ in range(self.updates)]
            return time.perf_counter() - began, losses

    def trainer(self, dropout: float | None) -> tuple[float, list[float]]:
        """Return seconds and losses of the Trainer."""
        device, data = self.encoder.device, self.data

        def collate(sentences: list[int]) -> dict[str, Any]:
            batch = make_batch(data.alignment, np.array(sentences), join=data.join, device=device)
            return {"batch": batch, "labels": data.targets[torch.from_numpy(batch.rows)]}

        with tempfile.TemporaryDirectory() as folder:
            arguments = transformers.TrainingArguments(
                output_dir=folder,
                max_steps=self.updates,
                learning_rate=self.options.learning_rate,
                warmup_steps=self.options.warmup,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
                remove_unused_columns=False,
            )
            made = FixedOrder(
                UnitClassifier(*self.parts(dropout)),
                arguments,
                train_dataset=list(range(len(self.task.train.sentences))),
                data_collator=collate,
                batches=self.batches(),
            )
            made.remove_callback(transformers.PrinterCallback)
            began = time.perf_counter()
            made.train()
            seconds = time.perf_counter() - began
        return seconds, [each["loss"] for each in made.state.log_history if "loss" in each]


def main() -> None:
    """Check the loss curves, time both programs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="builtin-role")
    parser.add_argument("--data", default=None)
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")
    encoder = load_encoder("minilm", device="cpu")
    task = load_task(given.task, data=given.data)
    bench = Bench(encoder, task, given.updates, given.batch_size)
    losses = {
        name: np.array(run(0.0)[1]) for name, run in (("a", bench.ours), ("b", bench.trainer))
    }
    apart = np.abs(losses["a"] - losses["b"]).max()
    print(
        f"{task.name}, {given.updates} updates of {given.batch_size} sentences, {given.threads} "
        f"threads; without dropout the loss goes from {losses['a'][0]:.4f} to "
        f"{losses['a'][-1]:.4f}, the two curves at most {apart:.1e} apart"
    )
    seconds: dict[str, list[float]] = {"geoprobe": [], "Trainer": []}
    for _ in range(given.rounds):
        seconds["geoprobe"].append(bench.ours(None)[0])
        seconds["Trainer"].append(bench.trainer(None)[0])
    print("| program | sentences/s | seconds of each round |\n|---|---|---|")
    for name, each in seconds.items():
        rate = given.updates * given.batch_size / np.median(each)
        print(f"| {name} | {rate:.1f} | {', '.join(f'{value:.1f}' for value in each)} |")
    ratio = np.median(np.array(seconds["Trainer"]) / np.array(seconds["geoprobe"]))
    print(f"geoprobe is {ratio:.2f} times as fast (median of the rounds)")


if __name__ == "__main__":
    main()
