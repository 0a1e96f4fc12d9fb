"""Arrays in a file of `torch.save`, read without PyTorch."""

import collections
import pickle
import zipfile

import keras
import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_DAMAGED = (pickle.UnpicklingError, zipfile.BadZipFile, EOFError)
_DAMAGED += (AttributeError, IndexError, KeyError, TypeError, ValueError)
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8", "DoubleStorage": "<f8"}


class _Unpickler(pickle.Unpickler):
    """Of pickles that hold a state dict and nothing that runs."""

    def __init__(self, file, storages):
        super().__init__(file)
        self._storages = storages

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise ValueError(f"Expected a file of tensors alone. Received: one of {module}.{name}")

    def persistent_load(self, saved):
        _, dtype, key, _, size, *_ = saved
        return self._storages.setdefault(key, (np.dtype(dtype), size, []))


class _Tensor:
    def __init__(self, storage, offset, shape, strides, *rest):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def __setstate__(self, state):
        """Nothing: hooks and the like."""

    def array(self):
        dtype, _, values = self.storage
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if min(0, self.offset, *self.shape, *self.strides) < 0 or last >= len(values[0]):
            raise ValueError("a tensor beyond its storage")
        strides = [stride * dtype.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[0][self.offset :], self.shape, strides).copy()


def read_torch_file(path):
    """The arrays of a state dict that PyTorch saved, by name.

    Args:
        path: str. An archive, or a file of PyTorch before 1.6.

    Raises:
        ValueError: the file is none, or holds anything else.
    """
    read = _of_archive if zipfile.is_zipfile(path) else _of_stream
    try:
        return {name: tensor.array() for name, tensor in read(path).items()}
    except _DAMAGED as error:
        raise ValueError(
            f"Expected a file of tensors that torch.save wrote. Received: {path}, which may be "
            f"another or cut short: {error}"
        ) from error


def _of_archive(path):
    storages = {}
    with zipfile.ZipFile(path) as archive:
        (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(pickled) as file:
            tensors = _Unpickler(file, storages).load()
        for key, (dtype, size, values) in storages.items():
            content = archive.read(f"{pickled.removesuffix('data.pkl')}data/{key}")
            _fill(values, np.frombuffer(content, dtype), size)
    return tensors


def _of_stream(path):
    storages = {}
    with open(path, "rb") as file:
        if _Unpickler(file, {}).load() != _MAGIC:
            raise ValueError("another beginning")
        for _ in ("the version", "what the machine is like"):
            _Unpickler(file, {}).load()
        tensors = _Unpickler(file, storages).load()
        for key in _Unpickler(file, {}).load():
            dtype, size, values = storages[key]
            num = int(np.frombuffer(file.read(8), "<i8")[0])
            _fill(values, np.frombuffer(file.read(num * dtype.itemsize), dtype), size)
    return tensors


def _fill(values, array, size):
    if len(array) != size:
        raise ValueError("a storage that is cut short")
    values.append(array)


def layer_weights(layer, tensors, name):
    """A layer's weights, as `set_weights` takes them, from what PyTorch calls `name.weight` etc.

    Args:
        layer: keras layer, a convolution, a Dense or a BatchNormalization.
        tensors: dict of arrays, as `read_torch_file` gives it.
        name: str.

    Raises:
        KeyError: one of them is missing.
    """
    if isinstance(layer, keras.layers.BatchNormalization):
        names = "weight", "bias", "running_mean", "running_var"
        return [tensors[f"{name}.{each}"] for each in names]
    kernel = tensors[f"{name}.weight"]  # (outputs, inputs, ...)
    order = (0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (1, 0)
    kernel = kernel.transpose(*range(2, kernel.ndim), *order)
    return [kernel, tensors[f"{name}.bias"]] if layer.use_bias else [kernel]
