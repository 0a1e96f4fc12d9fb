"""Small models that exercise the seam and the base class."""

import keras
from keras import ops

from kgen import backend
from kgen.models.image_model import ImageModel


def activity_penalty(x):
    """What Keras adds for an L2 activity regularizer: in 3.13 a sum, later a mean."""
    layer = keras.layers.Activation("linear", activity_regularizer=keras.regularizers.L2(1.0))
    layer(ops.convert_to_tensor(x))
    return float(ops.convert_to_numpy(layer.losses[0]))


@keras.saving.register_keras_serializable("tests")
class ToyWGANGP(ImageModel):
    """Two players: a critic with Dropout under a gradient penalty, a generator with BatchNorm."""

    log_names = ("critic_loss", "gradient_penalty", "generator_loss")
    latent_dim = 3

    def __init__(self, image_shape=(2, 2, 1), dropout=0.2, seed=None, **kwargs):
        super().__init__(image_shape, seed=seed, **kwargs)
        self.dropout = dropout
        self.critic = keras.Sequential(
            [
                keras.Input(self.image_shape),
                keras.layers.Conv2D(4, 2, padding="same", activation="tanh"),
                keras.layers.Dropout(dropout, seed=1),
                keras.layers.Flatten(),
                keras.layers.Dense(1, use_bias=False, dtype="float32"),
            ],
            name="critic",
        )
        self.generator = keras.Sequential(
            [
                keras.Input((self.latent_dim,)),
                keras.layers.Dense(4, use_bias=False),
                keras.layers.BatchNormalization(),
                keras.layers.Reshape(self.image_shape),
                keras.layers.Activation("tanh", dtype="float32"),
            ],
            name="generator",
        )

    def players(self):
        return {"critic": [self.critic], "generator": [self.generator]}

    def default_optimizers(self):
        return {
            "critic": keras.optimizers.Adam(1e-3, beta_1=0.5, name="critic"),
            "generator": keras.optimizers.RMSprop(1e-2, name="generator"),
        }

    def training_step(self, x, y, noise):
        self.minimize(self.critic_loss, "critic", x, self.generate(x, noise), noise)
        self.minimize(self.generator_loss, "generator", x, noise)

    def evaluation_step(self, x, y, noise):
        x_fake = self.generate(x, noise, training=False)
        self.log(generator_loss=-self.critic(x_fake))

    def generate(self, x, noise, training=True):
        return self.generator(noise.normal((ops.shape(x)[0], self.latent_dim)), training=training)

    def critic_loss(self, x, x_fake, noise):
        def critic(x):
            return self.critic(x, training=True)

        eps = noise.uniform((ops.shape(x)[0], 1, 1, 1))
        gradient = backend.input_gradient(critic, eps * x + (1.0 - eps) * x_fake)
        gradient = ops.cast(gradient, "float32")
        norm = ops.sqrt(ops.sum(ops.square(gradient), axis=(1, 2, 3)) + 1e-10)
        penalty = ops.mean(ops.square(norm - 1.0))
        loss = ops.mean(critic(x_fake)) - ops.mean(critic(x)) + 10.0 * penalty
        self.log(critic_loss=loss, gradient_penalty=penalty)
        return loss

    def generator_loss(self, x, noise):
        loss = -ops.mean(self.critic(self.generate(x, noise), training=True))
        self.log(generator_loss=loss)
        return loss

    def get_config(self):
        return super().get_config() | {"dropout": self.dropout}
