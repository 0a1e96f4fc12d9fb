"""Networks that are replaced, quantized or adapted; losses that raise; sizes of presets."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import networks
from tests.contract import arrays, assert_same
from tests.models.test_adversarial_options import images, tiny
from tests.tiers import in_tiers
from tests.toys import ToyWGANGP
from tests.zoo import ZOO

BACKEND = keras.backend.backend()
SHAPE = (8, 8, 1)
SIGNED = [case for case in ZOO.values() if case.served and case.quick]
OF_A_FAMILY = [case for case in SIGNED if case.family]


def decoder(seed):
    keras.utils.set_random_seed(seed)
    network = networks.dense_decoder(2, SHAPE, units=(6,))
    for variable in network.trainable_variables:
        variable.assign(np.random.default_rng(seed).normal(0.0, 1.0, variable.shape))
    return network


def vae(network=None):
    encoder = networks.dense_encoder(SHAPE, 4, units=(6,))
    return kgen.VAE(SHAPE, latent_dim=2, encoder=encoder, decoder=network or decoder(0), seed=0)


Z = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")


def verbs(model):
    model_images = np.random.default_rng(0).random((3, *SHAPE), dtype="float32")
    return model.sample(3, seed=0), model.decode(Z), model.reconstruct(model_images)


def assert_as_fresh(model, before, atol=1e-5):
    """Its answers are others than before, and those of its network now."""
    found = verbs(model)
    expected = ops.convert_to_numpy(
        model.distribution.mean(model.decoder(ops.convert_to_tensor(Z)))
    )
    np.testing.assert_allclose(found[1], expected, atol=atol)
    for earlier, now in zip(before, found, strict=True):
        assert np.abs(earlier - now).max() > 1e-5
    np.testing.assert_array_equal(verbs(model)[0], found[0])


@pytest.mark.each_backend
def test_another_decoder():
    model = vae()
    before = verbs(model)
    model.decoder = decoder(1)
    assert_as_fresh(model, before)
    fresh = vae(decoder(1))
    np.testing.assert_allclose(model.sample(3, seed=0), fresh.sample(3, seed=0), atol=1e-6)


def test_another_layer_of_the_decoder():
    dense = keras.layers.Dense(64)
    network = keras.Sequential([keras.Input((2,)), dense, keras.layers.Reshape(SHAPE)])
    model = vae(network)
    before = verbs(model)
    network.pop()
    network.add(keras.layers.Rescaling(3.0))
    network.add(keras.layers.Reshape(SHAPE))
    assert_as_fresh(model, before)


def test_a_quantized_decoder():
    model = vae()
    before = verbs(model)
    model.decoder.quantize("int8")
    assert any("int8" in str(v.dtype) for v in model.decoder.variables)
    assert_as_fresh(model, before, atol=1e-4)


def test_an_adapter():
    model = vae()
    before = verbs(model)
    dense = next(layer for layer in model.decoder.layers if isinstance(layer, keras.layers.Dense))
    dense.enable_lora(2)
    for variable in (dense.lora_kernel_a, dense.lora_kernel_b):
        variable.assign(np.ones(variable.shape))
    assert_as_fresh(model, before)
    middle = verbs(model)
    dense.lora_kernel_b.assign(2.0 * np.ones(dense.lora_kernel_b.shape))
    assert_as_fresh(model, middle)


def test_other_averaged_weights():
    gan = tiny(kgen.GAN, ema_decay=0.5)
    before = gan.sample(3, seed=0)
    keras.utils.set_random_seed(9)
    gan.average.network = networks.dense_generator(3, SHAPE, units=(8,))
    after = gan.sample(3, seed=0)
    assert np.abs(after - before).max() > 1e-4
    z = gan.draw_latents(3, seed=0)
    expected = 0.5 * (ops.convert_to_numpy(gan.average.network(z)) + 1.0)
    np.testing.assert_allclose(after, expected, atol=1e-5)


@pytest.mark.parametrize("case", in_tiers(SIGNED, quick=OF_A_FAMILY, on_each=()), ids=repr)
def test_a_signature_is_compiled_once(case):
    model = case.make(seed=0)
    for _ in range(2):
        for signature, (_, inputs) in model.signatures().items():
            y = case.y(2)
            model.answer(signature, y, **case.rows(inputs, 2))
        num = len(model._functions)
    assert num == len(model.signatures())


@pytest.mark.each_backend
def test_nothing_is_compiled_twice_without_a_change():
    model = vae()
    verbs(model)
    functions = dict(model._functions)
    verbs(model)
    model.sample(5, seed=3)
    assert model._functions == functions
    model.compile()
    model.fit(images(8), batch_size=4, verbose=0)
    before = verbs(model)
    assert all(model._functions[key] is functions[key] for key in functions)
    model.decoder.trainable_variables[0].assign(0.5 * model.decoder.trainable_variables[0])
    assert_as_fresh(model, before)


def test_functions_of_one_name_are_compiled_each():
    model, rows = vae(), {"image": images(3)}

    def times(factor):
        return lambda y, image: factor * image

    for factor in (2.0, np.float32(3.0), 2.0):
        found = model.run(times(factor), rows)
        np.testing.assert_allclose(found, factor * rows["image"], rtol=1e-6)
    assert len(model._functions) == 2
    for factor in (4.0, 5.0):
        found = model.run(lambda y, image, by=factor: by * image, rows)
        np.testing.assert_allclose(found, factor * rows["image"], rtol=1e-6)


@pytest.mark.parametrize("change", ["another", "lora"])
def test_training_after_a_change_needs_compile(change):
    """The optimizers' slots are of the variables that there were."""
    model = vae()
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(images(8), batch_size=4, verbose=0)
    if change == "another":
        model.decoder = decoder(1)
    else:
        dense = [each for each in model.decoder.layers if isinstance(each, keras.layers.Dense)]
        dense[0].enable_lora(2)
    with pytest.raises(ValueError, match=r"Expected compile\(\) again"):
        model.fit(images(8), batch_size=4, verbose=0)
    model.compile(keras.optimizers.SGD(0.1))
    before = arrays(model.decoder.trainable_variables)
    model.fit(images(8), batch_size=4, verbose=0)
    after = arrays(model.decoder.trainable_variables)
    assert max(np.abs(a - b).max() for a, b in zip(after, before, strict=True)) > 0.0


