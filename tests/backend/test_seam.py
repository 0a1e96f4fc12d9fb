import contextlib
import os
import types

import keras
import numpy as np
import pytest
from keras import ops

from kgen import backend
from kgen.models.generative_model import GenerativeModel
from tests.toys import ToyWGANGP
from tests.zoo import ZOO

BACKEND = keras.backend.backend()


@pytest.fixture(scope="module")
def case():
    return ZOO["toy"]


def test_each_player_has_its_optimizer(subject):
    model = subject.compiled()
    assert isinstance(model.optimizer["critic"], keras.optimizers.Adam)
    assert isinstance(model.optimizer["generator"], keras.optimizers.RMSprop)
    assert model.optimizer["critic"] is not model.optimizer["generator"]


def test_one_optimizer_is_copied_for_each_player(subject):
    given = keras.optimizers.SGD(0.1, momentum=0.9)
    model = subject.compiled(optimizer=given)
    assert len({id(o) for o in (given, *model.optimizer.optimizers)}) == 3
    assert all(o.momentum == 0.9 for o in model.optimizer.optimizers)
    subject.fit(model)
    assert int(model.optimizer.iterations) == 2


def test_optimizers_by_player(subject):
    critic = keras.optimizers.SGD(0.1)
    model = subject.compiled(optimizer={"critic": critic, "generator": "adam"})
    assert model.optimizer["critic"] is critic and critic.name == "critic"
    assert isinstance(model.optimizer["generator"], keras.optimizers.Adam)


@pytest.mark.parametrize("players", [["critic"], ["critic", "generator", "other"]])
def test_a_player_without_an_optimizer_or_the_reverse(subject, players):
    with pytest.raises(ValueError, match=r"players \['critic', 'generator'\]"):
        subject.compiled(optimizer=dict.fromkeys(players, "sgd"))


def test_learning_rates_keep_their_ratio(subject):
    model = subject.compiled()
    model.optimizer.learning_rate = 2e-3
    rates = [float(o.learning_rate) for o in model.optimizer.optimizers]
    np.testing.assert_allclose(rates, [2e-3, 2e-2], rtol=1e-6)


def test_learning_rates_come_back_from_zero(subject):
    model = subject.compiled()
    model.optimizer.learning_rate = 0.0
    model.optimizer.learning_rate = 1e-3
    rates = [float(o.learning_rate) for o in model.optimizer.optimizers]
    np.testing.assert_allclose(rates, [1e-3, 1e-2], rtol=1e-6)


def test_players_do_not_share_an_optimizer(subject):
    shared = keras.optimizers.SGD(0.1)
    with pytest.raises(ValueError, match="another one for each of the players"):
        subject.compiled(optimizer={"critic": shared, "generator": shared})


