"""SavedModels answer as the models do, to TensorFlow alone."""

import pathlib

import keras
import numpy as np
import pytest

from tests.serving import c_api
from tests.serving.models import MODELS

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow writes SavedModels", allow_module_level=True)

import tensorflow as tf
from tensorflow.python.framework import op_def_registry


def own_answers(model, given):
    """What the model's verbs answer, by "signature.output"."""
    y = None if model.condition is None else given[model.condition.input_name]
    image, seed = given["image"], given["seed"]
    num = len(image)

    def draws(signature):
        return {"seed": seed} if "seed" in model.signatures()[signature][1] else {}

    answers = {}
    if hasattr(model, "sample"):
        answers["generate.image"] = model.sample(num, y, seed=seed)
    if hasattr(model, "decode"):
        answers["decode.image"] = model.decode(given["z"], y, **draws("decode"))
    if hasattr(model, "reconstruct"):
        answers["reconstruct.image"] = model.reconstruct(image, y, **draws("reconstruct"))
        answers["encode.code"] = model.encode(image, y)
    if hasattr(model, "posterior"):
        mean, log_var = model.posterior(image, y)
        answers |= {"posterior.mean": mean, "posterior.log_var": log_var}
        answers["elbo.elbo"] = model.elbo(image, y, seed=seed)
    if hasattr(model, "infer_codes"):
        answers["infer_codes.codes"] = model.infer_codes(image, y)
        answers["generate_codes.image"] = model.sample(num, y, codes=given["codes"], seed=seed)
    if hasattr(model, "complete"):
        answers["complete.image"] = model.complete(image, given["mask"], y, seed=seed)[:, 0]
        nats = model.log_likelihood(image, y, seed=seed)
        answers["log_likelihood.nats"] = nats
        if model.levels > 2:  # binarized images have no bits/dim
            dims = np.prod(model.image_shape)
            answers["log_likelihood.bits_per_dim"] = -nats / dims / np.log(2.0)
    return answers


def with_files(answers):
    """The same for the signatures of image files and the default."""
    first = "generate" if "generate.image" in answers else "reconstruct"
    found = answers | {"serving_default.image": answers[f"{first}.image"]}
    of_images = ("encode", "posterior", "reconstruct", "elbo", "infer_codes", "complete")
    of_images += ("log_likelihood",)
    for name, answer in answers.items():
        signature, output = name.split(".")
        if signature in of_images:
            found[f"{signature}_bytes.{output}"] = answer
        if signature.startswith("generate"):
            found[f"{signature}_png.png_bytes"] = answer
    return found


