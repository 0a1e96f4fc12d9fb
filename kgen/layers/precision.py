"""The type of what half precision would spoil."""

import keras


def full_precision():
    """float32 under mixed precision, too; float64 where that is asked for."""
    is_double = keras.config.dtype_policy().compute_dtype == "float64"
    return "float64" if is_double else "float32"
