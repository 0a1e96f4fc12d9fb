"""Every model of the zoo on one data set under the same conditions.

    KERAS_BACKEND=jax python benchmarks/zoo.py --dataset mnist --data_dir ~/tensorflow_datasets

Each trains for the same number of seconds on the same cores, with its paper's optimizers and
batches and its preset networks, `--seeds` times; then all are judged by one classifier of the data.
What is trained is kept in `--runs`, so that it goes on after the last; after a change of the
settings give it another folder. Writes a table, the best first, and samples of the first seeds.
"""

import json
import os
import time

import keras
import numpy as np
from absl import app, flags

import kgen
from kgen import metrics
from kgen.metrics.real import evenly
from kgen.runs.catalog import MODELS
from kgen.runs.many import conditions

ONLY = flags.DEFINE_list("models", None, "Only these models, by their names in `kgen train`.")
DATASET = flags.DEFINE_string("dataset", "mnist", "As `kgen.data.load` takes it.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts it.")
SEEDS = flags.DEFINE_integer("seeds", 3, "Trainings of each.", lower_bound=1)
SECONDS = flags.DEFINE_float("seconds", 120.0, "Of each training, after its first step.")
NUM = flags.DEFINE_integer("num", 5000, "Samples of each, and real images of the test split.")
MACHINE = flags.DEFINE_string("machine", "this machine", "What the table says of it.")
RUNS = flags.DEFINE_string("runs", "runs/zoo", "Gets the models and their figures.")
OUT = flags.DEFINE_string("out", "benchmarks/results", "Gets zoo.md and zoo.png.")

FIGURES = ("kid", "frechet_distance", "class_score", "precision_recall", "density_coverage")
COLUMNS = ("kid", "frechet_distance", "class_score", "precision", "recall", "density", "coverage")


class StopAfter(keras.callbacks.Callback):
    """Ends a training after some seconds, without those of the first step, which is compiled."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.started, self.steps = seconds, None, 0

    def on_train_batch_end(self, batch, logs=None):
        if self.started is None:
            float(next(iter(logs.values())))
            self.started = time.monotonic()
        self.steps += 1
        if self.steps % 10 == 0:
            float(next(iter(logs.values())))  # as steps may only have been asked for so far
            self.model.stop_training = time.monotonic() - self.started >= self.seconds


def names():
    """The models that can make images."""
    all_of_them = [name for name, kind in MODELS.items() if hasattr(getattr(kgen, kind), "sample")]
    return ONLY.value or all_of_them


def train(name, seed, path):
    """One training; writes the model, and how far it came."""
    chosen = getattr(kgen, MODELS[name])
    keras.utils.set_random_seed(seed)
    data = kgen.data.load(
        DATASET.value, chosen.default_batch_size, data_dir=DATA_DIR.value, seed=seed
    )
    condition = data.condition if chosen.is_conditional else None
    model = chosen(data.image_shape, condition=condition, seed=seed)
    model.adapt(data.train)
    model.compile()
    stop = StopAfter(SECONDS.value)
    model.fit(data.train, epochs=10**6, verbose=0, callbacks=[stop])
    model.save(f"{path}.keras")
    images = stop.steps * data.batch_size
    with open(f"{path}.json", "w") as file:
        json.dump({"steps": stop.steps, "epochs": images / data.num_train}, file)


def judged(path, evaluation):
    """A training's figures, and ten samples."""
    with open(f"{path}.json") as file:
        known = json.load(file)
    model = keras.saving.load_model(f"{path}.keras")
    if "figures" not in known:
        known["figures"] = evaluation(model).values
        with open(f"{path}.json", "w") as file:
            json.dump(known, file)
    labels = None if model.num_classes is None else np.arange(model.num_classes)
    return known, model.sample(10, conditions(model, labels, 10), seed=0)


def table(found, evaluation, data):
    """Markdown: a row a model, the lowest kernel distance first."""
    train, test = (evenly(split, NUM.value)[0] for split in (data.train, data.test))
    real = metrics.figures_of(train, test, evaluation.features, FIGURES)

    def cell(name, of_seeds):
        values = [each["figures"][name] for each in of_seeds]
        spread = f" ± {np.std(values, ddof=1):.2g}" if len(values) > 1 else ""
        return f"{np.mean(values):.4g}{spread}"

    order = sorted(found, key=lambda name: np.mean([s["figures"]["kid"] for s, _ in found[name]]))
    lines = ["| | epochs | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name in order:
        of_seeds = [each for each, _ in found[name]]
        epochs = np.mean([each["epochs"] for each in of_seeds])
        cells = " | ".join(cell(column, of_seeds) for column in COLUMNS)
        lines.append(f"| {MODELS[name]} | {epochs:.1f} | {cells} |")
    cells = " | ".join(f"{real.values[column]:.4g}" for column in COLUMNS)
    lines.append(f"| training images | | {cells} |")
    return order, "\n".join(lines)


def main(_):
    """Trains what is missing, judges all, writes the table and the picture."""
    os.makedirs(RUNS.value, exist_ok=True)
    for seed in range(SEEDS.value):
        for name in names():
            path = os.path.join(RUNS.value, f"{name}-{seed}")
            if not os.path.exists(f"{path}.json"):
                started = time.monotonic()
                train(name, seed, path)
                print(f"{name}, seed {seed}: {time.monotonic() - started:.0f} s", flush=True)
    data = kgen.data.load(DATASET.value, 500, data_dir=DATA_DIR.value)
    features = metrics.default_features(data, os.path.join(RUNS.value, "classifier.npz"))
    evaluation = metrics.Evaluation(data, FIGURES, features, NUM.value)
    found = {
        name: [
            judged(os.path.join(RUNS.value, f"{name}-{seed}"), evaluation)
            for seed in range(SEEDS.value)
        ]
        for name in names()
    }
    order, rows = table(found, evaluation, data)
    picture = os.path.join(OUT.value, "zoo.png")
    kgen.pictures.grid(np.concatenate([found[name][0][1] for name in order]), 10, picture)
    seeds = f"{SEEDS.value} seeds each" if SEEDS.value > 1 else "one seed"
    text = (
        f"# The zoo on {DATASET.value}\n\n"
        f"`python benchmarks/zoo.py --dataset {DATASET.value} --seconds {SECONDS.value:g}`, on "
        f"{MACHINE.value}: {SECONDS.value:g} s of training, {seeds}, with preset networks and the "
        f"papers' optimizers and batches; {NUM.value:,} samples beside as many test images, by "
        f"{features.name} that is right about {features.notes.get('accuracy', 0):.2%} of these.\n\n"
        f"{rows}\n\n![Ten samples of each, in the order of the table](zoo.png)\n"
    )
    with open(os.path.join(OUT.value, "zoo.md"), "w") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    app.run(main)
