"""Small models trained on however many replicas there are, in a process of its own.

python -m tests.replicas OUT MODELS [STRATEGY]: each of MODELS, names of the zoo with commas between
them, makes four steps of SGD whose noise is fixed, row by row of the whole batch; OUT has the
weights and logs of each, noise of their own, and how two trainings end that go wrong.
"""

import os
import random
import sys

import keras
import numpy as np
from keras import ops

import kgen
from kgen import backend, callbacks, metrics
from kgen.models.generative_model import GenerativeModel
from kgen.noise import StepNoise
from tests.zoo import ZOO

BATCH = 8


def replica():
    """The number of this replica in whose batch noise is drawn."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        return 0 if context is None else context.replica_id_in_sync_group
    if keras.backend.backend() == "torch":
        from torch import distributed

        return distributed.get_rank() if distributed.is_initialized() else 0
    return 0


def fixed(draw):
    """A function of `keras.random` whose rows are this replica's of the same table each time."""

    def fixed_draw(shape, *bounds, seed=None, **kwargs):
        table = draw(np.random.default_rng(0), (2 * BATCH, *map(int, shape[1:])), *bounds)
        rows = replica() * shape[0] + ops.arange(shape[0], dtype="int32")
        return ops.take(ops.convert_to_tensor(table), rows, axis=0)

    return fixed_draw


def normal(rng, shape):
    return rng.standard_normal(shape, dtype="float32")


def uniform(rng, shape, low=0.0, high=1.0):
    return rng.uniform(low, high, shape).astype("float32")


def randint(rng, shape, low, high):
    return rng.integers(low, high, shape).astype("int32")


# What a model is made with besides, for more of it to be tried.
OPTIONS = {
    "dcgan": {"ema_decay": 0.9},
    "wgan_gp": {"log_gradient_norms": True},
    "pixel_cnn": {"levels": 2},
    "vq_vae": {"restart_after": None},  # codes start anew on vectors of the first replica alone
}


def make(case):
    """A model of the zoo without Dropout, whose noise is each replica's own.

    The players of a game add to the losses in which they are called, each replica to its own: that
    of a generator waits in the middle of its loss for what batch normalization has on the others.
    """
    random.seed(0)  # where Keras' initializers take their seeds from
    model = case.make(**OPTIONS.get(case.name, {}))
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    if isinstance(model, kgen.AdversarialModel):
        for network in (model.adversary.network, model.generator):
            add_square(network.layers[-1])
    return model


def add_square(layer):
    """Lets a layer add the mean square of what it gives to the loss."""
    call = layer.call

    def adding(*args, **kwargs):
        outputs = call(*args, **kwargs)
        layer.add_loss(0.1 * ops.mean(ops.square(outputs)))
        return outputs

    layer.call = adding


def data(case):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (40, *case.image_shape), dtype="uint8")
    given = case.given_to_fit(40)
    labels = () if given is None else (given,)
    # Four batches, and four images held out.
    return kgen.data.load((images, *labels) if labels else images, batch_size=BATCH)


def arrays(model):
    return [ops.convert_to_numpy(v) for v in (*model.variables, *model.optimizer.variables)]


def draws(model):
    """Noise of the model's own seeds on each replica of this process."""

    def draw():
        return keras.random.normal((4,), seed=model.seed_generator)

    if keras.backend.backend() == "tensorflow":
        results = model.distribute_strategy.run(draw)
        return np.stack(model.distribute_strategy.experimental_local_results(results))
    return ops.convert_to_numpy(draw())[None]


def rows():
    """Of eight rows of a step's noise, those that this replica draws."""
    z = StepNoise(keras.random.SeedGenerator(0).next()).normal((8, 2))
    return z.sharding.shard_shape(z.shape)[0] if keras.backend.backend() == "jax" else 8


def train(names):
    """What the models of these names end with, and all else."""
    ends = {}
    functions = keras.random.normal, keras.random.uniform, keras.random.randint
    for name in names:
        case = ZOO[name]
        model = make(case)
        model.compile(keras.optimizers.SGD(case.rate))
        keras.random.normal, keras.random.uniform, keras.random.randint = map(
            fixed, (normal, uniform, randint)
        )
        this = data(case)
        if hasattr(model, "adapt"):
            model.adapt(this.train)
        history = model.fit(this.train, validation_data=this.test, epochs=1, verbose=0).history
        keras.random.normal, keras.random.uniform, keras.random.randint = functions
        ends |= {f"{name}/{i}": array for i, array in enumerate(arrays(model))}
        ends |= {f"{name}/{log}": np.array(value) for log, value in history.items()}
        ends[f"noise/{name}"] = draws(model)
    return ends | {
        "rows": rows(),
        "policy": os.sched_getscheduler(0),
        "overflow": overflow(),
        "error": diverge(),
        "figures": figures(),
    }


def figures():
    """What is logged of samples, by a classifier that is trained first."""
    images = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 1), dtype="uint8")
    data = kgen.data.load((images, np.arange(40) % 3), batch_size=BATCH)
    random.seed(0)
    model = ZOO["vae"].make()
    model.compile(keras.optimizers.SGD(0.0))  # as noise is each replica's own
    features = metrics.features.Classifier.train(data, steps=2, batch_size=BATCH)
    evaluate = callbacks.Evaluate(data, ["kid", "log_likelihood"], 16, every=1, features=features)
    logs = model.fit(data.train, epochs=2, verbose=0, callbacks=[evaluate]).history
    return np.array([*logs["val_kid"], *logs["val_log_likelihood"], features.accuracy])


class Overflow(GenerativeModel):
    """Its gradient is 1, but under a loss scale infinite on the second replica."""

    def __init__(self):
        super().__init__(seed=0)
        self.network = keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)]
        )

    def players(self):
        return {"player": [self.network]}

    def check_inputs(self, x, y):
        return x, y

    def training_step(self, x, y, noise):
        self.minimize(self.objective, "player")

    def objective(self):
        return ops.where(ops.equal(replica(), 1), 1e38, 1.0) * ops.sum(self.network.weights[0])


def overflow():
    """The weight and the loss scale after four steps."""
    model = Overflow()
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**15)
    model.compile({"player": scaled})
    model.fit(data(ZOO["vae"]).train, verbose=0)
    return np.array(
        [ops.convert_to_numpy(v).item() for v in (*model.trainable_weights, scaled.dynamic_scale)]
    )


def diverge():
    """What is said of a learning rate that is too high."""
    model = make(ZOO["vae"])
    model.compile(keras.optimizers.SGD(1e30))
    try:
        model.fit(data(ZOO["vae"]).train, verbose=0, callbacks=[callbacks.StopOnNaN()])
    except FloatingPointError as error:
        return np.array(str(error))


if __name__ == "__main__":
    path, names, *name = sys.argv[1:]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        if "TWO_CPUS" in os.environ:
            cpu = tf.config.list_physical_devices("CPU")[0]
            two = [tf.config.LogicalDeviceConfiguration()] * 2
            tf.config.set_logical_device_configuration(cpu, two)
    with backend.strategy(*(name or [None])):
        np.savez(path, **train(names.split(",")))
