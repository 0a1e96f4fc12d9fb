"""A codebook: vectors as the nearest of some."""

import keras
from keras import ops

from kgen import backend
from kgen.checks import choice, whole_number

CODEBOOKS = ("averages", "loss")
EPSILON = 1e-5  # of the smoothing, as the authors' code has it


@keras.saving.register_keras_serializable("kgen")
class VectorQuantizer(keras.layers.Layer):
    """A codebook of vectors e_k, and the nearest of them, k = argmin_j ||z - e_j||, in float32.

    By averages, `update` moves the codebook to the mean of the vectors that each code was nearest
    to (section 3.2 and appendix A.1):

        N_k <- decay N_k + (1 - decay) n_k,   m_k <- decay m_k + (1 - decay) sum z,
        e_k = m_k / N_k

    Sizes N start at 1 and sums m at e. Unlike the authors' code, what is added to the sizes counts
    as vectors at e_k itself: a code that nothing is near stays where it is.

    Args:
        num_codes: int. K.
        code_dim: int. D.
        codebook: "averages", which no gradient moves; or "loss", a weight as others.
        restart_after: int or None. After so many updates in which no vector was nearest to it, a
            code is put on a vector that is drawn from those of the update. None leaves it.

    Call:
        z: tensor (..., code_dim).

    Returns:
        The nearest codes, int32 (...), and their vectors (..., code_dim).

    Example:
    >>> k, e = kgen.layers.VectorQuantizer(16, 4)(np.zeros((2, 7, 7, 4)))
    >>> tuple(k.shape), tuple(e.shape)
    ((2, 7, 7), (2, 7, 7, 4))

    Reference: van den Oord et al., Neural Discrete Representation Learning, 2017.
    https://arxiv.org/abs/1711.00937
    """

    def __init__(
        self,
        num_codes,
        code_dim,
        codebook="averages",
        restart_after=None,
        dtype="float32",
        **kwargs,
    ):
        super().__init__(dtype=dtype, **kwargs)
        self.num_codes = whole_number("num_codes", num_codes, at_least=2, at_most=65536)
        self.code_dim = whole_number("code_dim", code_dim)
        self.codebook = choice("codebook", codebook, CODEBOOKS)
        self.restart_after = whole_number("restart_after", restart_after, optional=True)
        if restart_after is not None and codebook == "loss":
            raise ValueError(
                "Expected restart_after=None for codebook='loss', whose vectors the optimizer "
                f"alone moves. Received: {restart_after=}"
            )
        shape, by_average = (self.num_codes, self.code_dim), codebook == "averages"
        self.vectors = self._weight("vectors", shape, "uniform", trainable=not by_average)
        if by_average:
            self.sizes = self._weight("sizes", shape[:1], "ones")
            self.sums = self._weight("sums", shape, "zeros")
            self.sums.assign(ops.copy(self.vectors))
        if restart_after is not None:
            self.unused = self._weight("unused", shape[:1], "zeros", dtype="int32")
        self.built = True

    def _weight(self, name, shape, initializer, trainable=False, **kwargs):
        # Of what the replicas move alike.
        how = {} if trainable else {"aggregation": "only_first_replica"}
        return self.add_weight(
            shape=shape, initializer=initializer, trainable=trainable, name=name, **how, **kwargs
        )

    def call(self, z):
        vectors = ops.convert_to_tensor(self.vectors)
        z, fixed = (ops.stop_gradient(ops.cast(each, "float32")) for each in (z, vectors))
        middle = ops.mean(fixed, axis=0)  # far from 0 squares would round
        z, fixed = z - middle, fixed - middle
        products = ops.matmul(ops.reshape(z, (-1, self.code_dim)), ops.transpose(fixed))
        distances = ops.sum(ops.square(fixed), axis=-1) - 2.0 * products  # but for ||z||^2
        k = ops.reshape(ops.argmin(distances, axis=-1), ops.shape(z)[:-1])
        k = ops.cast(k, "int32")
        return k, self.look_up(k)

    def look_up(self, k):
        """The vectors (..., code_dim) of codes (...)."""
        return ops.take(self.vectors, k, axis=0)

    def update(self, z, k, decay, noise):
        """Moves the codebook by averages, once a step and after its vectors were used.

        Args:
            z: tensor (batch, height, width, code_dim).
            k: int tensor (batch, height, width), the nearest codes.
            decay: float32 scalar in [0, 1).
            noise: `kgen.noise.Noise`, which draws what codes start anew from.
        """
        rows = ops.reshape(ops.stop_gradient(ops.cast(z, "float32")), (-1, self.code_dim))
        one_hot = ops.one_hot(ops.reshape(k, (-1,)), self.num_codes, dtype="float32")
        found = ops.concatenate(
            [ops.sum(one_hot, axis=0)[:, None], ops.matmul(ops.transpose(one_hot), rows)], axis=1
        )
        found = backend.sum_over_replicas(found)
        before = ops.convert_to_tensor(self.vectors)
        sizes = decay * self.sizes + (1.0 - decay) * found[:, 0]
        sums = decay * self.sums + (1.0 - decay) * found[:, 1:]
        smooth = smoothed(sizes)
        vectors = (sums + (smooth - sizes)[:, None] * before) / smooth[:, None]
        if self.restart_after is not None:
            unused = ops.where(found[:, 0] > 0.0, 0, self.unused + 1)
            is_dead = unused >= self.restart_after
            drawn = backend.of_first_replica(self._draw(rows, ops.shape(z), noise))
            sizes = ops.where(is_dead, ops.ones_like(sizes), sizes)
            sums, vectors = (ops.where(is_dead[:, None], drawn, each) for each in (sums, vectors))
            self.unused.assign(ops.where(is_dead, ops.zeros_like(unused), unused))
        self.sizes.assign(sizes)
        self.sums.assign(sums)
        self.vectors.assign(vectors)

    def _draw(self, rows, shape, noise):
        """A row for each code, each another one as long as there are enough."""
        order = ops.argsort(ops.reshape(noise.uniform(shape[:-1]), (-1,)))
        turn = ops.arange(self.num_codes, dtype="int32") % ops.shape(order)[0]
        return ops.take(rows, ops.take(order, turn), axis=0)

    def compute_output_shape(self, shape):
        return tuple(shape[:-1]), tuple(shape)

    def get_config(self):
        return super().get_config() | {
            "num_codes": self.num_codes,
            "code_dim": self.code_dim,
            "codebook": self.codebook,
            "restart_after": self.restart_after,
        }


def smoothed(sizes):
    """Sizes of the same sum of which none is 0: (N + epsilon) / (n + K epsilon) n, n = sum N."""
    total = ops.sum(sizes)
    return (sizes + EPSILON) / (total + sizes.shape[0] * EPSILON) * total


def straight_through(z, e):
    """The vectors `e`, whose gradient is that of `z` alone: the encoder gets the decoder's."""
    return ops.stop_gradient(e) + (z - ops.stop_gradient(z))
