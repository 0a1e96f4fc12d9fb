import os
import re
import signal
import subprocess
import sys
import webbrowser

import keras
import pytest

from kgen import cli, runs
from kgen.demo import command
from kgen.demo.server import Server
from tests.ports import free_port
from tests.zoo import SHAPE, dense_vae

BACKEND = keras.backend.backend()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A `.keras` file of a VAE."""
    path = tmp_path_factory.mktemp("demo") / "small.keras"
    dense_vae(seed=0).save(path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of one step."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    given = {"batch_size": 1500, "latent_dim": 1, "width": 4, "depth": 1}
    runs.train("autoencoder", run=str(folder), epochs=1, **given)
    return folder


def kgen(*arguments):
    return cli.main(["kgen", "demo", *map(str, arguments)])


@pytest.fixture
def pages(monkeypatch):
    """The pages that are served, each interrupted at once; and what a browser opened."""
    found, opened = [], []

    def serve(server, page):
        found.append((page, server.url))
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve", serve)
    monkeypatch.setattr(webbrowser, "open", opened.append)
    found.append(opened)
    return found


def test_a_run_or_a_file_is_served(run, file, pages, monkeypatch, capsys):
    port = free_port()
    monkeypatch.setattr(command, "_has_desktop", lambda: True)
    assert kgen(run, "--port", port) == 130
    assert kgen(file, f"--port={port}", "--nobrowser", "--host", "localhost") == 130
    opened, (of_run, url), (of_file, _) = pages
    assert opened == [url] == [f"http://127.0.0.1:{port}/"]
    assert list(of_run.panels) == ["reconstruction", "morph"]
    assert of_run.panels["reconstruction"].controls[0].sources == ("test",)
    assert list(of_file.panels)[0] == "samples" and of_file.about()["name"] == "small.keras"
    out, err = capsys.readouterr()
    assert f"run is at {url} until Ctrl-C.\n" in out and err == "kgen: Interrupted.\n" * 2


def test_a_model_in_memory_is_served(pages):
    model = dense_vae(seed=0)
    with pytest.raises(KeyboardInterrupt):
        command.demo(model, port=free_port(), browser=False)
    assert pages[1][0].model is model and pages[1][0].about()["name"] == model.name


def test_no_browser_where_there_is_no_desktop(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not command._has_desktop()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert command._has_desktop()


def test_help(capsys):
    assert kgen("--help") == 0
    out = capsys.readouterr().out
    assert out.startswith("Opens a page on this machine")
    flags = re.findall(r"^  (?:-h,)?--(?:\[no\])?(\w+):", out, re.M)
    assert set(flags) == {"help", "backend", "host", "port", "browser"}
    assert "no help" not in out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "Expected `kgen demo RUN_OR_MODEL`"),
        (["missing"], 1, "Expected a run folder.*Received: missing"),
        (["missing.keras"], 1, "Received: missing.keras"),
        (["FOLDER"], 1, "Expected a run folder with a config.json"),
        (["FOLDER/empty.keras"], 1, "Expected a model of this kgen.*empty.keras"),
        (["FOLDER/plain.keras"], 1, "Expected a model of kgen's.*plain.keras, a Sequential"),
        (["RUN", "--port", "0"], 1, r"port as a whole number in 1\.\.65535.*port=0"),
        (["RUN", "--port", "x"], 2, "--port=x"),
        (["RUN", "--host", "192.0.2.1"], 1, "host as an address of this machine"),
        (["RUN", "--port", "USED"], 1, "--port, or leave it out.*which is in use"),
        (["BEGUN"], 1, "Expected a trained model or a backup of one.*which has none"),
    ],
)
def test_errors(run, tmp_path, capsys, arguments, status, message):
    (tmp_path / "empty.keras").touch()
    keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten()]).save(tmp_path / "plain.keras")
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "config.json").write_bytes((run / "config.json").read_bytes())
    capsys.readouterr()
    with Server("127.0.0.1", free_port()) as used:
        names = {"RUN": run, "FOLDER": tmp_path, "BEGUN": begun, "USED": used.server_address[1]}
        for name, value in names.items():
            arguments = [each.replace(name, str(value)) for each in arguments]
        assert kgen(*arguments) == status
    out, err = capsys.readouterr()
    assert not out and err.startswith("kgen: ") and re.search(message, err, re.S), err
    assert "Traceback" not in err


@pytest.mark.full
@pytest.mark.each_backend
def test_ctrl_c_ends_it_while_the_model_computes(file):
    code = """
    import os, signal, sys, threading, urllib.request
    from kgen import cli
    from kgen.demo import server

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background shell takes away

    def ask(url):
        headers = {"Content-Type": "application/octet-stream"}
        body = b'{"num": 64}'
        request = urllib.request.Request(url + "make?panel=samples", body, headers)
        threading.Thread(target=urllib.request.urlopen, args=[request], daemon=True).start()

    serve = server.Server.serve

    def interrupted(self, page):
        make = page.model.sample

        def sample(*args, **kwargs):
            os.kill(os.getpid(), signal.SIGINT)
            return make(*args, **kwargs)

        page.model.sample = sample
        threading.Timer(0.5, ask, [self.url]).start()
        serve(self, page)

    server.Server.serve = interrupted
    sys.exit(cli.main(["kgen", "demo", *sys.argv[1:]]))
    """
    done = subprocess.run(
        [sys.executable, "-c", re.sub("^    ", "", code, flags=re.M), file, "--nobrowser"],
        env=os.environ | {"KERAS_BACKEND": BACKEND},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr.endswith("kgen: Interrupted.\n") and "Traceback" not in done.stderr
