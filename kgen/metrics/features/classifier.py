"""A classifier of the data set itself."""

import hashlib
import json

import keras
import numpy as np

from kgen import backend
from kgen.checks import whole_number
from kgen.fields import Label
from kgen.metrics.features.extractor import Features, make_network, of_network, of_unit
from kgen.metrics.real import evenly
from kgen.models.in_batches import with_progress
from kgen.networks.classifier import small_classifier
from kgen.whole_file import replacing


class Classifier(Features):
    """The last hidden layer of a small network that tells a data set's classes apart.

    Of digits and the like it is the best yard-stick that needs no download. Figures are of one
    classifier: compare models by the same.

    Attributes:
        accuracy: float. On the test images; the figures are worth as much.
        image_shape: (height, width, channels).
        num_classes: int.

    Example:
    >>> digits = kgen.data.load("digits")
    >>> classifier = kgen.metrics.features.Classifier.train(digits, steps=2)
    >>> classifier.extract(digits.test.take(3)[0]).features.shape
    (3, 64)
    """

    has_classes = True

    def __init__(self, network, about):
        self._network = network
        self._about = about
        self.accuracy = about["accuracy"]
        self.image_shape = tuple(about["image_shape"])
        self.num_classes = about["num_classes"]
        self.name = f"a classifier of {about['data']}"
        self.notes = {"accuracy": self.accuracy, "sha256": _digest(network.get_weights())}

    @classmethod
    def train(cls, data, steps=1500, batch_size=64, seed=0):
        """A new one, trained on the training images and tried on the test images.

        Args:
            data: `kgen.data.Dataset` with labels.
            steps: int. Defaults to 1500, about a minute for 28x28 pixels on two cores.
            batch_size: int. Images in a step. Defaults to 64.
            seed: int. Seeds weights and order.

        Raises:
            ValueError: the data have no labels.
        """
        if not isinstance(data.condition, Label) or data.num_classes < 2:
            raise ValueError(
                "Expected a data set with labels of 2 classes at least, for a classifier of it. "
                f"Received: {data.name}, with condition={data.condition!r:.80}; other features: "
                "kgen.metrics.features.EfficientNetLite0()"
            )
        steps, batch_size = whole_number("steps", steps), whole_number("batch_size", batch_size)
        seed = whole_number("seed", seed, at_least=0)
        images, labels = evenly(data.train, _most_images(data.image_shape))
        network = backend.without_strategy(_trained, data, images, labels, steps, batch_size, seed)
        about = {
            "data": data.name,
            "image_shape": list(data.image_shape),
            "num_classes": data.num_classes,
            "fingerprint": _fingerprint(data),
            "steps": steps,
            "accuracy": None,
        }
        right = []
        made = cls(network, about)
        for images, labels, *_ in data.test.in_order():
            right.append(made.extract(images).logits.argmax(axis=1) == labels)
        return cls(network, about | {"accuracy": float(np.concatenate(right).mean())})

    def save(self, path):
        """Writes it to an .npz."""
        weights = {f"weight_{i}": w for i, w in enumerate(self._network.get_weights())}
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, about=json.dumps(self._about), **weights)

    @classmethod
    def load(cls, path):
        """One that was saved.

        Raises:
            ValueError: the file holds none.
        """
        try:
            with np.load(path) as file:
                about = json.loads(str(file["about"]))
                weights = [file[f"weight_{i}"] for i in range(len(file.files) - 1)]
            shape, num_classes = tuple(about["image_shape"]), about["num_classes"]
            network = make_network(small_classifier, shape, num_classes)
            network.set_weights(weights)
            return cls(network, about)
        except FileNotFoundError:
            raise
        except Exception as error:  # NumPy raises anything from KeyError to BadZipFile
            raise ValueError(
                f"Expected a classifier that kgen saved. Received: {path}, which cannot be read: "
                f"{error}"
            ) from error

    def is_of(self, data):
        """Whether it was trained on this data set, by its numbers and first test images."""
        return self._about.get("fingerprint") == _fingerprint(data)

    def extract_batch(self, x, batch_size):
        if x.shape[1:] != self.image_shape:
            raise ValueError(
                f"Expected images of {self.image_shape}, as those of {self._about['data']} that "
                f"the classifier was trained on. Received: images of {x.shape[1:]}"
            )
        return of_network(self._network, x, batch_size)


def _trained(data, images, labels, steps, batch_size, seed):
    network = make_network(small_classifier, data.image_shape, data.num_classes, seed=seed)
    trained = keras.Model(network.input, network.output[1])
    trained.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    rows = _rows(len(images), batch_size, np.random.default_rng(seed))
    for _ in with_progress(range(steps)):
        part = next(rows)
        trained.train_on_batch(of_unit(images[part]), labels[part])
    return network


def _fingerprint(data):
    about = data.name, data.image_shape, data.num_classes, data.num_train, data.num_test
    return _digest([np.array(repr(about)), *data.test.take(100)])


def _most_images(image_shape):
    """As many as 512 MiB of bytes hold."""
    return max(1, 2**29 // int(np.prod(image_shape)))


def _rows(num, batch_size, rng):
    """Indices of batches, each image once before any comes again."""
    order = np.zeros(0, int)
    while True:
        while len(order) < batch_size:
            order = np.concatenate([order, rng.permutation(num)])
        yield order[:batch_size]
        order = order[batch_size:]


def _digest(arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
