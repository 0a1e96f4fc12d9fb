"""Commands killed by SIGKILL at random moments, again and again, and what they end with."""

import concurrent.futures
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from typing import NamedTuple

from absl import flags

KILLS = flags.DEFINE_integer("kills", 300, "Kills in all, spread evenly over the commands.")
JOBS = flags.DEFINE_integer("jobs", 2, "Commands at a time.")
ONLY = flags.DEFINE_string("only", "", "The commands alone that have this in their name.")
BACKENDS = flags.DEFINE_list("backends", ["tensorflow", "jax", "torch"], "Which backends.")

TRAIN = ["--epochs", "4", "--batch_size", "500", "--backup_steps", "1", "--deterministic"]
SMALL = ["--width", "8"]
TRAININGS = {
    "vae": ["--latent_dim", "4", "--width", "32"],
    "dcgan": [*SMALL, "--ema_decay", "0.9", "--on_nan", "rollback"],
    "wgan_gp": SMALL,
    "infogan": SMALL,
    "gated_pixelcnn": [*SMALL, "--depth", "1", "--levels", "2", "--conditional"],
}


class Case(NamedTuple):
    """A command, and what of it has to be the same after kills.

    Attributes:
        name: str.
        arguments: list of str. In these "{out}" is a folder of its own.
        needs: str. The run that it reads, or None for a training.
    """

    name: str
    arguments: list
    needs: str | None = None


CASES = [
    *(
        Case(f"train {model}", ["train", model, *TRAIN, *more, "--run", "{out}/run"])
        for model, more in TRAININGS.items()
    ),
    Case(
        "sample", ["sample", "{run}", "--num", "3000", "--seed", "1", "--out", "{out}/many/"], "vae"
    ),
    Case(
        "sample .npz",
        ["sample", "{run}", "--num", "3000", "--seed", "1", "--out", "{out}/a.npz"],
        "vae",
    ),
    Case("evaluate", ["evaluate", "{run}", "--num_samples", "200"], "vae"),
    Case("export", ["export", "{run}", "--path", "{out}/served/digits", "--version", "1"], "vae"),
]

# What holds times, numbers of processes or orders.
OTHER_EACH_TIME = ("/.lock", "/logs/", "/checkpoint/", ".pb", "variables.data", "warmup", "README")


class Killed(NamedTuple):
    """How often a command was killed and went on to its end, and what was other then."""

    kills: int
    ends: int
    differences: list


