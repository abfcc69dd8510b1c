"""Claims on pieces: one process has a piece, the dead are found out, failures are counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from geoprobe.errors import InputError
from geoprobe.studies import claims as module
from geoprobe.studies.claims import Claims, digest
from geoprobe.studies.executors import Piece
from geoprobe.studies.shares import Share, parse_share


def piece(name: str = "a") -> Piece:
    return Piece("measure", name, Path("nowhere"), print)


def claim_of_a_process_that_ended(folder: Path) -> Path:
    """Make a claim from a process that ends without giving it back."""
    code = (
        "import os, sys; from pathlib import Path; from geoprobe.studies.claims import Claims;"
        "from geoprobe.studies.executors import Piece; claims = Claims(Path(sys.argv[1]));"
        "print(claims.take(Piece('measure', 'a', Path('nowhere'), print)), flush=True);"
        "os._exit(0)"
    )
    folder.mkdir(exist_ok=True)
    run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
    assert run.stdout == "True\n", run.stderr
    return folder / f"{digest(piece())}.claim-0"


def test_one_of_two_has_a_piece(tmp_path: Path) -> None:
    one, two = Claims(tmp_path), Claims(tmp_path)
    with one.join("1/1"), two.join("1/1"):
        assert one.take(piece()) and not two.take(piece())
        assert two.take(piece("b"))
        (running,) = (each for each in two.look().running.values() if each.name == "a")
        assert (running.kind, running.pid) == ("measure", os.getpid())
        assert two.look().shares == {"1/1"}
        one.release(piece())
        assert two.take(piece())
    assert list(tmp_path.iterdir()) == []


def test_the_piece_of_a_dead_process_is_taken_over_once(tmp_path: Path) -> None:
    claim_of_a_process_that_ended(tmp_path)
    every = [Claims(tmp_path) for _ in range(8)]
    won: list[bool] = []
    threads = [threading.Thread(target=lambda c=c: won.append(c.take(piece()))) for c in every]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    assert len(Claims(tmp_path).look().running) == 1


def test_a_process_of_another_machine_is_dead_without_signs_of_life(tmp_path: Path) -> None:
    path = claim_of_a_process_that_ended(tmp_path)
    noted = json.loads(path.read_text())
    path.write_text(json.dumps({**noted, "machine": "elsewhere"}))
    mine = Claims(tmp_path)
    with mine.join("1/1"):
        assert not mine.take(piece()) and len(mine.look().running) == 1
        long_ago = time.time() - 2 * module.STALE_S
        os.utime(path, (long_ago, long_ago))
        assert mine.look().running == {}
        assert mine.take(piece())
        mine.release(piece())
    assert list(tmp_path.iterdir()) == []


def test_signs_of_life_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.02)
    mine = Claims(tmp_path)
    with mine.join("1/1"):
        assert mine.take(piece())
        paths = list(tmp_path.iterdir())
        for path in paths:
            os.utime(path, (1, 1))
        time.sleep(0.5)
        assert len(paths) == 2 and all(path.stat().st_mtime > 1 for path in paths)


def test_a_number_of_a_process_that_was_given_again_is_not_taken_for_it(tmp_path: Path) -> None:
    path = claim_of_a_process_that_ended(tmp_path)
    noted = json.loads(path.read_text())
    path.write_text(json.dumps({**noted, "pid": os.getpid()}))
    assert Claims(tmp_path).take(piece())


def test_failures_are_counted_and_forgotten(tmp_path: Path) -> None:
    mine = Claims(tmp_path)
    with mine.join("1/1"):
        again = [mine.note_failure(piece(), "lost", lost=True).again for _ in range(3)]
        assert again == [True, True, False]
        assert not mine.note_failure(piece("b"), "bad", lost=False).again
        assert {each.reason for each in mine.look().failures.values()} == {"lost", "bad"}
        mine.forget_failure(piece())
        assert mine.failure(piece()) is None and mine.failure(piece("b")) is not None
        mine.forget_failures()
        assert mine.look().failures == {}


def test_shares_are_whole_and_apart() -> None:
    pieces = [piece(str(number)) for number in range(400)]
    shares = [[each for each in pieces if Share(number, 7).has(each)] for number in range(1, 8)]
    assert sorted(str(each) for share in shares for each in share) == sorted(map(str, pieces))
    assert all(30 < len(share) < 90 for share in shares)
    assert parse_share("3/16") == Share(3, 16)
    for text in ("0/4", "5/4", "3", "a/b", "", "1/0"):
        with pytest.raises(InputError, match="the shard is"):
            parse_share(text)


def test_a_claim_appears_with_its_content_or_not_at_all(tmp_path: Path) -> None:
    """Killed while it makes its claim, a process leaves none; what it left beside is cleared."""
    code = (
        "import os, sys; from pathlib import Path; from geoprobe.studies.claims import Claims;"
        "from geoprobe.studies.executors import Piece; os.link = lambda *names: os._exit(0);"
        "Claims(Path(sys.argv[1])).take(Piece('measure', 'a', Path('nowhere'), print))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(f".{digest(piece())}.claim-0.")
    mine = Claims(tmp_path)
    with mine.join("1/1"):
        assert mine.take(piece())
        mine.look()
        assert not left.exists()
        mine.release(piece())


def test_a_file_system_without_links_keeps_claims_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*names: Path) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    one, two = Claims(tmp_path), Claims(tmp_path)
    with one.join("1/1"), two.join("1/1"):
        assert one.take(piece()) and not two.take(piece())
    assert list(tmp_path.iterdir()) == []
