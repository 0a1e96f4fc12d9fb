"""How a model is kept: as a `.keras` file from which it goes on, with its random state."""

import contextvars
import os

import keras
import numpy as np
from keras import ops

from kgen.whole_file import replacing

_REBUILDING = contextvars.ContextVar("rebuilding", default=False)


class Kept:
    """A model that a file gives back as it was, on any backend."""

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """`keras.Model.save`, whole or not at all.

        Args:
            filepath: str. A path that ends in .keras; its folder is made if it is missing.
            overwrite: bool. With False Keras asks before it replaces a file.
            zipped: bool or None. With False a folder is written.
            **kwargs: further ones of `keras.Model.save`.

        Raises:
            ValueError: the path ends in .h5, whose models Keras could not load.
        """
        path = os.fspath(filepath) if isinstance(filepath, (str, os.PathLike)) else ""
        refuse_h5(path)
        is_file = path.endswith(".keras") and "://" not in path and zipped is not False
        if not is_file or (not overwrite and os.path.exists(path)):
            super().save(filepath, overwrite, zipped, **kwargs)
            return
        with replacing(path) as temporary:
            super().save(temporary, zipped=zipped, **kwargs)

    def save_own_variables(self, store):
        super().save_own_variables(store)
        # Keras saves no random state, without which a resumed model would draw other noise.
        for i, state in enumerate(self._random_states()):
            store[f"random_state_{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        names = [name for name in store.keys() if name.startswith("random_state_")]
        super().load_own_variables({k: store[k] for k in store.keys() if k not in names})
        for i, state in enumerate(self._random_states()):
            # Backends hold the two words of a seed as int32, int64 or uint32.
            words = np.asarray(store[f"random_state_{i}"]).astype("uint32")
            state.assign(words.astype(keras.backend.standardize_dtype(state.dtype)))

    def _random_states(self):
        return [variable for variable in self.variables if variable.name == "seed_generator_state"]

    @classmethod
    def from_config(cls, config):
        # Of a config that is not written down yet, the networks are copied.
        written = keras.saving.serialize_keras_object(config)
        config = {k: keras.saving.deserialize_keras_object(v) for k, v in written.items()}
        token = _REBUILDING.set(True)
        try:
            return cls(**config)
        finally:
            _REBUILDING.reset(token)

    def get_compile_config(self):
        if not self.compiled:
            return None
        # As asked for, not as resolved: another backend resolves "auto" in its own way.
        return {
            "optimizer": self.optimizer.compiled_with,
            "undecayed": self.optimizer.undecayed,
        } | self._requested_compile

    def compile_from_config(self, config):
        optimizers = {
            player: keras.saving.deserialize_keras_object(optimizer)
            for player, optimizer in config["optimizer"].items()
        }
        config = config | {"optimizer": optimizers}
        undecayed = config.pop("undecayed", {})
        self.compile(**config)
        self.optimizer.undecayed = undecayed


def refuse_h5(path):
    """Raises a ValueError for the path of a model that Keras could write and never read."""
    if str(path).endswith((".h5", ".hdf5")):
        raise ValueError(
            "Expected a path that ends in .keras: Keras reads no models of classes of their own "
            "from .h5. Weights alone are kept by model.save_weights('model.weights.h5'). Received: "
            f"{path}"
        )


def is_rebuilt():
    """Whether a model is being made from its config, which has its networks and what sized them."""
    return _REBUILDING.get()
