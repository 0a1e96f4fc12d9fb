"""A client of TensorFlow Serving for the models that kgen exports."""

import secrets
import time

import numpy as np

# The largest number of images that a server computes at once, and a client asks for at once.
MAX_ROWS = 64
FILE_STARTS = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff"}


class Client:
    """Asks a served model, with NumPy arrays in and out.

    Requests of many images are sent in parts. All are repeatable, so after a connection error one
    is sent again, each time after a longer wait.

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
        self.address = address
        self.model = model
        self.retries = retries
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
        inputs, num = self._check(signature, inputs)
        outputs = self.signatures()[signature]["outputs"]
        parts = []
        for start in range(0, num, MAX_ROWS):
            part = {name: rows[start : start + MAX_ROWS] for name, rows in inputs.items()}
            parts.append(self._ask(self._api.predict, signature, part, outputs))
        return {name: np.concatenate([part[name] for part in parts]) for name in outputs}

    def generate(self, num, labels=None, codes=None, seed=None):
        """New images. Image i is of `seed` + i: the same alone and among others.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, for a conditional model.
            codes: array (num, codes) or (codes,), of an InfoGAN: the categories' numbers, then
                numbers in [-1, 1].
            seed: int or None. None draws one. It gives other images than `model.sample`'s.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        given = {"seed": _seeds(num, seed)} | _rows("label", labels, num)
        if codes is None:
            return self.predict("generate", **given)["image"]
        codes = np.broadcast_to(codes, (num, np.shape(codes)[-1]))
        return self.predict("generate_codes", codes=codes, **given)["image"]

    def decode(self, z, labels=None):
        """The images of latent vectors.

        Args:
            z: array (num, code_size).
            labels: int array (num,) or one int, for a conditional model.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        return self.predict("decode", z=z, **_rows("label", labels, len(z)))["image"]

    def encode(self, images, labels=None):
        """What an autoencoder makes of images.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255; or
                a list of PNG or JPEG files as bytes, which the server resizes.
            labels: int array (num,) or one int, for a conditional model.

        Returns:
            Codes (num, latent_dim); of a VAE mean and log_var, each (num, latent_dim).
        """
        outputs = self._of_images("encode", images, **_rows("label", labels, len(images)))
        return outputs["code"] if "code" in outputs else (outputs["mean"], outputs["log_var"])

    def complete(self, images, mask, labels=None, copies=1, seed=None):
        """Images whose hidden pixels are drawn given all that comes before them in scan order.

        Args:
            images: as those of `encode`.
            mask: bool array (height, width) or (num, height, width), True where a pixel is hidden.
            labels: int array (num,) or one int, for a conditional model.
            copies: int. Completions of each image.
            seed: int or None. None draws one.

        Returns:
            NumPy array (num, copies, height, width, channels) in [0, 1].
        """
        num = len(images)
        mask, rows = np.asarray(mask), np.repeat(np.arange(num), copies)
        mask = np.broadcast_to(mask, (num, *mask.shape[-2:]))
        given = {"mask": mask[rows], "seed": _seeds(len(rows), seed)}
        given |= {name: label[rows] for name, label in _rows("label", labels, num).items()}
        images = np.array(images, "O" if isinstance(images[0], bytes) else None)
        made = self._of_images("complete", images[rows], **given)["image"]
        return made.reshape(num, copies, *made.shape[1:])

    def _of_images(self, signature, images, **given):
        if len(images) and isinstance(images[0], bytes):
            return self.predict(f"{signature}_bytes", image_bytes=images, **given)
        return self.predict(signature, image=images, **given)

    def _check(self, signature, inputs):
        """The inputs as arrays of the signature's dtypes, and their number of rows."""
        known = self.signatures()
        if signature not in known:
            raise ValueError(
                f"Expected a signature of {self.model}: {', '.join(sorted(known))}. Received: "
                f"{signature}"
            )
        expected = known[signature]["inputs"]
        if inputs.keys() != expected.keys():
            raise ValueError(
                f"Expected for {signature} of {self.model}: {', '.join(sorted(expected))}. "
                f"Received: {', '.join(sorted(inputs))}"
            )
        inputs = {name: _as_array(name, inputs[name], *expected[name]) for name in inputs}
        (num, *others) = {len(rows) for rows in inputs.values()}
        if others or num < 1:
            lengths = ", ".join(f"{len(rows)} of {name}" for name, rows in inputs.items())
            raise ValueError(f"Expected as many rows of each, at least one. Received: {lengths}")
        return inputs, num

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


def _seeds(num, seed):
    if num < 1:
        raise ValueError(f"Expected at least one image. Received: {num}")
    return (secrets.randbits(62) if seed is None else seed) + np.arange(num, dtype="int64")


def _rows(name, value, num):
    """A value, or one for all rows, by its name; nothing of None."""
    return {} if value is None else {name: np.broadcast_to(value, (num,))}


def _as_array(name, value, dtype, shape):
    array = np.asarray(value, "O" if dtype == "object" else None)
    if name == "image" and np.issubdtype(array.dtype, np.integer):
        array = array / np.float32(255.0)
    rows = ", ".join(map(str, ("num", *shape[1:])))
    if array.shape[1:] != shape[1:] or array.ndim != len(shape):
        raise ValueError(f"Expected {name} of shape ({rows}). Received: one of {array.shape}")
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise ValueError(f"Expected {name} as {dtype}. Received: {array.dtype}")
    if dtype != "object" and not np.all(np.isfinite(array)):
        raise ValueError(f"Expected finite {name}. Received: NaN or infinity.")
    if name == "image" and array.size and not 0 <= array.min() <= array.max() <= 1:
        raise ValueError(
            f"Expected images in [0, 1], or integers in 0..255. Received: {array.dtype} in "
            f"[{array.min()}, {array.max()}]"
        )
    for i, file in enumerate(array if name == "image_bytes" else ()):
        if not isinstance(file, bytes) or not file.startswith(tuple(FILE_STARTS.values())):
            raise ValueError(
                f"Expected {name} as {' or '.join(FILE_STARTS)} files. Received: "
                f"{name}[{i}]={file!r:.40}"
            )
    return array.astype(dtype)
