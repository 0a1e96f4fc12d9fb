"""The models by their names on the command line, which is known before Keras is imported."""

import difflib

# Of each the name of its class in `kgen`.
MODELS = {
    "autoencoder": "Autoencoder",
    "cgan": "ConditionalGAN",
    "dcgan": "DCGAN",
    "gan": "GAN",
    "gated_pixelcnn": "GatedPixelCNN",
    "infogan": "InfoGAN",
    "lsgan": "LSGAN",
    "pixelcnn": "PixelCNN",
    "vae": "VAE",
    "wgan": "WGAN",
    "wgan_gp": "WGANGP",
}


def require_known(known, name: str, what: str):
    """Raises a ValueError that says which names there are, and which is the nearest."""
    if name in known:
        return
    by_letters = {_letters(each): each for each in known}
    near = difflib.get_close_matches(_letters(name), by_letters, n=1, cutoff=0.4)
    hint = f" Did you mean {by_letters[near[0]]}?" if near else ""
    raise ValueError(f"Expected {what}: one of {', '.join(known)}.{hint} Received: {name}")


def _letters(name):
    return name.lower().replace("-", "").replace("_", "")
