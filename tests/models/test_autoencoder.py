import numpy as np
import pytest
from keras import ops

import kgen


@pytest.mark.one_backend
def test_loss_by_hand():
    model = kgen.Autoencoder((1, 2, 1), latent_dim=1)
    for variable in model.trainable_variables:
        variable.assign(ops.zeros(variable.shape))
    model.compile()
    images = np.array([[1.0, 0.0], [0.5, 0.0]]).reshape(2, 1, 2, 1)
    logs = model.evaluate(images, verbose=0, return_dict=True)
    # Every reconstruction is sigmoid(0) = 1/2: 1/2 (1/4 + 1/4) and 1/2 (1/4).
    assert logs["loss"] == pytest.approx((0.25 + 0.125) / 2)
    assert logs["reconstruction_loss"] == logs["loss"]


def test_verbs_agree_with_the_networks(digits):
    images = digits[0][:5]
    model = kgen.Autoencoder((8, 8, 1), latent_dim=3)
    z = model.encode(images, batch_size=2)
    np.testing.assert_allclose(z, ops.convert_to_numpy(model.encoder(images)), atol=1e-5)
    expected = ops.convert_to_numpy(ops.sigmoid(model.decoder(z)))
    np.testing.assert_allclose(model.decode(z), expected, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(images), expected, atol=1e-5)


def test_training_brings_reconstructions_closer(digits):
    images = digits[0]
    model = kgen.Autoencoder((8, 8, 1), latent_dim=8)
    before = np.square(images - model.reconstruct(images)).mean()
    model.compile()
    model.fit(images, batch_size=16, epochs=20, verbose=0)
    assert np.square(images - model.reconstruct(images)).mean() < 0.5 * before


def test_a_conditional_autoencoder(digits):
    images, labels = digits
    model = kgen.Autoencoder((8, 8, 1), latent_dim=2, num_classes=10)
    model.compile()
    model.fit(images, labels, verbose=0)
    a, b = (model.decode(np.zeros((1, 2)), label) for label in (0, 1))
    assert np.abs(a - b).max() > 1e-4
    assert model.reconstruct(images[:3], labels[:3]).shape == (3, 8, 8, 1)
