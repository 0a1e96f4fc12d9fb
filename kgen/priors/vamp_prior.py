"""The variational mixture of posteriors."""

import math

import keras
import numpy as np
from keras import ops

from kgen.checks import whole_number
from kgen.layers.precision import full_precision
from kgen.priors.prior import LearnedPrior, Prior

LEAST = 0.02  # a pixel's distance from black and white at the start, where a sigmoid can move it


class PseudoInputs(keras.layers.Layer):
    """Images that are learned, in [0, 1].

    Args:
        num: int.
        image_shape: tuple (height, width, channels).
    """

    def __init__(self, num, image_shape):
        super().__init__(name="pseudo_inputs", dtype=full_precision())
        self.logits = self.add_weight(
            shape=(num, *image_shape),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="logits",
        )
        self.built = True

    def images(self):
        """Tensor (num, height, width, channels)."""
        return ops.sigmoid(ops.cast(self.logits, "float32"))

    def start_at(self, images):
        """Sets as many of them as there are images, and leaves the others."""
        logits = ops.convert_to_numpy(self.logits)
        pixels = np.clip(images, LEAST, 1.0 - LEAST)
        logits = np.concatenate([np.log(pixels / (1.0 - pixels)), logits[len(pixels) :]])
        self.logits.assign(logits)


class MixtureOfPosteriors(Prior):
    """Posteriors of some images, of which each counts alike.

    Args:
        family: `kgen.posteriors.Posterior`.
        outputs: tensor (components, num_outputs), its parameters.
    """

    def __init__(self, family, outputs):
        self.family = family
        self.outputs = outputs

    def draw(self, noise, num):
        which = noise.integers((num, 1), 0, self.outputs.shape[0])[:, 0]
        return self.family.draw(ops.take(self.outputs, which, axis=0), noise, 1).z[:, 0]

    def log_prob(self, z):
        terms = self.family.log_prob(self.outputs, ops.reshape(z, (-1, z.shape[-1])))
        log_p = ops.logsumexp(terms, axis=1) - math.log(self.outputs.shape[0])
        return ops.reshape(log_p, ops.shape(z)[:-1])


@keras.saving.register_keras_serializable("kgen")
class VampPrior(LearnedPrior):
    """Variational mixture of posteriors: what the encoder says of images that are learned.

    p(z) = 1/K sum_k q(z|u_k)   (eq. 9), with K pseudo-inputs u_k in [0, 1], by the logits of their
    pixels. They start as noise, or by `adapt` of the model as training images.

    Args:
        components: int of at least 1. K. Defaults to 500, as on MNIST.

    Reference: Tomczak & Welling, VAE with a VampPrior, 2017. https://arxiv.org/abs/1705.07120
    """

    def __init__(self, components=500):
        super().__init__()
        self.components = whole_number("components", components)

    def check_model(self, family, objective, is_conditional):
        if not family.has_density:
            raise ValueError(
                "Expected a posterior whose density of any code is known, 'normal' or 'full', for "
                f"a mixture of posteriors as the prior. Received: {type(family).__name__}"
            )
        if objective == "dreg":
            raise ValueError(
                "Expected objective='elbo' or 'iwae' with prior='vamp', whose density is the "
                "encoder's own: its gradient does not go through z alone, as that of 'dreg' does. "
                f"Received: {objective=}"
            )
        if is_conditional:
            raise ValueError(
                "Expected no condition with prior='vamp', whose images to encode have none; "
                "prior='flow' takes any. Received: a conditional model"
            )

    def network(self, latent_dim, image_shape):
        return PseudoInputs(self.components, image_shape)

    def adapt(self, network, images):
        rows = np.linspace(0, len(images) - 1, min(len(images), self.components))
        network.start_at(images[rows.astype(int)])

    def bound(self, network, encode):
        return MixtureOfPosteriors(*encode(network.images()))

    def footprint(self, latent_dim):
        return self.components * latent_dim

    def get_config(self):
        return {"components": self.components}
