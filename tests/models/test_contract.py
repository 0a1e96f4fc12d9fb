"""What every model of the zoo promises.

A test of a `case` runs on each model of tests/zoo.py; in the quick tier on PyTorch, and on one of
each family on the other backends. Where it is marked `house`, it tries what the base classes
promise: on one model of each family, and with --full on each of them on PyTorch.
"""

import inspect
import json

import keras
import numpy as np
import pytest

from kgen.seeds import seeds_of
from tests import exported as exporting
from tests import goldens
from tests.contract import (
    EAGER,
    arrays,
    assert_same,
    assert_same_images,
    forget_evaluations,
)
from tests.tiers import in_tiers
from tests.zoo import ZOO

BACKEND = keras.backend.backend()


def pytest_generate_tests(metafunc):
    if "case" not in metafunc.fixturenames:
        return
    wanted = metafunc.definition.get_closest_marker("of")
    house = metafunc.definition.get_closest_marker("house")
    cases = [case for case in ZOO.values() if wanted is None or wanted.args[0](case)]
    # To trace a step once more takes TensorFlow three times as long as JAX.
    again = BACKEND == "tensorflow" and metafunc.definition.get_closest_marker("again")
    is_of_all = BACKEND == "torch" and not house
    is_quick = house.args[0] if house and house.args else lambda case: case.family or is_of_all
    quick = [case for case in cases if case.quick and is_quick(case)]
    families = [case for case in cases if case.quick and case.family]
    cases = in_tiers(cases, quick=quick, on_each=families if house or again else None)
    metafunc.parametrize("case", cases, scope="module", indirect=True, ids=repr)


samplers = pytest.mark.of(lambda case: case.samples)
# What is said in Python, such as which variables a step moves: no backend has a part in it.
in_python = pytest.mark.house(lambda case: case.family or BACKEND == "torch")


def test_fit_logs_every_name_as_a_finite_mean(subject):
    model, history = subject.plain.model, subject.plain.history
    assert set(history) == {metric.name for metric in model.metrics} >= set(model.log_names)
    assert np.isfinite(list(history.values())).all()
    # A log that no tracker was updated for would be 0.0.
    assert all(count > 0 for count in subject.plain.counts)


def test_every_variable_of_every_player_moves(subject):
    model, (before, *_, after) = subject.plain.model, subject.plain.weights
    trainable = {id(v) for v in model.trainable_variables}
    players = {
        id(v) for nets in model.players().values() for n in nets for v in n.trainable_variables
    }
    assert players == trainable
    for variable, start, end in zip(model.variables, before, after, strict=True):
        if id(variable) in trainable and not variable.path.endswith(subject.case.still):
            assert np.any(start != end), variable.path


@in_python
def test_a_player_moves_its_own_variables_alone(subject):
    model, moved = subject.watched
    for player, networks in model.players().items():
        own = {id(v) for network in networks for v in network.trainable_variables}
        for variable, has_moved in zip(model.trainable_variables, moved[player], strict=True):
            if not variable.path.endswith(subject.case.still):
                assert has_moved == (id(variable) in own), (player, variable.path)


def test_evaluate_moves_nothing_and_repeats(subject):
    model = subject.plain.model
    before = arrays(model.variables)
    assert subject.evaluate(model) == subject.evaluate(model)
    forget_evaluations(model)
    assert_same(arrays(model.variables), before, atol=0.0)


@pytest.mark.again
def test_validation_leaves_the_training_as_it_was(subject):
    model = subject.anew()
    subject.check_validation(model, 2, (subject.images, subject.y))
    subject.assert_plainly_trained(model, 2)


@pytest.mark.house
def test_integers_and_floats_are_the_same_images(subject):
    model = subject.anew()
    subject.fit(model, images=subject.images.astype("float32") / 255.0)
    subject.assert_plainly_trained(model, atol=1e-6)


# JAX takes longer to run a step that is not compiled than to compile it.
@pytest.mark.of(lambda case: BACKEND != "jax" or case.name == "vae")
@pytest.mark.house
def test_eager_equals_compiled(subject):
    if EAGER:
        model, _ = subject.watched
    else:
        model = subject.compiled(run_eagerly=True)
        subject.fit(model)
    subject.assert_plainly_trained(model, atol=2e-4)


