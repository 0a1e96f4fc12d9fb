"""What a step counts, moves, logs and leaves alone, beside the paper's losses."""

from unittest import mock

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend, networks
from kgen.losses import r1_penalty
from kgen.models.adversary import R1, R2, Adversary, GradientPenalty
from tests.contract import EAGER, arrays, assert_same
from tests.tiers import in_tiers
from tests.toys import activity_penalty
from tests.zoo import SHAPE, dcgan, dense_vae, perceptrons

pytestmark = pytest.mark.each_backend
IMAGES = np.random.default_rng(0).random((8, *SHAPE), dtype="float32")
JOINT = "ignore:.*judges a batch together", "ignore:.*will train it wrongly"


def gan_of(*layers, **kwargs):
    """A GAN of fakes that are all 0 in [-1, 1], that does not move, and its discriminator."""
    generator = networks.dense_generator(3, SHAPE, units=(2,))
    for variable in generator.trainable_variables:
        variable.assign(0.0 * variable)
    judge = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), *layers])
    for i, variable in enumerate(judge.trainable_variables):
        variable.assign(np.sin(np.arange(np.prod(variable.shape)) + i).reshape(variable.shape) / 4)
    gan = kgen.DCGAN(SHAPE, 3, generator=generator, discriminator=judge, seed=0, **kwargs)
    gan.compile(keras.optimizers.SGD(0.0))
    return gan, judge


class Adding(keras.layers.Layer):
    """Adds the mean of its inputs to the loss."""

    def call(self, x):
        self.add_loss(ops.mean(x))
        return x


class LateR1(R1):
    """Asks for the logits first, and then for their gradient."""

    def of(self, judge, x, x_fake, noise):
        judge(x)
        return super().of(judge, x, x_fake, noise)


PENALTIES = {
    "none": [],
    "r1": [R1(0.0)],
    "late": [LateR1(0.0)],
    "all": [R1(0.0), R2(0.0), GradientPenalty(0.0)],
}
each_penalty = pytest.mark.parametrize("penalty", in_tiers(PENALTIES, quick=["late", "all"]))


@each_penalty
def test_what_layers_add_to_the_loss_counts_in_each_call_that_the_loss_is_of(penalty):
    l2 = keras.regularizers.L2
    gan, judge = gan_of(
        keras.layers.Dense(1, activity_regularizer=l2(0.1), kernel_regularizer=l2(0.2)),
        Adding(),
        penalties=PENALTIES[penalty],
    )
    found, minimize = {"discriminator": 0.0, "generator": 0.0}, gan.minimize
    gan.add_logs(*(f"whole_{player}" for player in found))

    def watch(loss_fn, player, *args):
        gan.log(**{f"whole_{player}": minimize(loss_fn, player, *args)})

    gan.minimize = watch
    history = gan.fit(IMAGES, batch_size=8, shuffle=False, verbose=0).history
    real, fake = (ops.convert_to_numpy(judge(x)) for x in (2 * IMAGES - 1, 0 * IMAGES))
    added = sum(0.1 * activity_penalty(x) + np.mean(x) for x in (real, fake))
    weights = 0.2 * np.sum(ops.convert_to_numpy(judge.layers[1].kernel) ** 2)
    own = history["whole_discriminator"][0] - history["discriminator_loss"][0]
    assert own == pytest.approx(added + weights, rel=1e-5)
    # The discriminator's own is no matter of the generator's.
    assert history["whole_generator"][0] == pytest.approx(history["generator_loss"][0], rel=1e-6)


@pytest.mark.filterwarnings(*JOINT)
@each_penalty
def test_averages_of_batch_normalization_are_of_the_losses_calls_alone(penalty):
    norm = keras.layers.BatchNormalization(momentum=0.5)
    gan, judge = gan_of(
        keras.layers.Dense(2), norm, keras.layers.Dense(1), penalties=PENALTIES[penalty]
    )
    gan.fit(IMAGES, batch_size=8, shuffle=False, verbose=0)
    expected = 0.0
    for x in (2 * IMAGES - 1, 0 * IMAGES, 0 * IMAGES):  # real, fakes, fakes in the generator's
        of_batch = np.mean(ops.convert_to_numpy(judge.layers[1](judge.layers[0](x))), axis=0)
        expected = 0.5 * expected + 0.5 * of_batch
    np.testing.assert_allclose(ops.convert_to_numpy(norm.moving_mean), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("made", "calls"),
    [
        ([], 2),
        ([R1(0.5)], 2),
        ([R2(0.5)], 2),
        ([R1(0.5), R2(2.0), R1(3.0, name="again")], 2),
        ([LateR1(0.5)], 3),
    ],
    ids=["none", "r1", "r2", "all", "late"],
)
def test_penalties_where_the_loss_judges_are_of_its_pass(made, calls):
    _, judge = gan_of(keras.layers.Dense(3, "tanh"), keras.layers.Dense(1))
    adversary = Adversary(judge, penalties=made)
    vars(adversary)["judge"] = mock.Mock(side_effect=adversary.judge)
    rng = np.random.default_rng(0)
    x, x_fake = (ops.convert_to_tensor(rng.random((8, *SHAPE)), "float32") for _ in range(2))

    def together():
        return ops.mean(adversary.loss(x, x_fake, None, None, 0)[0])

    def apart():
        loss = ops.softplus(-judge(x)) + ops.softplus(judge(x_fake))
        points = (x_fake if isinstance(penalty, R2) else x for penalty in made)
        terms = [p.weight * r1_penalty(judge, at) for p, at in zip(made, points, strict=True)]
        return ops.mean(loss) + sum(map(ops.mean, terms))

    variables = judge.trainable_variables
    loss, gradients = backend.value_and_grad(together, variables)
    assert adversary.judge.call_count == calls
    expected, by_hand = backend.value_and_grad(apart, variables)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert_same(map(ops.convert_to_numpy, gradients), map(ops.convert_to_numpy, by_hand), 1e-5)


