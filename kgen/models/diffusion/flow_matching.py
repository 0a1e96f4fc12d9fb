"""Flow matching: a field of velocities from noise to images."""

import keras
import numpy as np
from keras import ops

from kgen import backend, priors, samplers
from kgen.checks import choice
from kgen.fields import Time
from kgen.models.diffusion.ode_model import OdeModel
from kgen.samplers import Path

COUPLINGS = ("independent", "optimal_transport")


@keras.saving.register_keras_serializable("kgen")
class FlowMatching(OdeModel):
    """Flow matching: a network of the velocity from noise to an image, along straight ways.

    x_t = t x + (1 - t) eps, and the network minimises  E_{t, x, eps} ||v(x_t, t) - (x - eps)||^2,
    averaged over pixels, t uniform in [0, 1] (Lipman et al. 2022, eq. 23, sigma_min of 0; Tong et
    al. 2023, algorithms 2 and 3).

    Args:
        image_shape: tuple (height, width, channels).
        network: keras.Model from [image, t], with a condition from [image, t, condition, given],
            to (batch, height, width, channels), t being 1000 times as large; or None for the
            preset.
        architecture: "unet", or "dit", a transformer (Peebles & Xie 2022).
        width: int. Of the preset: a U-Net's channels of the first blocks, 128 from 32x32 on and 32
            below by default; a transformer's numbers of a patch, 384 or 128.
        dropout: float in [0, 1). Of the preset's blocks. Defaults to 0.1.
        patch: int. Of the preset: each square of so many pixels a side is one. Defaults to 1, a
            transformer's to 2.
        coupling: "independent", or "optimal_transport", by which noise and images of a batch are
            paired such that the sum of their squared distances is least, those of one condition
            among themselves, on TensorFlow and PyTorch those of one device: ways cross less, and
            fewer steps go along them (Tong et al., Improving and Generalizing Flow-Based Generative
            Models with Minibatch Optimal Transport, 2023, https://arxiv.org/abs/2302.00482).
        prior: "normal", "uniform" or a `kgen.priors.Prior` of height * width * channels numbers:
            where ways begin, beside images in [-1, 1]. One with a density of 0 somewhere, as
            "uniform", has no `log_likelihood`.
        self_condition: bool. Shows the network, behind the image, its own last guess of it.
        drop_condition: float in [0, 1]. The part of the images whose condition is left out in
            training, without which there is no guidance. Defaults to 0.1.
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        sampler: "euler", "midpoint", "heun", with a normal prior also "ddim" and "dpm_solver", or
            a sampler's object, as `kgen.samplers.Ancestral(steps=50)`. Defaults to "euler" of 50
            steps.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(8, 8, 8, 1)
    >>> flow = kgen.FlowMatching((8, 8, 1), width=8)
    >>> flow.compile()
    >>> history = flow.fit(images, verbose=0)
    >>> flow.sample(2, seed=0, sampler="midpoint", steps=3).shape
    (2, 8, 8, 1)

    Reference: Lipman et al., Flow Matching for Generative Modeling, 2022.
    https://arxiv.org/abs/2210.02747
    """

    named_samplers = samplers.OF_VELOCITY
    inverting = "midpoint"

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        network: keras.Model | None = None,
        architecture: str = "unet",
        width: int | None = None,
        dropout: float = 0.1,
        patch: int | None = None,
        coupling: str = "independent",
        prior: str = "normal",
        self_condition: bool = False,
        drop_condition: float = 0.1,
        ema_decay: float | None = 0.9999,
        sampler: str = "euler",
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            network,
            meaning="the velocity",
            architecture=architecture,
            width=width,
            dropout=dropout,
            patch=patch,
            self_condition=self_condition,
            drop_condition=drop_condition,
            ema_decay=ema_decay,
            sampler=sampler,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.coupling = choice("coupling", coupling, COUPLINGS)
        self.prior = priors.get(prior, int(np.prod(self.image_shape)))
        if coupling == "optimal_transport" and not backend.XLA_ASKS_HOST:
            self.supports_jit = False  # as Keras asks, for "auto"
        self.own_sampler()

    @property
    def can_complete(self):
        return isinstance(self.prior, priors.Normal)

    @property
    def has_likelihood(self):
        return self.prior.has_full_support

    @property
    def time(self):
        return Time(0.0, 1.0)

    def level(self, t):
        t = ops.reshape(ops.cast(t, "float32"), (-1, 1, 1, 1))
        return {"signal": t, "noise": 1.0 - t}

    def path(self, sampler):
        is_of_noise = not isinstance(sampler, samplers.ODE)
        if sampler.spacing is not None or sampler.steps is None:
            raise ValueError(
                "Expected a sampler of so many steps, as kgen.samplers.Ancestral(steps=50) or "
                f"steps= of sample has it, and spacing None. Received: {sampler}"
            )
        if is_of_noise and not self.can_complete:
            raise ValueError(
                "Expected euler, midpoint, heun or a kgen.samplers.ODE with a prior that is not "
                f"normal. Received: {sampler}"
            )
        t = np.linspace(0.0, 1.0, sampler.steps + 1)
        return Path(t[:-1], t, 1.0 - t)

    def told(self, row):
        return 1000.0 * row["signal"]

    def x0_of(self, outputs, x, row):
        return x + row["noise"] * outputs, row.get("log_small", outputs)

    def start(self, noise, num):
        return ops.reshape(self.prior.draw(noise, num), (num, *self.image_shape))

    def loss_of_each(self, x_0, y, noise, training=True):
        eps = self.start(noise, ops.shape(x_0)[0])
        if self.coupling == "optimal_transport":
            pairs = backend.on_host(paired, "int32", x_0, eps, *([] if y is None else [y]))
            eps = ops.take(eps, pairs, axis=0)
        row = self.level(noise.uniform((ops.shape(x_0)[0],)))
        x_t = row["signal"] * x_0 + row["noise"] * eps
        v = self.outputs(x_t, row, y, noise, training)
        return ops.mean(ops.square(v - (x_0 - eps)), axis=(1, 2, 3))

    def slope(self, x, u, y):
        return self.guided(x, {"signal": u, "noise": 1.0 - u}, y)

    def grid(self, path):
        return path.signal[::-1]

    def log_prior(self, x):
        return self.prior.log_prob(ops.reshape(x, (-1, self.prior.size)))

    def get_config(self):
        return super().get_config() | {"coupling": self.coupling, "prior": self.prior}


def paired(x, eps, y=None):
    """For each image the row of its noise, so that the squared distances are least in sum.

    Args:
        x: NumPy array (num, ...).
        eps: array of the same shape.
        y: array (num, ...) or None. Rows are paired within the same y alone.

    Returns:
        NumPy array (num,) of int32.
    """
    from scipy.optimize import linear_sum_assignment

    x, eps = (np.reshape(each, (len(x), -1)).astype("float64") for each in (x, eps))
    cost = -2.0 * x @ eps.T  # the squares do not depend on the pairing
    if y is not None:
        rows = np.reshape(y, (len(x), -1))
        is_same = (rows[:, None] == rows[None]).all(axis=-1)
        cost = np.where(is_same, cost, np.abs(cost).sum() + 1.0)
    return linear_sum_assignment(cost)[1].astype("int32")
