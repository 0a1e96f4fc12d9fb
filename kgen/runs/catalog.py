"""The models by their names on the command line, which is known before Keras is imported."""

import difflib

# Of each the name of its class in `kgen`.
MODELS = {
    "aae": "AdversarialAutoencoder",
    "autoencoder": "Autoencoder",
    "beta_tc_vae": "BetaTCVAE",
    "bigan": "BiGAN",
    "cgan": "ConditionalGAN",
    "dcgan": "DCGAN",
    "ddpm": "DDPM",
    "edm": "EDM",
    "factor_vae": "FactorVAE",
    "flow_matching": "FlowMatching",
    "fvsbn": "FVSBN",
    "gan": "GAN",
    "gated_pixelcnn": "GatedPixelCNN",
    "glow": "Glow",
    "infogan": "InfoGAN",
    "ladder_vae": "LadderVAE",
    "lsgan": "LSGAN",
    "made": "MADE",
    "nade": "NADE",
    "pixelcnn": "PixelCNN",
    "pixelcnn_plus_plus": "PixelCNNPlusPlus",
    "pixelrnn": "PixelRNN",
    "pixelvae": "PixelVAE",
    "real_nvp": "RealNVP",
    "semi_supervised_aae": "SemiSupervisedAAE",
    "vae": "VAE",
    "vaegan": "VAEGAN",
    "vq_vae": "VQVAE",
    "wgan": "WGAN",
    "wgan_gp": "WGANGP",
}


def require_known(known, name: str, what: str):
    """Raises a ValueError that says which names there are, and which is the nearest."""
    if name in known:
        return
    raise ValueError(
        f"Expected {what}: one of {', '.join(known)}.{nearest(known, name)} Received: {name}"
    )


def nearest(known, name):
    """The question whether the nearest of some names was meant, with a space before it, if any."""
    by_letters = {_letters(each): each for each in known}
    near = difflib.get_close_matches(_letters(name), by_letters, n=1, cutoff=0.4)
    return f" Did you mean {by_letters[near[0]]}?" if near else ""


def _letters(name):
    return name.lower().replace("-", "").replace("_", "")
