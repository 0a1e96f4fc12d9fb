"""Runs the tests on every backend that is installed, in shards, so many at once as there are cores.

python -m tests [--full] [--backend NAME] [--group NAME] [--jobs NUM] [pytest's arguments]

A shard is a group of test files on one backend, in a process of its own. Paths among the arguments
stand in place of the groups. --backend and --group can be given several times. What the tier of
--full adds is in tests/README.md.
"""

import argparse
import collections
import fnmatch
import importlib.util
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

BACKENDS = ("tensorflow", "jax", "torch")

CONTRACT = "tests/models/test_contract.py"

# A group's files. A file is in the first group that names it, so that the last has all the others.
GROUPS = {
    "contract": (CONTRACT, "tests/test_distribution.py"),
    "models": ("tests/models/*", "tests/backend/*"),
    "runs": (  # from data to a server
        "tests/test_cli.py",
        "tests/test_run*",
        "tests/data/*",
        "tests/docs/*",
        "tests/runs/*",
        "tests/serving/*",
    ),
    "others": ("*",),
}

# With --full these of the contract run again, on one model of each family, with what the compilers
# do by default.
COMPILERS = "compilers"
COMPILED = "uninterrupted or agree_over"

# About the CPU seconds of a group on the three backends, without and with --full: the longest start
# first.
SECONDS = {
    "contract": ((80, 50, 80), (170, 150, 185)),
    "models": ((75, 120, 135), (160, 180, 190)),
    "runs": ((65, 30, 110), (110, 65, 230)),
    "others": ((25, 75, 90), (120, 160, 175)),
    COMPILERS: ((0, 0, 0), (15, 25, 0)),
}

# Where JAX and PyTorch find TensorFlow; to the other groups it is not installed.
WITH_TENSORFLOW = ("runs", "paths")

# pytest's short options that a value follows.
TAKES_A_VALUE = ("-c", "-k", "-m", "-n", "-o", "-p", "-r", "-W")

OUTCOMES = ("failed", "errors", "passed", "skipped", "deselected", "xfailed", "xpassed")
NOTHING_COLLECTED = 5


class Shard:
    """Files that one pytest runs on one backend, and how that went."""

    def __init__(self, backend, group, paths, expected):
        self.backend = backend
        self.group = group
        self.paths = paths
        self.expected = expected
        self.process = None
        self.status = None
        self.seconds = self.cpu_seconds = 0.0
        self.report = ""

    def run(self, arguments, full):
        if self.group == COMPILERS:
            arguments = ["-k", COMPILED, *arguments]
        elif full:
            arguments = ["--full", *arguments]
        start = time.monotonic()
        with tempfile.TemporaryFile() as report:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *self.paths, *arguments],
                env=environment(self.backend, self.group),
                stdout=report,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(self.process.pid, 0)
            self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
            report.seek(0)
            self.report = report.read().decode(errors="replace")
        self.seconds = time.monotonic() - start
        self.cpu_seconds = usage.ru_utime + usage.ru_stime

    @property
    def summary(self):
        """pytest's last line of results."""
        lines = [line.strip("= ") for line in self.report.splitlines()]
        found = [line for line in lines if re.search(r"\d+ (passed|failed|error|skipped)", line)]
        return found[-1] if found else f"exit status {self.status}"


def environment(backend, group):
    # Processes share the cores: more threads of PyTorch's would wait for each other.
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    # JAX' newer emitters take five times as long to compile.
    quiet["XLA_FLAGS"] = "--xla_cpu_use_fusion_emitters=false"
    if backend != "tensorflow" and group not in WITH_TENSORFLOW:
        quiet["KGEN_TESTS_WITHOUT"] = "tensorflow"
    if group == COMPILERS:
        del quiet["XLA_FLAGS"]
        quiet["KGEN_TESTS_DEFAULT_COMPILERS"] = "1"
    return quiet | os.environ | {"KERAS_BACKEND": backend}


def files_by_group():
    """Dict of lists of paths by group; every test file is in one."""
    files = ["kgen", *sorted(map(str, pathlib.Path("tests").rglob("test_*.py")))]
    found = {group: [] for group in GROUPS}
    for file in files:
        for group, patterns in GROUPS.items():
            if any(fnmatch.fnmatch(file, pattern) for pattern in patterns):
                found[group].append(file)
                break
    return found


