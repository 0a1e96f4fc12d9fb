"""One HTTP request and its whole answer, until a deadline and up to a size."""

import concurrent.futures
import contextlib
import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
from typing import NamedTuple

from kgen.printable import printable

_PIECE = 2**16


class Answer(NamedTuple):
    """What came, whatever the status.

    Attributes:
        status: int.
        headers: http.client.HTTPMessage.
        body: bytes.
    """

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def seconds_until(deadline):
    """Those that are left until a time of `time.monotonic`; never none, which is no timeout."""
    return max(deadline - time.monotonic(), 1e-3)


def exchange(url, data, deadline, most):
    """Sends a request and reads the answer; redirections are not followed.

    A thread does it, which is left behind at the deadline with its connection shut: neither a name
    that is not resolved nor a server that sends a byte now and then holds the caller.

    Args:
        url: str, of http or https.
        data: bytes to post, or None to get.
        deadline: float, of `time.monotonic`. For everything, from the name's resolution to the last
            byte.
        most: int. Bytes that the body may have.

    Returns:
        Answer.

    Raises:
        TimeoutError: it took longer.
        ConnectionError: no whole answer came.
        ValueError: the body is longer.
    """
    connections, found = _Connections(deadline), concurrent.futures.Future()
    request = urllib.request.Request(url, data)

    def work():
        try:
            found.set_result(_answer(connections, request, deadline, most))
        except Exception as error:
            found.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return found.result(seconds_until(deadline))
    except (http.client.HTTPException, OSError, UnicodeError) as error:  # of a host's name
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            raise TimeoutError("nothing came, or not all") from error
        raise ConnectionError(_words(reason)) from error
    finally:
        connections.shut()


def _answer(connections, request, deadline, most):
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(connections)
    with opener.open(request, timeout=seconds_until(deadline)) as response:
        length, body = response.length, bytearray()
        while piece := response.read(_PIECE):
            body += piece
            if len(body) > most:
                raise ValueError(f"Expected at most {most} bytes. Received: more")
        if len(body) < (length or 0):
            raise http.client.IncompleteRead(bytes(body), length - len(body))
        return Answer(response.status, response.headers, bytes(body))


def _words(error):
    if isinstance(error, http.client.IncompleteRead):
        return "the answer was cut short"
    if type(error) is http.client.BadStatusLine:
        return f"what answered speaks https, or no HTTP: {printable(error.line, 80)}"
    return printable(error) or type(error).__name__


class _Connections(urllib.request.AbstractHTTPHandler):
    """Urllib's handler of http and https, whose sockets another thread can shut.

    Args:
        deadline: float, of `time.monotonic`, after which none is opened.
    """

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, deadline):
        super().__init__()
        self._deadline = deadline
        self._sockets = []

    def http_open(self, request):
        return self.do_open(self._kept(http.client.HTTPConnection), request)

    def https_open(self, request):
        return self.do_open(self._kept(http.client.HTTPSConnection), request)

    def shut(self):
        for each in self._sockets:
            with contextlib.suppress(OSError):  # it is closed already
                each.shutdown(socket.SHUT_RDWR)

    def _kept(self, connection_class):
        keep = self._keep

        class Kept(connection_class):
            def connect(self):
                super().connect()
                keep(self.sock)

        return Kept

    def _keep(self, sock):
        self._sockets.append(sock)
        if time.monotonic() > self._deadline:
            raise TimeoutError
