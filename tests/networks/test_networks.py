import keras
import numpy as np
import pytest
from keras import ops

from kgen import networks


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 9, 3), (28, 28, 1), (33, 12, 3)])
@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_any_size(shape, kind):
    encoder = getattr(networks, f"{kind}_encoder")(shape, 6)
    decoder = getattr(networks, f"{kind}_decoder")(3, shape)
    assert encoder.output_shape == (None, 6)
    assert decoder.output_shape == (None, *shape)
    x = ops.zeros((2, *shape))
    assert decoder(encoder(x)[:, :3]).shape == (2, *shape)


@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_labels_matter(kind):
    encoder = getattr(networks, f"{kind}_encoder")((8, 8, 1), 4, condition=3)
    decoder = getattr(networks, f"{kind}_decoder")(2, (8, 8, 1), condition=3)
    for network, x in ((encoder, np.ones((3, 8, 8, 1))), (decoder, np.ones((3, 2)))):
        y = ops.convert_to_numpy(network([x, np.arange(3)]))
        assert np.abs(y[0] - y[1]).max() > 1e-4 and np.abs(y[1] - y[2]).max() > 1e-4


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_outputs_stay_float32_in_mixed_precision(policy, kind):
    keras.config.set_dtype_policy(policy)
    encoder = getattr(networks, f"{kind}_encoder")((8, 8, 1), 4)
    decoder = getattr(networks, f"{kind}_decoder")(2, (8, 8, 1))
    assert encoder.layers[-2].compute_dtype == policy.removeprefix("mixed_")
    assert encoder(np.ones((1, 8, 8, 1))).dtype == decoder(np.ones((1, 2))).dtype
    assert keras.backend.standardize_dtype(decoder(np.ones((1, 2))).dtype) == "float32"


@pytest.mark.parametrize("spectral_normalization", [False, True])
@pytest.mark.parametrize("batch_normalization", [False, True])
def test_weights_start_small_where_they_are_normalized(batch_normalization, spectral_normalization):
    networks_made = [
        networks.dcgan_generator(100, (16, 16, 1), batch_normalization=batch_normalization),
        networks.dcgan_discriminator(
            (16, 16, 1),
            batch_normalization=batch_normalization,
            spectral_normalization=spectral_normalization,
        ),
    ]
    normalized = batch_normalization, batch_normalization or spectral_normalization
    for network, small in zip(networks_made, normalized, strict=True):
        kernels = [v for v in network.trainable_variables if v.path.endswith("kernel")]
        assert len(kernels) > 2
        for kernel in kernels:
            fans = np.sum(kernel.shape[-2:]) * np.prod(kernel.shape[:-2])
            std = 0.02 if small else np.sqrt(4.0 / fans)
            found = ops.convert_to_numpy(kernel).std()
            assert found == pytest.approx(std, rel=0.1), kernel.path


def test_the_dense_preset_has_the_size_of_burda_et_al():
    encoder = networks.dense_encoder((28, 28, 1), 100)
    decoder = networks.dense_decoder(50, (28, 28, 1))
    assert encoder.count_params() == 785 * 200 + 201 * 200 + 201 * 100
    assert decoder.count_params() == 51 * 200 + 201 * 200 + 201 * 784


def test_dcgan_has_the_sizes_of_the_paper():
    """64x64 colour: 4x4x1024, then 512, 256 and 128 channels, and back; no bias before a norm."""
    generator = networks.dcgan_generator(100, (64, 64, 3))
    widths = [1024, 512, 256, 128]
    between = sum(25 * a * b for a, b in zip(widths, widths[1:], strict=False))
    norms = 4 * sum(widths)
    assert generator.count_params() == 100 * 16 * 1024 + between + norms + 25 * 128 * 3 + 3
    discriminator = networks.dcgan_discriminator((64, 64, 3))
    norms = 4 * sum(widths[:-1])
    ends = 25 * 3 * 128 + 128 + 16 * 1024 + 1
    assert discriminator.count_params() == between + norms + ends


