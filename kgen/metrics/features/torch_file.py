"""Arrays in a file of `torch.save`, read without PyTorch."""

import collections
import pickle

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
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
        _, dtype, key, _, size, _ = saved
        return self._storages.setdefault(key, (np.dtype(dtype), size, []))


class _Tensor:
    def __init__(self, storage, offset, shape, strides, *rest):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def __setstate__(self, state):
        """Nothing: hooks and the like."""

    def array(self):
        dtype, _, values = self.storage
        strides = [stride * dtype.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[0][self.offset :], self.shape, strides).copy()


def read_torch_file(path):
    """The arrays of a state dict that PyTorch before 1.6 saved, by name.

    Args:
        path: str.

    Raises:
        ValueError: the file is none, or holds anything else.
    """
    storages = {}
    try:
        with open(path, "rb") as file:
            if _Unpickler(file, {}).load() != _MAGIC:
                raise ValueError("another beginning")
            for _ in ("the version", "what the machine is like"):
                _Unpickler(file, {}).load()
            tensors = _Unpickler(file, storages).load()
            for key in _Unpickler(file, {}).load():
                dtype, size, values = storages[key]
                num = int(np.frombuffer(file.read(8), "<i8")[0])
                values.append(np.frombuffer(file.read(num * dtype.itemsize), dtype))
                if num != size or len(values[0]) != size:
                    raise ValueError("a storage that is cut short")
        return {name: tensor.array() for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, IndexError, AttributeError, TypeError) as e:
        raise ValueError(f"Expected a file that torch.save wrote. Received: {path}: {e}") from e