def test_keras_learning_rate_scheduler(subject):
    model = subject.compiled()
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model.fit(subject.images, batch_size=8, verbose=0, callbacks=[halve])
    rates = [float(o.learning_rate) for o in model.optimizer.optimizers]
    np.testing.assert_allclose(rates, [5e-4, 5e-3], rtol=1e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no steps_per_execution on PyTorch")
def test_steps_per_execution(subject):
    model = subject.compiled(steps_per_execution=2)
    subject.fit(model)
    subject.assert_plainly_trained(model, atol=1e-5 if BACKEND == "tensorflow" else 1e-6)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX's default; minutes on PyTorch")
def test_jit_compile(subject, monkeypatch):
    # XLA draws other random numbers from the same seed.
    noise = np.sin(np.arange(24.0, dtype="float32")).reshape(8, 3)
    monkeypatch.setattr(keras.random, "normal", lambda *_, **__: ops.convert_to_tensor(noise))
    monkeypatch.setattr(keras.random, "uniform", lambda *_, **__: 0.5)
    models = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        models.append(subject.case.make(dropout=0.0, seed=3))
        models[-1].compile("sgd", jit_compile=jit_compile)
        subject.fit(models[-1])
    for a, b in zip(*(model.trainable_variables for model in models), strict=True):
        np.testing.assert_allclose(*map(ops.convert_to_numpy, (a, b)), atol=1e-5)


def test_keras_checkpoint_callbacks_carry_the_optimizers(subject, tmp_path):
    model = subject.compiled()
    save = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
    model.fit(subject.images, batch_size=8, verbose=0, shuffle=False, callbacks=[save])
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    subject.fit(loaded)
    subject.assert_plainly_trained(loaded, epochs=2)


def test_batch_statistics_and_dropout_are_on(subject):
    model, (start, end, *_) = subject.plain.model, subject.plain.weights
    states = model.critic.non_trainable_variables + model.generator.non_trainable_variables
    assert len(states) == 3  # the dropout's seed, a mean and a variance
    for variable, before, after in zip(model.variables, start, end, strict=True):
        if any(variable is state for state in states):
            assert np.any(before != after), variable.path


def test_data_of_every_kind(subject):
    images = subject.images

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return (images[8 * i : 8 * i + 8],)

    sources = [Batches(), ((images[i : i + 8],) for i in (0, 8))]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        sources.append(tf.data.Dataset.from_tensor_slices(images).batch(8))
    if BACKEND == "torch":
        import torch

        dataset = torch.utils.data.TensorDataset(torch.from_numpy(images))
        sources.append(torch.utils.data.DataLoader(dataset, batch_size=8))
    for source in sources:
        model = subject.anew()
        model.fit(source, shuffle=False, verbose=0)
        if BACKEND == "tensorflow" and not hasattr(source, "__len__"):
            # At the end of a stream of unknown length, TensorFlow draws once more before it
            # finds that there is no batch.
            for value, variable in zip(subject.plain.weights[1], model.variables, strict=True):
                if variable.name == "seed_generator_state":
                    variable.assign(value)
        subject.assert_plainly_trained(model, atol=1e-5 if BACKEND == "tensorflow" else 1e-6)


def test_validation_data_of_every_form(subject):
    model = subject.anew()
    batches = ((subject.images[i : i + 8],) for i in (0, 8))
    for done, form in enumerate(((subject.images, None), [subject.images], batches), start=1):
        subject.check_validation(model, 1, form)
        subject.assert_plainly_trained(model, done)


def test_a_bad_first_batch_of_a_stream(subject):
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        subject.plain.model.fit((batch for batch in [(2.0 * np.ones((8, 2, 2, 1)),)]), verbose=0)


def variable(value):
    return keras.Variable(np.asarray(value, "float32"))


def test_gradients_of_a_subset_by_hand():
    a, b, unused = variable([1.0, 2.0]), variable([3.0, 4.0]), variable([5.0])
    loss, gradients = backend.value_and_grad(lambda: ops.sum(a * a * b), [a, unused])
    assert float(ops.convert_to_numpy(loss)) == pytest.approx(19.0)
    np.testing.assert_allclose(ops.convert_to_numpy(gradients[0]), [6.0, 16.0])
    np.testing.assert_array_equal(ops.convert_to_numpy(gradients[1]), [0.0])
    assert len(gradients) == 2


def test_losses_of_one_pass_have_gradients_of_their_own():
    a, b, passes = variable([1.0, 2.0]), variable([3.0, 4.0]), []

    def losses():
        passes.append(1)
        product = a * b
        return [ops.sum(product), ops.sum(a * product), ops.sum(product) * 0.0]

    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=8.0)
    optimizer.build([a, b])
    groups = [[a], [b, a], []]
    found, gradients = backend.values_and_grads(losses, groups, [None, optimizer, None])
    assert [float(ops.convert_to_numpy(each)) for each in found] == [11.0, 19.0, 0.0]
    (of_a,), (scaled_of_b, scaled_of_a), none = (
        [ops.convert_to_numpy(each) for each in group] for group in gradients
    )
    np.testing.assert_allclose(of_a, [3.0, 4.0])
    np.testing.assert_allclose(scaled_of_b, 8.0 * np.array([1.0, 4.0]))
    np.testing.assert_allclose(scaled_of_a, 8.0 * np.array([6.0, 16.0]))
    assert none == [] and len(passes) == 1


