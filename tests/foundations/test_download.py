"""Downloads against a server of our own that breaks off, forgets ranges, changes its file or answers with something else."""

import hashlib
import multiprocessing
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cortexscale import download
from cortexscale.download import fetch
from cortexscale.errors import InputError

CONTENT = bytes(range(256)) * 5_000
"""1.3 MB: more than one block of a copy."""


class Server(ThreadingHTTPServer):
    """Serves one file, as the attributes say; counts requests and the bytes that it sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.tag, self.type = CONTENT, '"one"', "binary/octet-stream"
        self.ranges = self.if_range = self.length = True
        self.breaks: list[int] = []  # bytes after which the next answers break off
        self.states: list[int] = []  # HTTP states of the next answers
        self.pause = 0.0
        self.requests, self.sent = 0, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/model/ep100.pt"

    def handle_error(self, *_):
        pass


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        server = self.server
        server.requests += 1
        time.sleep(server.pause)
        if server.states and (state := server.states.pop(0)) != 200:
            self.send_error(state)
            return
        begin, wanted = 0, self.headers["Range"]
        if wanted and server.ranges and (self.headers["If-Range"] == server.tag or not server.if_range):
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(server.content):
                self.send_error(416)
                return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(server.content) - 1}/{len(server.content)}")
        if server.tag:
            self.send_header("ETag", server.tag)
        if server.length:
            self.send_header("Content-Length", str(len(server.content) - begin))
        self.send_header("Content-Type", server.type)
        self.end_headers()
        body = server.content[begin:]
        body = body[: server.breaks.pop(0)] if server.breaks else body
        server.sent += len(body)
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "WAITS", (0, 0, 0))
    server = Server()
    threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "checkpoints/model/ep100.pt"


def whole(path: Path) -> bool:
    """The file is right, and nothing else was left."""
    return path.read_bytes() == CONTENT and list(path.parent.iterdir()) == [path]


def test_a_download(server, path):
    fetch(server.url, path, size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    assert whole(path)
    fetch(server.url, path)
    assert server.requests == 1


def test_broken_connections_are_continued_where_they_broke(server, path):
    server.breaks = [300_000, 500_000, 1]
    fetch(server.url, path)
    assert whole(path) and server.requests == 4 and server.sent == len(CONTENT)


def test_what_a_killed_process_got_is_continued(server, path):
    """A download that gave up leaves its part, as a kill does."""
    server.breaks = [100_000, 100_000, 100_000, 100_000]
    with pytest.raises(InputError, match=r"no download \(the connection ended after 400,000 of 1,280,000 bytes\)"):
        fetch(server.url, path)
    assert not path.exists() and (path.parent / ".ep100.pt.part").stat().st_size == 400_000
    fetch(server.url, path)
    assert whole(path) and server.sent == len(CONTENT)


@pytest.mark.parametrize("tag", ['"one"', 'W/"one"', ""])
def test_a_server_without_ranges_or_tags_starts_again(server, path, tag):
    server.ranges, server.tag, server.breaks = tag != '"one"', tag, [300_000]
    fetch(server.url, path)
    assert whole(path) and server.sent == len(CONTENT) + 300_000


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_in_between_starts_again(server, path, if_range):
    """Also on a server that ignores If-Range and would continue another file."""
    server.if_range, server.content, server.tag = if_range, CONTENT[::-1], '"old"'
    server.breaks = [300_000] * 4
    with pytest.raises(InputError):
        fetch(server.url, path)
    server.content, server.tag = CONTENT, '"new"'
    fetch(server.url, path)
    assert whole(path)


def test_a_part_that_is_already_whole(server, path):
    """A kill just before the last step leaves a complete part."""
    path.parent.mkdir(parents=True)
    (path.parent / ".ep100.pt.part").write_bytes(CONTENT)
    (path.parent / ".ep100.pt.part.etag").write_text(server.tag)
    fetch(server.url, path)
    assert whole(path)


def test_a_server_that_does_not_announce_the_length(server, path):
    server.length = False
    fetch(server.url, path, size=len(CONTENT))
    assert whole(path)


def test_a_busy_server_is_asked_again_and_one_without_the_file_is_not(server, path):
    server.states = [503, 429, 500]
    fetch(server.url, path)
    assert whole(path) and server.requests == 4
    server.states = [404]
    with pytest.raises(InputError, match=r"no download \(HTTP 404 Not Found\)\n.*\n.*save http.*ep300\.pt"):
        fetch(server.url, path.with_name("ep300.pt"))
    assert server.requests == 5 and whole(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sha256": "0" * 64}, r"1,280,000 bytes with sha256 [0-9a-f]{64}\n.*sha256 0{64}"),
        ({"size": 7}, r"1,280,000 bytes\n.*7 bytes"),
    ],
)
def test_another_file_than_expected(server, path, settings, message):
    with pytest.raises(InputError, match=message):
        fetch(server.url, path, **settings)
    assert not path.exists() and not path.with_name(".ep100.pt.part").exists()
    path.write_bytes(CONTENT)
    with pytest.raises(InputError, match=rf"ep100\.pt\n.*{message}\n.*delete it"):
        fetch(server.url, path, **settings)


def test_a_web_page_is_no_file(server, path):
    server.type = "text/html; charset=utf-8"
    with pytest.raises(InputError, match="HTML page"):
        fetch(server.url, path)
    assert not path.exists()


def test_no_connection(server, path):
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match=r"no download \(.*refused\)\n.*\n.*check the connection"):
        fetch(server.url, path)


def test_of_several_processes_one_downloads(server, path):
    server.pause = 0.5
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=fetch, args=(server.url, path)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert server.requests == 1 and whole(path)


def test_the_first_digits_of_a_checksum_are_enough_to_refuse_another_file(server, path):
    digest = hashlib.sha256(CONTENT).hexdigest()
    fetch(server.url, path, sha256=digest[:8])
    assert whole(path)
    path.unlink()
    wrong = ("0" if digest[0] != "0" else "1") + digest[1:8]
    with pytest.raises(InputError, match=f"sha256 {wrong}\\.\\.\\."):
        fetch(server.url, path, sha256=wrong)
    assert not list(path.parent.iterdir()), "no half or wrong file stays"
