"""What the tests and the doctests of kgen run with. It is at the root so that both have it."""

import gc
import importlib.util
import itertools
import os
import sys
import zlib


class Without:
    """A finder of modules, as where a package is not installed."""

    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, *args):
        is_missing = name.partition(".")[0] == MISSING
        return None if is_missing else self._finder.find_spec(name, *args)

    def __getattr__(self, name):
        return getattr(self._finder, name)


MISSING = os.environ.get("KGEN_TESTS_WITHOUT")
if MISSING:
    sys.meta_path[:] = map(Without, sys.meta_path)

# Where what no backend has a part in runs: PyTorch, but the stock images' versions are without it.
AT_HOME = next(filter(importlib.util.find_spec, ("torch", "tensorflow", "jax")))

# The same kernels on every processor: TensorFlow's others have no dilated transposed convolution.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

DEFAULT_COMPILERS = bool(os.environ.get("KGEN_TESTS_DEFAULT_COMPILERS"))

gc.set_threshold(200_000, 20, 100)  # looking through thousands of graphs takes a tenth of the time

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # keras.utils.set_random_seed, of each test, would have every function that is compiled already
    # made ready anew. The seed is of TensorFlow's own random operations, which kgen has none of;
    # now and then it frees what models held that are gone.
    seeded, set_seed = itertools.count(), tf.random.set_seed
    tf.random.set_seed = lambda seed: None if next(seeded) % 25 else set_seed(seed)
    # On a busy machine several threads add up in another order each time: no two bits are sure.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    if not DEFAULT_COMPILERS:  # graphs this small cost more to optimize than to run
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # The tuner's thread can miss that an epoch is over, and then sleeps for as long as it lasted.
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    iterate = tf.data.Dataset.__iter__
    tf.data.Dataset.__iter__ = lambda dataset: iterate(dataset.with_options(untuned))


def pytest_addoption(parser):
    parser.addoption(
        "--full",
        action="store_true",
        help="run the slow tier as well: what is marked `full`, see tests/README.md",
    )


# Of a test's markers the closest says where it runs. In these files one without is `anywhere`:
# Python that no backend has a part in, or a formula, and goldens tie the others' figures to it.
ANYWHERE = (
    "kgen/",  # examples of docstrings
    "tests/models/",
    "tests/networks/",
    "tests/data/",
    "tests/pictures/",
    "tests/demo/",
    "tests/examples/",
    "tests/runs/",
    "tests/test_checks.py",
    "tests/test_cli.py",
    "tests/test_fields.py",
    "tests/test_installed.py",
    "tests/test_interrupt.py",
    "tests/test_latents.py",
    "tests/test_lock.py",
    "tests/test_packaging.py",
    "tests/test_printable.py",
    "tests/test_runs.py",
    "tests/test_seeds.py",
    "tests/test_whole_file.py",
)
BUT_THESE = (
    "tests/data/test_augment.py",
    "tests/data/test_batches.py",
    "tests/models/test_changes.py",
    "tests/models/test_contract.py",
    "tests/models/test_scalars.py",
)
# In these it is `one_backend`: what is a backend's own of it is tried by the contract and by
# goldens too, so that with --full one of the compiling backends is enough for a test.
ONE_BACKEND = (
    "tests/distributions/",
    "tests/metrics/",
    "tests/models/test_changes.py",
    "tests/models/test_scalars.py",
    "tests/posteriors/",
    "tests/test_backups.py",
    "tests/test_callbacks.py",
    "tests/test_evaluate.py",
)
BACKENDS = ("each_backend", "one_backend", "anywhere")


def pytest_collection_modifyitems(config, items):
    full = config.getoption("full")
    left_out = set() if full else {"full", "full_on_one"}
    if keras.backend.backend() != AT_HOME:
        left_out |= {"anywhere", "full_on_one"} if full else {"anywhere", "one_backend"}
    left = [item for item in items if not left_out.intersection(_markers(item)) and is_here(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(left)])
    items[:] = left


def pytest_collection_finish():
    """What was imported stays: `gc.collect` after each file need not look through it again."""
    gc.collect()
    gc.freeze()


def is_here(item):
    """Whether --full has it here: what is `one_backend` is at home, and where its name falls."""
    other = ("tensorflow", "jax")[zlib.crc32(item.nodeid.encode()) % 2]
    return keras.backend.backend() in (AT_HOME, other) or "one_backend" not in _markers(item)


def _markers(item):
    """Names of a test's markers; of those that say on which backends it runs the closest alone."""
    names = [marker.name for marker in item.iter_markers()]
    yield from (name for name in names if name not in BACKENDS)
    yield next(filter(BACKENDS.__contains__, names), _of_file(item.nodeid))


def _of_file(path):
    if path.startswith(ANYWHERE) and not path.startswith(BUT_THESE):
        return "anywhere"
    return "one_backend" if path.startswith(ONE_BACKEND) else "each_backend"


@pytest.fixture(scope="session", autouse=True)
def compile_once(tmp_path_factory):
    """Keeps what JAX compiles: the tests build the same small models again and again."""
    of_all_shards = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    settings = {
        "jax_compilation_cache_dir": of_all_shards or str(tmp_path_factory.mktemp("jax")),
        "jax_disable_most_optimizations": not DEFAULT_COMPILERS,
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": 0,
    }
    os.environ |= {name.upper(): str(value) for name, value in settings.items()}  # of children
    if keras.backend.backend() == "jax":
        import jax

        for name, value in settings.items():
            jax.config.update(name, value)


@pytest.fixture(scope="module", autouse=True)
def forget():
    """What a file compiled goes with it: a hundred models' graphs take gigabytes."""
    yield
    if keras.backend.backend() == "jax":
        import jax

        jax.clear_caches()
    gc.collect()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Leaves the user's cache alone."""
    os.environ["KGEN_CACHE"] = str(tmp_path_factory.mktemp("cache"))  # of children too


@pytest.fixture(autouse=True)
def same_start(doctest_namespace):
    """Every test begins with the same random state and the float32 policy, and ends so."""
    import kgen

    doctest_namespace.update(kgen=kgen, keras=keras, np=np)
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
