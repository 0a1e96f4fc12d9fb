"""Images as the page sends and shows them."""

import base64
import io

import numpy as np
from PIL import Image


def url(pixels):
    """The data URL of an image, uint8 (height, width, channels) or bool (height, width)."""
    file = io.BytesIO()
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def pixels(src):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(src.partition(",")[2]))))
