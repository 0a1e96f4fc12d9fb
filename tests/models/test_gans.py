import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import networks
from tests.contract import ModelContract, SamplerContract

SHAPE = (8, 8, 1)


def perceptrons(**kwargs):
    return {
        "generator": networks.dense_generator(3, SHAPE, units=(8,), **kwargs),
        "discriminator": networks.maxout_discriminator(SHAPE, units=(4, 3), pieces=2, **kwargs),
    }


def tiny_critic(**kwargs):
    return networks.dcgan_discriminator(SHAPE, filters=4, batch_normalization=False, **kwargs)


class TestGAN(SamplerContract, ModelContract):
    def make(self, **kwargs):
        return kgen.GAN(SHAPE, 3, ema_decay=0.5, r1_weight=0.1, **perceptrons(), **kwargs)


class TestWGANGP(SamplerContract, ModelContract):
    still = ("logits/bias",)  # it cancels in E[D(x_fake)] - E[D(x)]

    def make(self, **kwargs):
        return kgen.WGANGP(
            SHAPE,
            3,
            n_critic=2,
            generator=networks.dcgan_generator(3, SHAPE, filters=4),
            critic=tiny_critic(name="critic"),
            **kwargs,
        )


class TestInfoGAN(SamplerContract, ModelContract):
    def make(self, **kwargs):
        return kgen.InfoGAN(
            SHAPE,
            3,
            categorical=(3,),
            continuous=1,
            generator=networks.dcgan_generator(7, SHAPE, filters=4),
            discriminator=networks.dcgan_discriminator(SHAPE, filters=4, with_features=True),
            **kwargs,
        )


ALL = [kgen.GAN, kgen.DCGAN, kgen.LSGAN, kgen.WGAN, kgen.WGANGP, kgen.ConditionalGAN, kgen.InfoGAN]


@pytest.mark.parametrize("model_class", ALL)
def test_every_option_together(model_class, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), dtype="uint8")
    labels = np.arange(20) % 3
    gan = model_class(
        SHAPE,
        num_classes=3,
        latent_dim=2,
        projection=True,
        spectral_normalization=True,
        r1_weight=0.1,
        ema_decay=0.9,
        log_gradient_norms=True,
        seed=0,
    )
    gan.compile()
    history = gan.fit(images, labels, batch_size=10, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert {"r1_penalty", "generator_gradient_norm", f"{gan.judge}_gradient_norm"} <= set(history)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    samples = [model.sample(3, [0, 1, 2], seed=0) for model in (gan, loaded)]
    np.testing.assert_array_equal(*samples)


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 15, 3), (28, 28, 1), (64, 33, 3)])
def test_presets_make_any_size(shape):
    for gan in (kgen.DCGAN(shape, 2), kgen.WGANGP(shape, 2)):
        assert gan.sample(1, seed=0).shape == (1, *shape)


def test_presets_below_8_pixels():
    with pytest.raises(ValueError, match="at least 8x8"):
        kgen.DCGAN((7, 8, 1))


def test_the_critic_sees_other_images_in_each_step():
    gan = kgen.WGAN(SHAPE, 3, n_critic=3, critic=tiny_critic(name="critic"))
    gan.compile(run_eagerly=True)
    seen, updates = [], []
    train, minimize = gan.train_discriminator, gan.minimize
    gan.train_discriminator = lambda x, y: seen.append(ops.convert_to_numpy(x)) or train(x, y)
    gan.minimize = lambda loss, player, *args: (
        updates.append(player) or minimize(loss, player, *args)
    )
    images = np.random.default_rng(0).random((12, *SHAPE), dtype="float32")
    gan.fit(images, batch_size=12, shuffle=False, verbose=0)
    np.testing.assert_allclose(np.concatenate(seen), 2.0 * images - 1.0, atol=1e-6)
    assert updates == ["critic"] * 3 + ["generator"]
    for variable in gan.critic.trainable_variables:
        assert np.abs(ops.convert_to_numpy(variable)).max() <= 0.01 + 1e-8


@pytest.mark.parametrize(("num", "batch_size"), [(12, 5), (14, 6)])
def test_a_batch_that_does_not_divide(num, batch_size):
    gan = kgen.WGAN(SHAPE, 3, n_critic=3, critic=tiny_critic(name="critic"))
    gan.compile()
    with pytest.raises(ValueError, match="divide by the 3 steps of the critic"):
        gan.fit(np.zeros((num, *SHAPE)), batch_size=batch_size, verbose=0)


