"""PixelVAE: without its code the PixelCNN, with one a distribution, sampled by the cached loop."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import networks
from kgen.fields import FeatureMap, Image, Label, Vector

TINY = {"levels": 2, "width": 3, "pixel_width": 4, "pixel_depth": 1, "seed": 0}


def make(image_shape=(2, 2, 1), latent_dim=1, scale=0.5, **kwargs):
    """A small model whose weights do something, the same on every backend."""
    model = kgen.PixelVAE(image_shape, latent_dim, **TINY | kwargs)
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(scale * rng.standard_normal(variable.shape))
    return model


def all_images(height, width, colors, levels):
    values = itertools.product(range(levels), repeat=height * width * colors)
    images = np.array(list(values), "float32") / (levels - 1)
    return images.reshape(-1, height, width, colors)


def nll(model, x, z):
    """-log p(x|z) of each image and its code, or one for all, float64."""
    z = np.asarray(z, "float32")
    z = np.broadcast_to(z, (len(x), z.shape[-1]))[:, None]
    found = model._nll(ops.convert_to_tensor(x), None, ops.convert_to_tensor(z), False)
    return ops.convert_to_numpy(found)[:, 0].astype("float64")


def forget_images(model):
    """Makes the posterior of every image the prior."""
    for variable in model.encoder.trainable_variables[-2:]:
        variable.assign(np.zeros(variable.shape))


def vector_parts(image_shape, levels=2):
    """A decoder to a vector, and a PixelCNN with that as its condition."""
    decoder = networks.dense_decoder(1, (1, 1, 5), units=(3,))
    decoder = keras.Model(decoder.input, keras.layers.Flatten()(decoder.output))
    sizes = {"levels": levels, "width": 4, "depth": 1}
    pixel_cnn = kgen.GatedPixelCNN(image_shape, condition=Vector(5), **sizes)
    return {"decoder": decoder, "pixel_cnn": pixel_cnn, "pixel_width": None, "pixel_depth": None}


@pytest.mark.one_backend
@pytest.mark.parametrize("kind", ["features", "vector", "colours"])
def test_pixels_given_a_code_have_a_distribution(kind):
    shape, levels = ((1, 2, 2), 3) if kind == "colours" else ((2, 2, 1), 2)
    parts = vector_parts(shape) if kind == "vector" else {}
    model = make(shape, levels=levels, scale=0.8, **parts)
    x = all_images(*shape, levels)
    likely = [np.exp(-nll(model, x, [z])) for z in (-1.5, 0.7)]
    assert [each.sum() for each in likely] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert np.abs(likely[0] - likely[1]).max() > 0.01


@pytest.mark.one_backend
def test_without_its_code_it_is_the_pixel_cnn():
    model = make((4, 3, 1), latent_dim=2)
    alone = kgen.GatedPixelCNN((4, 3, 1), levels=2, width=4, depth=1)
    blocks = model.pixel_cnn.network.causal_layers[:2]
    of_code = [layer.kernel for block in blocks for layer in block.labels]
    for kernel in of_code:
        kernel.assign(np.zeros(kernel.shape))
    ignored = {id(kernel) for kernel in of_code}
    own = [v for v in model.pixel_cnn.network.trainable_variables if id(v) not in ignored]
    for mine, its in zip(own, alone.network.trainable_variables, strict=True):
        its.assign(mine)
    forget_images(model)
    x = np.random.default_rng(0).integers(0, 2, (6, 4, 3, 1)).astype("float32")
    expected = alone.log_likelihood(x, seed=0)
    np.testing.assert_allclose(model.elbo(x, seed=0), expected, rtol=1e-5)
    np.testing.assert_allclose(model.log_likelihood(x, num_samples=7, seed=0), expected, rtol=1e-5)
    images = model.decode(np.zeros((5, 2)), seed=3)
    np.testing.assert_array_equal(images, alone.sample(5, seed=3))


@pytest.mark.one_backend
def test_the_bound_comes_to_the_likelihood():
    model = make(scale=0.8)
    forget_images(model)
    x = all_images(2, 2, 1, 2)[[3, 9]]
    z = np.linspace(-8.0, 8.0, 801)
    given_z = nll(model, np.repeat(x, len(z), axis=0), np.tile(z, len(x))[:, None])
    log_p = -given_z.reshape(len(x), -1) - 0.5 * z**2
    log_p = np.logaddexp.reduce(log_p, axis=1) + np.log(z[1] - z[0]) - 0.5 * np.log(2 * np.pi)
    found = model.log_likelihood(x, num_samples=3000, seed=0)
    np.testing.assert_allclose(found, log_p, atol=0.02)
    assert (model.elbo(x, num_samples=300, seed=0) < log_p).all()


@pytest.mark.one_backend
@pytest.mark.parametrize("kind", ["features", "vector"])
def test_decoding_is_naive_sampling(kind):
    shape = (9, 3, 1)  # nine rows are made in two blocks of five
    model = make(shape, **vector_parts(shape) if kind == "vector" else {})
    z = np.random.default_rng(0).standard_normal((2, 1)).astype("float32")

    def numbers(y, z, noise):
        return noise.uniform((noise.num, *shape)), model._features(z, y)

    rows = {"z": z, "seed": np.array([4, 5])}
    uniform, features = model.run(numbers, rows)
    x = np.zeros((2, *shape), "float32")
    for row, column in itertools.product(range(9), range(3)):
        logits = model.pixel_cnn._outputs(*map(ops.convert_to_tensor, (x, features)))
        likely = 1.0 / (1.0 + np.exp(-ops.convert_to_numpy(logits)))
        x[:, row, column] = uniform[:, row, column] < likely[:, row, column]
    np.testing.assert_array_equal(model.decode(z, seed=np.array([4, 5])), x)


def test_a_pixel_sees_features_of_its_row_and_of_those_above():
    network = networks.gated_pixel_cnn((4, 3, 1), 2, 3, 2, condition=FeatureMap((4, 3, 2)))
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(rng.standard_normal(variable.shape))
    x, features = rng.random((1, 4, 3, 1)), rng.random((1, 4, 3, 2))
    before = ops.convert_to_numpy(network([x, features])).reshape(12, -1)
    features[:, 1, 1] += 1.0
    after = ops.convert_to_numpy(network([x, features])).reshape(12, -1)
    differs = np.abs(after - before).max(axis=1) > 1e-6
    assert not differs[:3].any() and differs[4:6].all() and differs[6:].any()


@pytest.mark.one_backend
def test_the_weight_of_the_divergence_rises():
    model = make(beta=3.0, warmup=4)
    x = np.random.default_rng(0).integers(0, 2, (2, 2, 2, 1)).astype("float32")
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.reset_metrics()

        def on_train_batch_end(self, batch, logs=None):
            weighted = logs["loss"] - logs["reconstruction_loss"]
            seen.append(float(weighted / logs["kl_loss"]))

    model.fit(x, batch_size=2, epochs=6, verbose=0, callbacks=[Look()])
    assert seen == pytest.approx([0.75, 1.5, 2.25, 3.0, 3.0, 3.0], rel=1e-3)
    model.warmup = 14.0
    model.fit(x, batch_size=2, verbose=0, callbacks=[Look()])
    assert seen[-1] == pytest.approx(1.5, rel=1e-3)
    model.warmup = 0
    model.fit(x, batch_size=2, verbose=0, callbacks=[Look()])
    assert seen[-1] == pytest.approx(3.0, rel=1e-3)


def test_the_importance_weighted_loss_is_called_a_bound_without_warmup_alone():
    logs = {"loss": 3.0, "reconstruction_loss": 2.0, "kl_loss": 1.5}
    for warmup, is_bound in ((0, True), (10, False)):
        model = make(objective="iwae", num_samples=2, warmup=warmup)
        assert ("iwae_bound" in model.figures(logs)) is is_bound


def test_players_move_the_pixel_cnn_with_the_decoder():
    own = make().pixel_cnn.network
    for objective, player in (("elbo", "vae"), ("dreg", "decoder")):
        model = make(objective=objective)
        assert model.players()[player][-1] is model.pixel_cnn.network
    assert own.name in [each.name for each in model.players()["decoder"]]
    assert "encoder" in model.players() and len(model.players()["encoder"]) == 1


def test_a_way_is_drawn_by_the_same_numbers():
    model = make((4, 3, 1), latent_dim=2)
    rng = np.random.default_rng(0)
    start, end = rng.standard_normal((2, 3, 2)).astype("float32")
    ways = model.interpolate(start, end, steps=4, seed=7)
    np.testing.assert_array_equal(ways[:, 0], model.decode(start, seed=7))
    np.testing.assert_array_equal(ways[:, -1], model.decode(end, seed=7))
    still = model.interpolate(start, start, steps=4, seed=7)
    np.testing.assert_array_equal(still, still[:, :1].repeat(4, axis=1))
    images = rng.integers(0, 2, (2, 2, 4, 3, 1)).astype("float32")
    ways = model.interpolate(*images, steps=2)
    np.testing.assert_array_equal(ways[:, 0], model.reconstruct(images[0]))


def test_called_it_gives_the_mean_of_each_pixel_given_those_before():
    model = make((4, 3, 1), latent_dim=2)
    x = np.random.default_rng(0).random((2, 4, 3, 1)).astype("float32")
    features = model._features(ops.convert_to_tensor(model.encode(x)), None)
    logits = model.pixel_cnn._outputs(ops.convert_to_tensor(np.rint(x)), features)
    found = ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(found, ops.convert_to_numpy(ops.sigmoid(logits)), atol=1e-6)


@pytest.mark.parametrize(
    "pixel_cnn",
    [
        lambda shape: kgen.PixelCNNPlusPlus(
            shape, levels=4, width=4, depth=1, scales=1, ema_decay=None, condition=Vector(5)
        ),
        lambda shape: kgen.PixelRNN(
            shape, levels=4, cell="row", width=2, depth=1, condition=FeatureMap((4, 3, 2))
        ),
        lambda shape: kgen.NADE(
            shape, levels=4, width=4, order=range(11, -1, -1), condition=Vector(5)
        ),
    ],
)
def test_other_networks_in_the_pixel_cnn_s_place(pixel_cnn):
    pixel_cnn = pixel_cnn((4, 3, 1))
    given = {"levels": 4, "pixel_cnn": pixel_cnn, "pixel_width": None, "pixel_depth": None}
    model = make((4, 3, 1), **given)
    model.compile()
    x = np.random.default_rng(0).integers(0, 4, (4, 4, 3, 1)) / 3.0
    model.fit(x, verbose=0)
    images = model.sample(3, seed=0)
    np.testing.assert_allclose(3.0 * images, np.rint(3.0 * images), atol=1e-5)


def test_the_preset_to_a_vector_is_of_the_width_and_depth():
    def units(network):
        return [layer.units for layer in network.layers if hasattr(layer, "units")][:-1]

    model = make((4, 3, 1), **pixel_cnn_of(), architecture="dense", width=7, depth=3)
    assert units(model.encoder) == units(model.decoder) == [7, 7, 7]
    model = make((4, 3, 1), **pixel_cnn_of(), architecture="convolutional", width=7)
    assert units(model.decoder) == [200, 200]


def test_grey_images_of_two_levels_are_told_of(recwarn):
    model = make()
    model.compile()
    model.fit(np.full((4, 2, 2, 1), 0.5), verbose=0)
    assert [w for w in recwarn if "levels=256 is exact" in str(w.message)]


def pixel_cnn_of(**kwargs):
    sizes = {"image_shape": (4, 3, 1), "levels": 2, "width": 4, "depth": 1}
    return {
        "pixel_cnn": kgen.GatedPixelCNN(**sizes | {"condition": Vector(5)} | kwargs),
        "pixel_width": None,
        "pixel_depth": None,
    }


def of_orders(num):
    return {"pixel_cnn": kgen.MADE((4, 3, 1), width=4, orders=num, condition=Vector(5))}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: pixel_cnn_of(levels=4), r"levels=2.*Received: GatedPixelCNN of .*levels=4"),
        (lambda: pixel_cnn_of(image_shape=(3, 4, 1)), r"\(4, 3, n\).*image_shape=\(3, 4, 1\)"),
        (lambda: pixel_cnn_of(condition=Label(3)), "condition=Label"),
        (lambda: pixel_cnn_of(condition=Image((4, 3, 1))), "condition=Image"),
        (lambda: pixel_cnn_of(condition=None), "condition=None"),
        (lambda: pixel_cnn_of(ema_decay=0.9), "ema_decay=None, .* Received: .*ema_decay=0.9"),
        (lambda: pixel_cnn_of() | of_orders(2), "of one order. Received: .*orders=2"),
        (lambda: {"pixel_cnn": keras.layers.Dense(1)}, "kgen.AutoregressiveModel .*Dense"),
        (lambda: pixel_cnn_of() | {"pixel_width": 8}, "Expected no pixel_width"),
        (lambda: pixel_cnn_of() | {"likelihood": "categorical"}, "Expected no likelihood"),
        (pixel_cnn_of, r"decoder to map \(batch, 2\) to \(batch, 5\)"),
        (lambda: {"likelihood": "normal"}, "Expected likelihood in"),
        (lambda: {"warmup": -1}, "Expected warmup .*at least 0"),
        (lambda: {"decoder": networks.dense_decoder(2, (3, 4, 6))}, "same height and width"),
    ],
)
def test_refused_arguments(given, message):
    given = given()
    if given.get("pixel_cnn") is not None and "decoder to map" in message:
        given["decoder"] = networks.dense_decoder(2, (4, 3, 5))
    with pytest.raises(ValueError, match=message):
        make((4, 3, 1), latent_dim=2, **given)
