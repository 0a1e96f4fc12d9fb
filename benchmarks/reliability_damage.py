"""Damaged runs, data, images and answers, one command each: what it says, holds and takes."""

import concurrent.futures
import contextlib
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from typing import NamedTuple

import numpy as np
from absl import flags

COMMANDS_AT_A_TIME = flags.DEFINE_integer("commands", 2, "Damaged commands at a time.")
MEMORY, SECONDS, TIMEOUT = 2048, 90.0, 2.0
PNG = b"\x89PNG\r\n\x1a\n"


class Case(NamedTuple):
    """A command on something damaged.

    Attributes:
        name: str.
        make: callable of a folder with a whole `run`, that damages it and returns the command's
            arguments.
        named: str. What the error has to name.
    """

    name: str
    make: object
    named: str


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    words: str
    memory: float
    seconds: float


def measure(folder, deadline):
    """Prints a table of all cases; whether each ended in words."""
    whole = os.path.join(folder, "whole")
    train = ["train", "vae", "--epochs", "1", "--width", "8", "--latent_dim", "2", "--run"]
    _run([*train, os.path.join(whole, "run")], whole)
    print("| damage | status | MiB | s | words |\n|---|---|---|---|---|", flush=True)
    is_right = True
    with concurrent.futures.ThreadPoolExecutor(COMMANDS_AT_A_TIME.value) as pool:
        cases = [*RUNS, *DATA, *IMAGES]
        for case, ended in zip(cases, pool.map(lambda c: _of_case(c, whole), cases), strict=True):
            is_right &= _report(case, ended)
    with _servers() as addresses:
        for name, address in addresses.items():
            case = Case(name, lambda _, to=address: _generate(to), address.split(":")[0])
            is_right &= _report(case, _of_case(case, whole))
    print(f"\n{len(cases) + len(addresses)} cases", flush=True)
    return is_right


def _of_case(case, whole):
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "place")
        shutil.copytree(whole, place)
        return _run(case.make(place), place)


