"""A page over HTTP, by Python's own server: many who ask, and one thread that computes."""

import concurrent.futures
import errno
import importlib.resources
import ipaddress
import json
import queue
import socket
import socketserver
import sys
import threading
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

MAX_BYTES = 2**26  # of what is sent
_POLL = 0.1  # seconds until it is seen that the server, or its thread, is to end
FIRST_PORT, LAST_PORT = 7860, 7959
_SCRIPTS = ("ask", "controls", "page", "picture")
_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in _SCRIPTS},
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Server(socketserver.ThreadingTCPServer):
    """It listens from the start, and answers once `serve` is called.

    On an address that only this machine reaches it answers no page of another site, nor one that
    takes a name of its own for this machine (DNS rebinding). On any other it may be behind a proxy,
    where the names differ, and answers all.

    Args:
        host: str. An address of this machine.
        port: int; None takes the first that is free from 7860 on.

    Raises:
        OSError: nothing can listen there; it says why.
    """

    daemon_threads = True

    def __init__(self, host, port=None):
        self._jobs = queue.SimpleQueue()
        self.page = None
        self.host = host
        # on Windows it would let two servers listen at one port
        self.allow_reuse_address = sys.platform != "win32"
        self.address_family, address = _resolved(host)
        self.is_private = ipaddress.ip_address(address).is_loopback
        for each in range(FIRST_PORT, LAST_PORT + 1) if port is None else [port]:
            try:
                super().__init__((address, each), _Handler)
                return
            except OSError as error:
                if port is None and error.errno == errno.EADDRINUSE and each < LAST_PORT:
                    continue
                raise _explained(error, host, each) from error

    @property
    def url(self):
        """Where a browser of this machine finds the page."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"

    def serve(self, page):
        """Answers until Ctrl-C; the page computes in this thread, one question at a time.

        Args:
            page: `kgen.demo.page.Page`.
        """
        self.page = page
        threading.Thread(target=self.serve_forever, args=[_POLL], daemon=True).start()
        try:
            while True:
                try:
                    job = self._jobs.get(timeout=_POLL)
                except queue.Empty:  # on Windows Ctrl-C is seen between two waits only
                    continue
                job()
        finally:
            self.shutdown()

    def compute(self, function):
        """What a function gives in the thread of `serve`; called from any other."""
        future = concurrent.futures.Future()

        def job():
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)

        self._jobs.put(job)
        return future.result()

    def handle_error(self, request, client_address):
        """Says nothing of those who went away before the answer."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds for a question to arrive

    def do_GET(self):
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body that is not read is no further question
        url = self._url() if self._is_of_here() else None
        if url is None:
            return
        path = url.path
        if path == "/about":
            self._answer(HTTPStatus.OK, self.server.page.about())
        elif path in _FILES:
            name, kind = _FILES[path]
            file = importlib.resources.files("kgen.demo") / "static" / name
            self._send(HTTPStatus.OK, file.read_bytes(), f"{kind}; charset=utf-8")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"Expected a page. Received: {path!r:.80}")

    def do_POST(self):
        body = self._body() if self._is_of_here() else None
        url = None if body is None else self._url()
        if url is None:
            return
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        page = self.server.page
        questions = {
            "/make": lambda: page.make(asked.get("panel"), _json(body)),
            "/image": lambda: page.image(asked.get("panel"), asked.get("control"), body),
            "/example": lambda: page.example(asked.get("source")),
        }
        if url.path not in questions:
            self._refuse(HTTPStatus.NOT_FOUND, f"Expected a page. Received: {url.path!r:.80}")
            return
        try:
            answer = self.server.compute(questions[url.path])
        except (ValueError, OSError, ImportError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:  # of a backend, such as no memory
            traceback.print_exception(error)
            message = f"The model failed: {type(error).__name__}: {error}"
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, message)
        else:
            self._answer(HTTPStatus.OK, answer)

    def _is_of_here(self):
        """Whether this server's page asks, or a program; else that was refused."""
        host, origin = (", ".join(self.headers.get_all(name, [])) for name in ("Host", "Origin"))
        if not self.server.is_private or (
            _is_of_this_machine(host, self.server.host)
            and (self.command == "GET" or origin.lower() in ("", f"http://{host}".lower()))
        ):
            return True
        self.close_connection = True
        self._refuse(
            HTTPStatus.FORBIDDEN,
            f"Expected a question of the page at {self.server.url}; behind a proxy, start it with "
            f"--host 0.0.0.0. Received: {host=!s:.80} {origin=!s:.80}",
        )
        return False

    def _url(self):
        """What is asked for, or None if that was refused."""
        try:
            return urlsplit(self.path)
        except ValueError as error:
            message = f"Expected an address. Received: {self.path!r:.80}: {error}"
            self._refuse(HTTPStatus.BAD_REQUEST, message)
            return None

    def _body(self):
        """What was sent, or None if that was refused."""
        length = ", ".join(self.headers.get_all("Content-Length", []))
        is_number = length.isdecimal() and len(length) < 20  # Python reads no number of any length
        if not is_number or int(length) > MAX_BYTES or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"Expected at most {MAX_BYTES:,} bytes, and their number. Received: {length!r:.80}",
            )
            return None
        if self.headers.get_content_type() != "application/octet-stream":
            self.close_connection = True
            self._refuse(  # other sites cannot send this type
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "Expected bytes, as application/octet-stream. Received: "
                f"{self.headers.get_content_type()!r:.80}",
            )
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status, message):
        self._answer(status, {"error": message})

    def _answer(self, status, answer):
        self._send(status, json.dumps(answer).encode(), "application/json")

    def _send(self, status, contents, kind):
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(contents)))
        self.end_headers()
        self.wfile.write(contents)

    def log_message(self, *args):
        """Nothing."""


def _json(body):
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected JSON. Received: {error}") from error


def _is_of_this_machine(host, own):
    """Whether a Host is an address, or a name that no other site can have."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name in ("localhost", own.lower()):
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _resolved(host):
    try:
        family, *_, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise OSError(_of_this_machine(host)) from error
    return family, address[0]


def _of_this_machine(host):
    return (
        "Expected host as an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all that "
        f"it has. Received: host={host}"
    )


def _explained(error, host, port):
    if error.errno == errno.EADDRNOTAVAIL:
        return OSError(_of_this_machine(host))
    if error.errno == errno.EADDRINUSE:
        return OSError(
            "Expected a port that nothing listens on: take another with --port, or leave it out "
            f"for the next that is free. Received: port={port}, which is in use"
        )
    return OSError(f"Expected a port to listen on. Received: port={port}: {error.strerror}")