def paths_among(arguments):
    """The arguments that are paths of tests, not the values of pytest's short options."""
    before = ["", *arguments]
    return [
        each
        for last, each in zip(before, arguments, strict=False)
        if os.path.exists(each.split("::")[0]) and last not in TAKES_A_VALUE
    ]


def shards_of(backends, paths, full):
    """The shards, the longest first."""
    if paths:
        return [Shard(backend, "paths", paths, 0) for backend in backends]
    files = files_by_group()
    shards = [(group, backend) for group in files for backend in backends]
    if full:
        files[COMPILERS] = [CONTRACT]
        # PyTorch compiles nothing.
        shards += [(COMPILERS, backend) for backend in backends if backend != "torch"]
    shards = [
        Shard(backend, group, files[group], SECONDS[group][full][BACKENDS.index(backend)])
        for group, backend in shards
    ]
    return sorted(shards, key=lambda shard: -shard.expected)


def run_all(shards, jobs, arguments, full):
    """Runs the shards and shows the report of each as it ends."""
    queue, shown = collections.deque(shards), threading.Lock()

    def work():
        while True:
            try:
                shard = queue.popleft()
            except IndexError:
                return
            shard.run(arguments, full)
            with shown:
                print(f"== {shard.backend} {shard.group}", flush=True)
                print(shard.report, flush=True)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except KeyboardInterrupt:
        queue.clear()
        for shard in shards:
            if shard.process is not None and shard.status is None:
                shard.process.terminate()
        raise


def failures(shards, selects):
    """The shards that failed; one may have nothing that was selected, all may not."""
    some_ran = any(shard.status != NOTHING_COLLECTED for shard in shards)
    allowed = (0, NOTHING_COLLECTED) if selects and some_ran else (0,)
    return [shard for shard in shards if shard.status not in allowed]


def table(shards):
    """CPU seconds by group and backend."""
    backends = [each for each in BACKENDS if any(shard.backend == each for shard in shards)]
    groups = list(dict.fromkeys(shard.group for shard in shards))
    seconds = {(shard.group, shard.backend): shard.cpu_seconds for shard in shards}
    rows = [[group, *(seconds.get((group, each), 0.0) for each in backends)] for group in groups]
    rows.append(["all", *(sum(row[i] for row in rows) for i in range(1, len(backends) + 1))])
    yield f"{'CPU seconds':<12}" + "".join(f"{name:>12}" for name in (*backends, "all"))
    for name, *numbers in rows:
        yield f"{name:<12}" + "".join(f"{number:>12.0f}" for number in (*numbers, sum(numbers)))


def totals(shards, seconds):
    """The outcomes of all, in pytest's words."""
    counts = collections.Counter()
    for shard in shards:
        for number, outcome in re.findall(r"(\d+) (\w+)", shard.summary):
            counts[{"error": "errors"}.get(outcome, outcome)] += int(number)
    found = [f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome]]
    return f"{', '.join(found) or 'no tests ran'} in {seconds:.2f}s"


def main(arguments):
    """Runs what is asked for, and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests", allow_abbrev=False)
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--group", action="append", choices=(*GROUPS, COMPILERS))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options, rest = parser.parse_known_args(arguments)
    installed = [backend for backend in BACKENDS if importlib.util.find_spec(backend)]
    backends = [each for each in installed if each in (options.backend or installed)]
    if not backends:
        sys.exit(f"Expected one of {options.backend or BACKENDS}, and found none installed.")
    paths = paths_among(rest)
    rest = [each for each in rest if each not in paths]
    selects = bool(paths) or any(re.match(r"-k|-m|--lf|--last-failed|--deselect", r) for r in rest)
    shards = shards_of(backends, paths, options.full)
    if options.group:
        shards = [shard for shard in shards if shard.group in options.group]
    start = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as compiled:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", compiled)
        run_all(shards, options.jobs, rest, options.full)
    failed = failures(shards, selects)
    print("\n".join(table(shards)))
    for shard in shards:
        print(
            f"{shard.backend:<11} {shard.group:<9} {shard.cpu_seconds:5.0f} CPU s  {shard.summary}"
        )
    names = ", ".join(f"{shard.backend} {shard.group}" for shard in failed)
    print(f"Failed: {names}" if failed else f"Passed on: {', '.join(backends)}")
    print(totals(shards, time.monotonic() - start), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
