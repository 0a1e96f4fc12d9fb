"""A training from its settings to its folder."""

import contextlib
import errno
import json
import math
import os
import random
import tempfile

import keras

from kgen import backend, callbacks
from kgen.callbacks import backups
from kgen.checks import number, whole_number
from kgen.data import load as load_data
from kgen.keras_file import read_notes
from kgen.lock import locked
from kgen.metrics.evaluation import check_verbs
from kgen.metrics.samples import LIKELIHOOD, check_names, names_of
from kgen.models.optimizers import check_learning_rate, with_learning_rate
from kgen.runs.best import KeepBest
from kgen.runs.config import read_config
from kgen.runs.data_set import check_there, facts_of, warn_of_changes
from kgen.runs.folder import (
    add_row,
    check_folder,
    drop_rows,
    is_begun,
    read_history,
    versions,
    write_json,
)
from kgen.runs.quality import classifier_file, features_of
from kgen.runs.results import write_results
from kgen.runs.run import Run
from kgen.runs.settings import all_arguments, model_class
from kgen.whole_file import remove_unfinished

MAX_ROLLBACKS = 5

_WRITTEN = r"(config|results)\.json|history\.csv|model\.keras"


def train(
    model: str,
    dataset: str = "digits",
    run: str | None = None,
    epochs: int = 50,
    batch_size: int | None = None,
    image_size: int | None = None,
    data_dir: str | None = None,
    augment: tuple = (),
    conditional: bool = False,
    learning_rate: float | None = None,
    precision: str = "float32",
    strategy: str | None = None,
    deterministic: bool = False,
    on_nan: str = "stop",
    backup_seconds: float = 60.0,
    backup_steps: int | None = None,
    evaluate: tuple | None = None,
    evaluate_every: int | None = None,
    seed: int = 0,
    **arguments,
) -> Run:
    """Trains a model into a run folder, or goes on where the folder's training stopped.

    Args:
        model: str. A name in `kgen.runs.catalog.MODELS`, such as "vae".
        dataset: str. "digits", a TFDS name, a folder of images or an .npz; see `kgen.data.load`.
        run: str. The run folder. Defaults to runs/MODEL-DATASET.
        epochs: int. Epochs in all, those of earlier calls among them.
        batch_size: int. Images in a step. Defaults to the model's.
        image_size: int. Resize and centre-crop the images to this height and width.
        data_dir: str. Where TFDS finds or puts its data.
        augment: sequence of "flip" and "crop". What to vary in the training images.
        conditional: bool. Condition the model on the labels, or what else the data have.
        learning_rate: float. Instead of the paper's; of several players the first's, and the
            others' in the paper's ratio.
        precision: str. "float32", "mixed_bfloat16" or "mixed_float16".
        strategy: str. Train on several devices: "mirrored" or "multi_worker" on TensorFlow,
            "data_parallel" on JAX; on PyTorch `torchrun` does it. See docs/distributed.md.
        deterministic: bool. Let the same steps give the same bits, which costs some speed: what a
            training needs that is to end bit for bit the same after a kill.
        on_nan: str. When a loss is NaN or infinite, "stop", or "rollback": go back to the last
            backup and on with half the learning rate, five times at most.
        backup_seconds: float. Seconds from one backup to the next.
        backup_steps: int. Steps from one backup to the next, as well.
        evaluate: sequence of metrics, such as "kid" and "log_likelihood", to log of samples after
            epochs. By the first of them the best model is kept in `best` of the run folder. A
            training may go on with others; defaults to the folder's own, of a new run to none.
        evaluate_every: int. Epochs from one evaluation to the next. Defaults to as many as keep it
            at 5% of the time.
        seed: int. Seeds the weights, the noise and the order of the data.
        **arguments: arguments of the model's class, such as `latent_dim`.

    Returns:
        The finished `Run`.

    Raises:
        ValueError: a setting differs from the folder's, or is not valid.
        FloatingPointError: a loss became NaN; the last good backup is kept.
    """
    chosen = model_class(model)
    epochs = whole_number("epochs", epochs)
    seed = whole_number("seed", seed, 0, 2**31 - 1)
    if on_nan not in ("stop", "rollback"):
        raise ValueError(f"Expected on_nan of 'stop' or 'rollback'. Received: {on_nan=}")
    if learning_rate is not None:
        check_learning_rate(learning_rate)
    number("backup_seconds", backup_seconds, above=0, optional=True)
    whole_number("backup_steps", backup_steps, optional=True)
    whole_number("evaluate_every", evaluate_every, optional=True)
    folder = run or os.path.join("runs", f"{model}-{_slug(dataset)}")
    earlier = read_config(folder) or {}
    if evaluate is None:
        evaluate = earlier.get("evaluate") or ()
    evaluate = check_names(evaluate)
    if evaluate_every is not None and not evaluate:
        raise ValueError(f"Expected evaluate, for evaluate_every. Received: {evaluate_every=}")
    config = {
        "model": model,
        "arguments": all_arguments(chosen, arguments),
        "conditional": conditional or chosen.is_conditional,
        "data": {
            "source": dataset,
            "batch_size": chosen.default_batch_size if batch_size is None else batch_size,
            "image_size": image_size,
            "data_dir": data_dir,
            "seed": seed,
            "augment": list(augment),
        },
        "learning_rate": learning_rate,
        "precision": precision,
        "deterministic": deterministic,
        "evaluate": evaluate or None,
        "seed": seed,
        "backend": keras.backend.backend(),
    }
    config = json.loads(json.dumps(config))  # as the folder will give it back
    check_folder(folder, config)
    if is_begun(folder):
        check_there(dataset, earlier["data_set"])
    if deterministic:
        backend.set_deterministic()
    with backend.strategy(strategy):
        data = load_data(**config["data"])
        this = Run(folder, config, _build(chosen, config, data))
        backup = callbacks.Backup(this.path("checkpoint"), backup_seconds, backup_steps)
        check_verbs(evaluate, this.model)
        with _own_output(this):
            notes = _write_config(this, data)
            print(_introduction(this, data))
            while True:
                try:
                    _fit(this, data, backup, epochs, evaluate_every)
                    break
                except FloatingPointError as error:
                    if on_nan == "stop":
                        raise
                    _roll_back(this, data, backup, error)
            write_results(this, data, backup, notes)
            _tell_of_newer(this, backup)
    return this