def assert_same_answers(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name.endswith(".png_bytes"):
            images = np.array([tf.io.decode_png(file).numpy() for file in found[name]])
            np.testing.assert_array_equal(images, np.rint(255 * value), name)
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", MODELS)
def test_the_answers_are_the_models_own(name, served):
    each = served[name]
    expected = with_files(own_answers(each.model, each.given))
    found = {k: v for k, v in each.v1.items() if k.count(".") == 1}
    assert_same_answers(found, expected)
    documented = (pathlib.Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    for signature in {key.split(".")[0] for key in found}:
        assert f"`{signature.removesuffix('_bytes')}`" in documented
    images = found.get("generate.image")
    assert images is None or np.abs(images[0] - images[1]).max() > 0


def test_the_c_api_answers_the_same(served, c_program, tmp_path):
    calls = {
        each.version: [(n, of, each.given) for n, of in c_api.signature_defs(each.version).items()]
        for each in served.values()
    }
    found = c_api.answers(c_program, str(tmp_path), calls)
    for each in served.values():
        expected = {k: v for k, v in each.v1.items() if k.count(".") == 1}
        answers = found[each.version]
        assert answers.keys() == expected.keys()
        for name, value in expected.items():
            if value.dtype == object:
                np.testing.assert_array_equal(answers[name], value)
            else:
                np.testing.assert_allclose(answers[name], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_row_is_the_same_alone_and_among_others(name, served):
    answers = served[name].v1
    order = answers["order"]
    for key, value in answers.items():
        way, _, rest = key.partition(".")
        rows = {"alone": slice(3, 4), "shuffled": order}.get(way)
        if rows is not None:
            whole = answers[rest][rows]
            if value.dtype == object:
                np.testing.assert_array_equal(value, whole, key)
            else:
                np.testing.assert_allclose(value, whole, rtol=1e-6, atol=1e-6, err_msg=key)


def test_threads_get_the_right_answers(served):
    assert served["vae"].v1["right"] == 800


@pytest.mark.parametrize("name", MODELS)
def test_every_signature_is_warmed_up(name, served):
    answers = served[name].v1
    warmed = {key.removeprefix("warmed.") for key in answers if key.startswith("warmed.")}
    assert warmed == {key for key in answers if key.count(".") == 1}


def reachable_operations(graph, signature):
    """The types of operations that a signature can run."""
    functions = {f.signature.name: f.node_def for f in graph.graph_def.library.function}
    nodes = {node.name: node for node in graph.graph_def.node}
    todo = [nodes[info.name.split(":")[0]] for info in signature.outputs.values()]
    seen, found = set(), set()
    while todo:
        node = todo.pop()
        found.add(node.op)
        for attribute in node.attr.values():
            for function in (attribute.func, *attribute.list.func):
                if function.name and function.name not in seen:
                    seen.add(function.name)
                    todo += functions[function.name]
    return found


@pytest.mark.parametrize("name", MODELS)
def test_the_graphs_are_stock_operations_without_a_state(name, served):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    with open(f"{served[name].version}/saved_model.pb", "rb") as file:
        (graph,) = SavedModel.FromString(file.read()).meta_graphs
    for signature, of in graph.signature_def.items():
        if not of.inputs:
            continue
        operations = reachable_operations(graph, of)
        assert len(operations) > 5, signature
        for operation in operations:
            definition = op_def_registry.get(operation)
            assert definition is not None, operation
            assert not operation.startswith("Xla"), operation
            assert "Assign" not in operation and "Initialize" not in operation, operation
            if "Random" in operation or "Multinomial" in operation:
                assert operation.startswith("Stateless") and not definition.is_stateful, operation


BAD = {
    "a label beyond the classes": ("conditional_gan", "generate", {"label": [3] * 64}, "label"),
    "a negative label": ("gated_pixel_cnn", "generate", {"label": [-1] * 64}, "label"),
    "a word that is not there": ("gan_of_tokens", "generate", {"tokens": [[0, 5]] * 64}, "tokens"),
    "a word below 0": ("gan_of_tokens", "decode", {"tokens": [[-1, 0]] * 64}, "tokens"),
    "a label of 2^32": ("conditional_gan", "generate", {"label": [2**32] * 64}, "label"),
    "an attribute of 2": ("gan_of_attributes", "generate", {"attributes": [[0, 2]] * 64}, "attr"),
    "a condition beyond 1": ("vae_of_images", "generate", {"condition": 255.0}, "condition"),
    "an image beyond 1": ("vae", "encode", {"image": 255.0}, "image"),
    "NaN": ("vae", "encode", {"image": np.nan}, "Expected finite image"),
    "latents of NaN": ("vae", "decode", {"z": np.nan}, "Expected finite z. Received: NaN or inf"),
    "infinite latents": ("conditional_gan", "decode", {"z": -np.inf}, "Expected finite z"),
    "a code of NaN": ("info_gan", "generate_codes", {"codes": np.nan}, "Expected finite codes"),
    "a category too many": ("info_gan", "generate_codes", {"codes": [[3, 0.0]] * 64}, "codes"),
    "a number beyond 1": ("info_gan", "generate_codes", {"codes": [[2, 1.1]] * 64}, "codes"),
    "no image": ("vae", "encode_bytes", {"image_bytes": [b"junk"] * 64}, r"\[106 117 110 107 0"),
    "bytes": ("vae", "encode_bytes", {"image_bytes": [b"GIF\xff\xfe"] * 64}, r"\[71 73 70 255 254"),
    "half a file": ("vae", "encode_bytes", {"image_bytes": 0.5}, "Invalid PNG"),
}


@pytest.fixture(scope="module")
def session_of(served):
    """A model's session and SignatureDefs, as a server has them."""
    sessions = {}

    def session_of(name):
        if name not in sessions:
            session = tf.compat.v1.Session(graph=tf.Graph())
            with session.graph.as_default():
                tf.compat.v1.saved_model.loader.load(session, ["serve"], served[name].version)
            sessions[name] = session, c_api.signature_defs(served[name].version)
        return sessions[name]

    yield session_of
    for session, _ in sessions.values():
        session.close()


@pytest.mark.parametrize("case", BAD)
def test_bad_requests_are_refused(case, served, session_of):
    name, signature, changes, message = BAD[case]
    given = dict(served[name].given)
    for key, value in changes.items():
        if key == "image_bytes" and value == 0.5:
            given[key] = np.array([file[: len(file) // 2] for file in given[key]], "O")
        elif np.ndim(value):
            given[key] = np.array(value, given[key].dtype)
        else:
            given[key] = given[key].copy()
            given[key].reshape(64, -1)[5, 1] = value
    session, signatures = session_of(name)
    of = signatures[signature]
    feed = {info.name: given[key] for key, info in of.inputs.items()}
    wanted = {key: info.name for key, info in of.outputs.items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        session.run(wanted, feed)


@pytest.mark.parametrize(
    ("name", "signature", "key", "shape"),
    [("vae", "decode", "z", (64, 2)), ("pixel_cnn", "log_likelihood", "image", (64, 6, 4, 1))],
)
def test_wrong_shapes_are_refused(name, signature, key, shape, served, c_program, tmp_path):
    """By the C API, which looks at no shape before a signature runs, as Python does."""
    version = served[name].version
    given = served[name].given | {key: np.zeros(shape, "float32")}
    calls = {version: [(signature, c_api.signature_defs(version)[signature], given)]}
    with pytest.raises(RuntimeError, match=rf"\[{','.join(map(str, shape))}\] is not compatible"):
        c_api.answers(c_program, str(tmp_path), calls)
