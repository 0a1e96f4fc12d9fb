"""What a callback is that `fit` runs inside of."""

import contextlib

import keras


class AroundFit(keras.callbacks.Callback):
    """A callback that wraps the whole of a kgen model's `fit`, errors in it too."""

    @contextlib.contextmanager
    def around_fit(self, reading):
        """What `fit` runs in.

        Args:
            reading: kgen.backend.Reading of what is trained on, or None where the order of the data
                is not known.
        """
        yield
