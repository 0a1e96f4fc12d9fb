"""A REST answer comes whole, until a deadline and up to a size, or what came is said."""

import json
import socket
import threading
import time

import numpy as np
import pytest

from kgen.serving import Client, rest_api
from tests.serving.rest_parts import SIGNATURES, ask, http, info, metadata, outputs, signature

pytestmark = pytest.mark.anywhere


def dripping(start, piece):
    """A part that never ends, and an event that is set when nobody listens any more."""
    left = threading.Event()

    def play(write):
        try:
            write(start)
            while True:
                write(piece)
                time.sleep(0.02)
        except OSError:
            left.set()

    return play, left


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n{", b" "),
        (b"HTTP/1.1 200 OK\r\nA: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 500 No\r\n\r\n", b" "),
        (b"", b""),
    ],
    ids=["body", "header", "chunks", "status", "error", "nothing"],
)
def test_a_server_that_drips_is_left_at_the_deadline(serve, start, piece):
    play, left = dripping(start, piece)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="in time, with timeout=0.2 seconds: nothing came, or"):
        ask(serve(play), timeout=0.2, retries=3)
    assert 0.15 < time.monotonic() - started < 1
    assert not piece or left.wait(2)  # the connection is shut


def test_a_name_that_is_not_resolved_in_time(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: time.sleep(1))
    with pytest.raises(TimeoutError, match="No answer of somewhere:80 in time"):
        Client("somewhere:80", "m", timeout=0.05).signatures()


def test_a_port_that_begins_no_tls():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"https://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(TimeoutError, match="in time"):
            Client(address, "m", timeout=0.1).signatures()
        connection, _ = server.accept()
        connection.settimeout(2)
        while connection.recv(2**12):  # until the client has closed it
            pass


def test_what_is_done_before_it_is_sent_counts(serve, monkeypatch):
    to_json = rest_api._to_json
    monkeypatch.setattr(rest_api, "_to_json", lambda rows: time.sleep(0.4) or to_json(rows))
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        ask(serve(lambda _: time.sleep(2)), timeout=0.6)
    assert time.monotonic() - started < 0.4 + 0.6


def test_a_deadline_may_be_far(serve):
    assert ask(serve(outputs([7, 8])), name="count", timeout=1e300)["number"].tolist() == [7, 8]


def test_a_proxy_of_the_environment_is_asked(serve, monkeypatch):
    proxy = serve(outputs([7, 8]))
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    monkeypatch.delenv("no_proxy", raising=False)
    client = Client("serving.invalid:8501", "m", retries=0)
    assert client.predict("count", seed=[1, 2])["number"].tolist() == [7, 8]


def test_the_deadline_is_that_of_all_tries(serve, waits):
    server = serve(http(b"busy", "503 Busy"))
    with pytest.raises(ConnectionError, match="after 7 tries: HTTP 503, busy"):
        ask(server, timeout=10, retries=100)
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]  # 6.4 more would be too late
    assert server.asked == 8


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", "the answer was cut short"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
            "the answer was cut short",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x1b\r\n{", "was cut short"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 10**5, "line"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: a\r\n" * 200, "headers"),
        (b"", "closed connection without response"),
        (b"\x15\x03\x01\x00\x02\x02F", r"speaks https, or no HTTP: \\x15\\x03\\x01\\x00"),
        (http(b"<html>", "502 Bad Gateway"), "HTTP 502, <html>"),
        (http({"error": "queue full"}, "503 Unavailable"), "HTTP 503, queue full"),
    ],
)
def test_no_whole_answer_is_tried_again(serve, answer, message):
    server = serve(answer)
    with pytest.raises(ConnectionError, match=f"No answer of .* after 2 tries: .*{message}"):
        ask(server, retries=1)
    assert server.asked == 3


@pytest.mark.parametrize("status", ["301 M", "302 Found", "303 S", "307 T", "308 P"])
def test_redirections_are_not_followed(serve, status):
    other = serve(outputs([0, 0]))
    moved = http(b"", status, f"Location: http://{other.address}/\x1b[2J\r\n")
    message = rf"own address. Received: a redirection to http://{other.address}/\\x1b\[2J"
    for played, known in ((moved, None), (b"", moved)):
        with pytest.raises(ValueError, match=message):
            ask(serve(played, known))
    assert other.asked == 0


def test_a_servers_own_time_is_over(serve):
    server = serve(http({"error": "Timed out"}, "504 Gateway Timeout"))
    with pytest.raises(TimeoutError, match="HTTP 504, Timed out"):
        ask(server, retries=3)
    assert server.asked == 2


def test_what_is_too_long_is_not_read(serve):
    sent = []

    def play(write):
        write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(64):
            sent.append(write(b" " * 2**20))

    for played, known in ((play, None), (b"", play)):
        sent.clear()
        with pytest.raises(ValueError, match=r"answered wrongly: Expected at most \d+ bytes"):
            ask(serve(played, known))
        assert 4 <= len(sent) < 32


def test_an_answer_may_be_as_long_as_its_rows(serve):
    """Printed as widely as TensorFlow Serving does."""
    known = SIGNATURES | {"generate": signature(image=info("DT_FLOAT", 100, 100, 1))}
    images = np.random.default_rng(0).random((4, 100, 100, 1))
    answer = http(json.dumps({"outputs": images.tolist()}, indent=4).encode())
    found = ask(serve(answer, http(metadata(known))), num=4)["image"]
    np.testing.assert_array_equal(found, images.astype("float32"))
