"""Word pieces per second of extraction, of its floor, and of what people use otherwise.

All layers of MiniLM for the words of English-PUD. Usage:
``python -m benchmarks.extraction [--rounds N] [--threads N] [--sentences N]``. Every round runs
every program once, one after the other, and the table gives medians: of the time on the clock, and
of the processors' time, which does not mind other work on the machine as much.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.inputs import SHARED
from geoprobe.encoders import Encoder, align, load_encoder
from geoprobe.tasks import Split, Unit, load_task

Program = Callable[[], int]

OURS = "geoprobe"
FLOOR = "bare forward pass, same batches"
FAST_FLOOR = "bare forward pass by oneDNN, same batches"
PIPELINE = "transformers feature-extraction pipeline, batch_size={}"
SENTENCE_TRANSFORMERS = "sentence-transformers, token_embeddings"


def words_of_pud(n_sentences: int) -> Split:
    """Return the words of the first sentences of English-PUD."""
    split = load_task("pos", data=SHARED / "data").train
    units: tuple[Unit, ...] = tuple(u for u in split.units if u.sentence < n_sentences)
    return Split("train", split.sentences[:n_sentences], units)


def programs(encoder: Encoder, split: Split) -> dict[str, Program]:
    """Return what is compared; each gives the number of vectors that it made."""
    texts = [" ".join(sentence.words) for sentence in split.sentences]
    found = {OURS: lambda: ours(encoder, split)}
    found |= floors(encoder, split)
    for size in (1, 8, 32):
        found[PIPELINE.format(size)] = pipeline(encoder, texts, size)
    try:
        found[SENTENCE_TRANSFORMERS] = sentence_transformers(texts)
    except ImportError:
        print("sentence-transformers is not installed and left out.")
    return found


def ours(encoder: Encoder, split: Split) -> int:
    """Align, extract all layers, pool the words, and keep them."""
    from geoprobe.encoders.extract import extract

    kept: list[Any] = []
    extract(
        encoder,
        align(encoder, split),
        join="single",
        write=lambda layer, rows, points: kept.append(points),
    )
    return sum(map(len, kept))


def floors(encoder: Encoder, split: Split) -> dict[str, Program]:
    """Return the model alone on ready batches, as torch runs it and with products by oneDNN."""
    import torch

    from geoprobe.encoders.batches import make_batch
    from geoprobe.encoders.forward import MAX_PIECES, group_sentences
    from geoprobe.encoders.linear import FastLinear

    aligned = align(encoder, split)
    batches = [
        make_batch(aligned, group, join="single", device=encoder.device)
        for group in group_sentences(aligned, MAX_PIECES[encoder.device.type], encoder.device.type)
    ]

    def run() -> int:
        n_vectors = 0
        with torch.inference_mode():
            for batch in batches:
                found = encoder.model(
                    input_ids=batch.ids, attention_mask=batch.mask, output_hidden_states=True
                )
                n_vectors += batch.ids.numel() * len(found.hidden_states)
        return n_vectors

    def run_fast() -> int:
        with FastLinear():
            return run()

    return {FLOOR: run, FAST_FLOOR: run_fast}


def pipeline(encoder: Encoder, texts: list[str], size: int) -> Program:
    """Return the pipeline, which gives the last layer of every piece."""
    from transformers import pipeline as make

    made = make(
        "feature-extraction",
        model=encoder.model,
        tokenizer=encoder.tokenizer,
        device=encoder.device,
    )
    return lambda: sum(len(each[0]) for each in made(texts, batch_size=size))


def sentence_transformers(texts: list[str]) -> Program:
    """Return the other library, which gives the last layer of every piece, sorted by length."""
    from sentence_transformers import SentenceTransformer

    from geoprobe.encoders.model_files import offline_folder

    made = SentenceTransformer(str(offline_folder()), device="cpu")
    return lambda: sum(len(each) for each in made.encode(texts, output_value="token_embeddings"))


def measured(compared: dict[str, Program], rounds: int) -> dict[str, tuple[float, float]]:
    """Return the median seconds of each program, of the clock and of the processors."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in compared}
    for program in compared.values():
        program()
    for _ in range(rounds):
        for name, program in compared.items():
            clock, processor = time.perf_counter(), time.process_time()
            program()
            times[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return {
        name: (statistics.median(c for c, _ in each), statistics.median(p for _, p in each))
        for name, each in times.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--sentences", type=int, default=200)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    encoder = load_encoder("minilm")
    split = words_of_pud(chosen.sentences)
    n_pieces = int(align(encoder, split).lengths.sum())
    times = measured(programs(encoder, split), chosen.rounds)
    print(f"{n_pieces} word pieces, {chosen.threads} threads, {encoder.device}\n")
    print("| program | pieces/s | times geoprobe's | pieces/s of processor time | times |")
    print("|---|---:|---:|---:|---:|")
    for name, (clock, processor) in times.items():
        print(
            f"| {name} | {n_pieces / clock:,.0f} | {clock / times[OURS][0]:.2f} "
            f"| {n_pieces / processor:,.0f} | {processor / times[OURS][1]:.2f} |"
        )


if __name__ == "__main__":
    main()