@in_python
def test_config_round_trip(subject):
    model = subject.plain.model
    serialized = [
        json.dumps(keras.saving.serialize_keras_object(m)["config"], sort_keys=True)
        for m in (model, subject.loaded)
    ]
    assert serialized[0] == serialized[1]
    for name in model.get_config():
        assert hasattr(model, name), name


@pytest.mark.again
def test_resumed_training_equals_uninterrupted(subject):
    subject.assert_as_saved(subject.loaded)
    subject.fit(subject.loaded)
    subject.assert_plainly_trained(subject.loaded, epochs=3)


@pytest.mark.house
def test_weights_files_keep_the_optimizers(subject):
    model = subject.anew()
    model.compiled_function(lambda x: x)  # as verbs do, which may come before
    model.load_weights(subject.plain.weights_file)
    subject.assert_as_saved(model)
    subject.fit(model)
    subject.assert_plainly_trained(model, epochs=3)


@pytest.mark.house
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(subject, policy):
    keras.config.set_dtype_policy(policy)
    model = subject.compiled(run_eagerly=EAGER)
    steps = {"epochs": 2} if policy == "mixed_bfloat16" else {}  # float16 is slow on a CPU
    assert np.isfinite(list(subject.fit(model, **steps).values())).all()
    assert all(v.dtype == "float32" for v in model.trainable_variables)
    scaled = [
        isinstance(o, keras.optimizers.LossScaleOptimizer) for o in model.optimizer.optimizers
    ]
    networks = [network for own in model.players().values() for network in own]
    layers = [layer for network in networks for layer in network._flatten_layers()]
    in_half = any(layer.compute_dtype == "float16" for layer in layers)  # of no belief net
    assert all(scaled) == any(scaled) == in_half


@pytest.mark.house
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (lambda x: x.astype("float32"), r"in \[0, 1\].*float32 images in \["),
        (lambda x: x / 255.0 - 0.5, r"in \[0, 1\].*\[-0"),
        (lambda x: np.where(x == x[0, 0, 0, 0], np.nan, x / 255.0), "NaN"),
        (lambda x: x[..., 0, 0], "Expected images of shape"),
        (lambda x: x[:, :-1], "Resize the images"),
        (lambda x: x[:0], "at least one"),
    ],
)
def test_bad_images_are_refused_before_a_step(subject, images, message):
    model = subject.plain.model
    before = arrays(model.variables)
    bad = images(subject.images)
    with pytest.raises(ValueError, match=message):
        model.fit(bad, subject.y, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.evaluate(bad, subject.y, verbose=0)
    assert_same(arrays(model.variables), before, atol=0.0)


@pytest.mark.house
def test_sample_weights_are_refused(subject):
    with pytest.raises(ValueError, match="sample_weight"):
        subject.fit(subject.plain.model, sample_weight=np.ones(16))


@samplers
def test_samples_are_images(subject):
    images = subject.sample(subject.plain.model, 5, seed=0)
    assert images.shape == (5, *subject.case.image_shape)
    assert images.dtype == np.float32
    assert images.min() >= 0.0 and images.max() <= 1.0


@samplers
@pytest.mark.again
def test_an_image_is_of_its_seed(subject):
    """Alone, in any batch and any company; two seeds that follow each other share none."""
    model, case = subject.plain.model, subject.case
    whole = subject.sample(model, 5, seed=7)
    assert_same_images(case, subject.sample(model, 5, seed=7, batch_size=1), whole)
    seeds, y = seeds_of(7, 5), case.y(5)
    for i in (0, 3):
        alone = model.sample(1, None if y is None else y[i : i + 1], seed=int(seeds[i]))
        assert_same_images(case, alone, whole[i : i + 1])
    turned = model.sample(5, None if y is None else y[::-1], seed=seeds[::-1])
    assert_same_images(case, turned, whole[::-1])
    others = np.concatenate([subject.sample(model, 5, seed=8), subject.sample(model, 5)])
    every = np.concatenate([whole, others]).reshape(15, -1)
    apart = np.abs(every[:, None] - every[None]).max(axis=-1)
    assert apart[~np.eye(15, dtype=bool)].min() > 1e-6


@samplers
def test_the_images_of_a_seed_agree_over_the_backends(subject):
    expected = goldens.read()[subject.case.name]
    found = goldens.images_of(subject.case, subject.anew())
    assert_same_images(subject.case, found, expected.astype("float32"), atol=3e-6)
    assert expected.std() > 0.05  # weights that make a difference


@samplers
@pytest.mark.again
def test_samples_follow_the_weights_and_leave_the_training_as_it_was(subject):
    model, seen = subject.anew(), []

    def look(batch=None, logs=None):
        seen.append(subject.sample(model, 5, seed=0))

    look()
    subject.sample(model, 5)
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=look)
    subject.fit(model, epochs=3, callbacks=[watch])
    look()
    assert np.abs(seen[1] - seen[2]).max() > 0.0
    assert np.abs(seen[-1] - seen[0]).max() > 1e-6
    np.testing.assert_array_equal(seen[-1], seen[-2])
    subject.assert_plainly_trained(model, epochs=3)


