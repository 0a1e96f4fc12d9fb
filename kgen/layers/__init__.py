"""Layers that Keras lacks, or has with a defect that matters here."""

from kgen.layers.conv2d_transpose import Conv2DTranspose
from kgen.layers.layer_norm import LayerNorm
from kgen.layers.spectral_normalization import SpectralNormalization

__all__ = ["Conv2DTranspose", "LayerNorm", "SpectralNormalization"]