def test_an_infinite_gradient_is_of_its_own_loss_alone():
    a = variable(0.0)
    _, gradients = backend.values_and_grads(
        lambda: [3.0 * a, ops.sqrt(a)], [[a], [a]], [None, None]
    )
    assert [float(ops.convert_to_numpy(of_a)) for (of_a,) in gradients] == [3.0, np.inf]


def test_what_a_loss_updates_is_kept():
    weight, counter = variable(2.0), keras.Variable(0.0, trainable=False)

    def loss():
        counter.assign_add(1.0)
        return weight * weight + ops.stop_gradient(counter.value)

    value, gradients = backend.value_and_grad(loss, [weight])
    assert float(ops.convert_to_numpy(value)) == 5.0
    assert float(ops.convert_to_numpy(gradients[0])) == 4.0
    assert float(ops.convert_to_numpy(counter)) == 1.0


def test_apply_gradients_by_hand():
    weight, optimizer = variable([1.0, 2.0]), keras.optimizers.SGD(0.5)
    optimizer.build([weight])
    backend.apply_gradients(optimizer, [ops.convert_to_tensor([2.0, 4.0])], [weight])
    np.testing.assert_allclose(ops.convert_to_numpy(weight), [0.0, 0.0])
    assert int(optimizer.iterations) == 1


@pytest.mark.parametrize("finite", [True, False])
def test_a_loss_scale_of_its_own(finite):
    weight = variable([1.0, 2.0])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=8.0)
    optimizer.build([weight])

    def loss_fn():
        return ops.sum(weight * weight) * (1.0 if finite else np.inf)

    loss, gradients = backend.value_and_grad(loss_fn, [weight], optimizer)
    if finite:
        assert float(ops.convert_to_numpy(loss)) == 5.0
        np.testing.assert_allclose(ops.convert_to_numpy(gradients[0]), [16.0, 32.0])
    backend.apply_gradients(optimizer, gradients, [weight])
    expected = [0.0, 0.0] if finite else [1.0, 2.0]
    np.testing.assert_allclose(ops.convert_to_numpy(weight), expected)
    assert float(ops.convert_to_numpy(optimizer.dynamic_scale)) == (8.0 if finite else 4.0)


def test_input_gradient_by_hand():
    x = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    gradient = backend.input_gradient(lambda x: ops.sum(x**3, axis=1), ops.convert_to_tensor(x))
    np.testing.assert_allclose(ops.convert_to_numpy(gradient), 3.0 * x**2, rtol=1e-6)


@pytest.mark.parametrize("w", [[3.0, 4.0], [0.1, 0.2]])
def test_penalty_of_a_linear_critic_and_its_gradient(w):
    """(||w|| - 1)^2 for any x, with gradient 2 (||w|| - 1) w / ||w||."""
    weight = variable(w)

    def penalty():
        x = ops.convert_to_tensor(np.random.default_rng(0).random((5, 2)).astype("float32"))
        gradient = backend.input_gradient(lambda x: ops.sum(x * weight, axis=1), x)
        norm = ops.sqrt(ops.sum(ops.square(gradient), axis=1))
        return ops.mean(ops.square(norm - 1.0))

    value, (gradient,) = backend.value_and_grad(penalty, [weight])
    norm = np.linalg.norm(w)
    assert float(ops.convert_to_numpy(value)) == pytest.approx((norm - 1.0) ** 2, rel=1e-5)
    expected = 2.0 * (norm - 1.0) * np.array(w) / norm
    np.testing.assert_allclose(ops.convert_to_numpy(gradient), expected, rtol=1e-5)


