"""A REST server of the tests' own that plays a part, by raw bytes."""

import contextlib
import json
import socketserver
import threading

import numpy as np

from kgen.serving import Client


def info(dtype, *row):
    sizes = [{"size": str(size), "name": ""} for size in (-1, *row)]
    return {"dtype": dtype, "tensor_shape": {"dim": sizes, "unknown_rank": False}, "name": "x:0"}


def signature(**outputs):
    return {"inputs": {"seed": info("DT_INT64")}, "outputs": outputs, "method_name": ""}


SIGNATURES = {
    "generate": signature(image=info("DT_FLOAT", 1, 2, 1)),
    "generate_png": signature(png_bytes=info("DT_STRING")),
    "count": signature(number=info("DT_INT32")),
    "two": signature(mean=info("DT_FLOAT", 1), log_var=info("DT_FLOAT", 1)),
}


def metadata(signatures):
    return {"metadata": {"signature_def": {"signature_def": signatures}}}


def http(body, status="200 OK", head=""):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


def outputs(rows):
    return http({"outputs": rows})


class Handler(socketserver.StreamRequestHandler):
    """Answers a request for metadata by `known`, all others by `played`: bytes, or a call."""

    def handle(self):
        line, length = self.rfile.readline(), 0
        while (header := self.rfile.readline().lower()).strip():
            if header.startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        self.rfile.read(length)
        self.server.asked += 1
        play = self.server.known if line.startswith(b"GET") else self.server.played
        with contextlib.suppress(OSError):
            play(self.wfile.write) if callable(play) else self.wfile.write(play)


@contextlib.contextmanager
def running(played=b"", known=None):
    """A server with its `address` and how often it was `asked`; `known` is right by default."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    server.address = f"127.0.0.1:{server.server_address[1]}"
    server.asked, server.played = 0, played
    server.known = http(metadata(SIGNATURES)) if known is None else known
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def ask(server, num=2, name="generate", **kwargs):
    client = Client(server.address, "m", **{"retries": 0} | kwargs)
    return client.predict(name, seed=np.arange(num))
