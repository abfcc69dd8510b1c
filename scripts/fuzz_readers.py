"""Feed damaged files to the readers of tasks: each is read, or refused with a clean error.

Usage: ``python -m scripts.fuzz_readers --minutes 2 --seed 1 [--files FILE ...]``. Files given are
further starting points; only their first 4,000 bytes are used. Prints how many inputs each reader
took and refused; ends with status 1 at the first other exception, and leaves that input behind.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from geoprobe.errors import GeoprobeError
from geoprobe.tasks import SharedUnitsWarning, Task, TaskSpec, read_task

TREEBANK = b"""\
# newdoc id = d1
# text = They'll go to town.
1-2\tThey'll\t_\t_\t_\t_\t_\t_\t_\t_
1\tThey\tthey\tPRON\tPRP\tNumber=Plur\t3\tnsubj\t3:nsubj\t_
2\t'll\twill\tAUX\tMD\tVerbForm=Fin\t3\taux\t3:aux\t_
3\tgo\tgo\tVERB\tVB\tVerbForm=Inf\t0\troot\t0:root\t_
3.1\tgone\tgo\tVERB\t_\t_\t_\t_\t3:conj\t_
4\tto\tto\tADP\tIN\t_\t5\tcase\t5:case\tRole=Goal
5\ttown\ttown\tNOUN\tNN\tNumber=Sing\t3\tobl\t3:obl:to\tSpaceAfter=No
6\t.\t.\tPUNCT\t.\t_\t3\tpunct\t3:punct\t_

# newdoc id = d2
1\tN\xc3\xb3\tno\tINTJ\tUH\t_\t2\tdiscourse\t2:discourse\t_
2\tcars\tcar\tNOUN\tNNS\tNumber=Plur\t0\troot\t0:root\t_

"""
LEXICAL = b"".join(
    line + (b"\t_\tP\tto\tp.Goal\tp.Locus\t_\t_\t_\tO-P\n" if b"\t" in line else b"\n")
    for line in TREEBANK.splitlines()
)
TREC = b"LOC:city What county is Modesto , California in ?\nDESC:def What is caf\xe9 ?\n"
CSV = b'id,text,label\r\n1,"Well, ""no""",x\r\n2,two words,y\r\n3,"two\nlines",x\r\n'
TSV = b'label\ttext\nx\t"Well," she said\ny\tcaf\xc3\xa9\n'
TEXTS = b'{"text": "Is it caf\xc3\xa9?", "label": "x"}\n{"text": ["a", "b"], "label": 2}\n'
WORDS = b'{"tokens": ["a", "b"], "labels": ["X", null]}\n{"tokens": ["c"], "labels": [1]}\n'
PAIRS = (
    b'{"tokens": "a b c", "words": [0, 2], "label": "X"}\n'
    b'{"tokens": ["d", "e"], "words": [1, 0], "label": 2}\n'
)

