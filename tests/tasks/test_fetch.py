"""Fetching corpora, tried on a server on this computer."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from geoprobe.errors import FormatError, InputError
from geoprobe.progress import Progress
from geoprobe.tasks import CORPORA
from geoprobe.tasks.fetch import NOTE, FetchError, fetch_corpus, fetched_files

pytest.importorskip("requests", reason="needs the extra 'data'")

TRAIN = "DESC:manner How far is it to Aspen ?\nNUM:dist How far is it ?\n".encode("latin-1")
TEST = "LOC:city Where is Zürich ?\n".encode("latin-1")
SENTENCE = (
    "# sent_id = {number}\n"
    "1\tIn\tin\tADP\tIN\t_\t0\troot\t_\t_\t_\tP\tin\tp.Locus\tp.Locus\t_\t_\t_\tO-P\n\n"
)


def treebank(n_sentences: int) -> bytes:
    return "".join(SENTENCE.format(number=number) for number in range(n_sentences)).encode()


class Handler(BaseHTTPRequestHandler):
    """Serves what the server holds; answers can be cut short or never end."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        content = self.server.files.get(self.path)  # type: ignore[attr-defined]
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        fault = self.server.fault  # type: ignore[attr-defined]
        if fault != "no length":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault in ("cut", "stuck") else content)
        self.wfile.flush()
        if fault == "stuck":
            self.server.release.wait(30)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files = {"/a/train_5500.label": TRAIN, "/a/TREC_10.label": TEST}  # type: ignore[attr-defined]
    server.asked = []  # type: ignore[attr-defined]
    server.fault = ""  # type: ignore[attr-defined]
    server.release = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.release.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def small_trec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the test's own small files the TREC corpus, and let no proxy stand in between."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    trec = CORPORA["trec"]
    contents = {"train": TRAIN, "test": TEST}
    files = {
        part: replace(
            trec.files[part],
            n_sentences=content.count(b"\n"),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        for part, content in contents.items()
    }
    small = replace(trec, base_url="http://127.0.0.1:9/nobody", files=files)
    monkeypatch.setitem(CORPORA, "trec", small)


def url(server: ThreadingHTTPServer, folder: str = "a") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{folder}"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_all_files_are_fetched_to_where_they_are_looked_for() -> None:
    for corpus in CORPORA.values():
        for part, file in corpus.files.items():
            assert corpus.places(part, Path("data"))[0] == Path("data", corpus.name, file.name)
            assert file.remote.rpartition("/")[2] == file.name


def test_success(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    reports: list[Progress] = []
    home = fetch_corpus("trec", tmp_path, base_url=url(server) + "/", progress=reports.append)
    assert home == tmp_path / "trec"
    assert names(home) == ["TREC_10.label", "fetched.json", "train_5500.label"]
    assert (home / "train_5500.label").read_bytes() == TRAIN
    assert (home / "TREC_10.label").read_bytes() == TEST
    last = {report.detail: (report.done, report.total) for report in reports}
    sizes = {"TREC_10.label": len(TEST), "train_5500.label": len(TRAIN)}
    assert last == {name: (size, size) for name, size in sizes.items()}
    test, train = fetched_files(home)
    assert test.url == url(server) + "/TREC_10.label"
    assert train.sha256 == hashlib.sha256(TRAIN).hexdigest()
    assert (train.n_bytes, train.n_sentences, train.expected) == (len(TRAIN), 2, True)


def test_the_default_folder(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOPROBE_DATA", str(tmp_path / "mine"))
    assert fetch_corpus("trec", base_url=url(server)) == tmp_path / "mine" / "trec"


def test_what_is_there_is_not_fetched_again(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    fetch_corpus("trec", tmp_path, base_url=url(server))
    before = fetched_files(tmp_path / "trec")
    fetch_corpus("trec", tmp_path, base_url=url(server, "nothing"))
    (tmp_path / "trec" / "train_5500.label").unlink()
    fetch_corpus("trec", tmp_path, base_url=url(server))
    assert server.asked == [  # type: ignore[attr-defined]
        "/a/train_5500.label",
        "/a/TREC_10.label",
        "/a/train_5500.label",
    ]
    assert fetched_files(tmp_path / "trec") == before


def test_what_is_there_and_wrong_is_left(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / "trec").mkdir()
    (tmp_path / "trec" / "TREC_10.label").write_bytes(b"HUM:ind Who ?\n")
    with pytest.raises(FetchError, match=r"here already, .* Move it away to fetch it again"):
        fetch_corpus("trec", tmp_path, base_url=url(server))
    assert names(tmp_path / "trec") == ["TREC_10.label"]
    assert server.asked == []  # type: ignore[attr-defined]


def test_wrong_checksum(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    server.files["/a/TREC_10.label"] = b"HUM:ind Who ?\n"  # type: ignore[attr-defined]
    with pytest.raises(FetchError) as caught:
        fetch_corpus("trec", tmp_path, base_url=url(server))
    for content in (b"HUM:ind Who ?\n", TEST):
        assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert url(server) + "/TREC_10.label" in str(caught.value)
    # Not even the first file, which was right.
    assert names(tmp_path / "trec") == []


def test_file_not_found(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"404 .*b/train_5500\.label\. Or download .* put it at"):
        fetch_corpus("trec", tmp_path, base_url=url(server, "b"))
    assert names(tmp_path / "trec") == []


def test_nobody_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(FetchError, match="the network or the server fails") as caught:
        fetch_corpus("trec", tmp_path, base_url=f"http://127.0.0.1:{port}")
    assert str(tmp_path / "trec" / "train_5500.label") in str(caught.value)
    assert names(tmp_path / "trec") == []


def test_an_unknown_host(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"no-such-host\.invalid"):
        fetch_corpus("trec", tmp_path, base_url="http://no-such-host.invalid")


def test_a_download_that_breaks_off(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    server.fault = "cut"  # type: ignore[attr-defined]
    with pytest.raises(FetchError, match=r"network or the server fails|broke off"):
        fetch_corpus("trec", tmp_path, base_url=url(server))
    assert names(tmp_path / "trec") == []


def test_a_short_answer_is_seen_even_if_the_library_does_not(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    monkeypatch.setattr(requests.Response, "iter_content", lambda self, _: [self.raw.read()[:-1]])
    match = rf"the download broke off, {len(TRAIN) - 1} bytes of {len(TRAIN)} came"
    with pytest.raises(FetchError, match=match):
        fetch_corpus("trec", tmp_path, base_url=url(server))


def test_a_server_that_tells_no_length(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    server.fault = "no length"  # type: ignore[attr-defined]
    reports: list[Progress] = []
    fetch_corpus("trec", tmp_path, base_url=url(server), progress=reports.append)
    assert {report.total for report in reports} == {0}


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_while_downloading(
    server: ThreadingHTTPServer, tmp_path: Path, repository: Path, how: signal.Signals
) -> None:
    server.fault = "stuck"  # type: ignore[attr-defined]
    # A shell that started the tests in the background had them ignore the signal.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from geoprobe.tasks.fetch import fetch_corpus\n"
        "fetch_corpus('trec', sys.argv[1], base_url=sys.argv[2])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), url(server)],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stderr=subprocess.PIPE,
    )
    try:
        until = time.monotonic() + 120
        while not list(tmp_path.glob("trec/.*.unfinished/train_5500.label")):
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(how)
        _, stderr = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -how, stderr.decode()
    left = names(tmp_path / "trec")
    assert all(name.startswith(".") for name in left)
    assert (left == []) == (how == signal.SIGINT)
    server.fault = ""  # type: ignore[attr-defined]
    home = fetch_corpus("trec", tmp_path, base_url=url(server))
    assert names(home) == ["TREC_10.label", "fetched.json", "train_5500.label"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (treebank(2700).replace(b"root", b"ro\tot", 1), "line 2: .*It is not kept"),
        (treebank(2699), "has 2699 sentences, but at least 2700 are expected"),
        (b"<html>Sign in</html>\n", "is not the corpus expected"),
        (b"", "is not the corpus expected|has 0 sentences"),
    ],
)
def test_without_a_known_hash_the_content_counts(
    server: ThreadingHTTPServer, tmp_path: Path, content: bytes, match: str
) -> None:
    server.files["/s/train/streusle.ud_train.conllulex"] = content  # type: ignore[attr-defined]
    with pytest.raises(FetchError, match=match):
        fetch_corpus("streusle", tmp_path, base_url=url(server, "s"))
    assert names(tmp_path / "streusle") == []


def test_without_a_known_hash_the_hash_is_noted(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    contents = {"train": treebank(2700), "test": treebank(535)}
    for part, content in contents.items():
        server.files[f"/s/{part}/streusle.ud_{part}.conllulex"] = content  # type: ignore[attr-defined]
    home = fetch_corpus("streusle", tmp_path, base_url=url(server, "s"))
    noted = {file.name: file for file in fetched_files(home)}
    for part, content in contents.items():
        file = noted[f"streusle.ud_{part}.conllulex"]
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert not file.expected
        assert CORPORA["streusle"].find(part, tmp_path).read_bytes() == content


def test_the_real_corpora(server: ThreadingHTTPServer, tmp_path: Path, repository: Path) -> None:
    data = Path(os.environ.get("GEOPROBE_SHARED", repository.parent / "shared")) / "data"
    if not data.is_dir():
        pytest.skip(f"needs {data}; the variable GEOPROBE_SHARED names the folder above 'data'")
    for name in ("ud_english_pud", "streusle"):
        for file in CORPORA[name].files.values():
            content = (data / name / file.name).read_bytes()
            server.files[f"/{name}/{file.remote}"] = content  # type: ignore[attr-defined]
        home = fetch_corpus(name, tmp_path, base_url=url(server, name))
        assert all(file.n_sentences >= 535 for file in fetched_files(home))
    assert [file.expected for file in fetched_files(tmp_path / "ud_english_pud")] == [True]


def test_unknown_corpus(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no corpus 'treck'; the nearest known one is 'trec'"):
        fetch_corpus("treck", tmp_path)


def test_without_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(FetchError, match=r'pip install "geoprobe-engine\[data\]"'):
        fetch_corpus("trec", tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "trec").write_text("mine")
    with pytest.raises(FetchError, match="cannot be written"):
        fetch_corpus("trec", tmp_path)


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}', "[1]", '[{"name": "a"}]', "3"])
def test_a_damaged_note(tmp_path: Path, content: str) -> None:
    (tmp_path / NOTE).write_text(content)
    with pytest.raises(FormatError, match=r"fetched\.json: the note"):
        fetched_files(tmp_path)