def test_the_perceptrons_of_goodfellow_et_al():
    generator = networks.dense_generator(100, (28, 28, 1))
    assert generator.count_params() == 101 * 1200 + 1201 * 1200 + 1201 * 784
    discriminator = networks.maxout_discriminator((28, 28, 1))
    assert discriminator.count_params() == 785 * 240 * 5 + 241 * 240 * 5 + 241


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(
    "build", [networks.dcgan_discriminator, networks.maxout_discriminator], ids=lambda f: f.__name__
)
def test_a_label_matters_to_a_discriminator(build, spectral, projection):
    network = build((8, 8, 1), condition=3, projection=projection, spectral_normalization=spectral)
    for variable in network.trainable_variables:  # from the small weights that it starts with
        variable.assign(20.0 * variable)
    y = ops.convert_to_numpy(network([np.ones((3, 8, 8, 1)), np.arange(3)]))
    assert np.abs(y[0] - y[1]).max() > 1e-4 and np.abs(y[1] - y[2]).max() > 1e-4


@pytest.mark.parametrize(
    "build", [networks.dcgan_generator, networks.dense_generator], ids=lambda f: f.__name__
)
def test_a_label_matters_to_a_generator(build):
    y = ops.convert_to_numpy(build(2, (8, 8, 1), condition=3)([np.ones((3, 2)), np.arange(3)]))
    assert np.abs(y).max() <= 1.0
    assert np.abs(y[0] - y[1]).max() > 1e-4 and np.abs(y[1] - y[2]).max() > 1e-4


def test_projection_is_an_inner_product():
    """logits = features w + b + <embedding of the label, features>."""
    network = networks.maxout_discriminator(
        (1, 1, 2), units=(3,), pieces=2, condition=4, projection=True
    )
    for variable in network.trainable_variables:
        variable.assign(100.0 * variable)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (4, 1, 1, 2)).astype("float32")
    kernels = [ops.convert_to_numpy(v) for v in network.trainable_variables if v.name == "kernel"]
    by_shape = {kernel.shape: kernel for kernel in kernels}
    hidden = (0.5 + 0.5 * x.reshape(4, 2)) @ by_shape[2, 6]
    features = hidden.reshape(4, 2, 3).max(axis=1)
    expected = features @ by_shape[3, 1] + np.sum(by_shape[4, 3] * features, axis=1, keepdims=True)
    found = ops.convert_to_numpy(network([x, np.arange(4)]))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.anywhere
def test_dropout_has_a_seed():
    """Without one PyTorch's draws are of its own generator, and no training is resumed exactly."""
    from kgen import networks

    made = [
        networks.unet((8, 8, 1), 8, dropout=0.1),
        networks.dit((8, 8, 1), 8, depth=1, heads=2, dropout=0.1),
        networks.dense_denoiser((2,), 4, 1, dropout=0.1),
        networks.pixel_cnn_plus_plus((8, 8, 1), 1, 2, 1),
        networks.maxout_discriminator((4, 4, 1)),
    ]
    for network in made:
        dropouts = [
            each for each in network._flatten_layers() if isinstance(each, keras.layers.Dropout)
        ]
        assert dropouts and all(each.seed is not None for each in dropouts)
        assert len({each.seed for each in dropouts}) == len(dropouts)


@pytest.mark.parametrize("make", [networks.pixel_cnn, networks.gated_pixel_cnn, networks.pixel_rnn])
def test_no_blocks_are_none(make):
    none, two, paper = (make((8, 8, 1), 2, filters=2, blocks=each) for each in (0, 2, None))
    assert len(two.layers) - len(none.layers) == 2 and len(paper.layers) - len(none.layers) == 7
    for bad in ({"filters": 0}, {"blocks": -1}, {"head": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} as a whole number"):
            make((8, 8, 1), 2, **bad)
