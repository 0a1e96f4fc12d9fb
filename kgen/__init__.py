"""kgen: deep generative image models on Keras 3."""

import os
import sys

__version__ = "0.1.0"
__all__ = [
    "VAE",
    "Autoencoder",
    "callbacks",
    "data",
    "losses",
    "networks",
    "pictures",
    "runs",
]

# The command line imports what it needs itself, once it has chosen Keras' backend.
if os.path.splitext(os.path.basename((sys.argv or [""])[0]))[0] not in ("kgen", "-m"):
    from kgen import callbacks, data, losses, networks, pictures, runs
    from kgen.models.autoencoder import Autoencoder
    from kgen.models.vae import VAE