class Fragile(ToyWGANGP):
    """Its critic's loss raises when it is told to, in the middle of its first step."""

    breaks = True

    def critic_loss(self, x, x_fake, noise):
        loss = super().critic_loss(x, x_fake, noise)
        self.generator.trainable_variables[0].assign(0.0 * self.generator.trainable_variables[0])
        if self.breaks:
            raise ZeroDivisionError("of the loss")
        return loss


def test_a_loss_that_raises_leaves_the_model_as_it_was():
    model = Fragile((2, 2, 1), seed=0)
    model.compile()
    x = np.random.default_rng(0).random((8, 2, 2, 1))
    before = arrays(model.trainable_variables)
    with pytest.raises(ZeroDivisionError, match="of the loss"):
        model.fit(x, batch_size=4, verbose=0)
    assert model._minimizing is None
    model.breaks = False
    if BACKEND != "torch":  # where a step is not compiled, what it assigned stays
        assert_same(arrays(model.trainable_variables), before, 0.0)
    # What is logged outside a loss is nobody's.
    model.log(critic_loss=0.0)
    model._player_of.clear()
    model.log(critic_loss=0.0)
    assert model.player_of("critic_loss") is None
    history = model.fit(x, batch_size=4, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert model.player_of("critic_loss") == "critic"
    assert model.player_of("generator_loss") == "generator"


def test_a_loss_that_raises_outside_fit():
    gan = tiny(kgen.GAN)
    gan.compile()

    def loss():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gan.minimize(loss, "generator")
    gan.log(generator_loss=1.0)
    assert gan.player_of("generator_loss") is None
    gan.fit(images(4), batch_size=4, verbose=0)


SIZED = [
    # model, arguments, the sizes it takes
    (kgen.Autoencoder, {"latent_dim": 2}, {"width": (4, 8), "depth": (1, 3)}),
    (kgen.Autoencoder, {"latent_dim": 2, "architecture": "convolutional"}, {"width": (2, 4)}),
    (kgen.VAE, {"latent_dim": 2}, {"width": (4, 8), "depth": (1, 3)}),
    (kgen.VAE, {"latent_dim": 2, "architecture": "convolutional"}, {"width": (2, 4)}),
    (kgen.GAN, {"latent_dim": 2}, {"width": (10, 20)}),
    (kgen.DCGAN, {"latent_dim": 2}, {"width": (2, 4)}),
    (kgen.LSGAN, {"latent_dim": 2}, {"width": (2, 4)}),
    (kgen.WGAN, {"latent_dim": 2}, {"width": (2, 4)}),
    (kgen.WGANGP, {"latent_dim": 2}, {"width": (2, 4)}),
    (kgen.ConditionalGAN, {"latent_dim": 2, "num_classes": 3}, {"width": (2, 4)}),
    (kgen.InfoGAN, {"latent_dim": 2}, {"width": (2, 4)}),
    (kgen.PixelCNN, {"levels": 2}, {"width": (2, 4), "depth": (1, 2)}),
    (kgen.GatedPixelCNN, {"levels": 2}, {"width": (2, 4), "depth": (1, 2)}),
]
sized = pytest.mark.parametrize(
    ("model_class", "arguments", "sizes"),
    in_tiers(SIZED, quick=SIZED[1::3], on_each=()),
    ids=[f"{c.__name__}-{len(a)}" for c, a, _ in SIZED],
)


@pytest.mark.anywhere
@sized
def test_presets_grow_with_their_sizes(model_class, arguments, sizes, tmp_path):
    smallest = {name: size for name, (size, _) in sizes.items()}
    for name, (_, larger) in sizes.items():
        small = model_class(SHAPE, **arguments, **smallest)
        large = model_class(SHAPE, **arguments, **(smallest | {name: larger}))
        assert getattr(large, name) == larger
        for one, other in zip(nets(small), nets(large), strict=True):
            assert one.count_params() < other.count_params(), name
        large.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert getattr(loaded, name) == larger == loaded.get_config()[name]
        assert loaded.count_params() == large.count_params()


def nets(model):
    """What its sizes are of: not a head of one size on top."""
    every = [network for each in model.players().values() for network in each]
    return [network for network in every if network.name != "recognition"]


@pytest.mark.anywhere
@sized
def test_sizes_with_networks_of_ones_own(model_class, arguments, sizes):
    smallest = {name: size for name, (size, _) in sizes.items()}
    made = model_class(SHAPE, **arguments, **smallest)
    names = [
        name
        for name in ("encoder", "decoder", "generator", "discriminator", "critic", "network")
        if hasattr(made, name)
    ]
    own = {name: getattr(made, name) for name in names}
    of_no_preset = {name: each for name, each in arguments.items() if name != "architecture"}
    model_class(SHAPE, **of_no_preset, **own)
    for name in sizes:
        with pytest.raises(ValueError, match=f"Expected no {name} with networks of your own"):
            model_class(SHAPE, **of_no_preset, **own, **{name: smallest[name]})
    if len(own) > 1:  # the other one is a preset, which the sizes are of
        first = dict([next(iter(own.items()))])
        model_class(SHAPE, **arguments, **first, **smallest)


def test_depth_of_convolutional_presets():
    with pytest.raises(ValueError, match="no depth of convolutional presets.*depth=3"):
        kgen.VAE(SHAPE, latent_dim=2, architecture="convolutional", depth=3)
