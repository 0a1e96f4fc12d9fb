"""The average of a network's weights over the steps of a training."""

import keras
from keras import ops

from kgen.models.scalar import Scalar, current


@keras.saving.register_keras_serializable("kgen")
class Average(keras.layers.Layer):
    """An exponential moving average of a network's weights, which often makes better images.

    Step t keeps this part of what it was, or (1 + t) / (10 + t) where that is less, so that the
    start is soon forgotten. Statistics of batch normalization are averaged too.

    Args:
        network: keras.Model that has its weights.
        decay: float in [0, 1), or a Keras schedule.
        inputs: nest of `keras.KerasTensor` that the network takes; needed for a subclass.
        name: str.
    """

    decay = Scalar(high=1.0)

    def __init__(self, network, decay, inputs=None, name="average", **kwargs):
        super().__init__(name=name, **kwargs)
        self.decay = decay
        try:
            self.network = keras.models.clone_model(network)
        except ValueError:  # it is a subclass
            self.network = type(network).from_config(network.get_config())
            self.network(inputs)  # builds it
        self.network.set_weights(network.get_weights())
        self.network.trainable = False
        self.built = True

    def update(self, network, step):
        """Moves the average towards the weights of a network.

        Args:
            network: keras.Model, the one that is averaged.
            step: int tensor, its updates so far.
        """
        t = ops.cast(step, "float32")
        decay = ops.minimum(current(self, "decay", step), (1.0 + t) / (10.0 + t))
        for average, variable in zip(self.network.variables, network.variables, strict=True):
            value = ops.convert_to_tensor(variable)
            if "float" in keras.backend.standardize_dtype(value.dtype):  # no seed's state
                kept = ops.cast(decay, value.dtype)
                value = kept * average + (1.0 - kept) * value
            average.assign(value)


def without_average(model, name):
    """A copy of a model whose network has the averaged weights, and that keeps no average.

    Args:
        model: a kgen model with `average` and `ema_decay`.
        name: str. The attribute that is the network.
    """
    copy = type(model).from_config(model.get_config() | {"ema_decay": None})
    of_average = set(map(id, model.average.variables))
    kept = [variable for variable in model.weights if id(variable) not in of_average]
    copy.set_weights(list(map(ops.convert_to_numpy, kept)))
    getattr(copy, name).set_weights(model.average.network.get_weights())
    return copy