def _run(arguments, folder):
    """Runs a command in a folder, and kills it after `SECONDS`."""
    os.makedirs(folder, exist_ok=True)
    small = {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    env = os.environ | small | {"PYTHONPATH": os.getcwd()}
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "kgen.cli", *arguments],
            cwd=folder,
            env=env,
            stdout=out,
            stderr=out,
        )
        killer = threading.Timer(SECONDS, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        words = out.read().decode(errors="backslashreplace")
    return Ended(process.returncode, words, usage.ru_maxrss / 1024, time.monotonic() - started)


def _report(case, ended):
    lines = [line for line in ended.words.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    is_worded = (
        ended.status in (1, 2)
        and "Traceback" not in ended.words
        and any(line.startswith("kgen: ") for line in lines)
        and re.search(re.escape(case.named), ended.words) is not None
        and ended.words.replace("\n", "").replace("\r", "").replace("\t", "").isprintable()
    )
    is_right = is_worded and ended.memory < MEMORY and ended.seconds < SECONDS
    said = last.replace("|", "\\|") if is_right else f"**{ended.words[-300:]!r}**"
    print(
        f"| {case.name} | {ended.status} | {ended.memory:.0f} | {ended.seconds:.1f} | "
        f"{said[:160]} |",
        flush=True,
    )
    return is_right


def _write(path, contents):
    with open(path, "wb") as file:
        file.write(contents)


def _file(name, contents, *command):
    """A case's damage: a file of the run that holds something else."""

    def make(folder):
        path = os.path.join(folder, "run", name)
        if name == "model.keras":
            shutil.rmtree(os.path.join(folder, "run", "checkpoint"))
        given = contents
        if callable(contents):
            with open(path, "rb") as file:
                given = contents(file.read())
        os.unlink(path)
        if given is not None:
            _write(path, given)
        return [command[0], "run", *command[1:]]

    return make


def _again(*command):
    return ["train", "vae", "--epochs", "2", "--width", "8", "--latent_dim", "2", "--run", *command]


def _trained(name, contents):
    def make(folder):
        _file(name, contents, "train")(folder)
        return _again("run")

    return make


def _inflating(archive):
    """A `.keras` file whose weights inflate to 8 GiB."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as file, zipfile.ZipFile(out, "w", 8) as bomb:
        for name in file.namelist():
            if not name.endswith(".h5"):
                bomb.writestr(name, file.read(name))
        with bomb.open("model.weights.h5", "w", force_zip64=True) as member:
            for _ in range(8192):
                member.write(bytes(2**20))
    return out.getvalue()


def _other_class(archive):
    """A `.keras` file of a class that is none of kgen's, in a module of this name."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as file, zipfile.ZipFile(out, "w") as other:
        for name in file.namelist():
            content = file.read(name)
            if name == "config.json":
                content = content.replace(b'"kgen', b'"os').replace(b'"VAE"', b'"system"')
            other.writestr(name, content)
    return out.getvalue()


CONFIGS = {
    "empty": b"",
    "in UTF-16": "{}".encode("utf-16"),
    "a list": b"[]",
    "of something else": b'{"a": 1}',
    "binary": bytes(range(256)),
    "gone": None,
}
MODELS = {
    "empty": b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "text": b"weights",
    "one byte other": lambda whole: whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:],
    "inflating to 8 GiB": _inflating,
    "of another class": _other_class,
    "gone": None,
}
HISTORIES = {
    "headless": b"0,5.5,5.5\n",
    "binary": bytes(range(256)),
    "in UTF-16": "epoch,loss\n0,1.0\n".encode("utf-16"),
}
RUNS = [
    *(
        Case(f"config.json {kind}, {verb}", _file("config.json", contents, verb), "config.json")
        for kind, contents in CONFIGS.items()
        for verb in ("sample", "export")
    ),
    *(
        Case(f"model.keras {kind}, {verb}", _file("model.keras", contents, verb), "run")
        for kind, contents in MODELS.items()
        for verb in ("sample", "export")
    ),
    *(
        Case(f"history.csv {kind}, train", _trained("history.csv", contents), "history.csv")
        for kind, contents in HISTORIES.items()
    ),
]


def _png(size, contents=None):
    """A valid PNG of so many grey pixels, white, whatever their number; or with other contents."""
    width, height = size

    def chunk(kind, data):
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    if contents is None:
        packer = zlib.compressobj(9)
        row = b"\0" + b"\xff" * width
        contents = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\0\0\0\0"
    return PNG + chunk(b"IHDR", head) + chunk(b"IDAT", contents) + chunk(b"IEND", b"")


def _folder(**files):
    def make(folder):
        photos = os.path.join(folder, "photos")
        os.makedirs(photos)
        for name, contents in files.items():
            _write(os.path.join(photos, name.replace("_", ".", 1)), contents)
        return ["train", "vae", "--dataset", "photos", "--image_size", "8", "--run", "other"]

    return make


def _pipes(folder):
    os.makedirs(os.path.join(folder, "photos"))
    for i in range(3):
        os.mkfifo(os.path.join(folder, "photos", f"{i}.png"))
    return ["train", "vae", "--dataset", "photos", "--image_size", "8", "--run", "other"]


def _npz(**arrays):
    def make(folder):
        np.savez_compressed(os.path.join(folder, "data.npz"), **arrays)
        return ["train", "vae", "--conditional", "--dataset", "data.npz", "--run", "other"]

    return make


def _npz_of(contents):
    def make(folder):
        _write(os.path.join(folder, "data.npz"), contents)
        return ["train", "vae", "--dataset", "data.npz", "--run", "other"]

    return make


def _npz_bomb(folder):
    with zipfile.ZipFile(os.path.join(folder, "data.npz"), "w", 8) as file:
        with file.open("images.npy", "w", force_zip64=True) as member:
            head = io.BytesIO()
            of = {"descr": "|u1", "fortran_order": False, "shape": (2**26, 8, 8, 1)}
            np.lib.format.write_array_header_1_0(head, of)
            member.write(head.getvalue())
            for _ in range(4096):
                member.write(bytes(2**20))
    return ["train", "vae", "--dataset", "data.npz", "--run", "other"]


GREY = np.zeros((20, 8, 8, 1), "float32")
BOMB = _png((13_000, 13_000))
DATA = [
    Case("a folder of six bombs", _folder(**{f"a{i}_png": BOMB for i in range(6)}), "a0.png"),
    Case("a folder of half a file", _folder(a_png=_png((8, 8))[:-30]), "a.png"),
    Case("a folder of text", _folder(a_png=b"no image", b_jpg=b"none either"), "a.png"),
    Case("a folder of one pixel of nothing", _folder(a_png=_png((8, 8), b"")), "a.png"),
    Case("a folder of names with escapes", _folder(**{"a\x1b[2J\nkgen: fine_png": b"no"}), r"\x1b"),
    Case("a folder of nothing", _folder(), "photos"),
    Case("a folder of pipes", _pipes, "photos"),
    Case("an .npz that inflates to 4 GiB", _npz_bomb, "data.npz"),
    Case("an .npz of text", _npz_of(b"no archive"), "data.npz"),
    Case("an .npz cut", _npz_of(b"PK\x03\x04" + bytes(90)), "data.npz"),
    Case("an .npz of labels of 2^40", _npz(images=GREY, labels=np.full(20, 2**40)), "labels"),
    Case("an .npz of labels below 0", _npz(images=GREY, labels=np.full(20, -1)), "labels"),
    Case("an .npz of objects", _npz(images=np.full(20, None)), "data.npz"),
    Case("an .npz of NaN", _npz(images=GREY * np.nan, labels=np.zeros(20, int)), "NaN"),
    Case("an .npz of colours in thousands", _npz(images=GREY + 3000), "images"),
    Case("an .npz of no images", _npz(images=GREY[:0]), "images"),
]


def _image(contents, name="my.png"):
    """A completion of a file, by a PixelCNN that has been trained for a moment."""

    def make(folder):
        train = [
            "train",
            "pixelcnn",
            "--epochs",
            "1",
            "--width",
            "4",
            "--depth",
            "1",
            "--levels",
            "2",
        ]
        _run([*train, "--batch_size", "500", "--run", "pixels"], folder)
        _write(os.path.join(folder, name), contents)
        return ["complete", "pixels", "--image", name]

    return make


IMAGES = [
    Case("an image of 13000 x 13000, complete", _image(BOMB), "my.png"),
    Case("an image cut, complete", _image(_png((8, 8))[:-30]), "my.png"),
    Case("an image of text, complete", _image(b"no image"), "my.png"),
]


def _generate(address):
    model = ["--model", "m", "--timeout", str(TIMEOUT)]
    return ["generate", "--server", address, *model, "--out", "grid.png"]


@contextlib.contextmanager
def _servers():
    """Addresses of servers that misbehave, by what they do."""
    from tests.serving import rest_parts
    from tests.serving.rest_parts import http, outputs

    def drip(write):
        for _ in range(1000):
            write(b" ")
            time.sleep(0.3)

    def flood(write):
        write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            write(b" " * 2**20)

    row = [[[0.5], [0.5]]]
    parts = {
        "a page with status 200": http(b"<html>"),
        "status 502": http(b"<html>bad gateway", "502 Bad Gateway"),
        "nothing at all": b"",
        "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{",
        "a list": http([]),
        "no outputs": http({}),
        "too few rows": outputs([row]),
        "another shape": outputs([[[[0.5]]]] * 64),
        "NaN": outputs([[[[float("nan")], [0.5]]]] * 64),
        "an image above 1": outputs([[[[255.0], [0.5]]]] * 64),
        "lists in lists": http(b'{"outputs":' + b"[" * 100_000),
        "a redirect": http(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"),
        "a byte each .3 s": drip,
        "bytes without end": flood,
        "silence": lambda write: time.sleep(60),
        "an error with escapes": http({"error": "\x1b[2J\nkgen: all is well"}, "400 Bad Request"),
    }
    with contextlib.ExitStack() as stack:
        closed = socket.create_server(("127.0.0.1", 0))
        addresses = {"a closed port": f"127.0.0.1:{closed.getsockname()[1]}"}
        closed.close()
        addresses["a name that nobody has"] = "nowhere.invalid:8501"
        for name, part in parts.items():
            addresses[name] = stack.enter_context(rest_parts.running(part)).address
        yield addresses
