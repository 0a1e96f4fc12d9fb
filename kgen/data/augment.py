"""Random flips and crops of training images, by keras-cv."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from kgen.data.imports import require_tensorflow
from kgen.data.splits import Batch

AUGMENTATIONS = ("flip", "crop")


def augmentation(names: Sequence[str]) -> Callable[[np.ndarray, int], np.ndarray] | None:
    """The function that augments images, or None if there is nothing to do.

    The images that it is given are uint8, or float32 in [0, 1], (batch, height, width, channels);
    it returns the same shape, dtype and range, and the same images for the same seed.

    Args:
        names: of "flip", half of the images mirrored left to right, and "crop", a window of the
            image's own size out of the image with an eighth mirrored on at each side.

    Raises:
        ValueError: for an unknown name.
        ImportError: without keras-cv, or without the TensorFlow that it needs.
    """
    if isinstance(names, str) or not set(names) <= set(AUGMENTATIONS):
        raise ValueError(
            f"Expected augment as a sequence of names from {AUGMENTATIONS}, such as ('flip',). "
            f"Received: augment={names!r}"
        )
    if not names:
        return None
    require_tensorflow("`augment`", "keras-cv tensorflow")
    try:
        import keras_cv
    except (ImportError, ValueError) as error:  # keras-cv raises ValueError without TensorFlow.
        raise ImportError(
            f"`augment` needs the packages keras-cv and tensorflow ({error}). Install them with: "
            "pip install keras-cv tensorflow"
        ) from error

    def augment(images: np.ndarray, seed: int) -> np.ndarray:
        height, width = images.shape[1:3]
        layers, result = [], images
        # keras-cv keeps its random state in the layer, so a batch gets layers of its own; it takes
        # the seed 0 for none. RandomCrop and not JitteredResize, which ignores part of the seed.
        seeds = np.random.SeedSequence(seed).generate_state(2).astype("int64") + 1
        if "flip" in names:
            layers.append(keras_cv.layers.RandomFlip(seed=int(seeds[0]), name="flip"))
        if "crop" in names:
            pad_h, pad_w = max(1, height // 8), max(1, width // 8)
            pad = ((0, 0), (pad_h, pad_h), (pad_w, pad_w), (0, 0))
            result = np.pad(images, pad, mode="symmetric")
            layers.append(keras_cv.layers.RandomCrop(height, width, int(seeds[1]), name="crop"))
        with keras.device("cpu"):
            for layer in layers:
                result = keras.ops.convert_to_numpy(layer(result))
        if images.dtype == np.uint8:
            return np.clip(np.round(result), 0, 255).astype("uint8")
        return np.clip(result, 0, 1).astype("float32")

    return augment


def augment_batch(
    augment: Callable[[np.ndarray, int], np.ndarray], num_images: int, alike: bool
) -> Callable[[Batch, int], Batch]:
    """The function that augments the images in a batch.

    Args:
        augment: what `augmentation` gives.
        num_images: int. How many arrays of a batch, the first ones, are images: 1 or 2.
        alike: bool. Change both images of a row in the same way, as pairs, and not each in its own.
    """

    def augmented(batch, seed):
        images, rest = batch[:num_images], batch[num_images:]
        if num_images == 2 and alike:
            first, second = images
            if first.shape[:3] != second.shape[:3] or first.dtype != second.dtype:
                raise ValueError(
                    "Expected pairs of images of one size and dtype, for `augment`. Received: "
                    f"{first.dtype} of {first.shape[1:]} and {second.dtype} of {second.shape[1:]}"
                )
            changed = augment(np.concatenate(images, axis=-1), seed)
            channels = first.shape[-1]
            return changed[..., :channels], changed[..., channels:], *rest
        return (*(augment(each, seed + i) for i, each in enumerate(images)), *rest)

    return augmented
