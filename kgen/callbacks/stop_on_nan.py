"""The callback that ends a training whose loss is no number."""

import keras
import numpy as np

from kgen.callbacks import backups


class StopOnNaN(keras.callbacks.Callback):
    """Raises FloatingPointError at the first step whose loss is NaN or infinite.

    It names the loss, its player and the player's step. What `Backup` wrote before stays the last
    good state.
    """

    def on_train_batch_end(self, batch, logs=None):
        self._check(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        # Weights of the last step can be finite and yet too large for any loss but infinity.
        self._check(logs)
        for path in backups.broken_variables(self.model):
            self._stop(f"{path} became NaN or infinite", self.model.players())

    def _check(self, logs):
        for name, value in (logs or {}).items():
            if not np.isfinite(value):
                player = self.model.player_of(name.removeprefix("val_"))
                self._stop(f"{name} became {float(value)}", [player] if player else [])

    def _stop(self, what, players):
        steps = {p: self.model.optimizer[p].iterations for p in players}
        where = [f"step {keras.ops.convert_to_numpy(n)} of the {p}" for p, n in steps.items()]
        where.append(f"epoch {self._epoch + 1}")
        raise FloatingPointError(
            f"{what} at {', '.join(where)}. What `Backup` wrote before is good. Try a lower "
            "learning rate."
        )