@contextlib.contextmanager
def _own_output(run):
    """Of several processes the first has the run folder and the screen, the others neither.

    All of them do the same, as JAX wants it, and read the same backups.
    """
    if run.model.process_index == 0:
        with locked(run.folder, "trains"):
            check_folder(run.folder, run.config)  # as another may have trained meanwhile
            remove_unfinished(run.folder, _WRITTEN)
            remove_unfinished(run.path("samples"), r"epoch-\d+\.png")
            backups.adopt(run.path("model.keras"), run.path("checkpoint"))
            yield
        return
    folder = run.folder
    with (
        tempfile.TemporaryDirectory() as run.folder,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        yield
    run.folder = folder


def _write_config(run, data):
    """Writes what the run is of, and returns what of it are no settings."""
    earlier = read_config(run.folder)
    data_set = facts_of(data, run.config["data"]["source"])
    if is_begun(run.folder):
        warn_of_changes(earlier["data_set"], data_set, "which will end in another way")
    notes = {"data_set": data_set, "versions": versions()}
    write_json(run.path("config.json"), run.config | notes)
    return notes


def _tell_of_newer(run, backup):
    trained = run.path("model.keras")
    if backups.newest(backup.folder, trained) == trained:
        print(
            f"The last backup could not be written: the same command goes on from {trained}, and "
            f"not from {backup.folder}."
        )


def _roll_back(run, data, backup, error):
    """Halves the learning rate of the last backup, or raises the error that led here."""
    scale = 0.5 * run.model.optimizer.learning_rate_scale
    if scale < 0.5**MAX_ROLLBACKS:
        raise FloatingPointError(
            f"{error} It is the end of {MAX_ROLLBACKS} attempts, each with half the learning rate "
            "of the one before."
        ) from error
    run.model = _build(model_class(run.config["model"]), run.config, data)
    notes = backup.roll_back(run.model, scale)
    print(
        f"{error}\nBack to {notes['epoch']} epochs and {notes['batch']} batches, with {scale:g} of "
        "the learning rate."
    )


def _build(model_class, config, data):
    random.seed(config["seed"])  # where Keras' initializers take their seeds from
    if config["conditional"] and data.condition is None:
        raise ValueError(
            "Expected a data set with labels or other conditions, for a conditional model. "
            f"Received: {data.name}, which has none"
        )
    model = model_class(
        data.image_shape,
        condition=data.condition if config["conditional"] else None,
        seed=config["seed"],
        dtype=config["precision"],
        **config["arguments"],
    )
    model.check_sizes_of_batches(min(data.batch_size, data.num_train))
    model.adapt(data.train)
    optimizers = model.default_optimizers()
    if config["learning_rate"] is not None:
        optimizers = with_learning_rate(optimizers, config["learning_rate"])
    model.compile(optimizers)
    return model


def _fit(run, data, backup, epochs, evaluate_every):
    run.model.mean_over_processes(0)  # the first has brought all states to where they are read
    path = backups.newest(backup.folder)
    done = 0 if path is None else read_notes(path)["epoch"]
    if path is not None:
        print(f"{run.folder}: {done} of {epochs} epochs are done.")
    drop_rows(run.path("history.csv"), done)
    given = [
        callbacks.StopOnNaN(),
        *(_evaluating(run, data, evaluate_every) if done < epochs else []),
        *(_loggers(run, data) if done < epochs else []),
        backup,
    ]
    if callbacks.StuckDiscriminator.LOGS <= {metric.name for metric in run.model.metrics}:
        given.insert(1, callbacks.StuckDiscriminator())
    try:
        run.model.fit(data.train, validation_data=data.test, epochs=epochs, callbacks=given)
    except (OSError, FloatingPointError) as error:
        print()  # after the unfinished progress bar
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            words = f"{error.strerror}; once there is room the same command goes on"
            raise OSError(error.errno, words, error.filename) from error
        raise


def _evaluating(run, data, every):
    metrics = run.config["evaluate"]
    if not metrics:
        return []
    of_samples = set(metrics) != {LIKELIHOOD}
    features = features_of(data, path=classifier_file(run.folder)) if of_samples else None
    evaluate = callbacks.Evaluate(data, metrics, every=every, features=features)
    last = _last_logged(run.path("history.csv"), evaluate.names)
    evaluate.go_on_from(last)
    monitor = evaluate.names[0]
    return [evaluate, KeepBest(run, monitor, last and last[monitor])]


def _last_logged(history, names):
    """The figures of the last epoch of a history by name, None where it has not all of them."""
    header, rows = read_history(history) if os.path.exists(history) else ([], [])
    last = dict(zip(header, rows[-1], strict=True)) if rows else {}
    has_all = all(last.get(name, "NA") != "NA" for name in names)
    return {name: float(last[name]) for name in names} if has_all else None


def _loggers(run, data):
    of_samples = [f"val_{name}" for name in names_of(run.config["evaluate"] or [])]
    loggers = [_History(run.path("history.csv"), of_samples)]
    try:
        loggers.append(callbacks.TensorBoardScalars(run.path("logs")))
    except ImportError as error:
        print(f"No TensorBoard logs: {error}")
    if "generate" in run.model.signatures():
        labels = run.model.conditions_to_show(data)
        loggers.append(callbacks.SampleGrid(run.path("samples"), labels=labels))
    return loggers


class _History(keras.callbacks.Callback):
    """A row of each epoch, which the disk has before a backup says that the epoch is done.

    Args:
        path: str.
        names: list of str. What epochs log at times besides what all of them do.
    """

    def __init__(self, path, names):
        super().__init__()
        self._path, self._names = path, names

    def on_epoch_end(self, epoch, logs=None):
        values = dict.fromkeys(self._names, "NA") | logs
        add_row(self._path, {"epoch": epoch} | dict(sorted(values.items())))


def _introduction(run, data):
    """What trains on what, and where, in one line."""
    model = run.model
    num_parameters = sum(math.prod(v.shape) for v in model.trainable_variables)
    of_what = "x".join(map(str, data.image_shape))
    kinds = f" in {data.num_classes} classes" if data.num_classes else ""
    return (
        f"{type(model).__name__}, {num_parameters:,} parameters, on {data.name}: "
        f"{data.num_train:,} training and {data.num_test:,} test images of {of_what}{kinds}; "
        f"{keras.backend.backend()} on {backend.device()}; {run.folder}"
    )


def _slug(dataset):
    name = os.path.splitext(os.path.basename(os.path.normpath(dataset)))[0]
    return name or "data"
