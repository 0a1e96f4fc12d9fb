import concurrent.futures
import json
import queue
import re
import socket
import sys
import threading
import urllib.error
import urllib.request

import pytest

from kgen.demo import server as server_module
from kgen.demo.page import Page
from kgen.demo.server import Server
from tests.ports import free_port
from tests.zoo import dense_vae

BYTES = "application/octet-stream"


def ask(server, path, body=None, kind=BYTES):
    """(status, answer, headers)."""
    headers = {"Content-Type": kind} if body is not None else {}
    request = urllib.request.Request(server.url + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def statuses(server, *sent):
    """The status of each answer on one connection."""
    with socket.create_connection(server.server_address[:2], timeout=60) as client:
        client.sendall(b"".join(sent))
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answers:
            return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers.read())]


def question(first, body=b"", **headers):
    """The bytes of a request; a header that is None is left out."""
    given = {"Host": "127.0.0.1", "Content-Type": BYTES, "Content-Length": len(body)}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}\r\n" for name, value in given.items() if value is not None]
    return f"{first} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body


def make(server, panel, values):
    status, answer, _ = ask(server, f"make?panel={panel}", json.dumps(values).encode())
    return status, json.loads(answer)


@pytest.mark.each_backend
def test_two_at_once_get_what_each_asked_for_by_one_thread(vae_page, served, monkeypatch):
    threads, sample = set(), vae_page.model.sample

    def watched(*args, **kwargs):
        threads.add(threading.get_ident())
        return sample(*args, **kwargs)

    monkeypatch.setattr(vae_page.model, "sample", watched)
    server = served(vae_page)
    with concurrent.futures.ThreadPoolExecutor(4) as users:
        asked = [{"seed": str(i), "num": 1 + i % 3} for i in range(8)]
        answers = list(users.map(lambda values: make(server, "samples", values), asked))
    assert len(threads) == 1
    for values, answer in zip(asked, answers, strict=True):
        assert answer == (200, vae_page.make("samples", values))


def test_the_page_is_whole_and_of_this_server_alone(vae_page, served):
    server = served(vae_page)
    for path in ("", "page.css", "ask.js", "controls.js", "page.js", "picture.js"):
        status, text, headers = ask(server, path)
        assert status == 200 and text
        assert (
            headers["Content-Security-Policy"] == "default-src 'self'; img-src 'self' data: blob:"
        )
        assert b"http" not in text.replace(b"http-equiv", b"")
    status, about, _ = ask(server, "about")
    assert json.loads(about)["panels"][0]["name"] == "samples"


def test_a_bad_value_is_an_answer_and_the_server_goes_on(vae_page, served, capsys):
    server = served(vae_page)
    status, answer = make(server, "samples", {"seed": "one"})
    assert status == 400 and answer["error"].startswith("Expected seed as a whole number")
    assert make(server, "samples", {"num": 1})[0] == 200
    for path, body, kind, expected in [
        ("make?panel=samples", b"{", BYTES, (400, "Expected JSON")),
        ("make?panel=samples", b"[" * 99_999, BYTES, (400, "Expected JSON")),
        ("make", b"{}", BYTES, (400, "Expected a panel")),
        ("make?panel=samples", b"{}", "text/plain", (415, "as application/octet-stream")),
        ("image?panel=reconstruction&control=image", b"a", BYTES, (400, "cannot be read")),
        ("example?source=none", b"", BYTES, (400, "'test' or 'sample'")),
        ("none", b"", BYTES, (404, "Expected a page")),
        ("../../etc/passwd", None, BYTES, (404, "Expected a page")),
    ]:
        status, answer, _ = ask(server, path, body, kind)
        assert (status, expected[1] in json.loads(answer)["error"]) == (expected[0], True), path
    assert not capsys.readouterr().err


