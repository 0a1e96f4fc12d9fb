"""What a page shows of a model: a panel for each thing that it can do."""

from kgen.demo.images import Completion, Reconstruction
from kgen.demo.latents import ImageInterpolation, Interpolation, Latents
from kgen.demo.samples import Codes, Samples

PANELS = (
    Samples,
    Codes,
    Latents,
    Interpolation,
    Reconstruction,
    ImageInterpolation,
    Completion,
)


def panels_of(model, has_tests=False):
    """The panels of what a model can do.

    Args:
        model: `kgen.models.image_model.ImageModel`.
        has_tests: bool. There are test images to take.

    Returns:
        list of `Panel`.

    Raises:
        ValueError: it can do nothing that a page shows.
    """
    if model.image_shape[-1] not in (1, 3):
        raise ValueError(
            "Expected a model of images with 1 or 3 channels, which a page can show. Received: "
            f"{type(model).__name__} of {model.image_shape}"
        )
    sources = ("sample",) * Samples.fits(model) + ("test",) * has_tests
    found = [panel(model, sources) for panel in PANELS if panel.fits(model)]
    if not found:
        can = ", ".join(sorted({verb for panel in PANELS for verb in panel.verbs}))
        raise ValueError(
            f"Expected a model with verbs that a page shows, of {can}. Received: "
            f"{type(model).__name__}"
        )
    return found
