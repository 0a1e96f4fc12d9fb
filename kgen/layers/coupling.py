"""Half of an image is stretched by what the other half says."""

import math

import keras
import numpy as np
from keras import ops

from kgen.checks import choice
from kgen.layers.bijection import Bijection, sum_of_each

MASKS = ("channels", "checkerboard")
SCALES = ("sigmoid", "tanh", None)
LEAST_SCALE = 1e-3  # below which the inverse would blow up


@keras.saving.register_keras_serializable("kgen")
class Coupling(Bijection):
    """z = (x + shift) scale of one half, both given by the other half, which stays.

    (batch, height, width, channels) -> the same shape, and log|det| (batch,).

    Args:
        network: keras.Model from the half that stays, with a condition from [half, condition], to
            twice the channels of the half that moves, as many where `scale` is None: the shifts,
            then what the scales are made of. For a checkerboard it is from the image with 0 in
            place of what moves and, as one channel more, 1 where it stays.
        mask: "channels", the first half of the channels stays; or "checkerboard", every other
            pixel does, the upper left one first.
        swap: bool. The other half stays.
        scale: "sigmoid", of Glow: sigmoid(s + 2), at least 0.001; "tanh", of Real NVP: exp(a
            tanh(s)), a learned; or None for 1, which makes it additive.

    Reference: Dinh et al., Density Estimation Using Real NVP, 2016, eq. 4 and section 3.4.
    https://arxiv.org/abs/1605.08803
    """

    def __init__(self, network, mask="channels", swap=False, scale="sigmoid", **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.mask = choice("mask", mask, MASKS)
        self.swap = swap
        self.scale = choice("scale", scale, SCALES)

    def build(self, x_shape, y_shape=None):
        _, height, width, channels = x_shape
        if self.mask == "channels" and channels < 2:
            raise ValueError(
                "Expected two channels at least, of which one half stays. Received: an image of "
                f"{x_shape[1:]}; its Squeeze has four times the channels"
            )
        half = channels // 2
        self.num_first = channels - half if self.swap else half
        stays = np.indices((height, width)).sum(axis=0) % 2 == int(self.swap)
        self.stays = stays.astype("float32")[None, ..., None]
        if self.scale == "tanh":
            self.most = self.add_weight(shape=(), initializer="ones", name="most")

    def call(self, x, y=None):
        if self.mask == "checkerboard":
            shift, log_scale = self._given(self._seen(x), y)
            return (x + shift) * ops.exp(log_scale), sum_of_each(log_scale)
        stays, moves = self._halves(x)
        shift, log_scale = self._given(stays, y)
        return self._joined(stays, (moves + shift) * ops.exp(log_scale)), sum_of_each(log_scale)

    def inverse(self, z, y=None):
        if self.mask == "checkerboard":
            shift, log_scale = self._given(self._seen(z), y)
            return z * ops.exp(-log_scale) - shift
        stays, moves = self._halves(z)
        shift, log_scale = self._given(stays, y)
        return self._joined(stays, moves * ops.exp(-log_scale) - shift)

    def _halves(self, x):
        """What stays, and what moves."""
        halves = x[..., : self.num_first], x[..., self.num_first :]
        return halves[::-1] if self.swap else halves

    def _joined(self, stays, moves):
        return ops.concatenate([moves, stays] if self.swap else [stays, moves], axis=-1)

    def _seen(self, x):
        mask = ops.cast(self.stays, x.dtype)
        return ops.concatenate([x * mask, ops.zeros_like(x[..., :1]) + mask], axis=-1)

    def _given(self, seen, y):
        """The shift and the logarithm of the scale, 0 at the pixels that stay."""
        outputs = self.network(seen if y is None else [seen, y])
        outputs = ops.cast(outputs, self.compute_dtype)
        if self.scale is None:
            shift, log_scale = outputs, ops.zeros_like(outputs)
        else:
            shift, raw = ops.split(outputs, 2, axis=-1)
            log_scale = self._log_scale(raw)
        if self.mask == "channels":
            return shift, log_scale
        moves = ops.cast(1.0 - self.stays, self.compute_dtype)
        return shift * moves, log_scale * moves

    def _log_scale(self, raw):
        if self.scale == "tanh":
            return self.most * ops.tanh(raw)
        return ops.clip(ops.log_sigmoid(raw + 2.0), math.log(LEAST_SCALE), 0.0)

    def get_config(self):
        return super().get_config() | {
            "network": keras.saving.serialize_keras_object(self.network),
            "mask": self.mask,
            "swap": self.swap,
            "scale": self.scale,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"network": keras.saving.deserialize_keras_object(config["network"])})
