"""Layers that Keras lacks, or has with a defect that matters here."""

from kgen.layers.batch_norm import BatchNorm
from kgen.layers.convolution import Conv2D, Conv2DTranspose
from kgen.layers.layer_norm import LayerNorm
from kgen.layers.spectral_normalization import SpectralNormalization

__all__ = ["BatchNorm", "Conv2D", "Conv2DTranspose", "LayerNorm", "SpectralNormalization"]
