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

_command = os.path.splitext(os.path.basename((sys.argv or [""])[0]))[0]

# The command line imports what it needs itself, once it has chosen Keras' backend.
if _command != "kgen" and sys.orig_argv[1:3] != ["-m", "kgen.cli"]:
    from kgen import callbacks, data, losses, networks, pictures, runs
    from kgen.models.autoencoder import Autoencoder
    from kgen.models.vae import VAE
