"""A client of TensorFlow Serving for the models that kgen exports."""

import numpy as np

from kgen.checks import whole_number
from kgen.seeds import seeds_of
from kgen.serving.server import Server
from kgen.serving.signatures import input_field, listed

# The largest number of images that a server computes at once, and a client asks for at once.
MAX_ROWS = 64
# What a conditional model's signatures call the condition, which the verbs call `labels`.
CONDITIONS = ("label", "attributes", "vector", "tokens", "features", "condition")


class Client:
    """Asks a served model, with NumPy arrays in and out.

    The verbs take and give what the model's own of the same names do, and images of a seed are the
    same. Requests of many images are sent in parts of 64. All are repeatable, so after a connection
    error one is sent again, each time after a longer wait. An answer is returned if it is what was
    asked for: all rows, of the signature's shapes and dtypes, finite, images in [0, 1], whole PNGs.

    Args:
        address: str. "localhost:8501" or "https://..." of the REST API, "grpc://localhost:8500" of
            gRPC, which needs the extra `serving`.
        model: str. The model's name on the server.
        version: int or None. By default the server's latest.
        timeout: float. Seconds for a request of up to 64 rows, from its connection to the answer's
            last byte, with all that is tried again and the waits between. A call of more rows has
            as long for each of its parts. Defaults to 60.
        retries: int. How often to try again after a connection error. Defaults to 3.

    All methods raise a ValueError for what the model does not take, what the server refuses and an
    answer that is wrong, a ConnectionError if there is no server or no whole answer, a TimeoutError
    if it is too slow.
    """

    def __init__(self, address, model, version=None, timeout=60.0, retries=3):
        self._server = Server(address, model, version, timeout, retries)
        self.address = address
        self.model = model

    def signatures(self):
        """What the model answers.

        Returns:
            dict of "inputs" and "outputs" of each signature by its name, each a dict of (dtype,
            shape) by name; None in a shape is any number.
        """
        return self._server.signatures()

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
                f"Expected for {signature} of {self.model}: {listed(expected)}. Received: "
                f"{listed(inputs)}"
            )
        inputs = {name: expected[name].check(inputs[name], name) for name in inputs}
        num, *others = {len(rows) for rows in inputs.values()}
        if others:
            lengths = ", ".join(f"{len(rows)} of {name}" for name, rows in inputs.items())
            raise ValueError(f"Expected as many rows of each. Received: {lengths}")
        known = self.signatures()
        of = known[signature]
        inputs = {name: rows.astype(of["inputs"][name][0]) for name, rows in inputs.items()}
        parts = []
        for start in range(0, num, MAX_ROWS):
            part = {name: rows[start : start + MAX_ROWS] for name, rows in inputs.items()}
            parts.append(self._server.predict(known, signature, part))
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
        return self._outputs(signature, "image", **given)[0]

    def decode(self, z, labels=None, *, seed=0):
        """The images of latent vectors.

        Args:
            z: array (num, code_size), or the codes (num, h, w) of a VQVAE.
            labels: as those of `generate`.
            seed: int, or one an image, or None, which draws one; of a PixelVAE, whose pixels are
                drawn.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        given = self._beside("decode", labels, seed, len(z))
        name = "code" if "code" in self._fields("decode") else "z"
        return self._outputs("decode", "image", **{name: z}, **given)[0]

    def encode(self, images, labels=None):
        """The codes of images; of a variational model the posterior's means.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255; or
                a list of PNG or JPEG files as bytes, which the server resizes.
            labels: as those of `generate`.

        Returns:
            NumPy array (num, latent_dim), or int (num, h, w) of a VQVAE.
        """
        condition = self._condition("encode", labels, len(images))
        return self._of_images("encode", images, "code", **condition)[0]

    def posterior(self, images, labels=None):
        """A variational model's q(z|x) of images, of which `encode` gives the mean.

        Args:
            images: as those of `encode`.
            labels: as those of `generate`.

        Returns:
            NumPy arrays mean and log_var, each (num, latent_dim).
        """
        condition = self._condition("posterior", labels, len(images))
        return self._of_images("posterior", images, "mean", "log_var", **condition)

    def reconstruct(self, images, labels=None, *, seed=0):
        """Images encoded and decoded again.

        Args:
            images: as those of `encode`.
            labels: as those of `generate`.
            seed: as that of `decode`.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        given = self._beside("reconstruct", labels, seed, len(images))
        return self._of_images("reconstruct", images, "image", **given)[0]

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
        (made,) = self._of_images("complete", images, "image", **given)
        return made.reshape(num, copies, *made.shape[1:])

    def _of_images(self, signature, images, *outputs, **given):
        if len(images) and isinstance(images[0], bytes):
            return self._outputs(f"{signature}_bytes", *outputs, image_bytes=images, **given)
        return self._outputs(signature, *outputs, image=images, **given)

    def _outputs(self, signature, *outputs, **given):
        """What `predict` gives by these names, of a signature that has them."""
        self._fields(signature)
        known = self.signatures()[signature]["outputs"]
        if not known.keys() >= set(outputs):
            raise ValueError(
                f"Expected {listed(outputs)} of {signature} of {self.model}. Received: its outputs "
                f"{listed(known)}"
            )
        found = self.predict(signature, **given)
        return tuple(found[name] for name in outputs)

    def _beside(self, signature, labels, seed, num):
        """The condition of a signature, and seeds if it takes them."""
        seeds = {"seed": seeds_of(seed, num)} if "seed" in self._fields(signature) else {}
        return self._condition(signature, labels, num) | seeds

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
                f"Expected a signature of {self.model}: {listed(known)}. Received: {signature}"
            )
        expected = known[signature]["inputs"]
        return {name: input_field(name, dtype, shape) for name, (dtype, shape) in expected.items()}
