"""VQ-VAE: the codebook, who gets which gradient, the bound, and the prior, by hand."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend, metrics
from kgen.distributions import FixedNormal
from kgen.layers import LevelEmbedding, VectorQuantizer
from kgen.layers.vector_quantizer import smoothed, straight_through
from kgen.models.autoencoders.vq_vae import patch_of
from kgen.noise import StepNoise

LABELS = np.array([0, 2, 1, 1, 0, 2])


def array(tensor):
    return ops.convert_to_numpy(tensor)


def noise():
    return StepNoise(keras.random.SeedGenerator(0).next())


def tiny(num_codes=5, **kwargs):
    sizes = {"width": 4, "depth": 1, "patch": 2, "prior_width": 4, "prior_depth": 1}
    return kgen.VQVAE((4, 4, 1), num_codes, 3, **{"seed": 0} | sizes | kwargs)


def images(num=6):
    return np.random.default_rng(0).random((num, 4, 4, 1)).astype("float32")


def spread(model):
    """The model with a codebook among what its encoder gives, so that images differ in codes."""
    z = array(model.encoder(images())).reshape(-1, 3)
    model.quantizer.vectors.assign(z[: model.num_codes])
    return model


@pytest.mark.one_backend
def test_laplace_smoothed_sizes():
    found = array(smoothed(ops.convert_to_tensor([3.0, 0.0, 1.0])))
    np.testing.assert_allclose(found, [2.9999875, 9.999925e-06, 1.0000025], rtol=1e-6)


@pytest.mark.one_backend
def test_the_nearest_codes():
    rng = np.random.default_rng(0)
    layer, z = VectorQuantizer(9, 3), rng.standard_normal((2, 4, 5, 3)).astype("float32")
    layer.vectors.assign(rng.standard_normal((9, 3)))
    k, e = map(array, layer(z))
    vectors = array(layer.vectors)
    by_hand = np.square(z[..., None, :] - vectors).sum(axis=-1).argmin(axis=-1)
    np.testing.assert_array_equal(k, by_hand)
    np.testing.assert_array_equal(e, vectors[by_hand])


@pytest.mark.one_backend
def test_the_nearest_code_is_found_in_float32():
    """Of numbers that half precision would not tell apart."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = VectorQuantizer(64, 1)
        model = tiny(num_codes=1000)
    finally:
        keras.config.set_dtype_policy("float32")
    line = 100.0 + 0.01 * np.arange(64, dtype="float32")[:, None]
    layer.vectors.assign(line)
    np.testing.assert_array_equal(array(layer(line)[0]), np.arange(64))
    # Nor are codes rounded on their way to the prior.
    codes = np.arange(1000).reshape(250, 2, 2, 1)
    x = 2.0 * array(model._as_image(ops.convert_to_tensor(codes[..., 0]))) - 1.0
    table = model.prior.network.embedding
    table.embeddings.assign(np.arange(4000).reshape(1000, 4) % 256)
    found = array(ops.cast(table(ops.convert_to_tensor(x)), "float32"))
    np.testing.assert_array_equal(found, array(table.embeddings)[codes[..., 0]])
    seen = array(model.prior.network(ops.convert_to_tensor(x[:1])))
    other = array(model.prior.network(ops.convert_to_tensor(x[1:2])))
    assert np.abs(seen - other).max() > 0.0