def test_the_average_of_the_weights():
    gan = kgen.GAN(SHAPE, 3, ema_decay=0.75, **perceptrons())
    gan.compile()
    start = ops.convert_to_numpy(gan.generator.trainable_variables[0])
    gan.fit(np.zeros((4, *SHAPE)), batch_size=4, verbose=0)
    end = ops.convert_to_numpy(gan.generator.trainable_variables[0])
    average = ops.convert_to_numpy(gan.ema_generator.variables[0])
    assert np.abs(end - start).max() > 0
    np.testing.assert_allclose(average, 0.75 * start + 0.25 * end, atol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prior": "cauchy"}, "prior"),
        ({"objective": "wasserstein"}, "objective"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"r1_weight": -1.0}, "r1_weight"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"discriminator_steps": 0}, "at least one step"),
        ({"projection": True}, "num_classes"),
        ({"generator": networks.dense_generator(4, SHAPE)}, "generator to map"),
        ({"discriminator": keras.Sequential([keras.Input(SHAPE)])}, "discriminator to map"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        kgen.GAN(SHAPE, 3, **(perceptrons() | arguments))


def test_keras_spectral_normalization_is_refused():
    critic = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.SpectralNormalization(keras.layers.Dense(1)),
        ]
    )
    with pytest.raises(ValueError, match="kgen.layers.SpectralNormalization"):
        kgen.DCGAN(SHAPE, 3, discriminator=critic)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's defect")
def test_a_layer_that_tensorflow_differentiates_wrongly_twice_is_named():
    with pytest.warns(UserWarning, match="BatchNormalization"):
        kgen.DCGAN((16, 16, 1), 3, r1_weight=1.0)


class TestCodes:
    def make(self, **kwargs):
        return kgen.InfoGAN(SHAPE, 3, seed=0, **kwargs)

    def test_information_of_a_q_that_ignores_the_image_is_0(self):
        gan = self.make(categorical=(3, 4), continuous=0)
        codes = np.concatenate([np.eye(3)[[0, 2]], np.eye(4)[[1, 3]]], axis=1).astype("float32")
        information = gan.information(ops.convert_to_tensor(codes), ops.zeros((2, 7)))
        np.testing.assert_allclose(ops.convert_to_numpy(information), 0.0, atol=1e-6)

    def test_information_is_at_most_that_of_the_codes(self):
        gan = self.make(categorical=(3, 4), continuous=0)
        codes = np.concatenate([np.eye(3)[[0, 2]], np.eye(4)[[1, 3]]], axis=1).astype("float32")
        information = ops.convert_to_numpy(
            gan.information(ops.convert_to_tensor(codes), ops.convert_to_tensor(50.0 * codes))
        )
        np.testing.assert_allclose(information, np.log(12.0), rtol=1e-6)

    def test_given_codes_reach_the_generator(self):
        gan = self.make()
        z = gan.draw_latents(4, seed=0)
        assert z.shape == (4, 3 + 10 + 2)
        np.testing.assert_array_equal(z[:, 3:13].sum(axis=1), 1.0)
        a = gan.sample(4, codes=[7, 0.5, -1.0], seed=0)
        z[:, 3:] = np.concatenate([np.eye(10)[7], [0.5, -1.0]])
        np.testing.assert_allclose(a, gan.decode(z), atol=1e-6)

    def test_inferred_codes_can_be_sampled(self):
        gan = self.make()
        codes = gan.infer_codes(np.random.default_rng(0).random((5, *SHAPE)))
        assert codes.shape == (5, 3)
        assert gan.sample(5, codes=codes, seed=0).shape == (5, *SHAPE)

    @pytest.mark.parametrize(
        ("codes", "message"),
        [
            ([1, 0.0], "of shape"),
            ([10, 0.0, 0.0], "categories below"),
            ([0.5, 0.0, 0.0], "categories below"),
            ([1, 0.0, 1.5], r"numbers in \[-1, 1\]"),
        ],
    )
    def test_codes_out_of_range(self, codes, message):
        with pytest.raises(ValueError, match=message):
            self.make().sample(2, codes=codes)
