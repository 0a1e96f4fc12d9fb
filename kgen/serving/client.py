"""A client of TensorFlow Serving for the models that kgen exports."""

import time

import numpy as np

from kgen import fields
from kgen.checks import number, whole_number
from kgen.seeds import seeds_of
from kgen.serving.image_file import ImageFile

# The largest number of images that a server computes at once, and a client asks for at once.
MAX_ROWS = 64
# What a conditional model's signatures call the condition, which the verbs call `labels`.
CONDITIONS = ("label", "attributes", "vector", "tokens", "condition")


class Client:
    """Asks a served model, with NumPy arrays in and out.

    The verbs take and give what the model's own of the same names do, and images of a seed are the
    same. Requests of many images are sent in parts. All are repeatable, so after a connection error
    one is sent again, each time after a longer wait.

    Args:
        address: str. "localhost:8501" or "https://..." of the REST API, "grpc://localhost:8500" of
            gRPC, which needs the extra `serving`.
        model: str. The model's name on the server.
        version: int or None. By default the server's latest.
        timeout: float. Seconds that one request may take. Defaults to 60.
        retries: int. How often to try again after a connection error. Defaults to 3.

    All methods raise a ValueError for what the model does not take and what the server refuses, a
    ConnectionError if there is no server, a TimeoutError if it is too slow.
    """

    def __init__(self, address, model, version=None, timeout=60.0, retries=3):
        if address.startswith("grpc://"):
            from kgen.serving.grpc_api import Grpc as Api
        else:
            from kgen.serving.rest_api import Rest as Api
        version = whole_number("version", version, at_least=0, optional=True)
        timeout = number("timeout", timeout, above=0)
        self.address = address
        self.model = model
        self.retries = whole_number("retries", retries, at_least=0)
        self._api = Api(address.removeprefix("grpc://"), model, version, timeout)
        self._signatures = None

    def signatures(self):
        """What the model answers.

        Returns:
            dict of "inputs" and "outputs" of each signature by its name, each a dict of (dtype,
            shape) by name; None in a shape is any number.
        """
        if self._signatures is None:
            self._signatures = self._ask(self._api.signatures)
        return self._signatures

    def predict(self, signature, **inputs):
        """Asks for any signature.

        Args:
            signature: str. Its name.
            **inputs: arrays with a row an image, or lists of bytes, by the signature's names; an
                "image" as floats in [0, 1] or integers in 0..255.

        Returns:
            dict of NumPy arrays by the signature's names, with a row an image.
        """
        expected = self._fields(signature)
        if inputs.keys() != expected.keys():
            raise ValueError(
                f"Expected for {signature} of {self.model}: {', '.join(sorted(expected))}. "
                f"Received: {', '.join(sorted(inputs))}"
            )
        inputs = {name: expected[name].check(inputs[name], name) for name in inputs}
        num, *others = {len(rows) for rows in inputs.values()}
        if others:
            lengths = ", ".join(f"{len(rows)} of {name}" for name, rows in inputs.items())
            raise ValueError(f"Expected as many rows of each. Received: {lengths}")
        of = self.signatures()[signature]
        inputs = {name: rows.astype(of["inputs"][name][0]) for name, rows in inputs.items()}
        parts = []
        for start in range(0, num, MAX_ROWS):
            part = {name: rows[start : start + MAX_ROWS] for name, rows in inputs.items()}
            parts.append(self._ask(self._api.predict, signature, part, of["outputs"]))
        return {name: np.concatenate([part[name] for part in parts]) for name in of["outputs"]}

    def generate(self, num, labels=None, *, codes=None, seed=None):
        """New images, those of `model.sample` of the same seed.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, for a conditional model; where the condition is
                another, rows of it, or one. The server does not know the classes' names.
            codes: array (num, codes) or (codes,), of an InfoGAN: the categories' numbers, then
                numbers in [-1, 1].
            seed: int, or one an image. None draws one.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        signature = "generate" if codes is None else "generate_codes"
        given = {"seed": seeds_of(seed, num)} | self._condition(signature, labels, num)
        if codes is not None:
            given["codes"] = self._rows(signature, "codes", codes, num)
        return self.predict(signature, **given)["image"]

    def decode(self, z, labels=None):
        """The images of latent vectors.

        Args:
            z: array (num, code_size).
            labels: as those of `generate`.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        return self.predict("decode", z=z, **self._condition("decode", labels, len(z)))["image"]

    def encode(self, images, labels=None):
        """The codes of images; of a variational model the posterior's means.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255; or
                a list of PNG or JPEG files as bytes, which the server resizes.
            labels: as those of `generate`.

        Returns:
            NumPy array (num, latent_dim).
        """
        condition = self._condition("encode", labels, len(images))
        return self._of_images("encode", images, **condition)["code"]

    def posterior(self, images, labels=None):
        """A variational model's q(z|x) of images, of which `encode` gives the mean.

        Args:
            images: as those of `encode`.
            labels: as those of `generate`.

        Returns:
            NumPy arrays mean and log_var, each (num, latent_dim).
        """
        condition = self._condition("posterior", labels, len(images))
        found = self._of_images("posterior", images, **condition)
        return found["mean"], found["log_var"]

    def reconstruct(self, images, labels=None):
        """Images encoded and decoded again.

        Args:
            images: as those of `encode`.
            labels: as those of `generate`.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        condition = self._condition("reconstruct", labels, len(images))
        return self._of_images("reconstruct", images, **condition)["image"]

    def complete(self, images, mask, labels=None, *, copies=1, seed=None):
        """Images whose hidden pixels are drawn given all that comes before them in scan order.

        Args:
            images: as those of `encode`.
            mask: bool array (height, width) or (num, height, width), True where a pixel is hidden.
            labels: as those of `generate`.
            copies: int. Completions of each image.
            seed: int, or one an image. None draws one.

        Returns:
            NumPy array (num, copies, height, width, channels) in [0, 1].
        """
        copies = whole_number("copies", copies)
        num = len(images)
        mask = self._rows("complete", "mask", mask, num)
        given = {"mask": mask} | self._condition("complete", labels, num)
        given = {name: np.repeat(rows, copies, axis=0) for name, rows in given.items()}
        given["seed"] = seeds_of(seed, num, copies)
        images = [image for image in images for _ in range(copies)]
        made = self._of_images("complete", images, **given)["image"]
        return made.reshape(num, copies, *made.shape[1:])

    def _of_images(self, signature, images, **given):
        if len(images) and isinstance(images[0], bytes):
            return self.predict(f"{signature}_bytes", image_bytes=images, **given)
        return self.predict(signature, image=images, **given)

    def _condition(self, signature, labels, num):
        """Rows of a conditional model's condition by its name; nothing of another's."""
        name = next((name for name in self._fields(signature) if name in CONDITIONS), None)
        if name is not None:
            return {name: self._rows(signature, name, labels, num)}
        if labels is not None:
            raise ValueError(
                f"Expected no labels, as {self.model} is unconditional. Received: {labels=!r:.80}"
            )
        return {}

    def _rows(self, signature, name, value, num):
        return self._fields(signature)[name].rows(value, num, name)

    def _fields(self, signature):
        """What the signature takes, a field by each name."""
        known = self.signatures()
        if signature not in known:
            raise ValueError(
                f"Expected a signature of {self.model}: {', '.join(sorted(known))}. Received: "
                f"{signature}"
            )
        expected = known[signature]["inputs"]
        return {name: _field(name, dtype, shape[1:]) for name, (dtype, shape) in expected.items()}

    def _ask(self, call, *args):
        for attempt in range(self.retries + 1):
            try:
                return call(*args)
            except ConnectionError as error:
                if attempt == self.retries:
                    raise ConnectionError(
                        f"There is no server to be reached at {self.address}, after {attempt + 1} "
                        f"tries: {error}"
                    ) from error
                time.sleep(0.1 * 2**attempt)
            except ValueError as error:
                known, self._signatures = self._signatures, None  # there may be a new version
                hint = f"\nThe model's signatures: {', '.join(sorted(known))}." if known else ""
                raise ValueError(f"{self.address} refused: {error}{hint}") from error


class _Rows(fields.Field):
    """What is nothing but rows of a shape."""

    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, dtype


def _field(name, dtype, shape):
    """The field of an input, of which the server says the name, dtype and a row's shape."""
    if dtype == "object":
        return ImageFile()
    if dtype == "bool":
        return fields.Mask(shape)
    if name in ("image", "condition"):
        return fields.Image(shape)
    if name == "label":
        return fields.Label(2**31 - 1)  # the server knows how many
    if name == "attributes":
        return fields.Attributes(*shape)
    return _Rows(shape, dtype)
