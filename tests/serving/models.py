"""Small models of every kind that is served, and inputs for their signatures."""

import functools
import io

import keras
import numpy as np
from PIL import Image

import kgen
from kgen import fields
from tests.zoo import ZOO

SHAPE = (8, 8, 1)
OF_THE_ZOO = ("autoencoder", "vae", "dcgan", "conditional_gan", "info_gan")


def averaged_gan():
    """A GAN whose averaged weights are others than its weights."""
    model = ZOO["gan"].make(seed=0)
    for average in model.average.network.variables:
        average.assign(0.5 * average + 0.1)
    return model


def gan(condition):
    return kgen.GAN(SHAPE, latent_dim=3, width=20, condition=condition, seed=0)


def vae_of_images():
    return kgen.VAE(SHAPE, latent_dim=3, width=6, condition=fields.Image((4, 4, 3)), seed=0)


def pixel_cnn(model_class, image_shape, levels, num_classes=None):
    """Of few levels, and with weights that count: of one that starts, much is zero."""
    sizes = {"width": 6, "depth": 1, "levels": levels, "num_classes": num_classes}
    model = model_class(image_shape, seed=0, **sizes)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) * 0.5)
    return model


MODELS = {name: functools.partial(ZOO[name].make, seed=0) for name in OF_THE_ZOO} | {
    "averaged_gan": averaged_gan,
    "gan_of_attributes": lambda: gan(fields.Attributes(2)),
    "gan_of_tokens": lambda: gan(fields.Tokens(2, vocabulary=5)),
    "vae_of_images": vae_of_images,
    "pixel_cnn": lambda: pixel_cnn(kgen.PixelCNN, (5, 4, 1), 2),
    "gated_pixel_cnn": lambda: pixel_cnn(kgen.GatedPixelCNN, (4, 3, 3), 4, num_classes=3),
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
    condition = model.condition
    if condition is not None:
        rows = np.resize(np.arange(7), (num, *condition.shape)) % (1 + (condition.high or 1))
        wire = "int64" if condition.dtype == "int32" else condition.dtype
        given[condition.input_name] = rows.astype(wire)
    if isinstance(model, kgen.LatentModel):
        given["z"] = rng.normal(size=(num, model.code_size)).astype("float32")
    if isinstance(model, kgen.InfoGAN):
        codes = np.column_stack([np.arange(num) % 3, rng.uniform(-1, 1, num)])
        given["codes"] = codes.astype("float32")
    return given
