"""Answers of a served model to eight threads by REST and gRPC, a tenth of the requests bad."""

import concurrent.futures
import multiprocessing
import os
import threading
import time

import numpy as np
from absl import flags

from kgen.serving import Client

ANSWERS = flags.DEFINE_integer("answers", 100_000, "How many, half of them by gRPC.")
THREADS, POOL, ROWS, BAD_EACH = 8, 500, 4, 10
TIMEOUT = 30.0


def measure(folder, deadline):
    """Prints a table of both ways; whether no answer was wrong and none hung."""
    context = multiprocessing.get_context("spawn")
    addresses, end = context.Queue(), context.Event()
    server = context.Process(target=_serve, args=(folder, addresses, end), daemon=True)
    server.start()
    *both, expected = addresses.get(timeout=300)
    print("| way | answers | right | bad requests refused | otherwise | slowest | client, server |")
    print("|---|---|---|---|---|---|---|", flush=True)
    is_right = True
    for ways_left, address in ((2, both[0]), (1, both[1])):
        ends = time.monotonic() + (deadline - time.monotonic()) / ways_left
        found = _ask(address, expected, ANSWERS.value // 2, ends, server.pid)
        way = address.partition("://")[0] if "://" in address else "REST"
        others = [*found.wrong][:3] or 0
        growth = ", ".join(f"{after - before:+.0f} MiB" for before, after in found.memory)
        print(
            f"| {way} | {found.num} | {found.right} | {found.refused} | {others} | "
            f"{found.slowest:.2f} s | {growth} |",
            flush=True,
        )
        is_flat = all(after - before < 32 for before, after in found.memory)
        is_right &= found.right + found.refused == found.num and is_flat
    end.set()
    server.join(30)
    return is_right


def _serve(folder, addresses, end):
    """A process with the tests' server, the model's own images and a request for each."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import kgen
    from tests.serving.loopback import Servable, grpc_server, rest_server

    model = kgen.VAE((8, 8, 1), latent_dim=4, width=32, num_classes=10, seed=0)
    version = model.export(os.path.join(folder, "digits"))
    seeds, labels = np.arange(POOL), np.arange(POOL) % 10
    images = model.sample(POOL, labels, seed=seeds)
    servable = Servable("digits", version)
    with rest_server(servable) as rest, grpc_server(servable) as grpc:
        addresses.put((rest, grpc, images))
        end.wait()


class _Found:
    """What came of requests, counted by threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.num = self.right = self.refused = 0
        self.slowest, self.wrong, self.memory = 0.0, [], []

    def add(self, outcome, seconds):
        with self.lock:
            self.num += 1
            self.slowest = max(self.slowest, seconds)
            if outcome in ("right", "refused"):
                setattr(self, outcome, getattr(self, outcome) + 1)
            else:
                self.wrong.append(outcome)


def _ask(address, expected, num, deadline, server):
    found, before = _Found(), []
    client = Client(address, model="digits", timeout=TIMEOUT, retries=0)

    def work(thread):
        rng = np.random.default_rng(thread)
        while found.num < num and time.monotonic() < deadline:
            if found.num > min(1000, num // 10) and not before:  # once all is warm
                before.append(_memory(server))
            started = time.monotonic()
            outcome = _outcome(client, rng, expected)
            found.add(outcome, time.monotonic() - started)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    found.memory = list(zip(before[0], _memory(server), strict=True))
    return found


def _outcome(client, rng, expected):
    """What came of a request: "right", "refused", or what happened instead."""
    seeds = rng.integers(0, POOL, ROWS)
    given = {"seed": seeds, "label": seeds % 10}
    if is_bad := rng.integers(BAD_EACH) == 0:
        signature, given = _BAD[rng.integers(len(_BAD))]
    else:
        signature = "generate"
    try:
        answer = client.predict(signature, **given)
    except ValueError as error:
        is_worded = str(error).isprintable() and len(str(error)) > 20
        return "refused" if is_bad and is_worded else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if is_bad:
        return f"an answer to {signature}"
    is_same = np.allclose(answer["image"], expected[seeds], rtol=0, atol=1e-5)
    return "right" if is_same else f"other images of {seeds}"


# Some the client refuses, and others, whose contents only the model knows, the server.
_BAD = [
    ("generate", {"seed": [1], "label": [10]}),
    ("generate", {"seed": [1, 2], "label": [1]}),
    ("decode", {"z": [[np.nan] * 4], "label": [1]}),
    ("decode", {"z": [[0.0] * 5], "label": [1]}),
    ("encode", {"image": np.full((1, 8, 8, 1), 2.0), "label": [0]}),
    ("encode_bytes", {"image_bytes": [b"\x89PNG\r\n\x1a\nhalf"], "label": [0]}),
    ("generate", {"seed": [2], "label": [-1]}),
    ("dream", {"seed": [1], "label": [1]}),
]


def _memory(server):
    """Resident memory of this process and the server's, in MiB."""
    found = []
    for process in ("self", server):
        with open(f"/proc/{process}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
            found.append(int(line.split()[1]) / 1024)
    return found
