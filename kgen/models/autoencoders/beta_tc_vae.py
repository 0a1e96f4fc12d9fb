"""The beta-TC-VAE."""

import keras
from keras import ops

from kgen.checks import whole_number
from kgen.losses import aggregate_log_weights, total_correlation
from kgen.models.autoencoders.factorizing_vae import FactorizingVAE
from kgen.models.scalar import Scalar


@keras.saving.register_keras_serializable("kgen")
class BetaTCVAE(FactorizingVAE):
    """Beta-TC-VAE: a VAE that pays beta times for what its latents know of each other.

    The divergence of a VAE falls into three, of which the total correlation of the latents, over
    all images, is the one that counts more (eq. 2 and 4):

        E KL(q(z|x) || p(z)) = I(z; x) + KL(q(z) || prod q(z_j)) + sum_j KL(q(z_j) || p(z_j))

    q(z) is estimated by a batch: given the size of the data set by stratified sampling (appendix
    C.2), where a latent's own q(z|x) counts as it does among all images; without it each image of
    the batch counts alike, as in the paper's weighted sampling but for its constants, and a
    latent's own counts too much. What is logged of these estimates is named so. On several replicas
    each estimates it by its part of the batch.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 10.
        tc_weight: float, or a Keras schedule. Weight of the total correlation, the paper's beta.
            Defaults to 6, the paper's for dSprites.
        dataset_size: int or None. How many training images there are.
        **kwargs: those of `kgen.VAE`, but for `posterior_family`, `objective`, `num_samples` and
            `prior`.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.BetaTCVAE(image_shape=(8, 8, 1), latent_dim=4, dataset_size=64)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.encode(images).shape
    (64, 4)

    Reference: Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders, 2018.
    https://arxiv.org/abs/1802.04942
    """

    log_names = (
        "loss",
        "reconstruction_loss",
        "kl_loss",
        "mutual_information_estimate",
        "total_correlation_estimate",
    )
    default_batch_size = 256
    tc_weight = Scalar()

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 10,
        tc_weight: float = 6.0,
        dataset_size: int | None = None,
        **kwargs,
    ):
        super().__init__(image_shape, latent_dim, **kwargs)
        self.tc_weight = tc_weight
        self.dataset_size = whole_number("dataset_size", dataset_size, at_least=2, optional=True)

    def default_optimizers(self):
        return {"vae": keras.optimizers.Adam(1e-3, name="vae")}

    def check_batch_size(self, num):
        if self.dataset_size is not None and num > self.dataset_size:
            raise ValueError(
                "Expected dataset_size to be the number of training images. Received: "
                f"dataset_size={self.dataset_size}, and batches of {num}"
            )

    def negative_elbo(self, x, y, noise, training=True):
        """The loss on one batch of images in [0, 1], eq. 4; logs it and its terms."""
        x = self.distribution.observe(x, noise)
        nll, q = self.log_weights(x, y, noise, 1, training)
        nll, z = nll[:, 0], q.z[:, 0]
        log_weights = aggregate_log_weights(ops.shape(z)[0], self.dataset_size)
        log_q, tc = total_correlation(q.log_q_of_others(z), log_weights)
        kl = q.kl()  # the sum of the three terms at a weight of 1
        beta = self.now("beta")
        loss = nll + beta * (kl + self._free(q)) + (self.now("tc_weight") - beta) * tc
        self.log(
            loss=loss,
            reconstruction_loss=nll,
            kl_loss=kl,
            mutual_information_estimate=q.log_q[:, 0] - log_q,
            total_correlation_estimate=tc,
        )
        return ops.mean(loss)

    def get_config(self):
        return super().get_config() | {
            "tc_weight": self.tc_weight,
            "dataset_size": self.dataset_size,
        }
