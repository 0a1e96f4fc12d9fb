"""What `kgen demo` does."""

import os
import sys
import webbrowser

from kgen import runs
from kgen.checks import whole_number
from kgen.demo.page import Page
from kgen.demo.server import Server
from kgen.models.image_model import ImageModel
from kgen.runs.trained import load


def demo(
    model: str | ImageModel, host: str = "127.0.0.1", port: int | None = None, browser: bool = True
) -> None:
    """Opens a page on this machine to play with a model, until Ctrl-C.

    Args:
        model: a run folder, finished or not, a trained model's name, or a `.keras` file; in Python
            a model as well.
        host: str. The address to listen on; 0.0.0.0 shows the page to others in the network.
        port: int. Defaults to the first that is free from 7860 on.
        browser: bool. Open the page in a browser, where there is a desktop.
    """
    port = whole_number("port", port, at_least=1, at_most=65535, optional=True)
    with Server(host, port) as server:
        page = _page(model)
        print(f"{page.name} is at {server.url} until Ctrl-C.", flush=True)
        if browser and _has_desktop():
            webbrowser.open(server.url)
        server.serve(page)


def _page(model):
    if isinstance(model, ImageModel):
        return Page(model, model.name)
    name = os.path.basename(os.path.abspath(model))
    if os.path.isfile(model):
        return Page(load(model), name)
    run = runs.load(model)
    return Page(run.model, name, run.data)


def _has_desktop():
    """Whether a browser would open in a window: elsewhere it might take the terminal."""
    on_x = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.platform in ("darwin", "win32") or bool(on_x)
