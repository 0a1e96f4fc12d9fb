"""The vector quantised autoencoder."""

import keras
import numpy as np
from keras import ops

from kgen import backend, distributions, networks, pictures
from kgen.checks import choice
from kgen.fields import CodeMap, Mask, Seed
from kgen.layers import VectorQuantizer
from kgen.layers.vector_quantizer import CODEBOOKS, straight_through
from kgen.losses import bits_per_dim
from kgen.models.autoregressive.autoregressive_model import AutoregressiveModel
from kgen.models.autoregressive.gated_pixel_cnn import GatedPixelCNN
from kgen.models.image_model import ImageModel, Samples, preset_dtype
from kgen.models.network_check import check_network
from kgen.models.output_range import NUMBERS
from kgen.models.scalar import Scalar
from kgen.seeds import seeds_of


@keras.saving.register_keras_serializable("kgen")
class VQVAE(Samples, ImageModel):
    """VQ-VAE: an autoencoder whose code is a map of whole numbers, and a PixelCNN as its prior.

    Each vector z of the encoder's map becomes the nearest of a codebook, e_k with k = argmin_j
    ||z - e_j|| (eq. 1, 2). Of these the decoder makes the image, and its gradient goes to the
    encoder as it is. Encoder and decoder minimise, summed over pixels and places,

        -log p(x | e) + ||sg[z] - e||^2 + commitment ||z - sg[e]||^2   (eq. 3)

    whose second term moves the codebook, or with averages in its place (appendix A.1) the mean of
    the vectors of each code does. The prior p(k) learns the codes, without a gradient to them, in
    the same steps. Unlike the paper, which trains it afterwards: that is `encoder.trainable =
    decoder.trainable = False`, `compile` and `fit`, in which the codebook stays as well.

    With q(k | x) = 1 for the nearest codes, log p(x) >= log p(x | e) + log p(k): `elbo`.

    Args:
        image_shape: tuple (height, width, channels).
        num_codes: int. K, the codebook's size. Defaults to 512.
        code_dim: int. D, the length of its vectors. Defaults to 64.
        encoder: keras.Model from images (batch, height, width, channels) in [0, 1] to (batch, h, w,
            code_dim), or None for the preset, of one code a patch.
        decoder: keras.Model from (batch, h, w, code_dim) to the likelihood's parameters, (batch,
            height, width, n), or None for the preset.
        prior: `kgen.AutoregressiveModel` of image_shape (h, w, 1), `levels=num_codes` and the
            model's condition, or None for a `kgen.GatedPixelCNN` whose network looks codes up.
        width: int. Channels of the presets. Defaults to 128.
        depth: int. Residual blocks of each preset. Defaults to 2.
        patch: int, a power of 2. Pixels a side that a code of the presets stands for. Defaults
            to 4.
        prior_width: int. Channels of the prior's stacks. Defaults to 64.
        prior_depth: int. The prior's blocks after the first. Defaults to 5.
        codebook: "averages" or "loss", what moves it. Defaults to "averages".
        commitment: float, or a Keras schedule. beta in the paper. Defaults to 0.25.
        decay: float in [0, 1), or a Keras schedule. gamma of the averages. Defaults to 0.99.
        restart_after: int or None. Steps in which no image had a code, after which the code starts
            anew on a vector of the batch; of averages. Defaults to None, never.
        likelihood: p(x | e). "fixed_normal" is the paper's squared error; "discretized_logistic",
            "categorical" and "logistic_mixture" are exact for 8-bit images, "bernoulli" binarizes
            them, "normal" has a variance a pixel; or an object of `kgen.distributions`. Defaults to
            "fixed_normal".
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, or None. The
            prior alone sees it.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images, labels = np.random.rand(16, 8, 8, 1), np.arange(16) % 10
    >>> model = kgen.VQVAE((8, 8, 1), num_codes=32, code_dim=8, width=16, num_classes=10)
    >>> model.compile()
    >>> history = model.fit(images, labels, verbose=0)
    >>> model.encode(images).shape, model.sample(4, labels=7, seed=0).shape
    ((16, 2, 2), (4, 8, 8, 1))

    Reference: van den Oord et al., Neural Discrete Representation Learning, 2017.
    https://arxiv.org/abs/1711.00937
    """

    log_names = ("loss", "reconstruction_loss", "commitment_loss", "prior_loss")
    default_batch_size = 32
    commitment = Scalar()
    decay = Scalar(high=1.0)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_codes: int = 512,
        code_dim: int = 64,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        prior: keras.Model | None = None,
        width: int | None = None,
        depth: int | None = None,
        patch: int | None = None,
        prior_width: int | None = None,
        prior_depth: int | None = None,
        codebook: str = "averages",
        commitment: float = 0.25,
        decay: float = 0.99,
        restart_after: int | None = None,
        likelihood: str = "fixed_normal",
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        choice("codebook", codebook, CODEBOOKS)
        if num_classes is None and condition is None:
            condition = getattr(prior, "condition", None)
        super().__init__(
            image_shape, num_classes=num_classes, condition=condition, seed=seed, **kwargs
        )
        self.quantizer = VectorQuantizer(num_codes, code_dim, codebook, restart_after)
        self.num_codes, self.code_dim = self.quantizer.num_codes, self.quantizer.code_dim
        self.codebook = codebook
        self.restart_after = self.quantizer.restart_after
        self.commitment = commitment
        self.decay = decay
        self.likelihood = likelihood
        self.distribution = distributions.get(likelihood)
        self.set_sizes(encoder, decoder, width=width, depth=depth, patch=patch)
        self.set_sizes(prior, prior_width=prior_width, prior_depth=prior_depth)
        sizes = {
            "filters": self.width or 128,
            "blocks": self.depth or 2,
            "patch": self.patch or 4,
        }
        *size, channels = self.image_shape
        decoded = (*size, self.distribution.num_outputs(channels))
        with preset_dtype(self.dtype_policy):
            self.encoder = encoder or networks.vq_encoder(self.image_shape, self.code_dim, **sizes)
            wanted = "n", "n", self.code_dim
            (z,) = check_network("encoder", self.encoder, self.image_shape, wanted)
            self.decoder = decoder or networks.vq_decoder(z, decoded, **sizes)
            gives = NUMBERS if distributions.is_unbounded(self.distribution) else None
            check_network("decoder", self.decoder, z, decoded, gives=gives)
            self.code = CodeMap(z[:2], self.num_codes)
            self.prior = prior or self._preset_prior()
        self._check_prior()
        if codebook == "loss":
            self.add_logs("codebook_loss")

    def _preset_prior(self):
        shape, levels = (*self.code.shape, 1), self.num_codes
        network = networks.gated_pixel_cnn(
            shape,
            1 if levels == 2 else levels,
            self.prior_width or 64,
            self.prior_depth or 5,
            named_levels=levels,
            condition=self.condition,
        )
        return GatedPixelCNN(shape, levels, network, condition=self.condition)

    def _check_prior(self):
        shape = (*self.code.shape, 1)
        prior, levels, condition = self.prior, self.num_codes, self.condition
        described = "of image_shape={}, levels={}, condition={}".format
        received = repr(prior)[:80]
        if isinstance(prior, AutoregressiveModel):
            found = prior.image_shape, prior.levels, prior.condition
            if found == (shape, levels, condition):
                return
            received = f"{type(prior).__name__} {described(*found)}"
        raise ValueError(
            f"Expected prior as a kgen.AutoregressiveModel {described(shape, levels, condition)}, "
            f"as the codes are. Received: {received}"
        )

    @property
    def learns_codes(self):
        """Whether the codes still move: not with a frozen encoder and decoder."""
        return bool(self.encoder.trainable_variables or self.decoder.trainable_variables)

    def players(self):
        codebook = [self.quantizer] if self.learns_codes else []
        return {
            "autoencoder": [self.encoder, self.decoder, *codebook],
            "prior": [self.prior.network],
        }

    def default_optimizers(self):
        return {
            "autoencoder": keras.optimizers.Adam(3e-4, name="autoencoder"),  # of the authors' code
            "prior": keras.optimizers.Adam(1e-3, name="prior"),
        }

    def training_step(self, x, y, noise):
        self.minimize_together(self.losses_of_both, ["autoencoder", "prior"], x, y, noise)
        self.prior.update_average(self.steps + 1)
        with backend.after([x]):
            self.prior._steps.assign(self.steps + 1)  # by which each of several orders has its turn

    def evaluation_step(self, x, y, noise):
        self.losses_of_both(x, y, noise, training=False)

    def losses_of_both(self, x, y, noise, training=True):
        """The losses of autoencoder and prior on one batch of images in [0, 1]; logs them.

        By averages the codebook moves at the end, after its vectors were used.
        """
        is_learning = training and self.learns_codes
        x = self.distribution.observe(x, noise)
        z = self._read(self.encoder, x, is_learning)
        k, e = self.quantizer(z)
        nll = self._nll(x, straight_through(z, e), is_learning)
        commitment = squared_distance(z, ops.stop_gradient(e))
        prior_loss = self.prior._nll(self._as_image(k), y, training)
        loss = nll + self.now("commitment") * commitment
        logs = {"commitment_loss": commitment, "prior_loss": prior_loss}
        if self.codebook == "loss":
            logs["codebook_loss"] = squared_distance(ops.stop_gradient(z), e)
            loss = loss + logs["codebook_loss"]
        elif is_learning:
            self.quantizer.update(z, k, self.now("decay"), noise)
        self.log(loss=loss, reconstruction_loss=nll, **logs)
        return [ops.mean(loss), ops.mean(prior_loss)]

    def _read(self, network, inputs, training=False):
        return ops.cast(network(inputs, training=training), "float32")

    def _nll(self, x, e, training=False):
        return self.distribution.nll(x, self._read(self.decoder, e, training))

    def _as_image(self, k):
        """Codes (batch, h, w) as the prior takes them, images of so many levels in [0, 1]."""
        return ops.cast(k[..., None], "float32") / (self.num_codes - 1)

    def _as_codes(self, image):
        return ops.cast(ops.round(image[..., 0] * (self.num_codes - 1)), "int32")

    def _codes(self, x):
        return self.quantizer(self._read(self.encoder, x))[0]

    def _decode(self, k):
        outputs = self._read(self.decoder, self.quantizer.look_up(k))
        return self.distribution.mean(outputs)

    def _generate(self, y, noise):
        generate, _ = self.prior.signatures()["generate"]
        return self._decode(self._as_codes(generate(y, noise)["image"]))

    def _elbo(self, y, image, noise):
        x = self.distribution.observe(image, noise)
        k, e = self.quantizer(self._read(self.encoder, x))
        return -self._nll(x, e) - self.prior._nll(self._as_image(k), y)

    def _shown(self, y, image, mask):
        """Codes of images whose hidden pixels are as the mean of the others, and which to draw."""
        is_shown = ops.cast(ops.logical_not(mask), "float32")[..., None]
        total = ops.sum(is_shown * image, axis=(1, 2), keepdims=True)
        mean = total / ops.maximum(ops.sum(is_shown, axis=(1, 2), keepdims=True), 1.0)
        k = self._codes(ops.where(mask[..., None], mean, image))
        (h, w), (height, width, _) = self.code.shape, self.image_shape
        high, wide = patch_of(height, h), patch_of(width, w)
        padding = (0, 0), (0, h * high - height), (0, w * wide - width)
        parts = ops.reshape(ops.pad(ops.cast(mask, "int32"), padding), (-1, h, high, w, wide))
        return {"code": k, "mask": ops.max(parts, axis=(2, 4)) > 0}

    def figures(self, logs):
        """The bound on log p(x) in nats an image, its terms, and bits/dim of levels, 3 or more.

        The bound is that of the nearest codes, log p(x | e) + log p(k).
        """
        elbo = -(logs["reconstruction_loss"] + logs["prior_loss"])
        figures = {"elbo": elbo} | {k: v for k, v in logs.items() if k != "loss"}
        if self.distribution.has_bits_per_dim:
            figures["bits_per_dim"] = bits_per_dim(-elbo, self.image_shape)
        return figures

    def _any(self, labels):
        """The labels, or where none are given some, for what looks at none."""
        return self.condition.example()[0] if labels is None and self.condition else labels

    def sample(
        self, num, labels=None, *, temperature: float = 1.0, seed=None, batch_size: int = 64
    ):
        """Images of codes that the prior draws, one after the other.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            temperature: float above 0. Divides the prior's logits: below 1 likelier codes.
            seed: int, None, which draws one, or an int array (num,). Image i of a seed is the same
                on every backend and server, alone and among others, but for a code now and then
                whose number falls on an edge.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        given = {"temperature": temperature, "seed": seed, "batch_size": batch_size}
        with backend.synchronized():  # in `fit` it is this model whose state is looked at
            drawn = self.prior.sample(num, labels, **given)
        return self._decoded(drawn, batch_size)

    def _decoded(self, images, batch_size):
        """The images of codes as the prior's verbs give them."""
        codes = np.rint(images[..., 0] * (self.num_codes - 1)).astype("int32")
        return self.decode(codes, batch_size=batch_size)

    def encode(self, images, labels=None, *, batch_size=256):
        """The codes of images.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: not needed, as codes are of the image alone.
            batch_size: int. Images at a time.

        Returns:
            NumPy int32 array (num, h, w), in 0..num_codes - 1.
        """
        labels = self._any(labels)
        return self.answer("encode", labels, batch_size=batch_size, image=images)["code"]

    def decode(self, code, labels=None, *, batch_size=256):
        """The images of codes.

        Args:
            code: int array (num, h, w), in 0..num_codes - 1.
            labels: not needed, as images are of their codes alone.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        labels = self._any(labels)
        return self.answer("decode", labels, batch_size=batch_size, code=code)["image"]

    def reconstruct(self, images, labels=None, *, batch_size=256):
        """Images encoded and decoded again.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: not needed, as codes are of the image alone.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        labels = self._any(labels)
        return self.answer("reconstruct", labels, batch_size=batch_size, image=images)["image"]

    def usage(self, images, *, batch_size=256):
        """How often each code stands in the codes of these images, which may be a whole data set.

        `kgen.metrics.perplexity` of it is the number of codes that would be as varied if all were
        as frequent.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            batch_size: int. Images at a time.

        Returns:
            NumPy int array (num_codes,).
        """
        codes = self.encode(images, batch_size=batch_size)
        return np.bincount(codes.ravel(), minlength=self.num_codes)

    def elbo(self, images, labels=None, *, seed=None, batch_size=100):
        """The bound log p(x | e) + log p(k) on log p(x) of each image, k its nearest codes.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            seed: int, None, which draws one, or an int array (num,). Seeds the binarization, of
                "bernoulli".
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats; a density's, unless the likelihood is of 8 bits or binary.
        """
        x = self.image.check(images)
        given = {"image": x, "seed": seeds_of(seed, len(x))}
        return self.answer("elbo", labels, batch_size=batch_size, **given)["elbo"]

    def complete(
        self,
        images,
        mask,
        labels=None,
        *,
        copies: int = 1,
        temperature: float = 1.0,
        seed=None,
        batch_size: int = 64,
    ):
        """Images whose hidden pixels are drawn, by way of their codes.

        Codes in whose patch a pixel is hidden are drawn anew, row by row given all before them;
        others are those of the image with hidden pixels as the mean of the shown ones, so that
        what is hidden has no influence. Shown pixels stay.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            mask: bool array (height, width) or (num, height, width), True where a pixel is hidden.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            copies: int. Completions of each image.
            temperature: float above 0. Divides the prior's logits: below 1 likelier codes.
            seed: int, None, which draws one, or an int array (num,).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, copies, height, width, channels) in [0, 1].
        """
        x = self.image.check(images)
        mask = Mask(self.image_shape[:2]).rows(mask, len(x))
        rows = {"image": x, "mask": mask}
        shown = self.run(self._shown, rows, self._any(labels), batch_size=batch_size)
        with backend.synchronized():
            drawn = self.prior.complete(
                shown["code"][..., None] / (self.num_codes - 1.0),
                shown["mask"],
                labels,
                copies=copies,
                temperature=temperature,
                seed=seed,
                batch_size=batch_size,
            )
        made = self._decoded(drawn.reshape(-1, *drawn.shape[2:]), batch_size)
        made = made.reshape(*drawn.shape[:2], *self.image_shape)
        return np.where(mask[:, None, ..., None], made, x[:, None])

    def report(self, data):
        images, labels = self.examples(data, 32)
        hidden = self.lower_half()
        of_few = images[:8], hidden, None if labels is None else labels[:8]
        return super().report(data) | {
            "reconstructions.png": pictures.reconstructions(self, images, labels),
            "completions.png": pictures.completions(self, *of_few, seed=0),
        }

    def signatures(self):
        def encode(y, image):
            return {"code": self._codes(image)}

        def decode(y, code):
            return {"image": self._decode(code)}

        def reconstruct(y, image):
            return {"image": self._decode(self._codes(image))}

        def elbo(y, image, noise):
            return {"elbo": self._elbo(y, image, noise)}

        def complete(y, image, mask, noise):
            fill, _ = self.prior.signatures()["complete"]
            shown = self._shown(y, image, mask)
            known = {"image": self._as_image(shown["code"]), "mask": shown["mask"]}
            made = self._decode(self._as_codes(fill(y, noise=noise, **known)["image"]))
            return {"image": ops.where(mask[..., None], made, image)}

        image, seed = {"image": self.image}, {"seed": Seed()}
        return super().signatures() | {
            "encode": (encode, image),
            "decode": (decode, {"code": self.code}),
            "reconstruct": (reconstruct, image),
            "elbo": (elbo, image | seed),
            "complete": (complete, image | {"mask": Mask(self.image_shape[:2])} | seed),
        }

    def published(self):
        prior = self.prior.published()
        copy = type(self).from_config(self.get_config() | {"prior": prior})
        pairs = (getattr(self, name) for name in ("encoder", "decoder", "quantizer"))
        mine, its = [*pairs, prior], [copy.encoder, copy.decoder, copy.quantizer, copy.prior]
        for part, other in zip(mine, its, strict=True):
            other.set_weights(part.get_weights())
        copy._steps.assign(self._steps)
        return copy

    def get_config(self):
        return super().get_config() | {
            "num_codes": self.num_codes,
            "code_dim": self.code_dim,
            "encoder": self.encoder,
            "decoder": self.decoder,
            "prior": self.prior,
            "width": self.width,
            "depth": self.depth,
            "patch": self.patch,
            "prior_width": self.prior_width,
            "prior_depth": self.prior_depth,
            "codebook": self.codebook,
            "commitment": self.commitment,
            "decay": self.decay,
            "restart_after": self.restart_after,
            "likelihood": self.likelihood,
        }


def squared_distance(a, b):
    """||a - b||^2 of each row, (batch,)."""
    return ops.sum(ops.square(a - b), axis=tuple(range(1, len(a.shape))))


def patch_of(size, num):
    """Pixels a side that each of so many codes stands for: with strides of 2 a power of it."""
    powers = (2**n for n in range(size.bit_length() + 1))
    return next((each for each in powers if -(-size // each) == num), -(-size // num))
