"""The callback that tells of a discriminator from which nothing can be learned."""

import warnings

import keras


class StuckDiscriminator(keras.callbacks.Callback):
    """Warns when a discriminator tells all real images from all fakes for a whole epoch.

    The generator then learns little or nothing. It looks at the logs `real_accuracy` and
    `fake_accuracy`.
    """

    LOGS = {"real_accuracy", "fake_accuracy"}

    def on_epoch_end(self, epoch, logs=None):
        accuracies = [(logs or {}).get(name, 0.0) for name in self.LOGS]
        if min(accuracies) >= 1.0:
            warnings.warn(
                f"The discriminator was right about every image in epoch {epoch + 1}: the "
                "generator learns nothing from it. What usually helps: a lower learning rate of "
                "the discriminator, label_smoothing, r1_weight, spectral_normalization.",
                stacklevel=2,
            )
