"""A SavedModel of a model's signatures.

It is made by TensorFlow, of a model on Keras' TensorFlow backend. The numbers that a request is
drawn from are `kgen.noise.SeededNoise`, as in the model's own verbs.
"""

import tensorflow as tf

from kgen import fields
from kgen.export import card
from kgen.export.image_bytes import CHANNELS, decode_images, encode_pngs
from kgen.export.warmup import write_warmup
from kgen.noise import SeededNoise
from kgen.serving.image_file import ImageFile

# What a field's numbers are in a request, where they are something else in a network.
WIRE_DTYPES = {"int32": "int64", "object": "string"}


def write(model, folder, name):
    """Writes a SavedModel that holds the variables that the signatures read, and its warm-up.

    Each of `model.signatures()` is one. Where an image goes in there is another that takes it as
    `image_bytes`, PNG or JPEG; where images are generated, another that gives `png_bytes`.

    Args:
        model: a kgen model.
        folder: str.
        name: str. The model's name on the server.

    Returns:
        dict of "signatures", "inputs" and "outputs" of each by its name, [dtype, *shape of a row]
        by name; of "warmed", whether there are warm-up requests; and of "model", what a model card
        says of it.
    """
    served = {}
    for signature, (function, inputs) in model.signatures().items():
        if model.condition is not None:
            inputs = inputs | {model.condition.input_name: model.condition}
        answer = _answer(function, inputs, model.condition)
        has_files = model.image_shape[-1] in CHANNELS
        served |= dict(_variants(signature, answer, inputs, has_files))
    first = next(name for name in ("generate", "reconstruct", *served) if name in served)
    served["serving_default"] = served[first]
    functions = {signature: function for signature, (function, _) in served.items()}
    module = tf.Module()
    module.read = list({id(v): v for each in functions.values() for v in each.variables}.values())
    tf.saved_model.save(module, folder, signatures=functions)
    signatures = {
        signature: {
            "inputs": _describe(function.structured_input_signature[1]),
            "outputs": _describe(function.structured_outputs),
        }
        for signature, function in functions.items()
    }
    examples = {
        signature: {key: of.example() for key, of in inputs.items()}
        for signature, (_, inputs) in served.items()
    }
    return {
        "signatures": signatures,
        "warmed": write_warmup(folder, name, functions, examples),
        "model": card.of_model(model),
    }


def _answer(function, inputs, condition):
    """A model's own function as a signature: of checked inputs, with noise in place of seeds."""

    def answer(**given):
        given = {name: _checked(name, of, given[name]) for name, of in inputs.items()}
        y = None if condition is None else given.pop(condition.input_name)
        if "seed" in given:  # the lower word first, as in `kgen.seeds.seed_words`
            given["noise"] = SeededNoise(tf.bitcast(given.pop("seed"), tf.int32))
        return function(y, **given)

    return _concrete(answer, inputs)


def _variants(name, answer, inputs, has_files):
    """A signature and its inputs, and, if asked for, the same with images as files."""
    yield name, (answer, inputs)
    if not has_files:
        return
    if name.startswith("generate"):

        def as_png(**given):
            return {"png_bytes": encode_pngs(answer(**given)["image"])}

        yield f"{name}_png", (_concrete(as_png, inputs), inputs)
    if "image" in inputs:

        def of_bytes(**given):
            files = given.pop("image_bytes")
            return answer(image=decode_images(files, inputs["image"].shape), **given)

        others = {k: v for k, v in inputs.items() if k != "image"}
        of_files = {"image_bytes": ImageFile()} | others
        yield f"{name}_bytes", (_concrete(of_bytes, of_files), of_files)


def _concrete(function, inputs):
    specs = {
        name: tf.TensorSpec((None, *of.shape), WIRE_DTYPES.get(of.dtype, of.dtype), name)
        for name, of in inputs.items()
    }
    return tf.function(function, autograph=False).get_concrete_function(**specs)


def _checked(name, of: fields.Field, tensor):
    """What a network gets of an input: rows of the field's shape, range and dtype, or an error."""
    tensor = tf.ensure_shape(tensor, (None, *of.shape), name)
    checks = []
    if tensor.dtype.is_floating:
        message = [f"Expected finite {name}. Received: NaN or infinity"]
        checks.append(tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(tensor)), message))
    for limit, is_within in ((of.low, tf.greater_equal), (of.high, tf.less_equal)):
        if limit is not None:
            message = [f"Expected {name} in", of.low, "..", of.high, "Received:", tensor]
            fits = is_within(tensor, tf.constant(limit, tensor.dtype))
            checks.append(tf.debugging.Assert(tf.reduce_all(fits), message))
    with tf.control_dependencies(checks):
        return tf.cast(tensor, of.dtype)


def _describe(tensors):
    return {name: [t.dtype.name, *t.shape[1:]] for name, t in tensors.items()}
