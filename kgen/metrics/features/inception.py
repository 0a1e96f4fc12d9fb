"""Inception networks whose weights the user has."""

import hashlib

import h5py
import keras
import numpy as np

from kgen.metrics.features.extractor import Features, make_network, of_network
from kgen.metrics.features.resizing import resized, resized_as_tensorflow_1, to_rgb
from kgen.metrics.features.torch_file import layer_weights, read_torch_file
from kgen.networks.inception import inception

_SIZE = (299, 299)
_CLEAN = "bicubic in floats, antialiased, to 299x299"


class FIDInception(Features):
    """The 2,048 features by which the Frechet inception distance is defined, from a file.

    By them, and by no others, a `frechet_distance` is an FID, a `kid` a KID, and a `class_score` an
    inception score. The file is that of pytorch-fid and torch-fidelity,
    `pt_inception-2015-12-05-6726825d.pth` or `weights-inception-2015-12-05-6726825d.pth`; it is
    read without PyTorch.

    Args:
        path: str. The file.
        resizing: str. What is done to images of another size than 299x299: "legacy" rounds them to
            bytes and scales them as TensorFlow 1, torch-fidelity and the papers' numbers do;
            "clean" scales floats by Pillow's bicubic filter, as clean-fid does.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds another network.

    Reference: Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium, 2017. https://arxiv.org/abs/1706.08500
    """

    has_classes = True
    default_batch_size = 16

    def __init__(self, path, resizing="legacy"):
        if resizing not in ("legacy", "clean"):
            raise ValueError(f"Expected resizing of 'legacy' or 'clean'. Received: {resizing!r}")
        found = _digest(path, "sha256")
        is_published = found.startswith("6726825d")
        self.name = "FID's Inception of 2015-12-05"
        if not is_published:
            self.name = "an Inception of other weights than FID's"
        self._is_clean = resizing == "clean"
        self.resizing = "bytes, bilinear as in TensorFlow 1, to 299x299"
        if self._is_clean:
            self.resizing = _CLEAN
        self.notes = {"sha256": found}
        self._network = make_network(inception)
        _set_weights(self._network, read_torch_file(path), path)

    def extract_batch(self, x, batch_size):
        x = to_rgb(x) * np.float32(255.0)
        if self._is_clean:
            x = resized(x, _SIZE).clip(0.0, 255.0)
        else:
            x = resized_as_tensorflow_1(np.rint(x), _SIZE)
        return of_network(self._network, (x - 128.0) / 128.0, batch_size)


class KerasInception(Features):
    """The 2,048 features of Keras' InceptionV3, from a file of its weights.

    They are not those of the Frechet inception distance, whose network and weights are others.

    Args:
        path: str. `inception_v3_weights_tf_dim_ordering_tf_kernels.h5`, or that of the network
            without its top, `..._notop.h5`, which has no classes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds another network.

    Reference: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2015.
    https://arxiv.org/abs/1512.00567
    """

    resizing = _CLEAN
    default_batch_size = 16

    def __init__(self, path):
        self.notes = {"sha256": _digest(path, "sha256")}
        published = "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"
        self.name = "Keras' InceptionV3"
        if _digest(path, "md5") not in published:
            self.name = "an InceptionV3 of other weights than Keras'"
        try:
            with h5py.File(path) as file:
                names = [n if isinstance(n, str) else n.decode() for n in file.attrs["layer_names"]]
            self.has_classes = "predictions" in names
            network = make_network(
                keras.applications.InceptionV3,
                include_top=self.has_classes,
                weights=path,
                input_shape=(*_SIZE, 3),
                pooling="avg",
                classifier_activation=None,
            )
        except (KeyError, OSError, ValueError) as error:
            raise ValueError(
                f"Expected the weights of Keras' InceptionV3. Received: {path}: {error}"
            ) from error
        self._network = network
        if self.has_classes:
            outputs = [network.get_layer("avg_pool").output, network.output]
            self._network = keras.Model(network.input, outputs)

    def extract_batch(self, x, batch_size):
        x = resized(to_rgb(x), _SIZE) * 2.0 - 1.0
        return of_network(self._network, x, batch_size)


def _digest(path, kind):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _set_weights(network, tensors, path):
    try:
        for layer in network.layers:
            if layer.weights:
                layer.set_weights(layer_weights(layer, tensors, layer.name.replace("-", ".")))
    except (KeyError, ValueError) as error:
        raise ValueError(
            "Expected the weights of FID's Inception, as pytorch-fid and torch-fidelity publish "
            f"them. Received: {path}, where a tensor is missing or of another shape: {error}"
        ) from error
