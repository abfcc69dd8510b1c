"""Files with bytes changed, lost or added at random: read, or refused with a GeoprobeError."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from geoprobe.errors import GeoprobeError
from geoprobe.reference.config import read_config
from geoprobe.reference.inputs import load_test, load_train
from geoprobe.spaces import read_space
from tests.support.format_files import WRITERS

X = np.random.default_rng(0).normal(size=(5, 3))
Y = list("ababa")
CONFIG = """\
[run]
output_path = out
[data]
common = .
label_set_path = ${common}/tags.txt
entities_path = e.txt
embeddings_path = a.txt
test_entities_path = e.txt
test_embeddings_path = a.txt
[clustering]
mode = probing
"""


def write_files() -> None:
    np.savez("a.npz", X=X, y=Y)
    np.savez_compressed("c.npz", X=X, y=Y)
    np.save("a.npy", X)
    np.save("y.npy", Y)
    rows = ["p,q,r,label", *(f"{p},{q},{r},{label}" for (p, q, r), label in zip(X, Y, strict=True))]
    Path("a.csv").write_text("\n".join(rows))
    Path("a.txt").write_text("\n".join(" ".join(map(str, row)) for row in X))
    Path("y.txt").write_text("\n".join(Y))
    Path("e.txt").write_text("".join(f"word\t{label}\n" for label in Y))
    Path("tags.txt").write_text("a\nb\n")
    Path("c.ini").write_text(CONFIG)


def read_data(path: str) -> None:
    config = read_config(path)
    load_test(config, load_train(config))


READERS: dict[str, Callable[[str], object]] = {
    "a.npz": read_space,
    "c.npz": read_space,
    "a.npy": lambda path: read_space(path, labels="y.npy"),
    "y.npy": lambda path: read_space("a.npy", labels=path),
    "a.csv": read_space,
    "a.txt": lambda path: read_space(path, labels="y.txt"),
    "y.txt": lambda path: read_space("a.npy", labels=path),
    "e.txt": lambda path: read_space("a.npy", labels=path),
    "c.ini": read_data,
}


def damaged(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(changed) + 1)
        how = rng.randrange(4)
        if how == 0:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        elif how == 1 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif how == 2:
            del changed[at:]
        else:
            changed[at:at] = bytes(rng.choices(b"0123456789,\n\t \"'{}[]\0\xff-e.", k=3))
    return bytes(changed)


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["hdf5", "parquet", "feather", "arrow stream", "torch"])
def test_damaged_files_of_other_libraries(kind: str, tmp_path: Path) -> None:
    name, write = WRITERS[kind]
    path = tmp_path / name
    write(path, X, Y)
    read_space(path)
    whole = path.read_bytes()
    rng = random.Random(kind)
    refused = 0
    for _ in range(150):
        path.write_bytes(damaged(whole, rng))
        try:
            read_space(path)
        except GeoprobeError:
            refused += 1
    assert refused > 50


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::geoprobe.errors.InputWarning")
@pytest.mark.parametrize("name", READERS)
def test_damaged_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_files()
    read = READERS[name]
    read(name)
    whole = Path(name).read_bytes()
    rng = random.Random(name)
    refused = 0
    for _ in range(150):
        other = f"damaged{Path(name).suffix}"
        Path(other).write_bytes(damaged(whole, rng))
        try:
            read(other)
        except GeoprobeError:
            refused += 1
    assert refused > 50
