"""A SavedModel of a model's signatures; run as a module, of a `.keras` file's."""

import importlib
import json
import sys

import keras
import tensorflow as tf

from kgen.export import card
from kgen.export.image_bytes import decode_images, encode_pngs
from kgen.export.inputs import Input
from kgen.export.noise import Noise
from kgen.export.warmup import write_warmup


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
        if model.num_classes is not None:
            inputs = inputs | {"label": Input((), "int64", 0, model.num_classes - 1)}
        served |= dict(_variants(signature, _answer(function, inputs), inputs))
    first = next(name for name in ("generate", "reconstruct", *served) if name in served)
    served["serving_default"] = served[first]
    module = tf.Module()
    module.read = list({id(v): v for each in served.values() for v in each.variables}.values())
    tf.saved_model.save(module, folder, signatures=served)
    signatures = {
        signature: {
            "inputs": _describe(each.structured_input_signature[1]),
            "outputs": _describe(each.structured_outputs),
        }
        for signature, each in served.items()
    }
    return {
        "signatures": signatures,
        "warmed": write_warmup(folder, name, served, model.image_shape),
        "model": card.of_model(model),
    }


def _answer(function, inputs):
    """A model's own function as a signature: of checked inputs, with noise in place of seeds."""

    def answer(**given):
        given = {name: _checked(name, inputs[name], given[name]) for name in inputs}
        y = given.pop("label", None)
        if "seed" in given:
            given["noise"] = Noise(given.pop("seed"))
        return function(None if y is None else tf.cast(y, tf.int32), **given)

    return _concrete(answer, inputs)


def _variants(name, answer, inputs):
    """A signature, and the same with images as files."""
    yield name, answer
    if name.startswith("generate"):

        def as_png(**given):
            return {"png_bytes": encode_pngs(answer(**given)["image"])}

        yield f"{name}_png", _concrete(as_png, inputs)
    if "image" in inputs:

        def of_bytes(**given):
            files = given.pop("image_bytes")
            return answer(image=decode_images(files, inputs["image"].shape), **given)

        others = {k: v for k, v in inputs.items() if k != "image"}
        yield f"{name}_bytes", _concrete(of_bytes, {"image_bytes": Input((), "string")} | others)


def _concrete(function, inputs):
    specs = {k: tf.TensorSpec((None, *of.shape), of.dtype, k) for k, of in inputs.items()}
    return tf.function(function, autograph=False).get_concrete_function(**specs)


def _checked(name, of, tensor):
    tensor = tf.ensure_shape(tensor, (None, *of.shape), name)
    for limit, is_within in ((of.low, tf.greater_equal), (of.high, tf.less_equal)):
        if limit is not None:
            limit = tf.constant(limit, tensor.dtype)
            message = [f"Expected {name} in", of.low, "..", of.high, "Received:", tensor]
            check = tf.debugging.Assert(tf.reduce_all(is_within(tensor, limit)), message)
            with tf.control_dependencies([check]):
                tensor = tf.identity(tensor)
    return tensor


def _describe(tensors):
    return {name: [t.dtype.name, *t.shape[1:]] for name, t in tensors.items()}


if __name__ == "__main__":
    archive, folder, name, *modules = sys.argv[1:]
    for module in modules:
        importlib.import_module(module)
    print(json.dumps(write(keras.saving.load_model(archive, compile=False), folder, name)))