@samplers
@pytest.mark.house
def test_no_samples_is_an_error(subject):
    with pytest.raises(ValueError, match="num=0"):
        subject.sample(subject.plain.model, 0)


def verbs(model_class):
    """The public methods that take a seed or a batch size, but neither data nor a function."""
    for name in dir(model_class):
        method = getattr(model_class, name)
        module = getattr(method, "__module__", None) or ""
        if name.startswith("_") or not inspect.isfunction(method) or "kgen" not in module:
            continue
        parameters = inspect.signature(method).parameters
        is_of_data = {"epochs", "function", "signature"} & parameters.keys()
        if {"seed", "batch_size"} & parameters.keys() and not is_of_data:
            yield name, parameters


@pytest.mark.anywhere
def test_verbs_take_their_arguments_in_one_order(case):
    """After `labels` by name alone: what the verb alone has, the seed, the batch size."""
    found = dict(verbs(case.model_class))
    for other in (
        "evaluate",
        "predict",
        "answer",
        "run",
        "conditions",
    ):  # Keras', what verbs are made of
        found.pop(other, None)
    for name, parameters in found.items():
        order = list(parameters)
        if "labels" in order:
            after = order[order.index("labels") + 1 :]
            for each in after:
                assert parameters[each].kind is inspect.Parameter.KEYWORD_ONLY, (name, each)
        last = [each for each in ("seed", "batch_size") if each in order]
        assert order[len(order) - len(last) :] == last, name
        if "seed" in order:
            # What other models answer without a draw is the same each time.
            is_one_answer = name in ("decode", "reconstruct", "interpolate")
            assert parameters["seed"].default == (0 if is_one_answer else None), name
    if case.samples:
        assert list(found["sample"])[:3] == ["self", "num", "labels"]


@pytest.fixture(scope="module")
def exported(request, tmp_path_factory):
    """All models whose export is tried, exported together: TensorFlow takes long to start."""
    cases = [
        item.callspec.params["case"]
        for item in request.session.items
        if "exported" in getattr(item, "fixturenames", ())
    ]
    return exporting.export(cases, tmp_path_factory.mktemp("exported"))


# A model's file is read by TensorFlow, whichever of the others wrote it.
@pytest.mark.of(lambda case: case.served and BACKEND != "jax")
@pytest.mark.house
def test_a_server_answers_as_the_verbs(case, exported):
    """Weights of this backend, in a SavedModel of TensorFlow's."""
    each = exported[case.name]
    assert each.found.keys() == each.inputs.keys()
    for signature, outputs in each.found.items():
        # Of a likelihood the bits follow, in the alphabet's order, from the nats.
        outputs = [value for name, value in outputs.items() if name != "bits_per_dim"]
        for found, own in zip(outputs, each.answer_of_verb(signature), strict=True):
            if own.shape[1:] == case.image_shape:
                assert_same_images(case, found, own)
            else:
                np.testing.assert_allclose(found, own, rtol=1e-5, atol=1e-5, err_msg=signature)