@pytest.mark.full
@pytest.mark.skipif(BACKEND != "torch", reason="torch.compile is PyTorch's")
def test_a_penalty_inside_torch_compile():
    import torch

    weight = variable([3.0, 4.0])
    x = ops.ones((5, 2))

    def step():
        def penalty():
            gradient = backend.input_gradient(lambda x: ops.sum(x * weight.value, axis=1), x)
            norm = ops.sqrt(ops.sum(ops.square(gradient), axis=1))
            return ops.mean(ops.square(norm - 1.0))

        return backend.value_and_grad(penalty, [weight])[1][0]

    expected = [2.0 * 4.0 * 3.0 / 5.0, 2.0 * 4.0 * 4.0 / 5.0]
    np.testing.assert_allclose(ops.convert_to_numpy(torch.compile(step)()), expected, rtol=1e-5)


def test_second_order_gradients_equal_finite_differences():
    """Of a penalty on a small network, in float64."""
    weights = [
        keras.Variable(np.random.default_rng(i).standard_normal(shape), dtype="float64")
        for i, shape in enumerate([(3, 4), (4, 1)])
    ]
    x = np.random.default_rng(9).standard_normal((6, 3))

    def penalty():
        def critic(x):
            return ops.tanh(x @ weights[0]) @ weights[1]

        gradient = backend.input_gradient(critic, ops.convert_to_tensor(x, dtype="float64"))
        return ops.mean(ops.square(ops.sqrt(ops.sum(ops.square(gradient), axis=1)) - 1.0))

    def penalty_in_numpy(w0, w1):
        h = np.tanh(x @ w0)
        gradient = ((1.0 - h**2) * w1[:, 0]) @ w0.T
        return np.mean((np.linalg.norm(gradient, axis=1) - 1.0) ** 2)

    values = [ops.convert_to_numpy(w).astype("float64") for w in weights]
    loss, gradients = backend.value_and_grad(penalty, weights)
    tolerance = 1e-4 if BACKEND == "jax" else 1e-7  # JAX computes in float32
    assert float(ops.convert_to_numpy(loss)) == pytest.approx(
        penalty_in_numpy(*values), rel=tolerance
    )
    for i, gradient in enumerate(gradients):
        numeric = np.zeros_like(values[i])
        for index in np.ndindex(*numeric.shape):
            for sign in (1.0, -1.0):
                moved = [v.copy() for v in values]
                moved[i][index] += sign * 1e-6
                numeric[index] += sign * penalty_in_numpy(*moved) / 2e-6
        np.testing.assert_allclose(
            ops.convert_to_numpy(gradient), numeric, rtol=10 * tolerance, atol=10 * tolerance
        )


class Forgetful(ToyWGANGP):
    """Its step updates a variable that no layer, metric or generator of the model holds."""

    def training_step(self, x, y, noise):
        STRAY.assign_add(1.0)
        super().training_step(x, y, noise)


STRAY = keras.Variable(0.0, trainable=False, name="stray")


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX would lose the update")
def test_an_update_that_would_be_lost_is_an_error():
    model = Forgetful()
    model.compile()
    with pytest.raises(ValueError, match="not part of the model's state.*stray"):
        model.fit(np.zeros((8, 2, 2, 1)), batch_size=8, verbose=0)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.distribute is TensorFlow's")
def test_gradients_are_divided_by_the_replicas():
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    weight = variable(3.0)
    two = type("Two", (), {"num_replicas_in_sync": 2})()
    original, tf.distribute.get_strategy = tf.distribute.get_strategy, lambda: two
    try:
        loss, gradients = backend.value_and_grad(lambda: weight * weight, [weight])
    finally:
        tf.distribute.get_strategy = original
    assert strategy.num_replicas_in_sync == 1
    assert float(loss) == 9.0 and float(gradients[0]) == 3.0


