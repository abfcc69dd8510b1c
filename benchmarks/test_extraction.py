"""Extraction: geoprobe, the bare forward pass, and what people use otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks.extraction import (  # noqa: E402
    FAST_FLOOR,
    FLOOR,
    OURS,
    PIPELINE,
    SENTENCE_TRANSFORMERS,
    Program,
    programs,
    words_of_pud,
)
from benchmarks.inputs import SHARED  # noqa: E402
from geoprobe.encoders import MissingModelError, load_encoder  # noqa: E402

N_SENTENCES = 100
NAMES = [OURS, FLOOR, FAST_FLOOR, *map(PIPELINE.format, (1, 8, 32)), SENTENCE_TRANSFORMERS]


@cache
def all_programs() -> dict[str, Program]:
    """Return the programs; skip where the model or the text is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"needs {SHARED / 'data'}; GEOPROBE_SHARED names the folder above 'data'")
    try:
        encoder = load_encoder("minilm", device="cpu")
    except MissingModelError as error:
        pytest.skip(str(error))
    return programs(encoder, words_of_pud(N_SENTENCES))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_extraction(timed: Callable[..., Any], name: str, threads: int) -> None:
    if name not in all_programs():
        pytest.skip(f"{name} is not installed")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        timed(
            all_programs()[name],
            work=f"MiniLM: {N_SENTENCES} sentences of English-PUD",
            program=name,
            threads=threads,
            outcome=lambda n_vectors: f"{n_vectors} vectors",
        )
    finally:
        torch.set_num_threads(before)