def test_a_penalty_of_a_batch_that_is_judged_together_is_told_of():
    with pytest.warns(
        UserWarning, match="r1_penalty is of each image by itself.*batch_norm.*Layer"
    ):
        kgen.DCGAN((16, 16, 1), 3, width=2, r1_weight=1.0)


def test_what_only_training_logs_is_not_shown_of_an_evaluation():
    gan = dcgan(seed=0, log_gradient_norms=True)
    gan.compile(run_eagerly=EAGER)
    history = gan.fit(IMAGES, verbose=0, validation_data=(IMAGES,)).history
    names = {name.removeprefix("val_") for name in history if name.startswith("val_")}
    norms = {f"{player}_gradient_norm" for player in gan.players()}
    assert names | norms == {name for name in history if not name.startswith("val_")}
    assert not names & norms and names == gan.evaluate(IMAGES, verbose=0, return_dict=True).keys()


def test_an_evaluation_in_the_middle_of_an_epoch_leaves_its_means_as_they_are():
    def fit(*callbacks):
        keras.utils.set_random_seed(0)
        model = dense_vae(seed=0)
        model.compile(run_eagerly=EAGER)
        given = {"batch_size": 2, "epochs": 2, "shuffle": False, "verbose": 0}
        return model, model.fit(IMAGES, callbacks=list(callbacks), **given).history

    expected, history = fit()
    evaluate = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: evaluate.model.evaluate(IMAGES[:3], verbose=0)
    )
    model, found = fit(evaluate)
    assert_same(arrays(model.trainable_variables), arrays(expected.trainable_variables))
    for name, values in history.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)


@pytest.mark.parametrize("begins", ["before compile", "after compile", "between epochs"])
def test_what_is_frozen_stays_or_is_refused(begins):
    model = dense_vae(seed=0)
    before = arrays(model.encoder.variables)

    def freeze(*_):
        model.encoder.trainable = False

    if begins == "before compile":
        freeze()
    model.compile(run_eagerly=EAGER)
    if begins == "after compile":
        freeze()
    callbacks = []
    if begins == "between epochs":
        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=freeze)]
    if begins == "before compile":
        model.fit(IMAGES, epochs=2, verbose=0)
        assert_same(arrays(model.encoder.variables), before, atol=0.0)
        return
    with pytest.raises(ValueError, match=r"compile\(\) again.*frozen.*variables of the vae"):
        model.fit(IMAGES, epochs=2, verbose=0, callbacks=callbacks)
    with pytest.raises(ValueError, match=r"compile\(\) again"):
        model.train_on_batch(IMAGES)


def test_what_is_frozen_between_two_steps_is_refused_at_the_latest_in_the_next_epoch():
    model = dense_vae(seed=0)
    model.compile(run_eagerly=EAGER)
    freeze = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: setattr(model.encoder, "trainable", False)
    )
    with pytest.raises(ValueError, match=r"compile\(\) again"):
        model.fit(IMAGES, batch_size=2, epochs=2, verbose=0, callbacks=[freeze])


def test_a_player_that_is_frozen_whole_judges_and_stays():
    gan = dcgan(seed=0)
    gan.discriminator.trainable = False
    gan.compile(run_eagerly=EAGER)
    weights = [arrays(net.trainable_variables) for net in (gan.discriminator, gan.generator)]
    frozen = arrays(layer for layer in gan.discriminator.weights if "moving" not in layer.path)
    history = gan.fit(IMAGES, verbose=0).history
    assert history["discriminator_loss"][0] > 0.1
    after = arrays(layer for layer in gan.discriminator.weights if "moving" not in layer.path)
    assert_same(after, frozen, atol=0.0)
    assert not weights[0] and np.any(arrays(gan.generator.trainable_variables)[0] != weights[1][0])


