import contextlib
import threading

import pytest

from kgen.demo.page import Page
from kgen.demo.server import Server
from tests.ports import free_port
from tests.zoo import ZOO, dense_vae


@pytest.fixture(scope="session")
def vae_page():
    """The page of a VAE of three latents; no test changes it."""
    return Page(dense_vae(seed=0), "vae")


@pytest.fixture(scope="session")
def pixel_page():
    """The page of a PixelCNN of 5x4 pixels."""
    return Page(ZOO["pixel_cnn"].make(seed=0), "pixels")


@pytest.fixture
def served():
    """Callable that serves a page from another thread and gives its `Server`."""
    servers = []

    def serve(page, host="127.0.0.1"):
        server = Server(host, free_port())
        thread = threading.Thread(target=_serve, args=[server, page])
        thread.start()
        servers.append((server, thread))
        return server

    yield serve
    for server, thread in servers:
        server._jobs.put(_end)
        thread.join()
        server.server_close()


def _serve(server, page):
    with contextlib.suppress(_End):
        server.serve(page)


def _end():
    raise _End


class _End(BaseException):
    pass
