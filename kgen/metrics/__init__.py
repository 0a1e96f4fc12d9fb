"""How good samples, likelihoods and latents are: pure functions of arrays, in float64.

They are NumPy's on every backend. What they say of samples they say of features; with those of the
reference's Inception network a Frechet distance is the FID and a kernel distance the KID, with no
others.
"""

from kgen.losses import bits_per_dim
from kgen.metrics import features
from kgen.metrics.classes import inception_score, mode_counts
from kgen.metrics.codes import perplexity
from kgen.metrics.disentanglement import (
    dci,
    factor_vae_score,
    importance_scores,
    mutual_information_gap,
    sap_score,
)
from kgen.metrics.evaluation import Evaluation, default_features
from kgen.metrics.frechet import Moments, frechet_bias, frechet_distance
from kgen.metrics.kernel import kernel_distance, polynomial_mmd
from kgen.metrics.latents import active_units, linear_probe
from kgen.metrics.likelihood import importance_bound
from kgen.metrics.neighbours import (
    density_coverage,
    memorization_distance,
    nearest,
    precision_recall,
)
from kgen.metrics.sample_metrics import SampleMetrics
from kgen.metrics.samples import FIGURES, SampleFigures, figures_of
from kgen.metrics.similarity import psnr, ssim
from kgen.metrics.sliced import sliced_wasserstein

__all__ = [
    "Evaluation",
    "FIGURES",
    "Moments",
    "SampleFigures",
    "SampleMetrics",
    "active_units",
    "bits_per_dim",
    "dci",
    "default_features",
    "density_coverage",
    "factor_vae_score",
    "features",
    "figures_of",
    "frechet_bias",
    "frechet_distance",
    "importance_bound",
    "importance_scores",
    "inception_score",
    "kernel_distance",
    "linear_probe",
    "memorization_distance",
    "mode_counts",
    "mutual_information_gap",
    "nearest",
    "perplexity",
    "polynomial_mmd",
    "precision_recall",
    "psnr",
    "sap_score",
    "sliced_wasserstein",
    "ssim",
]