def test_averaged_weights_go_on_after_another_compile():
    gan = dcgan(seed=0, ema_decay=0.999)
    gan.compile(run_eagerly=EAGER)
    gan.fit(IMAGES, batch_size=1, verbose=0)
    (before, *_), (now, *_) = gan.average.network.get_weights(), gan.generator.get_weights()
    gan.compile(keras.optimizers.SGD(0.0), run_eagerly=EAGER)
    gan.fit(IMAGES, batch_size=8, verbose=0)
    after = gan.average.network.get_weights()[0]
    kept = (1 + 9) / (10 + 9)  # in the ninth step
    np.testing.assert_allclose(after, kept * before + (1 - kept) * now, atol=1e-6)
    assert int(ops.convert_to_numpy(gan.steps)) == 9


def spectral_gan(**kwargs):
    layer = kgen.layers.SpectralNormalization(keras.layers.Dense(64, "tanh"), power_iterations=200)
    nets = [keras.Input((3,)), layer, keras.layers.Reshape(SHAPE)]
    judge = perceptrons()["discriminator"]
    return kgen.LSGAN(
        SHAPE, 3, generator=keras.Sequential(nets), discriminator=judge, **kwargs
    ), layer


def test_a_generator_is_normalised_when_it_is_used():
    """After the step, in the average, and from the first step on."""
    gan, layer = spectral_gan(seed=0, ema_decay=0.0)
    gan.compile(keras.optimizers.SGD(0.1), run_eagerly=EAGER)

    def largest(network):
        return np.linalg.norm(network.get_weights()[0], 2)

    assert largest(gan.generator) == pytest.approx(1.0, rel=1e-2)
    layer.layer.kernel.assign(3.0 * layer.layer.kernel)  # as a large step would
    gan.fit(IMAGES, batch_size=8, verbose=0)
    assert largest(gan.generator) == pytest.approx(1.0, rel=1e-2)
    assert_same(gan.average.network.get_weights()[:1], gan.generator.get_weights()[:1])
    weights = arrays(gan.variables)
    gan.compile(run_eagerly=EAGER)
    assert_same(arrays(gan.variables), weights, atol=0.0)  # which another compile leaves alone


def test_spectral_normalization_keeps_the_type_of_what_it_wraps():
    """A layer of float32 in a network of half precision gives logits that are not rounded."""
    for policy in ("mixed_bfloat16", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        layer = kgen.layers.SpectralNormalization(keras.layers.Dense(1, dtype="float32"))
        x = np.linspace(0.0, 0.02, 64, dtype="float32")[:, None]
        layer(x)
        layer.layer.bias.assign([8.0])
        logits = ops.convert_to_numpy(layer(ops.cast(x, layer.compute_dtype)))
        assert logits.dtype == np.float32 and len(np.unique(logits)) > 32


LOGITS = {
    "dcgan_discriminator": lambda **given: networks.dcgan_discriminator(
        (8, 8, 1), 4, spectral_normalization=True, **given
    ),
    "maxout_discriminator": lambda **given: networks.maxout_discriminator(SHAPE, (4,), 2, **given),
    "projection": lambda **given: networks.dcgan_discriminator(
        (8, 8, 1), 4, projection=True, condition=3, spectral_normalization=True
    ),
    "recognition_head": lambda **given: networks.recognition_head(4, 3),
    "dense_encoder": lambda **given: networks.dense_encoder(SHAPE, 4, units=(4,)),
    "dense_decoder": lambda **given: networks.dense_decoder(3, SHAPE, units=(4,)),
    "convolutional_encoder": lambda **given: networks.convolutional_encoder(SHAPE, 4, filters=2),
    "convolutional_decoder": lambda **given: networks.convolutional_decoder(3, SHAPE, filters=2),
    "pixel_cnn": lambda **given: networks.pixel_cnn(SHAPE, 1, 4, 1, None),
    "gated_pixel_cnn": lambda **given: networks.gated_pixel_cnn(SHAPE, 1, 4, 1, None),
}


@pytest.mark.one_backend
@pytest.mark.parametrize("make", LOGITS.values(), ids=LOGITS)
def test_presets_end_in_numbers_that_are_not_rounded(make):
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = make()
    bias = [v for v in network.trainable_variables if v.name == "bias"][-1]
    bias.assign(8.0 + 0.0 * bias)
    inputs = [
        np.arange(16) % 3
        if "int" in x.dtype
        else np.random.default_rng(0).random((16, *x.shape[1:]), dtype="float32")
        for x in getattr(network, "inputs", [keras.KerasTensor((None, *SHAPE))])
    ]
    outputs = keras.tree.flatten(network(inputs if len(inputs) > 1 else inputs[0]))[0]
    values = ops.convert_to_numpy(outputs)
    assert values.dtype == np.float32
    as_bfloat16 = ops.convert_to_numpy(ops.cast(ops.cast(values, "bfloat16"), "float32"))
    assert np.any(values != as_bfloat16)
