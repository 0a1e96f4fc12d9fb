"""Whether a network, which may be a user's, maps between the shapes that a model asks for."""

import keras

from kgen.models.kept import is_rebuilt
from kgen.models.output_range import EXCLUDED, last_activation


def declared_otherwise(network, inputs):
    """The shape of an input that a network declares and that these are not of, or None.

    Keras takes any last axis where one of the two has length 1.
    """
    declared = keras.tree.flatten(getattr(network, "inputs", None) or ())
    for own, given in zip(declared, keras.tree.flatten(inputs), strict=False):
        pairs = zip(own.shape[1:], given.shape[1:], strict=False)
        if any(size not in (None, asked) for size, asked in pairs):
            return own.shape
    return None


def symbolic_inputs(input_shape, *beside):
    """What a network takes, as `keras.KerasTensor`s.

    Args:
        input_shape: tuple, without the batch.
        *beside: `kgen.fields.Field` of its other inputs, or None for one that it lacks.
    """
    x = keras.KerasTensor((None, *input_shape))
    others = [keras.KerasTensor((None, *each.shape), each.dtype) for each in beside if each]
    return [x, *others] if others else x


def check_network(name, network, input_shape, *output_shapes, beside=(), meaning="", gives=None):
    """Raises a ValueError unless a network maps between these shapes.

    Args:
        name: str. What the error calls it.
        network: keras.Model.
        input_shape: tuple, without the batch.
        *output_shapes: tuples, without the batch; "n" for any length that is known.
        beside: sequence of `kgen.fields.Field`, what else the network takes; None stands for one
            that it lacks.
        meaning: str. What is in the outputs, in words.
        gives: one of `kgen.models.output_range.EXCLUDED`, or None for what has any range.

    Returns:
        The outputs' shapes, without the batch.
    """

    def batch_of(shape):
        return f"(batch, {', '.join(map(str, shape))})"

    def refuse(received, error=None):
        also = "".join(f" and a {field.what.removesuffix('s')}" for field in beside if field)
        raise ValueError(
            f"Expected {name} to map {batch_of(input_shape)}{also} to "
            f"{' and '.join(map(batch_of, output_shapes))}{meaning and ', '}{meaning}. "
            f"Received: {received}"
        ) from error

    if not isinstance(network, keras.Model):
        refuse(f"{name}={network!r}, which is no keras.Model")
    inputs = symbolic_inputs(input_shape, *beside)
    if (declared := declared_otherwise(network, inputs)) is not None:
        refuse(f"{name}={network.name}, which takes {declared}")
    try:
        outputs = network(inputs)
    except Exception as error:  # of whatever a user's network raises
        takes = getattr(network, "input_shape", "other inputs")
        refuse(f"{name}={network.name}, which takes {takes}", error)
    shapes = [output.shape for output in keras.tree.flatten(outputs)]
    wanted = [(None, *shape) for shape in output_shapes]
    fits = len(shapes) == len(wanted) and all(
        len(shape) == len(want)
        and all(w == s or (w == "n" and s is not None) for s, w in zip(shape, want, strict=True))
        for shape, want in zip(shapes, wanted, strict=True)
    )
    if not fits:
        advice = " Concatenate them." if len(wanted) == 1 < len(shapes) else ""
        given = " and ".join(map(str, shapes))
        refuse(f"{name}={network.name}, whose output is {given}.{advice}")
    activation = last_activation(network)
    if gives is not None and activation in EXCLUDED[gives] and not is_rebuilt():
        raise ValueError(
            f"Expected {name} to end in {gives}, which {activation} cannot make. Received: "
            f"{name}={network.name}"
        )
    return [shape[1:] for shape in shapes]


def check_preset_only(network, name, value):
    """Raises a ValueError if an argument of the preset came with a network in its place."""
    if network is not None and value is not None and not is_rebuilt():
        raise ValueError(
            f"Expected no {name} with a network of your own, as it is of the preset. Received: "
            f"{name}={value!r:.60}"
        )
