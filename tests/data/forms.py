"""The plain forms of images and labels, and whether two data sets are the same."""

import keras
import numpy as np


class Series:
    """An array in a class of its own, as those of pandas are."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)

    def __len__(self):
        return len(self.array)


# Of uint8 (num, height, width, 1).
IMAGES = {
    "grey without channels": lambda x: x[..., 0],
    "list": list,
    "list of lists": lambda x: x.tolist(),
    "list of grey": lambda x: list(x[..., 0]),
    "tensor": keras.ops.convert_to_tensor,
    "list of tensors": lambda x: list(map(keras.ops.convert_to_tensor, x)),
    "object with __array__": Series,
    "int64": lambda x: x.astype("int64"),
    "big-endian": lambda x: x.astype(">u2"),
}

# Of integers (num,), of which every class has an image.
LABELS = {
    "column": lambda y: y[:, None],
    "one-hot": lambda y: np.eye(4, dtype="float32")[y],
    "one-hot integers": lambda y: np.eye(4, dtype="int64")[y],
    "one-hot bools": lambda y: np.eye(4, dtype=bool)[y],
    "list": lambda y: y.tolist(),
    "list of rows": lambda y: np.eye(4)[y].tolist(),
    "tensor": lambda y: keras.ops.convert_to_tensor(y),
    "object with __array__": Series,
    "uint8": lambda y: y.astype("uint8"),
    "big-endian": lambda y: y.astype(">i2"),
}

# Of names (num,).
NAMES = {
    "column": lambda y: y[:, None],
    "list": list,
    "bytes": lambda y: y.astype("S"),
    "column of bytes": lambda y: y.astype("S")[:, None],
    "objects": lambda y: y.astype(object),
    "objects of bytes": lambda y: y.astype("S").astype(object),
    "list of bytes": lambda y: y.astype("S").tolist(),
    "text of any length": lambda y: y.astype(np.dtypes.StringDType()),
    "object with __array__": Series,
}


def assert_same_set(data, expected):
    """Both have the same batches, as these arrays, and tell a model the same of them."""
    assert data.image_shape == expected.image_shape
    assert (data.condition, data.domains) == (expected.condition, expected.domains)
    assert (data.num_train, data.num_test) == (expected.num_train, expected.num_test)
    for batches, of in ((data.train, expected.train), (data.test, expected.test)):
        for batch, other in zip(batches, of, strict=True):
            assert [array.dtype for array in batch] == [array.dtype for array in other]
            for array, same in zip(batch, other, strict=True):
                np.testing.assert_array_equal(array, same)
