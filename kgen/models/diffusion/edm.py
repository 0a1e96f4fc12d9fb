"""The diffusion model of Karras et al., whose network is preconditioned."""

import math

import keras
import numpy as np
from keras import ops

from kgen.checks import number
from kgen.fields import Time
from kgen.models.diffusion.ode_model import OdeModel
from kgen.samplers import Path


@keras.saving.register_keras_serializable("kgen")
class EDM(OdeModel):
    """Diffusion by the amount of noise sigma: a network F whose inputs and outputs have variance 1.

    D(x; sigma) = c_skip x + c_out F(c_in x; ln(sigma) / 4),  eq. 7, is trained to give the image y
    below x = y + sigma n: E_{sigma, y, n} lambda(sigma) ||D(x; sigma) - y||^2, eq. 8, averaged over
    pixels, ln sigma normal, lambda such that each sigma counts alike.

    Unlike the paper, the preset's network is DDPM's, and images are not augmented.

    Args:
        image_shape: tuple (height, width, channels).
        network: keras.Model from [image, t], with a condition from [image, t, condition, given],
            to (batch, height, width, channels), t being ln(sigma) / 4; or None for the preset.
        architecture: "unet", or "dit", a transformer (Peebles & Xie 2022).
        width: int. Of the preset: a U-Net's channels of the first blocks, 128 from 32x32 on and 32
            below by default; a transformer's numbers of a patch, 384 or 128.
        dropout: float in [0, 1). Of the preset's blocks. Defaults to 0.1; the paper's is 0.13.
        patch: int. Of the preset: each square of so many pixels a side is one. Defaults to 1, a
            transformer's to 2.
        sigma_data: float. The deviation of images in [-1, 1]. Defaults to 0.5.
        sigma_min: float. The least noise from which an image is sampled. Defaults to 0.002.
        sigma_max: float. The noise that it begins at. Defaults to 80.
        rho: float. How close the times are to `sigma_min`. Defaults to 7.
        log_sigma_mean: float. P_mean, of ln sigma in training. Defaults to -1.2.
        log_sigma_std: float. P_std. Defaults to 1.2.
        self_condition: bool. Shows the network, behind the image, its own last guess of it.
        drop_condition: float in [0, 1]. The part of the images whose condition is left out in
            training, without which there is no guidance. Defaults to 0.1.
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        sampler: "heun", "ddim", which is Euler's method here, "dpm_solver", or a sampler's object,
            as `kgen.samplers.Ancestral(steps=50)`. Defaults to the paper's "heun" of 18 steps.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(8, 8, 8, 1)
    >>> edm = kgen.EDM((8, 8, 1), width=8)
    >>> edm.compile()
    >>> history = edm.fit(images, verbose=0)
    >>> edm.sample(2, seed=0, steps=3).shape
    (2, 8, 8, 1)

    Reference: Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models,
    2022. https://arxiv.org/abs/2206.00364
    """

    inverting = "heun"

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        network: keras.Model | None = None,
        architecture: str = "unet",
        width: int | None = None,
        dropout: float = 0.1,
        patch: int | None = None,
        sigma_data: float = 0.5,
        sigma_min: float = 0.002,
        sigma_max: float = 80.0,
        rho: float = 7.0,
        log_sigma_mean: float = -1.2,
        log_sigma_std: float = 1.2,
        self_condition: bool = False,
        drop_condition: float = 0.1,
        ema_decay: float | None = 0.9999,
        sampler: str = "heun",
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            network,
            meaning="F",
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
        self.sigma_data = number("sigma_data", sigma_data, above=0)
        self.sigma_min = number("sigma_min", sigma_min, above=0)
        self.sigma_max = number("sigma_max", sigma_max, above=sigma_min)
        self.rho = number("rho", rho, above=0)
        self.log_sigma_mean = number("log_sigma_mean", log_sigma_mean)
        self.log_sigma_std = number("log_sigma_std", log_sigma_std, above=0)
        self.own_sampler()

    def default_optimizers(self):
        return {"network": keras.optimizers.Adam(1e-3, name="network")}

    @property
    def time(self):
        return Time(self.sigma_min, self.sigma_max)

    def level(self, t):
        sigma = ops.reshape(ops.cast(t, "float32"), (-1, 1, 1, 1))
        return {"signal": ops.ones_like(sigma), "noise": sigma}

    def path(self, sampler):
        """The times of eq. 5."""
        if sampler.spacing not in (None, "karras") or sampler.steps is None:
            raise ValueError(
                "Expected a sampler of so many steps, as kgen.samplers.Ancestral(steps=50) or "
                f'steps= of sample has it, and spacing None or "karras". Received: {sampler}'
            )
        ends = self.sigma_max ** (1 / self.rho), self.sigma_min ** (1 / self.rho)
        sigma = np.linspace(*ends, sampler.steps) ** self.rho
        noise = np.append(sigma, 0.0)
        return Path(sigma, np.ones_like(noise), noise, self.sigma_max)

    def told(self, row):
        return 0.25 * ops.log(row["noise"])

    def seen(self, x, row):
        return x / ops.sqrt(ops.square(row["noise"]) + self.sigma_data**2)  # c_in

    def at_scale_of_image(self, x, noise):
        return x / ops.sqrt(1.0 + ops.square(noise))

    def x0_of(self, outputs, x, row):
        total = ops.square(row["noise"]) + self.sigma_data**2
        c_skip, c_out = self.sigma_data**2 / total, row["noise"] * self.sigma_data / ops.sqrt(total)
        return c_skip * x + c_out * outputs, row.get("log_small")

    def loss_of_each(self, x_0, y, noise, training=True):
        draw = noise.normal((ops.shape(x_0)[0],))
        row = self.level(ops.exp(self.log_sigma_mean + self.log_sigma_std * draw))
        x_t = x_0 + row["noise"] * noise.normal(ops.shape(x_0))
        guess, _ = self.x0_of(self.outputs(x_t, row, y, noise, training), x_t, row)
        weight = ops.square(1.0 / row["noise"]) + self.sigma_data**-2  # lambda
        return ops.mean(weight * ops.square(guess - x_0), axis=(1, 2, 3))

    def slope(self, x, u, y):
        x0, _ = self.guess(x, {"signal": ops.ones_like(u), "noise": u}, y)
        return (x - x0) / u  # eq. 1 and 3

    def grid(self, path):
        return path.noise[-2::-1]

    def log_prior(self, x):
        squares = ops.sum(ops.square(x / self.sigma_max), axis=(1, 2, 3))
        of_each = 0.5 * math.log(2.0 * math.pi) + math.log(self.sigma_max)
        return -0.5 * squares - math.prod(self.image_shape) * of_each

    def get_config(self):
        return super().get_config() | {
            "sigma_data": self.sigma_data,
            "sigma_min": self.sigma_min,
            "sigma_max": self.sigma_max,
            "rho": self.rho,
            "log_sigma_mean": self.log_sigma_mean,
            "log_sigma_std": self.log_sigma_std,
        }