READERS: dict[str, tuple[bytes, dict[str, object]]] = {
    "conllu words": (TREEBANK, {"format": "conllu", "group": "newdoc id"}),
    "conllu pairs": (TREEBANK, {"format": "conllu", "units": "pairs", "join": "difference"}),
    "conllu keys": (TREEBANK, {"format": "conllu", "label": "feats.Number"}),
    "conllulex": (LEXICAL, {"format": "conllu", "label": "ss", "only": {"ss2": "p.*"}}),
    "trec": (TREC, {"format": "trec"}),
    "csv": (CSV, {"format": "csv"}),
    "tsv": (TSV, {"format": "tsv"}),
    "jsonl sentence": (TEXTS, {"format": "jsonl"}),
    "jsonl words": (WORDS, {"format": "jsonl", "units": "words"}),
    "jsonl pairs": (PAIRS, {"format": "jsonl", "units": "pairs"}),
}
PIECES = [
    *(b"\t", b"\n", b"\r", b"\r\n", b"\n\n", b"\0", b"\xff", b"\xf0\x9f", b"\xef\xbb\xbf", b" "),
    *(b"_", b"#", b"# a = b\n", b"1-2", b"0.1", b"0", b"-1", b"9" * 5000, b"=", b"|", b":", b"."),
    *(
        b'"',
        b'""',
        b",",
        b"{",
        b"}",
        b"[" * 2000,
        b"null",
        b"NaN",
        b"1e999",
        b"\\ud800",
        b"\\u0000",
    ),
    *("\u2028".encode(), "\u0085".encode(), "\u0661".encode(), "\u00a0".encode(), b"true", b"p."),
]
_MOST_BYTES = 4000


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return the content after one to four accidents."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        first, last = sorted(rng.randint(0, len(data)) for _ in range(2))
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[rng.randrange(len(data))] = rng.randrange(256)
        elif kind == 1:
            data[first:first] = rng.choice(PIECES)
        elif kind == 2:
            data[first : first + rng.randint(1, 4)] = rng.choice(PIECES)
        elif kind == 3:
            del data[first : min(last, first + rng.randint(1, 30))]
        elif kind == 4:
            data[first:first] = data[first : min(last, first + 200)]
        elif kind == 5:
            lines = data.splitlines(keepends=True)
            rng.shuffle(lines)
            data = bytearray(b"".join(lines))
        else:
            del data[last:]
    return bytes(data)


def check(task: Task) -> None:
    """Make sure that what was read can be used: hashed, and its labels held by an array."""
    assert len(task.fingerprint) == 64
    for split in task.splits.values():
        assert split.labels.tolist() == [unit.label for unit in split.units]


def campaign(seconds: float, seed: int, files: list[Path], keep: Path) -> Counter[tuple[str, str]]:
    """Damage and read until the time is over, and count what became of it.

    Raises
    ------
    Exception
        Whatever a reader raises that is no GeoprobeError; ``keep`` then holds the input.
    """
    rng = random.Random(seed)
    outcomes: Counter[tuple[str, str]] = Counter()
    # Files of other formats are refused at once, so most inputs start from the reader's own.
    starts = {name: [content] * 2 * (len(files) + 1) for name, (content, _) in READERS.items()}
    for file in files:
        content = file.read_bytes()[:_MOST_BYTES]
        for name in starts:
            starts[name].append(content)
    warnings.simplefilter("ignore", SharedUnitsWarning)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, (_, how) in READERS.items():
            keep.write_bytes(damaged(rng.choice(starts[name]), rng))
            spec = TaskSpec.from_table({"train": keep, "test_fraction": 0.5, **how})
            try:
                check(read_task(spec, "fuzzed"))
            except GeoprobeError:
                outcomes[name, "refused"] += 1
            else:
                outcomes[name, "read"] += 1
    return outcomes


def run(campaign: Callable[[Path], Counter[tuple[str, str]]], name: str, seed: int) -> int:
    """Run a campaign, print what became of its inputs, and return the status to end with.

    Parameters
    ----------
    campaign : callable
        Takes a folder in which it leaves the input that does harm.
    name : str
        What the folder is called.
    seed : int
    """
    warnings.simplefilter("ignore")
    keep = Path(tempfile.mkdtemp(prefix=name))
    try:
        outcomes = campaign(keep)
    except Exception:
        traceback.print_exc()
        print(f"the input that did this is in {keep}")
        return 1
    for (reader, what), count in sorted(outcomes.items()):
        print(f"{reader:15} {what:8} {count:7}")
    print(f"{sum(outcomes.values())} inputs, seed {seed}: clean errors only")
    shutil.rmtree(keep)
    return 0


def main() -> int:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    seconds, seed = 60 * options.minutes, options.seed
    return run(
        lambda folder: campaign(seconds, seed, options.files, folder / "input"),
        "fuzz_readers_",
        seed,
    )


if __name__ == "__main__":
    sys.exit(main())
