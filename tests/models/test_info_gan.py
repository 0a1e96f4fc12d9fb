import numpy as np
import pytest
from keras import ops

import kgen
from kgen import networks

SHAPE = (8, 8, 1)


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
            ([1, 0.0, np.nan], r"numbers in \[-1, 1\]"),
        ],
    )
    def test_codes_out_of_range(self, codes, message):
        with pytest.raises(ValueError, match=message):
            self.make().sample(2, codes=codes)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"categorical": (), "continuous": 0}, "at least one code"),
            ({"info_weight": -1.0}, "info_weight"),
            (lambda: {"recognition": networks.recognition_head(3, 12)}, "recognition to map"),
            (
                lambda: {"discriminator": networks.dcgan_discriminator((16, 16, 1))},
                "discriminator to map",
            ),
            (
                lambda: {"discriminator": networks.dcgan_discriminator(SHAPE)},
                r"\(batch, 1\) and \(batch, n",
            ),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        arguments = arguments() if callable(arguments) else arguments
        with pytest.raises(ValueError, match=message):
            self.make(**arguments)

    def test_two_categorical_codes(self):
        gan = self.make(categorical=(3, 4), continuous=1)
        x = np.random.default_rng(5).random((6, *SHAPE), dtype="float32")
        codes = gan.infer_codes(x)
        _, features = gan.discriminator(2.0 * x - 1.0)
        outputs = ops.convert_to_numpy(gan.recognition(features))
        np.testing.assert_array_equal(codes[:, 0], outputs[:, :3].argmax(axis=1))
        np.testing.assert_array_equal(codes[:, 1], outputs[:, 3:7].argmax(axis=1))
        np.testing.assert_allclose(codes[:, 2], np.clip(outputs[:, 7], -1, 1), atol=1e-5)

    def test_a_conditional_one(self, tmp_path):
        gan = self.make(categorical=(3,), continuous=1, num_classes=2)
        x = np.random.default_rng(5).random((5, *SHAPE), dtype="float32")
        codes = [gan.infer_codes(x, labels=label) for label in (0, 1)]
        assert codes[0].shape == (5, 2) and (codes[0] != codes[1]).any()
        with pytest.raises(ValueError, match="Received: no labels"):
            gan.infer_codes(x)
        kgen.pictures.codes(gan, label=1, seed=0, path=str(tmp_path / "codes.png"))
        assert (tmp_path / "codes.png").exists()

    @pytest.mark.parametrize(
        ("code", "value", "message"),
        [
            (2, 0.0, r"code as .* in 0\.\.1.*code=2"),
            (-1, 0, "code=-1"),
            (0, 3, "categories below 3"),
        ],
    )
    def test_codes_that_there_are_not(self, code, value, message):
        gan = self.make(categorical=(3,), continuous=1)
        with pytest.raises(ValueError, match=message):
            gan.set_code(gan.draw_latents(2, seed=0), code, value)


@pytest.mark.parametrize(("width", "units"), [(None, 1024), (8, 128)])
def test_dense_layers_have_16_times_the_width(width, units):
    generator = kgen.InfoGAN.generator_preset(2, (8, 8, 1), width)
    judge = kgen.InfoGAN.adversary_preset((8, 8, 1), width)
    assert generator.layers[1].kernel.shape == (2, units)
    assert judge.outputs[1].shape == (None, units)
