import numpy as np


def pixels(picture):
    """The pixels of a picture, as integers."""
    return np.asarray(picture).astype(int)