def measure(folder, deadline):
    """Prints a table of all commands on all backends; whether nothing was lost."""
    cases = [case for case in CASES if ONLY.value in case.name]
    each = max(1, KILLS.value // (len(cases) * len(BACKENDS.value)))
    print("| command | backend | kills | whole ends | ends of other bits | left behind |")
    print("|---|---|---|---|---|---|", flush=True)
    total, is_right = 0, True
    with concurrent.futures.ThreadPoolExecutor(JOBS.value) as pool:
        runs = {}
        for backend in BACKENDS.value:
            runs[backend] = os.path.join(folder, backend, "run")
            train = Case("", ["train", "vae", *TRAIN, *TRAININGS["vae"], "--run", "{run}"], "vae")
            _finish(train, backend, folder, runs[backend])
        jobs = {
            pool.submit(_kill, case, backend, folder, runs[backend], each, deadline): (
                case,
                backend,
            )
            for backend in BACKENDS.value
            for case in cases
        }
        for job in concurrent.futures.as_completed(jobs):
            case, backend = jobs[job]
            found = job.result()
            wrong = [what for what in found.differences if not what.startswith("left ")]
            left = [what for what in found.differences if what.startswith("left ")]
            total, is_right = total + found.kills, is_right and not found.differences
            print(
                f"| {case.name} | {backend} | {found.kills} | {found.ends} | "
                f"{', '.join(wrong) or 0} | {', '.join(left) or 0} |",
                flush=True,
            )
    print(f"\n{total} kills", flush=True)
    return is_right


def _kill(case, backend, folder, run, kills, deadline):
    """Kills a command at random moments, to its end each time that it gets there."""
    rng = random.Random(f"{case.name} {backend}")
    place = os.path.join(folder, backend, case.name.replace(" ", "-"))
    started = time.monotonic()
    if started > deadline:
        return Killed(0, 0, [])
    whole = _finish(case, backend, f"{place}-whole", run)
    seconds = time.monotonic() - started
    killed, ends, differences = 0, 0, []
    out = f"{place}-killed"
    while killed < kills and time.monotonic() < deadline:
        process = _start(case, backend, out, run)
        try:
            process.wait(rng.uniform(0.0, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
        process.log.close()
        if process.returncode == 0 or killed == kills:
            end = _ended(case, process, out) or _finish(case, backend, out, run)
            ends += 1
            differences += [
                f"{k} ({ends})" for k in whole.keys() | end.keys() if whole.get(k) != end.get(k)
            ]
            differences += [f"left {each}" for each in _left(out)]
            shutil.rmtree(out, ignore_errors=True)
    return Killed(killed, ends, differences)


def _start(case, backend, out, run):
    os.makedirs(out, exist_ok=True)
    arguments = [each.format(out=out, run=run) for each in case.arguments]
    if case.name.startswith(("train", "sample", "evaluate")) or not case.name:
        arguments += ["--backend", backend]
    threads = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    log = open(os.path.join(os.path.dirname(out), f"{os.path.basename(out)}.log"), "a")
    process = subprocess.Popen(
        [sys.executable, "-m", "kgen.cli", *arguments],
        env=os.environ | threads,
        stdout=log,
        stderr=log,
    )
    process.log = log
    return process


def _finish(case, backend, out, run):
    """Runs a command to its end; what it made, by name."""
    process = _start(case, backend, out, run)
    process.wait()
    process.log.close()
    made = _ended(case, process, out)
    if made is None:
        with open(process.log.name) as log:
            raise RuntimeError(
                f"{case} on {backend}: status {process.returncode}\n{log.read()[-3000:]}"
            )
    return made


def _ended(case, process, out):
    """What a command made that ended well, or had made when it was killed; else None."""
    with open(process.log.name) as log:
        said = log.read()
    if process.returncode and (process.returncode < 0 or "is not there yet" not in said):
        return None
    return {"figures": said.split()[-6:]} if case.name == "evaluate" else _made(out)


def _made(out):
    """Digests of what is in a folder, by path; of what tells the time without that."""
    made = {}
    for folder, _, files in os.walk(out):
        for file in files:
            path = os.path.join(folder, file)
            name = os.path.relpath(path, out)
            if not any(each in f"/{name}" for each in OTHER_EACH_TIME):
                made[name] = _digest(path)
    return made


def _digest(path):
    """Of a file's bytes; of a `.keras` file's without its time and Python's addresses."""
    if path.endswith(".keras"):
        with zipfile.ZipFile(path) as archive:
            config = re.sub(rb'"shared_object_id": \d+', b"", archive.read("config.json"))
            contents = config + archive.read("model.weights.h5")
    elif path.endswith(".index"):  # of a SavedModel's variables, beside which their graph lies
        import tensorflow as tf

        reader = tf.train.load_checkpoint(path.removesuffix(".index"))
        names = (name for name in reader.get_variable_to_dtype_map() if name[0] != "_")
        # An export numbers them in no order.
        contents = b"".join(sorted(reader.get_tensor(name).tobytes() for name in names))
    else:
        with open(path, "rb") as file:
            contents = file.read()
    return hashlib.sha256(contents).hexdigest()


def _left(out):
    """What a finished command should not leave: temporary files, and processes of dead parents."""
    names = [name for _, folders, files in os.walk(out) for name in (*folders, *files)]
    found = [
        name for name in names if name.startswith((".tmp", ".export")) or name.endswith(".tmp")
    ]
    for process in os.listdir("/proc"):
        try:
            with open(f"/proc/{process}/cmdline") as file:
                if process.isdecimal() and out in file.read():
                    found.append(f"process {process}")
        except OSError:
            continue
    return found
