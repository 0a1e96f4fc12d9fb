"""The family of autoencoders whose codes adversaries bring to a prior."""

import keras
from keras import ops

from kgen import networks
from kgen.models.adversary import Adversary
from kgen.models.autoencoders.autoencoder import Autoencoder
from kgen.models.image_model import preset_dtype
from kgen.models.latent_model import SamplesPrior
from kgen.models.network_check import check_network


class JudgedCodes(SamplesPrior, Autoencoder):
    """An autoencoder with adversaries of its codes.

    A subclass makes them by `code_adversary`, and its "generator" is the encoder, which fools them.

    Args:
        *args: as of `kgen.Autoencoder`.
        **kwargs: as of `kgen.Autoencoder`.
    """

    log_names = ("loss", "reconstruction_loss", "generator_loss")
    default_batch_size = 100
    dense_units, dense_activation = 1000, "relu"

    def code_adversary(self, name, network, size, beside=None):
        """An adversary of vectors.

        Args:
            name: str. The player's.
            network: keras.Model to logits (batch, 1), or None for the preset.
            size: int. Length of the vectors.
            beside: `kgen.fields.Field` of what it sees beside them, or None.
        """
        if network is None:
            with preset_dtype(self.dtype_policy):
                network = networks.dense_discriminator(
                    size, units=(1000, 1000), negative_slope=0.0, condition=beside, name=name
                )
        check_network(name, network, (size,), (1,), beside=[beside])
        adversary = Adversary(network, name=name)
        self.add_logs(*(_own(name, log) for log in adversary.log_names()))
        return adversary

    def default_optimizers(self):
        # The paper's adversarial rates are ten times its reconstruction's, by SGD.
        optimizers = {
            player: keras.optimizers.Adam(1e-3, beta_1=0.5, name=player)
            for player in self.players()
        }
        return optimizers | {"autoencoder": keras.optimizers.Adam(2e-4, name="autoencoder")}

    def adversary_loss(self, adversary, z, code, classes, noise, training=True):
        """A discriminator's loss, averaged over the batch; logs it.

        Args:
            adversary: `Adversary`.
            z: tensor (batch, size), drawn from the prior.
            code: tensor of the same shape.
            classes: int tensor (batch,), or None.
            noise: `kgen.noise.Noise`.
            training: bool.
        """
        loss, logs, _ = adversary.loss(z, code, classes, noise, self.steps, training)
        self.log(**{_own(adversary.name, name): value for name, value in logs.items()})
        return ops.mean(loss)


def _own(player, log):
    """The name of a player's log: accuracies begin with the player's where there are several."""
    return log if player == "discriminator" or log.startswith(player) else f"{player}_{log}"