def test_more_bytes_than_it_reads_are_refused(vae_page, served, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_BYTES", 10)
    server = served(vae_page)
    status, answer, headers = ask(server, "make?panel=samples", b"x" * 11)
    assert status == 413 and "at most 10 bytes" in json.loads(answer)["error"]
    assert headers["Connection"] == "close"


def test_a_body_that_is_not_read_is_no_question(vae_page, served):
    server = served(vae_page)
    inner = question("POST /make?panel=samples", b'{"num": 1}')
    assert statuses(server, inner, inner) == [200, 200]
    for status, outer in [
        (415, question("POST /make?panel=samples", inner, Content_Type="text/plain")),
        (413, question("POST /make?panel=samples", inner, Content_Length="x")),
        (413, question("POST /make?panel=samples", inner, Content_Length="0\r\nContent-Length: 9")),
        (413, question("POST /make?panel=samples", inner, Transfer_Encoding="chunked")),
        (200, question("GET /about", inner)),
        (200, question("GET /about", inner, Content_Length=None, Transfer_Encoding="chunked")),
        (404, question("GET /none", inner)),
        (501, question("PUT /make", inner)),
    ]:
        assert statuses(server, outer) == [status], outer


def test_what_is_no_address_or_number_is_an_answer(vae_page, served, capsys):
    server = served(vae_page)
    got = [question(f"GET {what}", Content_Length=None) for what in ("http://[", "/about")]
    assert statuses(server, *got) == [400, 200]
    assert statuses(server, question("POST http://[", b"{}")) == [400]
    assert statuses(server, question("POST /make", Content_Length="9" * 5_000)) == [413]
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:7860", None, 200),
        ("LocalHost:9000", "http://localhost:9000", 200),
        ("[::1]:7860", "http://[::1]:7860", 200),
        ("evil.com:7860", None, 403),
        ("evil.com:7860", "http://evil.com:7860", 403),
        ("127.0.0.1.evil.com", None, 403),
        ("[", None, 403),
        (None, None, 403),
        ("127.0.0.1\r\nHost: evil.com", None, 403),
        ("localhost:7860", "http://evil.com", 403),
        ("localhost:7860", "http://localhost:8888", 403),
        ("localhost:7860", "null", 403),
    ],
)
def test_another_site_is_refused_where_this_machine_alone_listens(
    vae_page, served, host, origin, status
):
    server = served(vae_page)
    made = question("POST /make?panel=samples", b'{"num": 1}', Host=host, Origin=origin)
    assert statuses(server, made) == [status]
    got = question("GET /about", Host=host, Content_Length=None)
    assert statuses(server, got) == [200 if origin and "local" in host.lower() else status]


def test_names_of_this_machine(vae_page, served):
    made = question("POST /make?panel=samples", b'{"num": 1}', Host="mine:7", Origin="https://a.b")
    for host, expected in [("0.0.0.0", 200), ("127.0.0.1", 403)]:
        assert statuses(served(vae_page, host), made) == [expected]
    server = served(vae_page)
    server.host = "Mine"
    assert statuses(server, question("GET /about", Host="mine:7")) == [200]


def test_a_model_that_fails_is_told_of_and_the_server_goes_on(served, monkeypatch, capsys):
    page = Page(dense_vae(seed=0), "vae")
    server = served(page)
    with monkeypatch.context() as patch:
        patch.setattr(page.model, "sample", lambda *args, **kwargs: 1 / 0)
        status, answer = make(server, "samples", {})
    assert status == 500
    assert answer["error"] == "The model failed: ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert make(server, "samples", {"num": 1})[0] == 200


def test_who_goes_before_the_answer_is_not_told_of(vae_page, served, capsys):
    server = served(vae_page)
    with socket.create_connection(server.server_address[:2]) as client:
        client.sendall(question("POST /make?panel=samples", Content_Length=9))
    assert make(server, "samples", {"num": 1})[0] == 200
    assert not capsys.readouterr().err


def test_a_wait_for_questions_ends_so_that_ctrl_c_is_seen(vae_page):
    waits = []

    class Jobs:
        def get(self, block=True, timeout=None):
            waits.append(timeout)
            raise queue.Empty if len(waits) < 3 else KeyboardInterrupt

    with Server("127.0.0.1", free_port()) as server:
        server._jobs = Jobs()
        with pytest.raises(KeyboardInterrupt):
            server.serve(vae_page)
    assert len(waits) == 3 and all(0 < wait <= 1 for wait in waits)


@pytest.mark.parametrize(("platform", "reused"), [("win32", False), ("linux", True)])
def test_a_port_is_reused_where_that_is_safe(platform, reused, monkeypatch):
    monkeypatch.setattr(sys, "platform", platform)
    with Server("127.0.0.1", free_port()) as server:
        option = server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    assert bool(option) == reused


def test_ports():
    port = free_port()
    with Server("127.0.0.1", port):
        with pytest.raises(OSError, match=f"--port.*Received: port={port}, which is in use"):
            Server("127.0.0.1", port)


def test_without_a_port_it_is_the_next_that_is_free(monkeypatch):
    first = free_port()
    monkeypatch.setattr(server_module, "FIRST_PORT", first)
    monkeypatch.setattr(server_module, "LAST_PORT", first + 100)
    with Server("127.0.0.1", first), Server("127.0.0.1") as second:
        assert second.server_address[1] > first
        assert second.url == f"http://127.0.0.1:{second.server_address[1]}/"


@pytest.mark.parametrize("host", ["192.0.2.1", "no host", "host.invalid", ""])
def test_hosts_that_are_not_of_this_machine(host):
    with pytest.raises(OSError, match=f"Expected host as an address of this.*host={host}$"):
        Server(host, free_port())


def test_where_it_is():
    with Server("0.0.0.0", free_port()) as server:
        assert server.url.startswith("http://127.0.0.1:")
    if socket.has_ipv6:
        with Server("::1", free_port()) as server:
            assert server.url.startswith("http://[::1]:")
