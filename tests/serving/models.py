"""Small models of every kind that is served, and inputs for their signatures."""

import io

import keras
import numpy as np
from PIL import Image

import kgen
from tests.models.test_pixel_cnn import models as pixel_cnns
from tests.zoo import ZOO


def averaged_gan():
    """A GAN whose averaged weights are others than its weights."""
    gan = ZOO["gan"].make(seed=0)
    for average in gan.ema_generator.variables:
        average.assign(0.5 * average + 0.1)
    return gan


MODELS = {
    "autoencoder": lambda: ZOO["autoencoder"].make(seed=0),
    "vae": lambda: ZOO["vae"].make(seed=0),
    "conditional_vae": lambda: ZOO["conditional_vae"].make(seed=0),
    "averaged_gan": averaged_gan,
    "dcgan": lambda: ZOO["dcgan"].make(seed=0),
    "conditional_gan": lambda: ZOO["conditional_gan"].make(seed=0),
    "info_gan": lambda: ZOO["info_gan"].make(seed=0),
    "pixel_cnn": lambda: pixel_cnns((5, 4, 1), levels=2)[0],
    "gated_pixel_cnn": lambda: pixel_cnns((4, 3, 3), levels=4)[1],
}


def png(image):
    """An image in [0, 1] as a PNG file."""
    file = io.BytesIO()
    pixels = np.rint(255 * image).astype("uint8")
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def rows_of(model, num):
    """What a model's signatures take, by name."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 4, (num, *model.image_shape)) / 3.0
    given = {
        "seed": np.arange(num) - 2,
        "image": images.astype("float32"),
        "image_bytes": np.array([png(image) for image in images], "O"),
        "mask": rng.random((num, *model.image_shape[:2])) < 0.5,
    }
    if model.num_classes is not None:
        given["label"] = np.arange(num) % model.num_classes
    if hasattr(model, "code_size"):
        given["z"] = rng.normal(size=(num, model.code_size)).astype("float32")
    elif hasattr(model, "latent_dim"):
        given["z"] = rng.normal(size=(num, model.latent_dim)).astype("float32")
    if isinstance(model, kgen.InfoGAN):
        codes = np.column_stack([np.arange(num) % 3, rng.uniform(-1, 1, num)])
        given["codes"] = codes.astype("float32")
    return given
