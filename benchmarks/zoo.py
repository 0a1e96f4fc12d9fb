"""Every model of the zoo on one data set under the same conditions.

    KERAS_BACKEND=jax python benchmarks/zoo.py --dataset mnist --data_dir ~/tensorflow_datasets

Each has the same seconds of one machine's processors, with its preset networks and its paper's
optimizers and batches: its first training takes as many steps as they hold, those of other seeds as
many as the first. They become run folders in `--runs`, so that it goes on after the last, and
`kgen compare` judges them by one classifier of the data. After a change of the settings give it
another folder. Writes the table, the best first, and the samples.
"""

import os
import time

import keras
from absl import app, flags

import kgen
from kgen.runs import best
from kgen.runs.catalog import MODELS
from kgen.runs.config import require_config
from kgen.runs.data_set import facts_of
from kgen.runs.folder import versions, write_json
from kgen.runs.settings import all_arguments

ONLY = flags.DEFINE_list("models", None, "Only these models, by their names in `kgen train`.")
DATASET = flags.DEFINE_string("dataset", "mnist", "As `kgen.data.load` takes it.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts it.")
SEEDS = flags.DEFINE_integer("seeds", 3, "Trainings of each.", lower_bound=1)
SECONDS = flags.DEFINE_float("seconds", 120.0, "Of processors, after a training's first step.")
NUM = flags.DEFINE_integer("num", 5000, "Samples of each, and real images of the test split.")
MACHINE = flags.DEFINE_string("machine", "this machine", "What the table says of it.")
RUNS = flags.DEFINE_string("runs", "runs/zoo", "Gets the runs.")
OUT = flags.DEFINE_string("out", "benchmarks/results", "Gets zoo.md and zoo.png.")

METRICS = ("kid", "frechet_distance", "class_score", "precision_recall", "density_coverage")


class StopAfter(keras.callbacks.Callback):
    """Ends a training after some seconds of processors, or after some steps.

    The first step, which is compiled, does not count. Other work on the machine takes no time away.

    Args:
        seconds: float.
        steps: int or None. The steps instead.
    """

    def __init__(self, seconds, steps=None):
        super().__init__()
        self.seconds, self.wanted, self.started, self.steps = seconds, steps, None, 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.wanted is not None:
            self.model.stop_training = self.steps >= self.wanted
        elif self.started is None:
            float(next(iter(logs.values())))
            self.started = time.process_time()
        elif self.steps % 10 == 0:
            float(next(iter(logs.values())))  # as steps may only have been asked for so far
            self.model.stop_training = time.process_time() - self.started >= self.seconds


def names():
    """The models that can make images."""
    all_of_them = [name for name, kind in MODELS.items() if hasattr(getattr(kgen, kind), "sample")]
    return ONLY.value or all_of_them


def train(name, seed, folder, steps):
    """One training of so many steps, or of the seconds where they are None, into a run folder."""
    chosen = getattr(kgen, MODELS[name])
    keras.utils.set_random_seed(seed)
    settings = {"source": DATASET.value, "batch_size": chosen.default_batch_size}
    settings |= {"data_dir": DATA_DIR.value, "seed": seed}
    data = kgen.data.load(**settings)
    condition = data.condition if chosen.is_conditional else None
    model = chosen(data.image_shape, condition=condition, seed=seed)
    model.adapt(data.train)
    model.compile()
    stop = StopAfter(SECONDS.value, steps)
    model.fit(data.train, epochs=10**6, verbose=0, callbacks=[stop])
    config = {
        "model": name,
        "arguments": all_arguments(chosen, {}),
        "conditional": chosen.is_conditional,
        "data": settings,
        "data_set": facts_of(data, DATASET.value),
        "precision": "float32",
        "seed": seed,
        "backend": keras.backend.backend(),
        "versions": versions(),
        "steps": stop.steps,
    }
    os.makedirs(folder, exist_ok=True)
    best.write(folder, model.published(), stop.steps * data.batch_size // data.num_train, {})
    write_json(os.path.join(folder, "config.json"), config)
    return stop.steps


def steps_of(folder):
    """The steps of a run, or None where there is none yet."""
    try:
        return require_config(folder)["steps"]
    except FileNotFoundError:
        return None


def main(_):
    """Trains what is missing, and compares all."""
    runs = []
    for name in names():
        first = None
        for seed in range(SEEDS.value):
            folder = os.path.join(RUNS.value, f"{name}-{seed}")
            runs.append(folder)
            done = steps_of(folder)
            if done is None:
                started = time.monotonic()
                done = train(name, seed, folder, first)
                print(f"{folder}: {done} steps, {time.monotonic() - started:.0f} s", flush=True)
            first = first or done
    out = os.path.join(OUT.value, "zoo.md")
    only = f" --models {','.join(ONLY.value)}" if ONLY.value else ""
    kgen.runs.compare(*runs, metrics=METRICS, num=NUM.value, out=out)
    seeds = f"{SEEDS.value} seeds each" if SEEDS.value > 1 else "one seed"
    with open(out) as file:
        table = file.read()
    text = (
        f"# The zoo on {DATASET.value}\n\n"
        f"`python benchmarks/zoo.py --dataset {DATASET.value} --seconds {SECONDS.value:g}{only}`, "
        f"on {MACHINE.value}: {SECONDS.value:g} s of processors, {seeds}, with preset networks and "
        "the papers' optimizers and batches. The ranking is explained in [How good is "
        f"it?](../../docs/metrics.md)\n\n{table}"
    )
    with open(out, "w") as file:
        file.write(text)


if __name__ == "__main__":
    app.run(main)
