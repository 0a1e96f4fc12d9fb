"""What range a network's outputs have, where it can be seen."""

import keras

_AT_LEAST_0 = ("relu", "relu6", "sigmoid", "hardsigmoid", "softmax", "softplus", "exponential")

IMAGES, NUMBERS = "images in [-1, 1], as by tanh", "numbers of any size"
# Of each what it cannot come from.
EXCLUDED = {IMAGES: _AT_LEAST_0, NUMBERS: (*_AT_LEAST_0, "tanh", "hardtanh", "softsign")}

# Layers and operations.
_OF_SHAPE_ALONE = "Reshape Flatten Permute Transpose Squeeze ExpandDims Cropping2D Identity".split()


def last_activation(network):
    """The name of what a network's first output comes from, as "tanh", or None if it is not seen.

    Args:
        network: keras.Model.
    """
    outputs = keras.tree.flatten(getattr(network, "outputs", None) or [])
    return _activation_of(outputs[0]) if outputs else None


def _activation_of(output):
    operation = output._keras_history.operation
    while isinstance(operation, keras.layers.Wrapper):
        operation = operation.layer
    if type(operation).__name__ in _OF_SHAPE_ALONE:
        return _activation_of(keras.tree.flatten(operation.input)[0])
    if isinstance(operation, keras.Model):
        return last_activation(operation)
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", None) or type(activation or operation).__name__
    return name.lower().replace("_", "")