def test_an_error_that_says_that_memory_is_lacking():
    with pytest.raises(Exception, match="alloc") as found:
        ops.convert_to_numpy(ops.zeros((2**48,)))
    assert backend.lacks_memory(found.value) and backend.lacks_memory(MemoryError())
    assert not backend.lacks_memory(RuntimeError("of something else"))


def test_a_model_that_logs_an_unknown_name():
    class Wrong(ToyWGANGP):
        log_names = ("critic_loss",)

    model = Wrong()
    model.compile(run_eagerly=True)
    with pytest.raises(Exception, match="gradient_penalty"):
        model.fit(np.zeros((8, 2, 2, 1)), batch_size=8, verbose=0)


def test_what_a_subclass_must_write():
    class Empty(GenerativeModel):
        pass

    with pytest.raises(NotImplementedError):
        Empty().players()


@pytest.mark.skipif(BACKEND != "jax", reason="of jaxlib alone")
def test_products_are_of_the_weights_as_they_are():
    """Of weights that change in place, which jaxlib 0.7.2 does not see without the seam's mend."""
    import jax

    keep = jax.jit(lambda w, x: (x @ w, w), donate_argnums=0)
    change = jax.jit(lambda w: 2 * w, donate_argnums=0)
    w, x = ops.ones((784, 400)), ops.ones((64, 784))
    products = []
    for _ in range(3):
        product, w = keep(w, x)
        products.append(float(product[0, 0]))
        w = change(w)
    assert products == [784.0, 2 * 784.0, 4 * 784.0]


@pytest.mark.skipif(BACKEND != "jax", reason="of jaxlib alone")
@pytest.mark.parametrize("started", [False, True])
def test_a_jaxlib_whose_products_are_wrong(monkeypatch, started):
    import jax

    from kgen.backend import jax_flags

    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    monkeypatch.setattr(jax_flags.jaxlib, "__version__", "0.8.1")
    monkeypatch.setattr(jax._src.xla_bridge, "backends_are_initialized", lambda: started)
    too_late = pytest.warns(
        UserWarning, match="before JAX computes.*jaxlib 0.8.1, which has started"
    )
    with too_late if started else contextlib.nullcontext():
        jax_flags.set_flags()
    flags = ["--xla_cpu_enable_fast_math=false"] + ["--xla_cpu_use_xnnpack=false"] * (not started)
    assert os.environ["XLA_FLAGS"].split() == flags


@pytest.mark.skipif(BACKEND != "jax", reason="of jaxlib alone")
@pytest.mark.parametrize("version", ["0.7.0", "0.10.2", "0.99.0"])
def test_flags_are_of_the_versions_that_know_them(monkeypatch, version):
    import jax

    from kgen.backend import jax_flags

    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(jax_flags.jaxlib, "__version__", version)
    monkeypatch.setattr(jax._src.xla_bridge, "backends_are_initialized", lambda: False)
    for _ in range(2):
        jax_flags.set_flags()
    flags = {"0.10.2": "--xla_cpu_experimental_ynn_fusion_type="}
    assert os.environ.get("XLA_FLAGS") == flags.get(version)


@pytest.mark.skipif(BACKEND != "jax", reason="what XLA's temporaries need")
@pytest.mark.parametrize("asked", [None, "MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX"])
def test_freed_memory_is_kept_unless_the_environment_says_otherwise(monkeypatch, asked):
    from kgen.backend import jax_memory

    options = {}
    glibc = types.SimpleNamespace(mallopt=options.__setitem__)
    monkeypatch.setattr(jax_memory.ctypes, "CDLL", lambda name: glibc)
    monkeypatch.setattr(jax_memory.sys, "platform", "linux")
    if asked:
        monkeypatch.setenv(asked, "1")
    jax_memory.keep_freed_memory()
    assert options == ({} if asked else {-3: 2**30, -1: 2**30})
    monkeypatch.setattr(jax_memory.ctypes, "CDLL", lambda name: types.SimpleNamespace())
    jax_memory.keep_freed_memory()