@pytest.mark.one_backend
def test_without_decay_codes_are_the_means_of_their_vectors():
    rng = np.random.default_rng(0)
    layer, z = VectorQuantizer(6, 2), rng.standard_normal((3, 2, 2, 2)).astype("float32")
    start = 2.0 * rng.standard_normal((6, 2)).astype("float32")
    start[5] = 50.0  # which nothing is near
    layer.vectors.assign(start)
    k, e = layer(z)
    np.testing.assert_array_equal(array(e), start[array(k)])  # quantised first
    layer.update(z, k, 0.0, noise())
    vectors = array(layer.vectors)
    for code in range(6):
        own = z[array(k) == code]
        expected = own.mean(axis=0) if len(own) else start[code]
        np.testing.assert_allclose(vectors[code], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(array(layer.sizes), np.bincount(array(k).ravel(), minlength=6))


@pytest.mark.one_backend
def test_averages_by_hand_and_an_unused_code_stays():
    layer, z = VectorQuantizer(2, 1), np.array([1.0, 2.0, 3.0], "float32").reshape(3, 1, 1, 1)
    layer.vectors.assign([[2.5], [-7.0]])
    layer.sums.assign([[2.5], [-7.0]])
    for _ in range(2):
        layer.update(z, layer(z)[0], 0.5, noise())
    # N: 1 -> 2 -> 2.5, m: 2.5 -> 4.25 -> 5.125
    np.testing.assert_allclose(array(layer.sizes), [2.5, 0.25], rtol=1e-6)
    np.testing.assert_allclose(array(layer.sums), [[5.125], [-1.75]], rtol=1e-6)
    np.testing.assert_allclose(array(layer.vectors), [[2.05], [-7.0]], rtol=1e-5)
    for _ in range(300):  # until its size is 0
        layer.update(z, layer(z)[0], 0.5, noise())
    assert array(layer.sizes)[1] < 1e-30
    np.testing.assert_allclose(array(layer.vectors), [[2.0], [-7.0]], rtol=1e-5)


@pytest.mark.one_backend
def test_dead_codes_start_anew():
    z = np.random.default_rng(0).random((2, 2, 2, 2)).astype("float32")
    layer = VectorQuantizer(4, 2, restart_after=2)
    for variable in (layer.vectors, layer.sums):
        variable.assign([[0.5, 0.5], [9.0, 9.0], [8.0, 9.0], [7.0, 9.0]])
    layer.update(z, layer(z)[0], 0.9, noise())
    assert array(layer.unused).tolist() == [0, 1, 1, 1]
    np.testing.assert_allclose(array(layer.vectors)[1:, 1], 9.0, rtol=1e-6)
    layer.update(z, layer(z)[0], 0.9, noise())
    vectors = array(layer.vectors)
    rows = [np.flatnonzero((z.reshape(-1, 2) == each).all(axis=1)).tolist() for each in vectors[1:]]
    assert len({row for (row,) in rows}) == 3  # on three vectors of the batch
    np.testing.assert_array_equal(array(layer.sums)[1:], vectors[1:])
    np.testing.assert_array_equal(array(layer.sizes)[1:], 1.0)
    assert not array(layer.unused).any()


@pytest.mark.one_backend
def test_straight_through():
    """The vectors to the bit; the gradient of z is the decoder's, that of e is none."""
    z, e = (keras.Variable(np.random.default_rng(i).standard_normal((2, 3))) for i in (0, 1))
    np.testing.assert_array_equal(array(straight_through(z.value, e.value)), array(e))

    def loss():
        each = straight_through(ops.convert_to_tensor(z), ops.convert_to_tensor(e))
        return ops.sum(each**3)

    _, (of_z, of_e) = backend.value_and_grad(loss, [z, e])
    np.testing.assert_allclose(array(of_z), 3.0 * array(e) ** 2, rtol=1e-5)
    np.testing.assert_array_equal(array(of_e), 0.0)


def gradients(model, x, variables):
    """Of the autoencoder's loss, by variable."""

    def loss():
        return model.losses_of_both(x, None, noise())[0]

    return [array(each) for each in backend.value_and_grad(loss, variables)[1]]


@pytest.mark.one_backend
def test_each_term_moves_its_own_part(monkeypatch):
    model = spread(tiny(codebook="loss", commitment=0.0, likelihood=FixedNormal(1e4)))
    monkeypatch.setattr(model, "log", lambda **values: None)
    x = ops.convert_to_tensor(images())
    z = array(model.encoder(x))
    k, e = map(array, model.quantizer(z))
    assert len(np.unique(k)) > 2
    last = model.encoder.trainable_variables[-1]  # the bias of z
    parts = [last, model.quantizer.vectors, model.decoder.trainable_variables[0]]
    of_z, of_codes, of_decoder = gradients(model, x, parts)
    expected = np.zeros((5, 3))
    np.add.at(expected, k, 2.0 * (e - z) / len(x))
    np.testing.assert_allclose(of_codes, expected, rtol=1e-4, atol=1e-6)
    assert np.abs(of_z).max() < 1e-5  # of the likelihood, which is nearly flat
    model.commitment = 0.5
    of_z, again, same = gradients(model, x, parts)
    np.testing.assert_allclose(of_z, np.sum(z - e, axis=(0, 1, 2)) / len(x), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(again, of_codes)
    np.testing.assert_array_equal(same, of_decoder)


@pytest.mark.one_backend
def test_by_averages_no_gradient_moves_the_codebook_and_a_step_uses_it_first(monkeypatch):
    model = spread(tiny(decay=0.0))
    assert not model.quantizer.trainable_variables
    x, logged = images(), {}
    monkeypatch.setattr(model, "log", lambda **values: logged.update(values))
    start = array(model.quantizer.vectors)
    z = array(model.encoder(x))
    k = array(model.quantizer(z)[0])
    model.losses_of_both(ops.convert_to_tensor(x), None, noise())
    of_start = np.square(z - start[k]).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(array(logged["commitment_loss"]), of_start, rtol=1e-4, atol=1e-5)
    used = np.unique(k)
    means = np.stack([z[k == code].mean(axis=0) for code in used])
    np.testing.assert_allclose(array(model.quantizer.vectors)[used], means, rtol=1e-3, atol=1e-4)
    model.losses_of_both(ops.convert_to_tensor(x), None, noise(), training=False)
    np.testing.assert_allclose(array(model.quantizer.vectors)[used], means, rtol=1e-3, atol=1e-4)


@pytest.mark.one_backend
def test_the_bound_by_hand():
    """log p(x | e) of the normal distribution's formula, log p(k) a code after the other."""
    model = spread(tiny(likelihood=FixedNormal(0.3), num_classes=3))
    x = images()
    k = model.encode(x)
    assert k.dtype == np.int32 and k.shape == (6, 2, 2) and len(np.unique(k)) > 2
    e = array(model.quantizer.vectors)[k]
    error = x - array(model.decoder(e))
    log_p = -0.5 * np.square(error / 0.3) - np.log(0.3 * np.sqrt(2.0 * np.pi))
    logits = array(model.prior.network([2.0 * k[..., None] / 4.0 - 1.0, LABELS]))
    of_codes = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    prior = np.take_along_axis(of_codes, k[..., None], axis=-1)
    expected = log_p.sum(axis=(1, 2, 3)) + prior.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(model.elbo(x, LABELS), expected, rtol=1e-4)
    model.compile()
    logs = model.evaluate(x, LABELS, verbose=0, return_dict=True)
    assert model.figures(logs)["elbo"] == pytest.approx(expected.mean(), rel=1e-4)
    assert "bits_per_dim" not in model.figures(logs)
    of_8_bits = tiny(likelihood="discretized_logistic")
    of_8_bits.compile()
    found = of_8_bits.figures(of_8_bits.evaluate(x, verbose=0, return_dict=True))
    assert found["bits_per_dim"] == pytest.approx(-found["elbo"] / (16 * np.log(2.0)), rel=1e-5)


@pytest.mark.one_backend
@pytest.mark.parametrize("num_codes", [2, 3])
def test_the_prior_sums_to_one_and_samples_are_of_it(num_codes):
    model = tiny(num_codes=num_codes, num_classes=2)
    rng = np.random.default_rng(0)
    for variable in model.prior.trainable_variables:
        variable.assign(0.7 * rng.standard_normal(variable.shape))
    every = np.array(list(itertools.product(range(num_codes), repeat=4))).reshape(-1, 2, 2)
    k = model._as_image(ops.convert_to_tensor(every.astype("int32")))
    p = np.exp(-array(model.prior._nll(k, ops.ones(len(every), "int32"))))
    assert p.sum() == pytest.approx(1.0, abs=1e-5)
    num = 4000
    drawn = np.rint(model.prior.sample(num, 1, seed=0, batch_size=num)[..., 0] * (num_codes - 1))
    place = (drawn.reshape(num, 4) @ num_codes ** np.arange(3, -1, -1)).astype(int)
    found = np.bincount(place, minlength=len(every))
    expected = num * p
    is_common = expected > 5
    chi = np.sum(np.square(found - expected)[is_common] / expected[is_common])
    assert chi < is_common.sum() + 5.0 * np.sqrt(2.0 * is_common.sum())


def test_more_codes_than_an_image_has_levels():
    model = tiny(num_codes=1500)
    codes = np.array([[[0, 1499], [257, 1000]]])
    back = array(model._as_codes(model._as_image(ops.convert_to_tensor(codes, "int32"))))
    np.testing.assert_array_equal(back, codes)
    every = np.arange(65536).reshape(-1, 2, 2)
    of_most = (every[..., None] / 65535.0).astype("float32")
    np.testing.assert_array_equal(np.rint(of_most[..., 0] * 65535.0), every)
    assert model.sample(3, seed=0).shape == (3, 4, 4, 1)


def test_a_samples_image_is_of_its_codes():
    model = spread(tiny())
    codes = np.rint(model.prior.sample(5, seed=3)[..., 0] * 4)
    np.testing.assert_allclose(model.sample(5, seed=3), model.decode(codes.astype(int)), atol=1e-6)


def test_a_completion_leaves_what_is_shown_alone():
    model, x = spread(tiny()), images()
    mask = np.zeros((4, 4), bool)
    mask[3, 1:] = True  # of both lower codes
    made = model.complete(x, mask, copies=2, seed=0)
    assert made.shape == (6, 2, 4, 4, 1)
    np.testing.assert_array_equal(made[:, :, ~mask], np.stack([x, x], axis=1)[:, :, ~mask])
    assert np.abs(made[:, 0] - made[:, 1]).max() > 0.0
    # The codes of what is shown, of an image in which the mean is in place of what is hidden.
    mean = x[:, ~mask].mean(axis=(1, 2))
    occluded = np.where(mask[..., None], mean[:, None, None, None], x)
    shown = model.run(model._shown, {"image": x, "mask": np.repeat(mask[None], 6, axis=0)})
    np.testing.assert_array_equal(shown["code"], model.encode(occluded))
    np.testing.assert_array_equal(shown["mask"], np.repeat([[[False] * 2, [True] * 2]], 6, axis=0))
    # What is hidden has no influence.
    other = np.where(mask[..., None], 1.0 - x, x)
    np.testing.assert_array_equal(model.complete(other, mask, copies=2, seed=0), made)
    nothing = np.zeros((4, 4), bool)
    np.testing.assert_array_equal(model.complete(x, nothing, seed=0)[:, 0], x)


def test_what_a_mask_hides_of_patches_that_reach_over_the_edge():
    model = kgen.VQVAE(
        (28, 28, 1),
        num_codes=8,
        code_dim=4,
        width=8,
        depth=1,
        patch=8,
        prior_width=4,
        prior_depth=1,
    )
    mask = np.zeros((1, 28, 28), bool)
    mask[:, 14:] = True  # rows 14 and 15 are of the second code
    shown = model.run(model._shown, {"image": np.zeros((1, 28, 28, 1), "float32"), "mask": mask})
    np.testing.assert_array_equal(shown["mask"][0], [[False] * 4, *[[True] * 4] * 3])


@pytest.mark.parametrize(
    ("size", "num", "pixels"),
    [(28, 7, 4), (28, 4, 8), (9, 3, 4), (20, 3, 8), (5, 2, 4), (8, 8, 1), (6, 1, 8), (9, 9, 1)]
    + [(15, 5, 3), (30, 3, 10)],  # a user's, of no power of 2
)
def test_pixels_of_a_code(size, num, pixels):
    assert patch_of(size, num) == pixels


def test_usage_and_perplexity():
    model = spread(tiny())
    codes = model.encode(images())
    expected = [np.sum(codes == code) for code in range(5)]
    assert model.usage(images(), batch_size=2).tolist() == expected
    assert metrics.perplexity(np.full(7, 3)) == pytest.approx(7.0)
    assert metrics.perplexity([1, 0, 0]) == 1.0
    with pytest.raises(ValueError, match="counts of 0 alone"):
        metrics.perplexity([0, 0])


@pytest.mark.one_backend
@pytest.mark.parametrize("codebook", ["averages", "loss"])
def test_frozen_codes_are_the_second_stage(codebook):
    model = tiny(codebook=codebook)
    model.compile()
    assert [
        v.path for v in model.optimizer.player_variables["autoencoder"] if "vectors" in v.path
    ] == ([model.quantizer.vectors.path] if codebook == "loss" else [])
    model.encoder.trainable = model.decoder.trainable = False
    model.compile()
    parts = [*model.encoder.variables, *model.decoder.variables, *model.quantizer.variables]
    before = [array(v) for v in parts]
    of_prior = [array(v) for v in model.prior.trainable_variables]
    model.fit(images(), verbose=0, epochs=2, batch_size=3)
    for variable, value in zip(parts, before, strict=True):
        np.testing.assert_array_equal(array(variable), value, err_msg=variable.path)
    assert any(
        np.any(array(v) != value)
        for v, value in zip(model.prior.trainable_variables, of_prior, strict=True)
    )


def test_a_prior_of_ones_own_with_an_average_is_published_as_that():
    shape = (2, 2, 1)
    network = kgen.networks.gated_pixel_cnn(shape, 5, 4, 1, named_levels=5, condition=3)
    prior = kgen.GatedPixelCNN(shape, 5, network, num_classes=3, ema_decay=0.5)
    model = tiny(prior=prior, prior_width=None, prior_depth=None)
    assert model.condition == prior.condition
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(images(), LABELS, verbose=0, batch_size=3)
    assert model.prior.average is not None
    copy = model.published()
    assert copy.prior.average is None
    assert int(copy.steps) == int(model.steps) > 0
    found = copy.sample(4, 1, seed=0)
    np.testing.assert_allclose(found, model.sample(4, 1, seed=0), atol=1e-6)
    np.testing.assert_allclose(copy.elbo(images(), LABELS), model.elbo(images(), LABELS), rtol=1e-5)


@pytest.mark.one_backend
def test_orders_of_a_prior_take_turns():
    prior = kgen.MADE((2, 2, 1), levels=5, width=4, orders=2)
    first = prior.network.ranks[0]
    of_first = np.repeat(first[:, None] < first, 5, axis=1)
    model = tiny(prior=prior, prior_width=None, prior_depth=None)
    model.compile(keras.optimizers.SGD(0.1))
    moved = []
    for _ in range(2):
        before = array(prior.network.straight)
        model.fit(images(), verbose=0, batch_size=6)
        moved.append(array(prior.network.straight) != before)
    assert moved[0].any() and not moved[0][~of_first].any()
    assert moved[1][~of_first].any()


def test_named_levels_are_looked_up():
    layer = LevelEmbedding(3, 2)
    layer.embeddings.assign([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    x = np.array([-1.0, 0.0, 1.0, 0.0]).reshape(1, 1, 2, 2)  # of two colours
    assert array(layer(x)).tolist() == [[[[0.0, 2.0, 1.0, 3.0], [4.0, 2.0, 5.0, 3.0]]]]


class OfAnySize(keras.layers.Layer):
    """A map of vectors whose size is not known before there is an image."""

    def call(self, x):
        return ops.repeat(x, 3, axis=-1)

    def compute_output_spec(self, x):
        return keras.KerasTensor((None, None, None, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tiny(num_codes=1), "num_codes as a whole number in 2"),
        (lambda: tiny(codebook="both"), "codebook in"),
        (lambda: tiny(codebook="loss", restart_after=3), "restart_after=None for codebook='loss'"),
        (lambda: tiny(restart_after=0), "restart_after"),
        (lambda: tiny(decay=1.0), "decay"),
        (lambda: tiny(commitment=-1.0), "commitment"),
        (lambda: tiny(patch=3), "patch as a power of 2"),
        (lambda: tiny(likelihood="gamma"), "likelihood in"),
        (
            lambda: tiny(encoder=kgen.networks.vq_encoder((4, 4, 1), 2, 4)),
            "Expected no width or depth or patch with networks of your own|encoder to map",
        ),
        (
            lambda: kgen.VQVAE((4, 4, 1), 5, 3, kgen.networks.vq_encoder((4, 4, 1), 2, 4)),
            r"encoder to map \(batch, 4, 4, 1\) to \(batch, n, n, 3\). Received: .*, 2\)",
        ),
        (
            lambda: kgen.VQVAE((4, 4, 1), 5, 3, keras.Sequential([OfAnySize()])),
            r"to \(batch, n, n, 3\). Received: .*output is \(None, None, None, 3\)",
        ),
        (
            lambda: kgen.VQVAE(
                (4, 4, 1), 5, 3, decoder=kgen.networks.vq_decoder((2, 2, 3), (4, 4, 1), 4)
            ),
            r"decoder to map \(batch, 1, 1, 3\) to \(batch, 4, 4, 1\)",
        ),
        (
            lambda: tiny(
                prior=kgen.GatedPixelCNN((2, 2, 1), 6, width=4, depth=1),
                prior_width=None,
                prior_depth=None,
            ),
            r"prior as a kgen.AutoregressiveModel of image_shape=\(2, 2, 1\), levels=5.*levels=6",
        ),
        (lambda: tiny().decode(np.full((1, 2, 2), 5)), r"code in 0\.\.4.*5\.\.5"),
        (lambda: tiny().decode(np.zeros((1, 2, 2))), "Convert them: code.astype"),
        (lambda: tiny().decode(np.zeros((1, 2, 3), int)), r"code of shape \(num, 2, 2\)"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
