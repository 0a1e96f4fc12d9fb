"""The type of what half precision would spoil."""

import keras


def full_precision(policy=None):
    """float32 under mixed precision, too; float64 where that is asked for.

    Args:
        policy: what Keras takes as `dtype=`. Defaults to the global policy.
    """
    is_double = keras.dtype_policies.get(policy).compute_dtype == "float64"
    return "float64" if is_double else "float32"
