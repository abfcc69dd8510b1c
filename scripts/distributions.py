"""Build the sdist and the wheel of a commit: the same bytes from the same commit and tools.

Usage: ``python -m scripts.distributions OUT``, in a clone without changes. Both are made offline,
the wheel from the unpacked sdist, so that whoever has one can make the other. Prints their SHA-256.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from geoprobe.files.disk import hash_file

_BUILD = "import os, sys, setuptools.build_meta as b; os.umask(0o022); b.build_{}(sys.argv[1])"


def build(source: Path, out: Path, epoch: int) -> tuple[Path, Path]:
    """Build sdist and wheel.

    Parameters
    ----------
    source : pathlib.Path
        Folder of the sources, into which the build writes.
    out : pathlib.Path
        Where the two files go.
    epoch : int
        The time that every file in them bears, in seconds since 1970.

    Returns
    -------
    sdist, wheel : pathlib.Path

    Raises
    ------
    SystemExit
        With what setuptools says, if it fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        raw, unpacked = Path(work) / "raw", Path(work) / "unpacked"
        sdist = out / _run("sdist", source, raw, epoch).name
        sdist.write_bytes(_normalised(raw / sdist.name, epoch))
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        wheel = _run("wheel", next(unpacked.iterdir()), out, epoch)
    return sdist, wheel


def _run(kind: str, source: Path, out: Path, epoch: int) -> Path:
    """Let setuptools build in a process of its own, and return the file that it made."""
    out.mkdir(exist_ok=True)
    before = set(out.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", _BUILD.format(kind), str(out)],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    (made,) = set(out.iterdir()) - before
    return made


def _normalised(sdist: Path, epoch: int) -> bytes:
    """Return the archive without what differs from machine to machine: times, owners, order."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=epoch) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
        tarfile.open(sdist) as before,
    ):
        for member in sorted(before.getmembers(), key=lambda member: member.name):
            archive.addfile(_plain(member, epoch), before.extractfile(member))
    return packed.getvalue()


def _plain(member: tarfile.TarInfo, epoch: int) -> tarfile.TarInfo:
    plain = copy.copy(member)
    plain.mtime, plain.pax_headers = epoch, {}
    plain.uid = plain.gid = 0
    plain.uname = plain.gname = ""
    plain.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return plain


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], stdout=subprocess.PIPE, check=True).stdout


def main() -> None:
    """Build what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the two files")
    out: Path = parser.parse_args().out.resolve()
    if out.exists() and any(out.iterdir()):
        sys.exit(f"{out} is not empty.")
    if changed := _git("status", "--porcelain").decode():
        sys.exit(f"Commit or remove first what no commit has:\n{changed}")
    with tempfile.TemporaryDirectory() as source:
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "HEAD"))) as archive:
            archive.extractall(source, filter="data")
        for path in build(Path(source), out, int(_git("log", "-1", "--format=%ct"))):
            print(f"{hash_file(path)}  {path}")


if __name__ == "__main__":
    main()
