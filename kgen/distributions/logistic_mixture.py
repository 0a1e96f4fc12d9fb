"""Pixels of so many levels, of which near ones have like probabilities."""

import keras
import numpy as np
from keras import ops

from kgen.checks import whole_number
from kgen.distributions.distribution import Distribution
from kgen.losses import logistic_mixture_nll
from kgen.losses.likelihood import log_of_bin


@keras.saving.register_keras_serializable("kgen")
class LogisticMixture(Distribution):
    """Pixels of so many levels, a mixture of logistic distributions over the bins of the levels.

    The network gives, side by side, the weights' logits, the means, in [-1, 1], and log-scales.
    Uncoupled, each colour has a mixture of its own. Coupled, a pixel's colours share the weights,
    and the mean of each moves by coefficients with the colours before it,  m_G + a x_R  and
    m_B + b x_R + c x_G  (eq. 3), a, b and c being the tanh of what the network gives.

    Args:
        components: int. Logistic distributions in the mixture. Defaults to 10.
        levels: int. Values of a pixel and colour. Defaults to 256, those of 8 bits.
        coupled: bool. For networks that see no colour of the pixel itself.

    Reference: Salimans et al., PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
    Likelihood and Other Modifications, 2017. https://arxiv.org/abs/1701.05517
    """

    has_bits_per_dim = True
    uniforms = 2
    unbounded = True

    def __init__(self, components=10, levels=256, coupled=False):
        self.components = whole_number("components", components)
        self.levels = whole_number("levels", levels, at_least=3, at_most=256)
        self.coupled = bool(coupled)
        self.parameters = 3 * self.components

    def num_outputs(self, colors):
        """Numbers that a network gives for a pixel.

        Uncoupled, channel i belongs to colour i mod colors. Coupled, the logits come first, then
        each colour's means, each colour's log-scales, and the coefficients of each pair of colours.
        """
        if not self.coupled:
            return super().num_outputs(colors)
        return self.components * (1 + 2 * colors + colors * (colors - 1) // 2)

    def nll(self, x, outputs):
        """-log p(x | outputs), shape (batch,), in nats."""
        x = 2.0 * x - 1.0
        colors = x.shape[-1]
        logits, means, log_scales, coefficients = self._split(outputs, colors)
        if self.coupled:
            means = self._moved(means, coefficients, ops.split(x, colors, axis=-1))
            means = ops.stack(means, axis=-2)
        else:
            x = x[..., None]
        return logistic_mixture_nll(x, logits, means, log_scales, self.levels)

    def _split(self, outputs, colors):
        """Logits (..., K), means and log-scales (..., colours, K), coefficients of the pairs.

        Uncoupled the colours are among the first axes, and the last but one is of one.
        """
        shape, k = ops.shape(outputs)[:-1], self.components
        if not self.coupled:
            outputs = ops.swapaxes(ops.reshape(outputs, (*shape, 3 * k, colors)), -1, -2)
            logits, means, log_scales = ops.split(outputs, 3, axis=-1)
            means, log_scales = means[..., None, :], log_scales[..., None, :]
            coefficients = []
        else:
            sizes = np.cumsum([k, colors * k, colors * k])
            logits, means, log_scales, coefficients = ops.split(outputs, sizes.tolist(), axis=-1)
            means = ops.reshape(means, (*shape, colors, k))
            log_scales = ops.reshape(log_scales, (*shape, colors, k))
            pairs = colors * (colors - 1) // 2
            coefficients = ops.split(ops.tanh(coefficients), pairs, axis=-1) if pairs else []
        return logits, means, ops.clip(log_scales, -7.0, 7.0), coefficients

    def _moved(self, means, coefficients, before=None):
        """The means of the first colours, (..., K) each, moved by the colours before them.

        Args:
            means: tensor (..., colours, K).
            coefficients: list of tensors (..., K), those of R on G, R on B, G on B and so on.
            before: list of colours (..., 1) in [-1, 1]. Defaults to the means themselves.
        """
        moved, coefficients = [], iter(coefficients)
        for color in range(means.shape[-2]):
            mean = means[..., color, :]
            for value in (before or moved)[:color]:
                mean = mean + next(coefficients) * value
            moved.append(mean)
        return moved

    def mean(self, outputs):
        """The image of the logistics' means, in [0, 1]."""
        colors = self._colors_of(outputs)
        logits, means, _, coefficients = self._split(outputs, colors)
        if self.coupled:
            means = ops.stack(self._moved(means, coefficients), axis=-2)
            logits = logits[..., None, :]
        else:
            means = means[..., 0, :]
        means = ops.clip(means, -1.0, 1.0)
        return 0.5 * (ops.sum(ops.softmax(logits, axis=-1) * means, axis=-1) + 1.0)

    def _colors_of(self, outputs):
        return next(c for c in range(1, 99) if self.num_outputs(c) == outputs.shape[-1])

    def output_for(self, mean):
        """The decoder's output whose mean image is `mean`, a NumPy array.

        The components differ by their scales: equal ones would learn the same for ever.
        """
        *shape, colors = mean.shape
        mean, log_scales = 2.0 * mean - 1.0, np.linspace(-2.0, 0.0, self.components)
        if self.coupled:  # by colour
            means, log_scales = np.repeat(mean, self.components, -1), np.tile(log_scales, colors)
        else:
            means, log_scales = np.tile(mean, self.components), np.repeat(log_scales, colors)
        before = self.components * (1 if self.coupled else colors)
        after = self.num_outputs(colors) - before - 2 * len(log_scales)
        logits, coefficients = (np.zeros((*shape, num)) for num in (before, after))
        log_scales = np.broadcast_to(log_scales, means.shape)
        return np.concatenate([logits, means, log_scales, coefficients], -1)

    def prepare(self, uniform, known, temperature):
        """What `draw` takes, of numbers in (0, 1) and of pixels in [0, 1], -1 where unknown."""
        which, u = ops.split(uniform, 2, axis=-1)
        return [which, ops.log(u) - ops.log1p(-u), known]

    def draw(self, outputs, before, temperature, which, noise, known):
        """A level in [0, 1]: of a component that one number chooses, what another draws of it.

        With a temperature T, the logits are divided by it and the scales multiplied. Coupled, the
        component is chosen given the colours before: of a shared one they tell.

        Args:
            outputs: float32 tensor (batch, outputs) at one pixel, uncoupled those of one colour.
            before: list of the pixel's colours before it, (batch, 1) in [-1, 1].
            temperature: float32 scalar.
            which: tensor (batch, 1) in (0, 1).
            noise: tensor (batch, 1), of the logistic distribution.
            known: tensor (batch, 1).
        """
        colors = self._colors_of(outputs) if self.coupled else 1
        logits, means, log_scales, coefficients = self._split(outputs, colors)
        if not self.coupled:
            logits, before = logits[:, 0], []
            means, log_scales = means[:, 0], log_scales[:, 0]
        color = len(before)
        logits, log_scales = logits / temperature, log_scales + ops.log(temperature)
        means = self._moved(means[:, : color + 1], coefficients, before)
        for i, value in enumerate(before):
            logits = logits + log_of_bin(value, means[i], log_scales[:, i], self.levels)
        below = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)[:, :-1] <= which
        chosen = ops.sum(ops.cast(below, "int32"), axis=-1, keepdims=True)
        mean = ops.take_along_axis(means[color], chosen, axis=-1)
        scale = ops.exp(ops.take_along_axis(log_scales[:, color], chosen, axis=-1))
        value = 0.5 * (ops.clip(mean + scale * noise, -1.0, 1.0) + 1.0)
        level = ops.round(value * (self.levels - 1)) / (self.levels - 1)
        return ops.where(known < 0, level, known)

    def get_config(self):
        return {
            "components": self.components,
            "levels": self.levels,
            "coupled": self.coupled,
        }
